"""Components, the players: named parts of a model and the places where they are ablated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from torch import nn

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, UnknownNameError

_SIDES = ("input", "output")
_NEAREST = 5  # names that a message suggests


@dataclass(frozen=True)
class Place:
    """Some channels of the input or output of a module.

    Attributes:
        module: the module's name, as in ``model.named_modules()``.
        side: ``"input"`` (the first argument) or ``"output"`` (the first of several).
        start, stop: the channels from ``start`` up to ``stop``, exclusive; ``None``: all from ``start``.
    """

    module: str
    side: Literal["input", "output"] = "output"
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        checks.choice("side", self.side, _SIDES)
        if not isinstance(self.module, str):
            raise ArgumentError("module", type_of(self.module), "the name of a module")
        object.__setattr__(self, "start", checks.integer("start", self.start, 0))
        if self.stop is not None:
            object.__setattr__(self, "stop", checks.integer("stop", self.stop, self.start + 1))


@dataclass(frozen=True)
class Component:
    """A player: a part of a model, with a name and the places that are ablated together.

    Attributes:
        name: the player's name.
        places: where it is ablated.
        is_found: whether `heads`, `mlps` or `layers` found it, so that a game checks that they know the whole of every
            layer.

    Example:
        >>> Component("both", (Place("encoder.0", "input", 0, 8), Place("encoder.1"))).name
        'both'
    """

    name: str
    places: tuple[Place, ...]
    is_found: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        are_several = isinstance(self.places, Iterable) and not isinstance(self.places, str)
        places = tuple(self.places) if are_several else (self.places,)
        if not are_several or not all(isinstance(place, Place) for place in places):
            raise ArgumentError("places", repr(self.places), "a tuple of `Place` objects")
        object.__setattr__(self, "places", places)
        if not self.places:
            raise ArgumentError("places", "none", "at least one place", f"Ablating {self.name!r} would do nothing.")
        checks.flag("is_found", self.is_found)


def checked_components(model: Any, components: Iterable[Component]) -> tuple[Component, ...]:
    """Return components whose modules the model has.

    Raises:
        ArgumentError: if there is no component, or anything else is given.
        UnknownNameError: for a module that the model does not have; the nearest names are listed.
    """
    model = checked_module(model)
    if isinstance(components, Component | str) or not isinstance(components, Iterable):
        raise ArgumentError("components", type_of(components), "a list of `Component`, such as `heads(model)`")
    checked = tuple(components)
    for component in checked:
        if not isinstance(component, Component):
            raise ArgumentError("components", f"{type_of(component)} among them", "`Component` objects only")
        for place in component.places:
            module_named(model, place.module, "components")
    if not checked:
        raise ArgumentError("components", "none", "at least one component")
    names = [component.name for component in checked]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ArgumentError("components", f"{twice[0]!r} more than once", "components with distinct names")
    return checked


def checked_module(model: Any) -> nn.Module:
    """Return the torch module: the model, or that which nnsight's ``NNsight`` and ``LanguageModel`` are around.

    Raises:
        ArgumentError: if there is none, or its weights are not loaded yet.
    """
    inner = getattr(model, "_module", None) if type(model).__module__.partition(".")[0] == "nnsight" else None
    found = inner if isinstance(inner, nn.Module) else model
    if not isinstance(found, nn.Module):
        raise ArgumentError("model", type_of(model), "a torch module")
    if found is not model and any(weight.is_meta for weight in found.parameters()):
        raise ArgumentError("model", f"{type_of(model)} without weights", "a loaded model", "Call `model.dispatch()`.")
    return found


def module_named(model: nn.Module, name: str, argument: str) -> nn.Module:
    """Return a module of the model by its name.

    Raises:
        UnknownNameError: if there is none; the nearest names are listed.
    """
    modules = dict(model.named_modules())
    if name not in modules:
        raise UnknownNameError(argument, repr(name), nearest_names(name, modules))
    return modules[name]


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Return which names are known, the most similar to ``name``, as a text."""
    names = [one for one in known if one]
    tail = name.replace("*", "").strip(".").split(".")[-1].lower()
    near = get_close_matches(name, names, n=_NEAREST, cutoff=0.5)
    near += [one for one in names if tail and tail in one.lower() and one not in near][: _NEAREST - len(near)]
    shown = near or names[:_NEAREST]
    return f"a name of `model.named_modules()`, such as {', '.join(map(repr, shown))}"

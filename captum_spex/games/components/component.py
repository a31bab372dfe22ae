"""What a player is: a named part of a model, and the places where it can be cut out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
from torch import nn

from captum_spex import checks
from captum_spex.errors import ArgumentError, UnknownNameError

_SIDES = ("input", "output")
_NEAREST = 5


@dataclass(frozen=True)
class Place:
    """Some channels of what goes into a module, or comes out of it.

    Attributes:
        module: the module's name, as in ``model.named_modules()``.
        side: ``"input"`` (the first argument) or ``"output"`` (the first of several).
        start, stop: the channels from ``start`` up to, not including, ``stop``; ``None``: up to the last.
    """

    module: str
    side: Literal["input", "output"] = "output"
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        checks.choice("side", self.side, _SIDES)
        if not isinstance(self.module, str):
            raise ArgumentError("module", f"a {type(self.module).__name__}", "the name of a module")
        for name, channel in (("start", self.start), ("stop", 0 if self.stop is None else self.stop)):
            if not isinstance(channel, int | np.integer) or isinstance(channel, bool):
                raise ArgumentError(name, repr(channel), "an integer")
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise ArgumentError("start", f"channels {self.start} to {self.stop}", "at least one channel, from 0 on")


@dataclass(frozen=True)
class Component:
    """A player: a part of a model, by its name and the places that are ablated together.

    Example:
        >>> Component("both", (Place("encoder.0", "input", 0, 8), Place("encoder.1"))).name
        'both'
    """

    name: str
    places: tuple[Place, ...]

    def __post_init__(self) -> None:
        are_several = isinstance(self.places, Iterable) and not isinstance(self.places, str)
        places = tuple(self.places) if are_several else (self.places,)
        if not are_several or not all(isinstance(place, Place) for place in places):
            raise ArgumentError("places", repr(self.places), "a tuple of `Place`")
        object.__setattr__(self, "places", places)
        if not self.places:
            raise ArgumentError("places", "none", "at least one place", f"Component {self.name!r} would do nothing.")


def checked_components(model: Any, components: Iterable[Component]) -> tuple[Component, ...]:
    """Return components whose modules the model has.

    Raises:
        ArgumentError: if these are no components, or none.
        UnknownNameError: for a module that the model does not have; the nearest names are listed.
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", f"a {type(model).__name__}", "a torch module")
    if isinstance(components, Component | str) or not isinstance(components, Iterable):
        raise ArgumentError("components", f"a {type(components).__name__}", "a list of `Component`, as `heads` returns")
    checked = tuple(components)
    for component in checked:
        if not isinstance(component, Component):
            raise ArgumentError("components", f"a {type(component).__name__} among them", "`Component` only")
        for place in component.places:
            module_named(model, place.module, "components")
    if not checked:
        raise ArgumentError("components", "none", "at least one")
    names = [component.name for component in checked]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ArgumentError("components", f"{twice[0]!r} more than once", "components of different names")
    return checked


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
    """Return a text that lists the known names most like ``name``."""
    names = [one for one in known if one]
    tail = name.replace("*", "").strip(".").split(".")[-1].lower()
    near = get_close_matches(name, names, n=_NEAREST, cutoff=0.5)
    near += [one for one in names if tail and tail in one.lower() and one not in near][: _NEAREST - len(near)]
    shown = near or names[:_NEAREST]
    return f"a name of `model.named_modules()`, such as {', '.join(map(repr, shown))}"

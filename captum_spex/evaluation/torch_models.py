"""The torch modules behind a function: their mode, their buffers, the rounding of their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError

_DEPTH = 4  # functions in functions, objects in objects
_MOST = 100  # entries of a container
_TF32 = 2.0**-14  # products on GPUs are rounded to 10 bits, and then added up


def modules_in(function: Any) -> list[nn.Module]:
    """Return the modules that a function can call: itself, or what it closes over, names, is bound to or holds.

    Of a module its parts are not listed, but modules that it holds without their being parts (in a list, a function).

    Example:
        >>> model = nn.Linear(2, 1)
        >>> modules_in(lambda x: model(x)[:, 0]) == [model]
        True
    """
    found: dict[int, nn.Module] = {}
    seen: set[int] = set()

    def visit(thing: Any, depth: int) -> None:
        if id(thing) in seen or depth > _DEPTH:
            return
        seen.add(id(thing))
        if isinstance(thing, nn.Module):
            found[id(thing)] = thing
            seen.update(map(id, thing.modules()))
        for part in _unregistered(thing) if isinstance(thing, nn.Module) else _parts(thing):
            visit(part, depth + 1)

    visit(function, 0)
    return list(found.values())


def check_mode(argument: str, function: Any, allow_training: bool | None = None) -> None:
    """Refuse modules in training mode whose outputs depend on it: dropout, batch norm, whatever reads ``training``.

    Args:
        argument: its name.
        function: a module, or a function that calls some.
        allow_training: whether they are allowed; ``None`` if the caller has no such argument.

    Raises:
        ArgumentError: naming the first of them.
    """
    if allow_training:
        return
    for model in modules_in(function):
        for name, part in model.named_modules():
            if part.training and (_reads_its_mode(part.__class__) or _changed_by_mode(part)):
                got = f"{name!r}, {type_of(part)}, in training mode" if name else f"{type_of(part)} in training mode"
                hint = "Call `model.eval()`"
                hint += "." if allow_training is None else "; `allow_training=True` explains the model as it is."
                raise ArgumentError(argument, got, "a model in evaluation mode", hint)


@contextmanager
def buffers_kept(function: Any) -> Iterator[None]:
    """Give buffers that change in training mode, such as a running mean, their values back."""
    models = [model for model in modules_in(function) if any(part.training for part in model.modules())]
    before = [(buffer, buffer.detach().clone()) for model in models for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def logits_of(returned: Any) -> Any:
    """Return the ``logits`` of an output of transformers, a dictionary or a named tuple; of others all that came."""
    logits = returned.get("logits") if isinstance(returned, Mapping) else getattr(returned, "logits", None)
    return logits if hasattr(logits, "shape") else returned


def rounding_of(*things: Any) -> float:
    """Return the relative rounding of the coarsest floating numbers among tensors and modules, at least of float32.

    Example:
        >>> rounding_of(torch.ones(1), nn.Linear(2, 1).half()) == torch.finfo(torch.float16).eps
        True
    """
    return max([torch.finfo(torch.float32).eps, *(_rounding(tensor) for tensor in _tensors(things))])


def _tensors(things: Iterable[Any]) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        else:
            yield from (one for model in modules_in(thing) for one in model.parameters())


def _rounding(tensor: Tensor) -> float:
    if not tensor.is_floating_point():
        return 0.0
    eps = torch.finfo(tensor.dtype).eps
    return max(eps, _TF32) if tensor.is_cuda and tensor.dtype == torch.float32 else eps


def _unregistered(model: nn.Module) -> Iterator[Any]:
    """Yield what modules hold that are no parts of a model to torch: lists of modules, functions that call some."""
    for part in model.modules():
        if isinstance(part, torch.jit.ScriptModule):  # which keep what they were made of
            continue
        yield from (value for name, value in vars(part).items() if not name.startswith("_"))


def _parts(thing: Any) -> Iterable[Any]:
    """Return what could be called in a call of a thing."""
    if isinstance(thing, FunctionType):
        return (*_closure(thing), *_named(thing), *(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
    if isinstance(thing, MethodType):
        return thing.__self__, thing.__func__
    if isinstance(thing, partial):
        return thing.func, *thing.args, *thing.keywords.values()
    return _held(thing)


def _held(thing: Any) -> list[Any]:
    """Return what a container or another object holds."""
    if isinstance(thing, list | tuple | set | frozenset):
        return list(thing)[:_MOST]
    if isinstance(thing, Mapping):
        return list(thing.values())[:_MOST]
    if isinstance(thing, type | Tensor) or type(thing).__module__ in ("builtins", "numpy"):
        return []
    call = vars(type(thing)).get("__call__")
    return [*getattr(thing, "__dict__", {}).values(), *(_named(call) if isinstance(call, FunctionType) else ())]


def _closure(function: FunctionType) -> list[Any]:
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    return cells


def _named(function: FunctionType) -> list[Any]:
    """Return the global variables that a function names."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    return [function.__globals__[name] for name in sorted(names) if name in function.__globals__]


@cache
def _reads_its_mode(kind: type[nn.Module]) -> bool:
    """Whether the code of a class of modules reads ``training``; so does any that cannot be read."""
    if issubclass(kind, torch.jit.ScriptModule):
        return True
    classes = kind.__mro__[: kind.__mro__.index(nn.Module)]
    members = [member for one in classes for member in vars(one).values()]
    functions = [_plain(member) for member in members]
    return any(_names_training(function.__code__) for function in functions if isinstance(function, FunctionType))


def _changed_by_mode(part: nn.Module) -> bool:
    """Whether a hook of a module, or a method in the place of its own, reads ``training``."""
    changes = [*part._forward_pre_hooks.values(), *part._forward_hooks.values(), vars(part).get("forward")]
    functions = [_plain(one if isinstance(one, FunctionType) else type(one).__call__) for one in changes if one]
    return any(_names_training(function.__code__) for function in functions if isinstance(function, FunctionType))


def _plain(member: Any) -> Any:
    """Return the function of a method, static method or property, without decorators that keep it."""
    member = getattr(member, "__func__", getattr(member, "fget", member))
    while isinstance(wrapped := getattr(member, "__wrapped__", None), FunctionType):
        member = wrapped
    return member


def _names_training(code: CodeType) -> bool:
    return any("training" in (*one.co_names, *one.co_consts) for one in _codes(code))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)

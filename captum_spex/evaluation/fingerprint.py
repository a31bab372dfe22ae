"""Short digests of models and data, by which a store knows the game that it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from math import gcd
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_NO_SETTINGS = ("name_or_path",)  # where a model was loaded from
_OF_HOOKS = ("_hf_hook", "_old_forward", "forward", "to", "cuda", "npu", "xpu", "mlu", "sdaa", "musa")  # by accelerate
_MOST_ELEMENTS = 1 << 18  # of a tensor: a model of many gigabytes is digested in seconds


def digest(*things: Any) -> str:
    """Return 32 hexadecimal digits that change when the things do.

    Knows ``None``, numbers, texts, bytes, tensors, arrays, torch modules (classes, settings, parameters and buffers of
    all their parts), and lists, tuples and mappings of these. Of a tensor of more than 262,144 elements, about that
    many count, evenly spaced so that every row and column is met, beside its shape and dtype. The device does not
    count.

    Raises:
        TypeError: for anything else.

    Example:
        >>> digest("a text", 3) == digest("a text", 3), digest("a text", 3) == digest("a text", 4)
        (True, False)
    """
    state = hashlib.blake2b(digest_size=16)
    for piece in _pieces(things):
        state.update(len(piece).to_bytes(8, "little"))
        state.update(piece)
    return state.hexdigest()


def game_identity(game: Any, parts: Mapping[str, str]) -> dict[str, str]:
    """Return the fingerprint of a game that comes with the package: its version, the game's class, and other parts."""
    from captum_spex import __version__

    return {"captum_spex": __version__, "game": type(game).__name__, **parts}


def digestible(value: Any) -> Any:
    """Return a value that `digest` knows, of any other its class and, of functions, the name."""
    try:
        digest(value)
    except (TypeError, RuntimeError):
        return f"{type(value).__qualname__} {getattr(value, '__qualname__', '')}"
    return value


def _pieces(thing: Any) -> Iterator[bytes]:
    if isinstance(thing, nn.Module):
        yield from _module_pieces(thing)
    elif isinstance(thing, Tensor):
        yield f"tensor {thing.dtype} {tuple(thing.shape)}".encode()
        chosen = _sample(thing.detach().reshape(-1)).to("cpu").contiguous()
        yield chosen.view(torch.uint8).numpy().tobytes() if chosen.numel() else b""
    elif isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        yield f"array {thing.dtype.newbyteorder('=')} {thing.shape}".encode()
        yield _sample(thing.reshape(-1)).astype(thing.dtype.newbyteorder("<")).tobytes()
    elif isinstance(thing, Mapping):
        yield f"mapping of {len(thing)}".encode()
        for key, value in thing.items():
            yield from _pieces((key, value))
    elif isinstance(thing, list | tuple):
        yield f"{len(thing)} things".encode()
        for one in thing:
            yield from _pieces(one)
    elif isinstance(thing, bytes):
        yield b"bytes"
        yield thing
    elif thing is None or isinstance(thing, str | bool | int | float | np.generic):
        yield _kind(thing)
        yield repr(thing).encode()
    else:
        raise TypeError(f"cannot tell what identifies a {type(thing).__name__}")


def _module_pieces(module: nn.Module) -> Iterator[bytes]:
    """All modules inside with their names, settings, parameters and buffers, those that are not saved too."""
    for name, part in module.named_modules():
        yield name.encode()
        yield _kind(part)
        notes = "_" if type(part).__module__.startswith("transformers.") else ()  # of how it was loaded
        known = {key: value for key, value in _own(part).items() if not key.startswith(notes)}
        settings = {key: _setting(value) for key, value in known.items() if key not in _NO_SETTINGS}
        yield from _pieces({key: value for key, value in settings.items() if value is not None})
        for tensors in (dict(part.named_parameters(recurse=False)), dict(part.named_buffers(recurse=False))):
            yield from _pieces({key: _offloaded(part, key) if one.is_meta else one for key, one in tensors.items()})


def _own(module: nn.Module) -> dict[str, Any]:
    """Return what a module holds, without what accelerate sets on those that it loads when they are called."""
    known = dict(vars(module))
    if "_hf_hook" not in known:
        return known
    before = known.get("_old_forward")
    known = {key: value for key, value in known.items() if key not in _OF_HOOKS}
    return known if getattr(before, "__func__", None) is type(module).forward else {**known, "forward": before}


def _offloaded(module: nn.Module, name: str) -> Tensor:
    """Return a tensor of a module that accelerate keeps on a disk, or in memory, until the module is called.

    Raises:
        TypeError: if it is nowhere.
    """
    for hook in hooks_of(module):
        try:
            kept: Tensor = hook.weights_map[name]
        except (AttributeError, TypeError, KeyError):
            continue
        return kept
    raise TypeError(f"`{name}` of a {type(module).__name__} is on the meta device: its numbers are not loaded")


def hooks_of(module: nn.Module) -> list[Any]:
    """Return the hooks by which accelerate loads a module's tensors when it is called."""
    hook = getattr(module, "_hf_hook", None)
    return [] if hook is None else [hook, *getattr(hook, "hooks", ())]


def _setting(value: Any) -> Any:
    """Return a setting of a module: a number, a text, several of them, or the name of a function; else ``None``."""
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str | bool | int | float) for one in value):
        return value
    return getattr(value, "__qualname__", None)


def _sample(flat: Any) -> Any:
    """Return evenly spaced elements of a long row, in steps that meet every row and column of what it was."""
    step = -(-len(flat) // _MOST_ELEMENTS)
    while gcd(step, len(flat)) > 1:
        step += 1
    return flat[::step] if step > 1 else flat


def _kind(thing: Any) -> bytes:
    return f"{type(thing).__module__}.{type(thing).__qualname__}".encode()

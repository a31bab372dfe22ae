"""Short digests of models and data, by which a store knows the game that it belongs to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_MOST_ELEMENTS = 1 << 18  # of a tensor: a model of many gigabytes is digested in seconds


def digest(*things: Any) -> str:
    """Return 32 hexadecimal digits that change when the things do.

    Knows ``None``, numbers, texts, bytes, tensors, arrays, torch modules (their printed structure, parameters and
    buffers), and lists, tuples and mappings of these. A tensor of more than 262,144 elements counts by as many of
    them, evenly spaced with an odd step, its shape and its dtype. The device does not count.

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


def _pieces(thing: Any) -> Iterator[bytes]:
    if isinstance(thing, nn.Module):
        yield _kind(thing)
        yield re.sub(r"0x[0-9a-fA-F]+", "", repr(thing)).encode()  # activations and sizes, without addresses
        yield from _pieces(dict(thing.state_dict()))
    elif isinstance(thing, Tensor):
        yield from _tensor_pieces(thing)
    elif isinstance(thing, np.ndarray):
        yield from _tensor_pieces(torch.from_numpy(thing))
    elif isinstance(thing, Mapping):
        yield b"mapping"
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


def _tensor_pieces(tensor: Tensor) -> Iterator[bytes]:
    yield f"tensor {tensor.dtype} {tuple(tensor.shape)}".encode()
    flat = tensor.detach().reshape(-1)
    step = -(-flat.numel() // _MOST_ELEMENTS) | 1  # odd, so that over many rows every column is met
    chosen = flat[::step].to("cpu").contiguous()
    yield chosen.view(torch.uint8).numpy().tobytes() if chosen.numel() else b""


def _kind(thing: Any) -> bytes:
    return f"{type(thing).__module__}.{type(thing).__qualname__}".encode()

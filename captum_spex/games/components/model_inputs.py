"""The inputs of a model: blocks of examples, repeated for several masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class ModelInputs:
    """Arguments of a model; tensors with ``n_examples`` rows are repeated, others are passed on.

    Attributes:
        positional, named: the arguments.
        n_examples: number of examples.
    """

    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    n_examples: int

    @classmethod
    def of(cls, given: Any, argument: str) -> ModelInputs:
        """Read a tensor, a tuple of arguments or a mapping of keyword arguments; the first tensor has the examples.

        Raises:
            ArgumentError: if there is no tensor with a first dimension.
        """
        positional: tuple[Any, ...] = ()
        named: Mapping[str, Any] = {}
        if isinstance(given, Mapping):
            named = {str(key): value for key, value in given.items()}
        else:
            positional = tuple(given) if isinstance(given, tuple | list) else (given,)
        tensors = [one for one in (*positional, *named.values()) if isinstance(one, Tensor) and one.dim()]
        if not tensors or not len(tensors[0]):
            got = "no example" if tensors else f"{type_of(given)} without a tensor of examples"
            expected = "a tensor, a tuple of arguments, or a mapping of keyword arguments, examples first"
            raise ArgumentError(argument, got, expected)
        return cls(positional, named, len(tensors[0]))

    def blocks(self, batch_size: int) -> Iterator[slice]:
        """Yield slices of at most ``batch_size`` examples."""
        for start in range(0, self.n_examples, batch_size):
            yield slice(start, min(start + batch_size, self.n_examples))

    def call(self, forward: Callable[..., Any], n_masks: int, examples: slice) -> Any:
        """Call a model with the examples, once for each mask: row ``mask * n_examples + example``."""
        positional = [self._rows(one, n_masks, examples) for one in self.positional]
        return forward(*positional, **{key: self._rows(one, n_masks, examples) for key, one in self.named.items()})

    def attention_mask(self, examples: slice, module: str) -> Tensor | None:
        """Return the attention mask of the examples that applies to a module, if there is one."""
        in_decoder = "decoder" in module.split(".") and any(key.startswith("decoder_") for key in self.named)
        mask = self.named.get("decoder_attention_mask" if in_decoder else "attention_mask")
        return mask[examples] if isinstance(mask, Tensor) and len(mask) == self.n_examples else None

    def _rows(self, value: Any, n_masks: int, examples: slice) -> Any:
        if not isinstance(value, Tensor) or not value.dim() or len(value) != self.n_examples:
            return value
        chosen = value[examples]
        return torch.cat([chosen] * n_masks)  # a copy: some models write into their input

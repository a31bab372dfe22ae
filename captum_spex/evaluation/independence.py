"""Whether the masks of a call influence each other: two masks of a run are also evaluated alone, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captum_spex.arrays import Floats, Rows
from captum_spex.errors import ArgumentError
from captum_spex.masks import MaskBlocks

Answered = tuple[Rows, Floats]
"""Rows of masks, and their values ``(n_rows, n_outputs)``."""
_FLOAT32 = float(np.finfo(np.float32).eps)
_MOST_OF_SIZE = 2.0**-7  # of the values' size, that half precision may differ by
_LOOKED_AT = 256  # batches among whose masks the two are chosen, at most
_MOST_CELLS = 1 << 22  # of all these masks, laid out


@dataclass(frozen=True, eq=False)
class Pair:
    """Two masks of a run that share calls with others.

    Attributes:
        rows: their rows.
        batches: numbers of the batches that hold them.
    """

    rows: Rows
    batches: frozenset[int]

    @classmethod
    def among(cls, masks: MaskBlocks, batches: Sequence[Rows]) -> Pair | None:
        """Choose two inner masks that differ much; ``None`` if no batch has two masks.

        One of them changes its place if a call sorts its rows by how much is present, from the least or from the most.
        """
        several = [(number, rows) for number, rows in enumerate(batches) if len(rows) > 1]
        most = max(2, _MOST_CELLS // max(1, masks.n_players))
        n_batches = min(_LOOKED_AT, max(1, most // max([1, *(len(rows) for _, rows in several)])))
        few = [(number, rows[:most]) for number, rows in several[:n_batches]]
        shared = [_Shared(number, rows, masks.block(rows).unpack()) for number, rows in few]
        inner = [batch for batch in map(_Shared.inner, shared) if len(batch.rows) > 1]
        if not shared:
            return None
        found = inner or shared
        present = np.concatenate([batch.present for batch in found])
        rows = np.concatenate([batch.rows for batch in found])
        numbers = np.repeat([batch.number for batch in found], [len(batch.rows) for batch in found])
        upwards, downwards = (np.concatenate([batch.moved(sign) for batch in found]) for sign in (1, -1))
        first = int(np.lexsort((present.sum(axis=1), ~downwards, ~upwards))[0])
        distances = (present != present[first]).sum(axis=1)
        distances[first] = -1
        is_second = downwards | downwards[first] | (not downwards.any())
        second = int(np.argmax(np.where(is_second, distances, -1)))
        second = int(np.argmax(distances)) if second == first else second
        return cls(rows[[first, second]], frozenset(numbers[[first, second]].tolist()))


@dataclass(frozen=True, eq=False)
class _Shared:
    """A batch of several masks."""

    number: int
    rows: Rows
    present: np.ndarray

    def inner(self) -> _Shared:
        sizes = self.present.sum(axis=1)
        is_inner = (sizes > 0) & (sizes < self.present.shape[1])
        return _Shared(self.number, self.rows[is_inner], self.present[is_inner])

    def moved(self, sign: int) -> np.ndarray:
        """Return which masks change their places when they are sorted by size."""
        order = np.argsort(sign * self.present.sum(axis=1), kind="stable")
        return np.asarray(order != np.arange(len(order)))


def are_alike(again: Floats, before: Floats, values: Floats, rounding: float | None = None) -> bool:
    """Whether values that were evaluated again are those of before, up to rounding; ``values``: all that are known."""
    return bool(np.abs(again - before).max() <= _tolerance(values, rounding))


def _tolerance(values: Floats, rounding: float | None) -> float:
    rounding = _FLOAT32 if rounding is None else rounding
    spread, size = np.ptp(values, axis=0).max(), np.abs(values).max()
    return float(rounding**0.5 * spread + min(64 * rounding, _MOST_OF_SIZE) * size + 8 * rounding)


def check_alone(
    argument: str, alone: Sequence[Answered], together: Sequence[Answered], rounding: float | None = None
) -> None:
    """Check that masks have the same values alone as in calls with others, up to rounding.

    Rounding is of the size of the model's own numbers, not of the values, which may be small differences of them:
    kernels for another number of rows add up in another order.

    Args:
        argument: of the caller, which sets how many masks share a call.
        alone: rows and values ``(n_rows, n_outputs)`` of calls with one mask.
        together: rows and values of calls with several, those of the former among them.
        rounding: relative rounding of the model's numbers; default that of float32.

    Raises:
        ArgumentError: if they differ.
    """
    rows, values = (np.concatenate(parts) for parts in zip(*together, strict=True))
    asked, wanted = (np.concatenate(parts) for parts in zip(*alone, strict=True))
    found = values[[int(np.flatnonzero(rows == row)[0]) for row in asked]]
    differences = np.abs(found - wanted)
    if differences.max() <= _tolerance(values, rounding):
        return
    place = np.unravel_index(int(differences.argmax()), differences.shape)
    raise ArgumentError(
        argument,
        f"several, though a mask of value {wanted[place]:.6g} alone has {found[place]:.6g} in a call with others",
        "1 for a model whose rows influence each other",
        f"With `{argument}=1` every mask has a call of its own. Rows influence each other through statistics of a "
        "batch, through sorting, through padding that is read, through arguments that do not grow with them (edges of "
        "a graph). A random model has no values to compare: `ProxySpex(noisy=True)`.",
    )

"""A table of past trainings: subsets and what got out, instead of a game that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from captum_spex import checks
from captum_spex.approximators import ValueTable
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.masks import Keys, Masks, PackedMasks, as_masks, find_rows, mask_keys

_BLOCK_CELLS = 1 << 25
_LOOKED_AT = 10_000  # rows
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1).ravel()
"""Every octet with its bits in the other order."""


def from_table(
    masks: ArrayLike | PackedMasks,
    values: ArrayLike,
    *,
    n_players: int | None = None,
    names: Sequence[str] | None = None,
    bitorder: Literal["little", "big"] = "big",
) -> TableGame:
    """Return given subsets and their values as a game, for `captum_spex.explain`: a matrix of past trainings.

    Nothing is trained: `captum_spex.approximators.ProxySpex` learns from the rows as they are. Masks may be
    memory-mapped; they are read block by block, and never unpacked whole: 50,000 points and 100,000 subsets are 625 MB
    as packed bits.

    Args:
        masks: bool ``(n_masks, n_players)``, or 0 and 1, ``True`` = in the training set; or packed, eight players to
            a byte, uint8 ``(n_masks, ceil(n_players / 8))`` with ``n_players`` given.
        values: ``(n_masks,)``, or ``(n_masks, n_outputs)``: the loss, the margin of each test point, ...
        n_players: number of players of packed masks.
        names: names of the players, for display.
        bitorder: of packed masks, as in ``numpy.packbits``: ``"big"``: player 0 is the highest bit of the first byte;
            ``"little"``: the lowest.

    Raises:
        MaskError: if masks hold other values than 0 and 1, or do not fit ``n_players``.
        ArgumentError: if there is not a finite value, or a row of them, for each mask.

    Example:
        >>> import captum_spex
        >>> masks = np.random.default_rng(0).random((400, 30)) < 0.5
        >>> values = masks[:, 3] - 2.0 * (masks[:, 5] & masks[:, 8])
        >>> result = captum_spex.explain(from_table(masks, values), random_state=0)
        >>> list(result.top(1, order=2))
        [(5, 8)]
    """
    given = _read(masks, n_players, checks.choice("bitorder", bitorder, ("little", "big")) == "big")
    numbers = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    if numbers.ndim not in (1, 2) or len(numbers) != len(given) or numbers.dtype.kind not in "fiub":
        got = f"shape {numbers.shape}, {numbers.dtype}"
        raise ArgumentError("values", got, f"numbers, ({len(given)},) or ({len(given)}, n_outputs): for each mask")
    outputs = np.asarray(numbers, dtype=np.float64).reshape(len(given), -1)
    wrong = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
    if len(wrong) or not outputs.size:
        got = f"a value that is not finite in row {wrong[0]}" if len(wrong) else "no values"
        raise ArgumentError("values", got, "finite numbers, at least one row")
    if names is not None and len(names) != given.n_players:
        raise ArgumentError("names", f"{len(names)} names", f"one for each of the {given.n_players} players")
    table = ValueTable(given, outputs, has_outputs=numbers.ndim == 2)
    return TableGame(table, None if names is None else tuple(map(str, names)))


@dataclass(frozen=True, eq=False)
class TableGame:
    """Given subsets and their values; see `from_table`.

    Attributes:
        table: the masks and values.
        names: names of the players, or ``None``.
    """

    table: ValueTable
    names: tuple[str, ...] | None = None

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.table.masks.n_players

    def __len__(self) -> int:
        return len(self.table.values)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values of masks that the table holds, the first of each.

        Raises:
            MaskError: for masks that it does not hold.
        """
        keys, known = mask_keys(as_masks(masks, self.n_players)), self.table.masks.keys()
        distinct, first = np.unique(known, return_index=True)
        rows = find_rows(keys, distinct)
        if (rows < 0).any():
            got = f"{int((rows < 0).sum())} masks that the table does not hold"
            raise MaskError("masks", got, "rows of the table", "`explain` learns from the rows as they are.")
        values = self.table.values[first[rows]]
        return values if self.table.has_outputs else values[:, 0]


@dataclass(frozen=True, eq=False)
class _Packed:
    """Packed masks that may lie in a file."""

    packed: NDArray[np.uint8]
    n_players: int
    is_big: bool

    def __len__(self) -> int:
        return len(self.packed)

    def keys(self) -> Keys:
        return _keys(self)

    def block(self, rows: NDArray[np.intp]) -> PackedMasks:
        chosen = np.asarray(_rows_of(self.packed, rows))
        return PackedMasks(_REVERSED[chosen] if self.is_big else chosen, self.n_players)


@dataclass(frozen=True, eq=False)
class _Plain:
    """Masks as 0 and 1 that may lie in a file."""

    masks: NDArray[Any]

    @property
    def n_players(self) -> int:
        return int(self.masks.shape[1])

    def __len__(self) -> int:
        return len(self.masks)

    def keys(self) -> Keys:
        return _keys(self)

    def block(self, rows: NDArray[np.intp]) -> PackedMasks:
        return PackedMasks.of(np.asarray(_rows_of(self.masks, rows)).astype(np.bool_))


def _read(masks: Any, n_players: int | None, is_big: bool) -> _Packed | _Plain:
    if isinstance(masks, PackedMasks):
        return _Packed(masks.packed, masks.n_players, is_big=False)
    array = masks if isinstance(masks, np.ndarray) else np.asarray(masks)
    if array.ndim != 2 or not array.size:
        raise MaskError("masks", f"shape {array.shape}", "(n_masks, n_players), at least one of each")
    if n_players is not None and array.shape[1] != checks.integer("n_players", n_players):
        if array.dtype != np.uint8 or array.shape[1] != -(-n_players // 8):
            expected = f"(n_masks, {n_players}), or packed, uint8 (n_masks, {-(-n_players // 8)})"
            raise MaskError("masks", f"shape {array.shape}, {array.dtype}", expected)
        _check_padding(array, n_players, is_big)
        return _Packed(array, n_players, is_big)
    if array.dtype != np.bool_:
        _check_binary(array)
    return _Plain(array)


def _check_padding(packed: NDArray[np.uint8], n_players: int, is_big: bool) -> None:
    """The bits behind the last player are 0, unless the order is the other one."""
    spare = -n_players % 8
    padding = (1 << spare) - 1 if is_big else 0xFF & ~((1 << (8 - spare)) - 1)
    if spare and (np.asarray(packed[:_LOOKED_AT, -1]) & padding).any():
        other = "little" if is_big else "big"
        got = f"bits behind player {n_players - 1} that are set"
        raise MaskError("masks", got, "rows filled up with zeros", f'Is it `bitorder="{other}"`?')


def _check_binary(array: NDArray[Any]) -> None:
    step = max(1, _BLOCK_CELLS // array.shape[1])
    for start in range(0, len(array), step):
        wrong = np.argwhere(~np.isin(array[start : start + step], (0, 1)))
        if len(wrong):
            row, player = int(wrong[0][0]) + start, int(wrong[0][1])
            got = f"{array[row, player]} in row {row}, column {player}"
            hint = "Are they packed bits? Then give `n_players`." if array.dtype == np.uint8 else ""
            raise MaskError("masks", got, "0 and 1: absent and present", hint)


def _rows_of(array: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return rows; a run of them as a slice, which a file gives quickly."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return array[rows[0] : rows[-1] + 1]
    return array[rows]


def _keys(masks: _Packed | _Plain) -> Keys:
    step = max(1, _BLOCK_CELLS // masks.n_players)
    starts = range(0, len(masks), step)
    blocks = [masks.block(np.arange(start, min(start + step, len(masks)))) for start in starts]
    return np.concatenate([block.keys() for block in blocks])

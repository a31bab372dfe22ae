"""A table of past trainings, subsets and their values, in place of a game that can be evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex import checks
from captum_spex.approximators import ValueTable
from captum_spex.arrays import Floats, real_numbers
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.masks import Keys, Masks, PackedMasks, as_masks, find_rows, in_batches, mask_keys

_BLOCK = 1 << 25  # entries of masks in memory at a time
_CHECKED_ROWS = 10_000  # of the padding of packed masks, which may lie in a file
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1).ravel()
"""Every byte with its bits in reverse order."""


def from_table(
    masks: ArrayLike | PackedMasks,
    values: ArrayLike,
    *,
    n_players: int | None = None,
    names: Sequence[str] | None = None,
    bitorder: Literal["little", "big"] = "big",
) -> TableGame:
    """Return subsets of the training data and their values as a game, for `captum_spex.explain`.

    Nothing is trained: `captum_spex.approximators.ProxySpex` learns from the rows. Masks may be memory-mapped: they are
    read block by block, and never unpacked all at once: 50,000 points and 100,000 subsets are 625 MB as packed bits.

    Args:
        masks: bool ``(n_masks, n_players)``, or 0 and 1, ``True`` = in the training set; or packed, eight players to
            a byte, uint8 ``(n_masks, ceil(n_players / 8))`` with ``n_players`` given.
        values: ``(n_masks,)``, or ``(n_masks, n_outputs)``: the loss, the margin of each test point, ...
        n_players: number of players of packed masks.
        names: names of the players, for display.
        bitorder: of packed masks, as in ``numpy.packbits``: player 0 is the highest bit of the first byte (``"big"``),
            or the lowest (``"little"``).

    Raises:
        MaskError: if masks hold other values than 0 and 1, or do not fit ``n_players``.
        ArgumentError: if there is not a finite value, or a row of finite values, for each mask.

    Example:
        >>> import captum_spex
        >>> masks = np.random.default_rng(0).random((400, 30)) < 0.5
        >>> values = masks[:, 3] - 2.0 * (masks[:, 5] & masks[:, 8])
        >>> result = captum_spex.explain(from_table(masks, values), random_state=0)
        >>> list(result.top(1, order=2))
        [(5, 8)]
    """
    given = _read(masks, n_players, checks.choice("bitorder", bitorder, ("little", "big")))
    numbers = real_numbers("values", values)
    if numbers.ndim not in (1, 2) or len(numbers) != len(given):
        raise ArgumentError("values", f"{numbers.shape}", f"shape ({len(given)},) or ({len(given)}, n_outputs)")
    outputs = numbers.reshape(len(given), -1)
    wrong = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
    if len(wrong) or not outputs.size:
        got = f"a value that is not finite in row {wrong[0]}" if len(wrong) else "none"
        raise ArgumentError("values", got, "finite numbers, at least one per row")
    table = ValueTable(given, outputs, has_outputs=numbers.ndim == 2)
    return TableGame(table, checks.player_names(names, given.n_players))


@dataclass(frozen=True, eq=False)
class TableGame:
    """Subsets and their values; see `from_table`.

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
        """Return the values of masks in the table; of equal rows the first counts.

        Raises:
            MaskError: for masks that are not in the table.
        """
        keys, known = mask_keys(as_masks(masks, self.n_players)), self.table.masks.keys()
        distinct, first = np.unique(known, return_index=True)
        rows = find_rows(keys, distinct)
        if (rows < 0).any():
            got = f"{int((rows < 0).sum())} others"
            raise MaskError("masks", got, "masks that are in the table", "`explain` learns from the rows themselves.")
        values = self.table.values[first[rows]]
        return values if self.table.has_outputs else values[:, 0]


@dataclass(frozen=True, eq=False)
class StoredMasks:
    """Masks in an array that may be memory-mapped, read block by block.

    Attributes:
        array: 0 and 1, ``(n_masks, n_players)``, or packed, uint8 ``(n_masks, ceil(n_players / 8))``.
        n_players: number of players.
        bitorder: of packed masks, else ``None``.
        block_size: entries of masks to unpack at a time.
    """

    array: NDArray[Any]
    n_players: int
    bitorder: Literal["little", "big"] | None
    block_size: int = _BLOCK

    def __len__(self) -> int:
        return len(self.array)

    def keys(self) -> Keys:
        """Return the `captum_spex.masks.mask_keys` of all masks."""
        blocks = [self.block(rows) for rows in in_batches(len(self), max(1, self.block_size // self.n_players))]
        return np.concatenate([block.keys() for block in blocks])

    def block(self, rows: NDArray[np.intp]) -> PackedMasks:
        """Return the masks at ``rows``."""
        chosen = np.asarray(_rows_of(self.array, rows))
        if self.bitorder is None:
            return PackedMasks.of(chosen.astype(np.bool_))
        return PackedMasks(_REVERSED[chosen] if self.bitorder == "big" else chosen, self.n_players)

    def check_binary(self) -> None:
        """Refuse other numbers than 0 and 1."""
        for rows in in_batches(len(self), max(1, self.block_size // self.n_players)):
            wrong = np.argwhere(~np.isin(_rows_of(self.array, rows), (0, 1)))
            if len(wrong):
                row, player = int(rows[wrong[0][0]]), int(wrong[0][1])
                got = f"{self.array[row, player]} in row {row}, column {player}"
                hint = "Are they packed bits? Then give `n_players`." if self.array.dtype == np.uint8 else ""
                raise MaskError("masks", got, "0 and 1: absent and present", hint)


def _read(masks: Any, n_players: int | None, bitorder: Literal["little", "big"]) -> StoredMasks:
    if isinstance(masks, PackedMasks):
        return StoredMasks(masks.packed, masks.n_players, "little")
    array = masks if isinstance(masks, np.ndarray) else np.asarray(masks)
    if array.ndim != 2 or not array.size:
        raise MaskError("masks", f"{array.shape}", "shape (n_masks, n_players), at least one of each")
    if n_players is not None:
        n_players = checks.integer("n_players", n_players)
    if n_players is not None and array.shape[1] != n_players:
        if array.dtype != np.uint8 or array.shape[1] != -(-n_players // 8):
            expected = f"(n_masks, {n_players}), or packed, uint8 (n_masks, {-(-n_players // 8)})"
            raise MaskError("masks", f"shape {array.shape}, {array.dtype}", expected)
        _check_padding(array, n_players, is_big=bitorder == "big")
        return StoredMasks(array, n_players, bitorder)
    stored = StoredMasks(array, array.shape[1], None)
    if array.dtype != np.bool_:
        stored.check_binary()
    return stored


def _check_padding(packed: NDArray[np.uint8], n_players: int, is_big: bool) -> None:
    """Refuse set bits behind the last player: the bit order may be the other one."""
    spare = -n_players % 8
    padding = (1 << spare) - 1 if is_big else 0xFF & ~((1 << (8 - spare)) - 1)
    if spare and (np.asarray(packed[:_CHECKED_ROWS, -1]) & padding).any():
        other = "little" if is_big else "big"
        got = f"set bits behind player {n_players - 1}"
        raise MaskError("masks", got, "rows padded with zeros", f'Is it `bitorder="{other}"`?')


def _rows_of(array: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return rows, consecutive ones by a slice, which is fast for a file."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return array[rows[0] : rows[-1] + 1]
    return array[rows]

"""Rows of tokens, filled up to one length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Align = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of tokens for a model, all ``(n_rows, length)``.

    Attributes:
        ids: tokens.
        attention: 1 where the model may look.
        positions: places in the row, counted without what fills it up.
        types: token types, if the tokenizer tells them.
    """

    ids: NDArray[np.int64]
    attention: NDArray[np.int64]
    positions: NDArray[np.int64]
    types: NDArray[np.int64] | None


def filled_up(
    ids: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    types: NDArray[np.int64] | None = None,
    fill: int = 0,
    align: Align = "left",
) -> Rows:
    """Lay out tokens, given one row after the other, filled up on the other side than they are aligned to."""
    columns = np.arange(lengths.max())
    shift = (lengths.max() - lengths if align == "right" else 0 * lengths)[:, None]
    filled = (columns >= shift) & (columns < shift + lengths[:, None])
    rows = np.full(filled.shape, fill, dtype=np.int64)
    rows[filled] = ids
    row_types = None
    if types is not None:
        row_types = np.zeros_like(rows)
        row_types[filled] = types
    return Rows(rows, filled.astype(np.int64), np.maximum(columns - shift, 0), row_types)

"""Rows of tokens, padded to one length."""

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
        attention: the attention mask: 1 for tokens, 0 for padding and hidden tokens.
        positions: positions in the row, padding not counted.
        types: token types, if the tokenizer returns them.
    """

    ids: NDArray[np.int64]
    attention: NDArray[np.int64]
    positions: NDArray[np.int64]
    types: NDArray[np.int64] | None


def padded(
    ids: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    types: NDArray[np.int64] | None = None,
    fill: int = 0,
    align: Align = "left",
) -> Rows:
    """Return rows of tokens, given one row after the other, padded on the side that they are not aligned to."""
    columns = np.arange(lengths.max())
    shift = (lengths.max() - lengths if align == "right" else 0 * lengths)[:, None]
    is_token = (columns >= shift) & (columns < shift + lengths[:, None])
    rows = np.full(is_token.shape, fill, dtype=np.int64)
    rows[is_token] = ids
    row_types = None
    if types is not None:
        row_types = np.zeros_like(rows)
        row_types[is_token] = types
    return Rows(rows, is_token.astype(np.int64), np.maximum(columns - shift, 0), row_types)

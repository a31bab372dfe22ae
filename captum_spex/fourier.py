r"""The Fourier basis on masks: signs of players, parities and characters of sets, and the fast transform.

The character of a set S at a mask m is the product of its players' signs, :math:`\chi_S(m) = (-1)^{|S \cap m|}`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats
from captum_spex.masks import Masks
from captum_spex.player_sets import PlayerSets


def signs(masks: Masks) -> Floats:
    """Return -1 for every player that is present and 1 for the others, float64 ``(n_masks, n_players)``."""
    return np.where(masks, -1.0, 1.0)


def characters(masks: Masks, sets: PlayerSets) -> Floats:
    """Return the character of every set (rows) at every mask (columns), -1 or 1, float64 ``(n_sets, n_masks)``."""
    return signs(parities(masks, sets).view(np.bool_))


def parities(masks: Masks, sets: PlayerSets) -> NDArray[np.uint8]:
    """Return ``|S & m| mod 2`` for every set (rows) and mask (columns), uint8 ``(n_sets, n_masks)``.

    Works on packed bits: one XOR per player of a set handles eight masks.
    """
    packed = np.packbits(masks, axis=0).T  # (n_players, n_masks / 8)
    result = np.zeros((len(sets), packed.shape[1]), dtype=np.uint8)
    for order, rows, block in sets.by_order():
        for column in range(order):
            result[rows] ^= packed[block[:, column]]
    return np.unpackbits(result, axis=1, count=len(masks))


def walsh_hadamard(values: Floats, length: int | None = None) -> Floats:
    """Return the unnormalised Walsh-Hadamard transform of every run of ``length = 2**k`` values, default all."""
    table = values.copy()
    size = 1
    while size < (len(table) if length is None else length):
        pairs = table.reshape(-1, 2, size)
        table = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).ravel()
        size *= 2
    return table

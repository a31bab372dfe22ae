"""Masks as arrays: checks, keys for comparing rows, and packing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex.errors import MaskError

Masks = NDArray[np.bool_]
"""Bool array ``(n_masks, n_players)``, ``True`` = player present."""


def as_masks(masks: ArrayLike, n_players: int) -> Masks:
    """Return ``masks`` as a bool array ``(n_masks, n_players)``; 0/1 numbers are accepted.

    Raises:
        MaskError: if the width is not ``n_players`` or an entry is neither 0 nor 1.
    """
    array = np.asarray(masks)
    if array.ndim != 2 or array.shape[1] != n_players:
        raise MaskError("masks", f"shape {array.shape}", f"(n_masks, {n_players}): one column per player")
    if array.dtype == np.bool_:
        return array
    if not np.isin(array, (0, 1)).all():
        raise MaskError("masks", f"dtype {array.dtype} with other values than 0 and 1", "bool, or 0 and 1")
    return array.astype(np.bool_)


def mask_keys(masks: Masks) -> NDArray[Any]:
    """Return one comparable, sortable key per mask; equal keys mean equal masks."""
    packed = np.packbits(masks, axis=1, bitorder="little")
    n_bytes = packed.shape[1]
    if n_bytes <= 8:
        wide = np.zeros((len(packed), 8), dtype=np.uint8)
        wide[:, :n_bytes] = packed
        return wide.view(np.uint64).ravel()
    return np.ascontiguousarray(packed).view(np.dtype((np.void, n_bytes))).ravel()


def first_rows(masks: Masks) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return ``first, inverse``: the first row of every distinct mask in order of appearance, and who is which."""
    _, first, inverse = np.unique(mask_keys(masks), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.ravel()]


def find_rows(masks: Masks, known: Masks) -> NDArray[np.intp]:
    """Return for every mask its row in ``known`` (whose rows are distinct), or -1."""
    _, inverse = np.unique(np.concatenate([mask_keys(known), mask_keys(masks)]), return_inverse=True)
    inverse = inverse.ravel()
    row_of = np.full(inverse.max(initial=-1) + 1, -1, dtype=np.intp)
    row_of[inverse[: len(known)]] = np.arange(len(known))
    return row_of[inverse[len(known) :]]


def all_masks(n_players: int) -> Masks:
    """Return all ``2**n_players`` masks; row ``i`` holds player ``j`` iff bit ``j`` of ``i`` is set."""
    codes = np.arange(1 << n_players, dtype=np.uint64)
    return codes_to_masks(codes, n_players)


def codes_to_masks(codes: NDArray[np.uint64], n_players: int) -> Masks:
    """Return the masks whose players are the set bits of ``codes`` (at most 64 players)."""
    octets = np.ascontiguousarray(codes, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(octets, axis=1, count=n_players, bitorder="little").astype(np.bool_)

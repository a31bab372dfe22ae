"""SPEX of sparse-transform, with its published settings: soft decoding, then a lasso on all samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from captum_spex.benchmark.methods.adapter import Adapter, RowsGame, of_recovered
from captum_spex.benchmark.protocol import Answer, Request
from captum_spex.model import GameModel, Spectrum

_GROUPS = 3
_DEGREES = (5, 4, 3, 2)  # the published one first, then less where the budget gives too few bins
_FEWEST_BITS = 3
_SIZES: dict[str, Any] = {"num_subsample": _GROUPS, "num_repeat": 1}
_DELAYS = {"delays_method_source": "joint-coded", "delays_method_channel": "identity-siso"}
_QUERY = {"query_method": "complex", "subsampling_method": "qsft", **_SIZES, **_DELAYS}
_METHODS = {"reconstruct_method_source": "coded", "reconstruct_method_channel": "identity-siso"}
_DECODING = {"peeling_method": "multi-detect", "regress": "lasso", "res_energy_cutoff": 0.9, **_SIZES, **_METHODS}


def bits_and_degree(n_players: int, budget: int) -> tuple[int, int] | None:
    """Return the bits and the degree that a budget allows: the largest degree with eight bins, or None."""
    from sparse_transform.qsft.signals.input_signal_subsampled import SubsampledSignal

    for degree in _DEGREES:
        bits = SubsampledSignal.get_b_for_sample_budget(budget, n_players, degree, 2, _QUERY)
        if bits >= _FEWEST_BITS:
            return min(bits, n_players), degree
    return None


def _spex(game: RowsGame, request: Request) -> Answer:
    from sparse_transform.qsft.qsft import transform
    from sparse_transform.qsft.signals.input_signal_subsampled import SubsampledSignal
    from sparse_transform.qsft.utils.query import get_bch_decoder

    n = request.n_players
    chosen = bits_and_degree(n, request.budget)
    if chosen is None:
        raise ValueError(no_bins(request))
    bits, degree = chosen
    signal = SubsampledSignal(func=game, n=n, q=2, query_args={**_QUERY, "b": bits, "t": degree})
    found = transform(signal, b=bits, source_decoder=get_bch_decoder(n, degree, "soft", 2 * degree), **_DECODING)
    terms = {tuple(np.flatnonzero(term).tolist()): float(np.real(value)) for term, value in found.items()}
    return of_recovered(GameModel((Spectrum.from_terms(terms or {(): 0.0}, n),)), request)


def no_bins(request: Request) -> str | None:
    """Say why a budget is too small for SPEX; None if it is not."""
    n, budget = request.n_players, request.n_masks
    if n >= _FEWEST_BITS and bits_and_degree(n, budget) is not None:
        return None
    return f"{budget:,} evaluations are fewer than three groups of eight bins need for {n:,} players"


METHODS = (
    Adapter(
        "sparse-transform SPEX", "sparse-transform", "sparse_transform.qsft.qsft.transform", _spex, no_bins, sparse=True
    ),
)

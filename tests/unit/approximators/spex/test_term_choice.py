"""The ways to answer: least squares, with penalties, over all evaluated masks."""

from __future__ import annotations

import numpy as np
import pytest
from games import random_network
from numpy.testing import assert_allclose
from spex_designs import draw_design, slow_signs, values_at

from captum_spex.approximators.spex.bins import Bins
from captum_spex.approximators.spex.peeling import decode
from captum_spex.approximators.spex.term_choice import answers, grow


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_is_least_squares_over_all_values(seed):
    """Both with and without penalties, with and without the values of the extra masks."""
    design = draw_design(40, degree=3, bits=4, n_extra=60, seed=seed)
    values = values_at(design, random_network(40, seed))
    bins = Bins.transform(design, values)
    decoded = decode(bins)
    chosen = np.r_[0 : design.n_structured, design.n_structured + 1 : len(design)]
    masks = design.block(chosen).unpack()
    for way in answers(bins, decoded, grow(bins, decoded)):
        for rows in (slice(design.n_structured), slice(None)):
            dense, measured = slow_signs(masks[rows], way.terms.sets).T, values[chosen][rows]
            extra = values[design.n_structured + 1 :] if rows.stop is None else None
            expected = np.linalg.solve(
                dense.T @ dense + np.diag(way.penalties + 1e-12 * bins.n_samples), dense.T @ measured
            )
            found = way.solve(bins, extra)
            assert_allclose([found[players] for players in way.terms.sets.tuples()], expected, atol=1e-8)

"""Energy by order, and R² of truncations."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from oracles import every_mask
from pictures import made, of_spectrum, words_of

from captum_spex import plots


def test_the_energy_of_every_order():
    result = made()
    energy, _ = plots.spectrum(result)
    expected = result.model.spectrum(1 << 14).energy_by_order()[1:]
    assert expected[3] < 1e-20
    assert_allclose([bar.get_height() for bar in energy.patches], expected[:3] / expected.sum())


def test_the_faithfulness_of_truncations_is_that_of_their_predictions():
    result = made()
    _, faithfulness = plots.spectrum(result)
    (curve, *_) = faithfulness.lines
    masks = every_mask(4)
    truth = result.model(masks)
    terms = result.model.spectrum(1 << 14)
    constant = [row for row, order in enumerate(terms.orders) if order == 0]
    others = [row for row, order in enumerate(terms.orders) if order]
    for kept, reached in zip(*curve.get_data(), strict=True):
        predicted = terms.select(np.array(constant + others[: int(kept)]))(masks)
        assert_allclose(reached, 1 - ((truth - predicted) ** 2).mean() / truth.var(), atol=1e-9)
    assert curve.get_ydata()[-1] == pytest.approx(1)


@pytest.mark.parametrize(("faithfulness", "said"), [(float("nan"), "unknown"), (0.875, "R² 0.875")])
def test_the_faithfulness_of_the_game_is_said(faithfulness, said):
    plots.spectrum(of_spectrum({(0, 1): 1.0}, 5, faithfulness=faithfulness))
    assert f"faithfulness of the recovered game: {said}" in words_of(plt.gcf())


def test_a_constant_game_has_no_spectrum():
    plots.spectrum(made({(): 5.0}))
    assert "no variance: the game is constant" in words_of(plt.gcf())


def test_fewer_fourier_terms():
    _, faithfulness = plots.spectrum(made(), max_terms=3)
    assert faithfulness.lines[0].get_xdata().tolist() == [1, 2, 3]

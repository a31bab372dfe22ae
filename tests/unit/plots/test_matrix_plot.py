"""Cells are pairs, the diagonal single players."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pictures import hue_of, labels_of, made, of_spectrum, thousand

from captum_spex import plots


def test_the_matrix_has_pairs_and_single_players():
    ax = plots.matrix(made(names=("a", "b", "c", "d")))
    expected = np.diag([2, -1, 0.5, 0])
    expected[0, 1] = expected[1, 0] = 3
    expected[2, 3] = expected[3, 2] = -1.5
    drawn_values = ax.images[0]
    assert_allclose(drawn_values.get_array(), expected, atol=1e-12)
    assert drawn_values.get_clim() == (-3, 3)
    assert hue_of(drawn_values.cmap(1.0)) == "red"
    assert hue_of(drawn_values.cmap(0.0)) == "blue"
    assert_allclose(drawn_values.cmap(0.5)[:3], 1, atol=0.01)
    assert labels_of(ax.xaxis) == labels_of(ax.yaxis) == ["a", "b", "c", "d"]
    assert [text.get_text() for text in ax.texts][:4] == ["2.00", "3.00", "0", "0"]


def test_the_matrix_without_its_diagonal():
    values = plots.matrix(made(), diagonal=False).images[0].get_array()
    assert np.ma.getmaskarray(values).diagonal().all() or np.isnan(np.asarray(values).diagonal()).all()
    assert values[0, 1] == pytest.approx(3)


def test_the_matrix_of_many_players_shows_those_most_involved():
    ax = plots.matrix(thousand(tuple(f"w{k}" for k in range(1000))))
    assert labels_of(ax.xaxis) == ["w3", "w7", "w8", "w9", "w10", "w500", "w999"]
    assert "the 7 most involved of 1,000 players" in ax.get_xlabel()
    result = of_spectrum({(k,): 1.0 + k for k in range(60)}, 60)
    assert labels_of(plots.matrix(result, max_display=5).xaxis) == ["55", "56", "57", "58", "59"]


def test_the_scale_can_be_left_out():
    assert len(plots.matrix(made()).figure.axes) == 2
    assert len(plots.matrix(made(), colorbar=False).figure.axes) == 1

"""Terms that are mere rounding are not drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt
from pictures import drawn, made, words_of

from captum_spex import plots


@pytest.mark.parametrize("name", ["network", "matrix", "text", "image"])
@pytest.mark.parametrize("terms", [{(0,): 1.0}, {(): 5.0}, {(0,): 1e6, (1,): 0.1}])
def test_a_result_without_interactions_says_so(name, terms):
    drawn(name, made(terms, max_order=2))
    assert "no interactions" in words_of(plt.gcf())


@pytest.mark.parametrize("name", ["bar", "upset"])
def test_an_order_without_terms_says_so(name):
    drawn(name, made({(0,): 1.0}), order=2)
    assert "no interactions" in words_of(plt.gcf())
    drawn(name, made({(): 5.0}))
    assert "no effects: all values are 0" in words_of(plt.gcf())


def test_rounding_is_no_interaction():
    result = made({(0,): 0.1, (1,): 0.7, (2,): 1 / 3}, index="SII", max_order=2)
    noise = np.abs(result.values[result.orders == 2])
    assert 0 < noise.max() < 1e-12
    plots.network(result)
    assert "no interactions" in words_of(plt.gcf())
    assert len(plots.bar(result).patches) == 3

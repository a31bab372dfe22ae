"""Steps add up from f(none) to f(all)."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from pictures import TERMS, labels_of, made, texts_of

from captum_spex import plots
from captum_spex.errors import ArgumentError


def steps_of(ax):
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]


@pytest.mark.sampled
@pytest.mark.parametrize("index", ["SV", "SII", "k-SII", "STII", "FSII", "Moebius"])
@pytest.mark.parametrize("max_display", [1, 3, 50])
def test_the_steps_lead_from_nothing_to_the_prediction(index, max_display, estimated):
    for result in (made({**TERMS, (): 0.7}, index=index, max_order=2), estimated.to(index, 2)):
        ax = plots.waterfall(result, max_display=max_display)
        steps = steps_of(ax)
        none, everything = result.model(np.array([[False], [True]]).repeat(result.n_players, axis=1))
        assert_allclose([steps[0][0], steps[-1][1]], [none, everything], atol=1e-12)
        assert_allclose([end for _, end in steps[:-1]], [start for start, _ in steps[1:]], atol=1e-12)
        said = [text.get_text().replace("−", "-").split(" = ") for text in texts_of(ax.figure)]  # noqa: RUF001
        said = [parts for parts in said if len(parts) == 2]
        assert [name for name, _ in said] == ["f(none)", "f(all)"]
        assert_allclose([float(value) for _, value in said], [none, everything], rtol=0.005, atol=1e-9)


def test_what_is_not_shown_is_one_step():
    ax = plots.waterfall(made(max_order=3, names=("a", "b", "c", "d")), max_display=4)
    assert labels_of(ax.yaxis) == ["a × b", "a", "c × d", "b", "2 other terms"]  # noqa: RUF001
    assert_allclose([end - start for start, end in steps_of(ax)], [3, 2, -1.5, -1, 1.25])


def test_without_others_there_is_no_such_step():
    ax = plots.waterfall(made(max_order=3))
    assert len(ax.patches) == len(TERMS)
    assert "other" not in " ".join(labels_of(ax.yaxis))


def test_orders_beyond_the_result_are_named():
    ax = plots.waterfall(made(max_order=2))
    assert labels_of(ax.yaxis)[-1] == "higher orders"
    start, end = steps_of(ax)[-1]
    assert_allclose(end - start, TERMS[(0, 1, 2)])


def test_shapley_interactions_are_converted():
    result = made(index="SII", max_order=2)
    converted = result.to("k-SII", 2)
    steps = [end - start for start, end in steps_of(plots.waterfall(result))]
    assert_allclose(steps[: len(converted)], converted.values[: len(steps)], atol=1e-12)


@pytest.mark.parametrize("index", ["BV", "BII", "CHII", "FBII", "kADD-SHAP", "Co-Moebius", "Fourier", "BII(p=0.3)"])
def test_terms_that_do_not_add_up_are_refused(index):
    with pytest.raises(ArgumentError, match=re.escape(f"got '{index}'") + ".*k-SII") as raised:
        plots.waterfall(made(index=index))
    assert ".to(" in str(raised.value)
    assert plt.get_fignums() == []

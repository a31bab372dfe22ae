"""Rows are of one output, and of the same index and order as far as their players allow."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import made

import captum_spex
from captum_spex import plots
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, to_shap
from captum_spex.exports.many_rows import Outputs, check_alike, checked_rows, distinct


def test_what_is_no_list_of_rows():
    one = made()
    for wrong, said in (
        (one, "got one result"),
        ([], "got no results"),
        ("rows", "got a str"),
        ([[one, one]], r"got rows with several outputs. Choose one: `\[row\[0\] for row in results\]`"),
        ([one, None], "got None"),
        ([captum_spex.summary([one])], "got a Summary"),
    ):
        with pytest.raises(ArgumentError, match=f"`results`: expected .*{said}"):
            checked_rows(wrong)
    assert checked_rows((one,)) == [one]


def test_outputs_are_no_rows():
    outputs = captum_spex.explain(lambda m: np.stack([m[:, 0], m[:, 1]], axis=1), 2, budget=4)
    assert outputs == list(outputs)
    for draw in (captum_spex.summary, to_shap, plots.beeswarm):
        with pytest.raises(ArgumentError, match=r"`results`: expected a list .* got the 2 outputs of one row"):
            draw(outputs)
    with pytest.raises(ArgumentError, match=r"`result`: expected .*, got the 2 outputs of one row\. Choose"):
        plots.bar(outputs)
    explainer = ProxySpexExplainer(lambda x: np.stack([x[:, 0], x[:, 1]], axis=1), np.zeros((1, 2)))
    assert isinstance(explainer.interactions(np.ones((1, 2)))[0], Outputs)
    assert checked_rows(outputs[:2]) == checked_rows(list(outputs)) == outputs  # whoever asks for it


def alone(index="SII"):
    return made({(0,): 1.0}, 1, index=index)


def test_rows_of_few_players_have_lower_orders():
    check_alike([made(n_players=4, max_order=3), made({(0,): 1.0}, 2, max_order=3), alone("Moebius")])
    check_alike([made(index="STII"), alone("SII")])
    check_alike([made(index="Fourier"), alone("Fourier")])


@pytest.mark.parametrize(
    "rows",
    [
        [made(index="SII"), made(index="STII")],
        [made(index="SV"), made(index="BV")],
        [made(max_order=2), made(max_order=3)],
        [made(n_players=5, max_order=2), made({(0,): 1.0}, 3, max_order=3)],
        [made({(0,): 1.0}, 2, max_order=1), made(n_players=5, max_order=2)],
        [made(index="SII"), alone("Fourier")],
    ],
    ids=["indices", "values", "orders", "complete row of a higher order", "row of a lower order", "signs"],
)
def test_rows_that_mean_different_things(rows):
    for some in (rows, rows[::-1]):
        with pytest.raises(
            ArgumentError, match="`results`: expected the same index and order in every row, got rows in "
        ):
            check_alike(some)


def test_names_that_look_like_numbered_ones():
    assert distinct(["a", "a#2", "a", "a"]) == ["a", "a#2", "a#3", "a#4"]

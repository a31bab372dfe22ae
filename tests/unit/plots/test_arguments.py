"""Arguments that cannot be used are refused before anything is drawn."""

from __future__ import annotations

import re

import pytest
from matplotlib import pyplot as plt
from pictures import ALL, PARTS, PICTURE, drawn, made

from captum_spex import plots
from captum_spex.errors import ArgumentError, OrderError, UnknownNameError

OF_MANY = ("bar", "matrix", "network")


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["bar", "image", "network", "text", "upset"])
@pytest.mark.parametrize("order", [4, 0, -1, 2.0, True, "2"])
def test_an_order_that_the_result_does_not_hold(name, order):
    with pytest.raises(OrderError, match=r"`order`: expected an integer from [12] to 3, as .* holds .*, got") as raised:
        drawn(name, made(), order=order)
    assert order != 4 or '`result.to("Moebius", max_order=4)`' in str(raised.value)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("index", "to"), [("SV", "SII"), ("BV", "BII"), ("SII", "SII")])
@pytest.mark.parametrize("name", ["matrix", "network"])
def test_pairs_of_a_result_without_any(name, index, to):
    result = made(index=index, max_order=1)
    with pytest.raises(OrderError, match=re.escape(f'`result.to("{to}", max_order=2)`')):
        drawn(name, result)
    drawn(name, result.to(to, 2))


def test_an_index_that_there_is_not():
    with pytest.raises(UnknownNameError, match=r"`index`: expected .*, got 'Shapley'"):
        plots.text(made(), index="Shapley")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["text", "image", "bar", "upset"])
def test_single_players_alone_are_drawn(name):
    drawn(name, made(index="SV"))
    assert len(plt.get_fignums()) == 1


@pytest.mark.sampled
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("result", "said"),
    [([1, 2], r"got a list of 2. .*choose one, such as `result\[0\]`"), ("text", "got a str"), (None, "got None")],
)
def test_what_is_no_result(name, result, said):
    if name in OF_MANY and isinstance(result, list):  # rows of a data set
        said = "`result`: expected a list of `Interactions`, one for each row, got an int"
    settings = {"image": PICTURE, "segments": PARTS} if name == "image" else {}
    with pytest.raises(ArgumentError, match=said):
        getattr(plots, name)(result, **settings)
    assert plt.get_fignums() == []


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["bar", "image", "matrix", "network", "text", "upset", "waterfall"])
@pytest.mark.parametrize("wrong", [0, -3, 1.5, True])
def test_too_few_to_display(name, wrong):
    with pytest.raises(ArgumentError, match=r"`max_display`: expected an integer of at least 1, got"):
        drawn(name, made(), max_display=wrong)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", OF_MANY)
def test_rows_that_cannot_be_drawn_together(name):
    for rows, said in (
        ([], "got no results"),
        ([made(), made(max_order=2)], "the same index and order in every row"),
        ([made(), made(n_players=5)], "the same players in every row, or names"),
        ([[made(), made()]], "got rows with several outputs"),
    ):
        with pytest.raises(ArgumentError, match=f"`result`: expected .*{said}"):
            drawn(name, rows)
    with pytest.raises(ArgumentError, match="`value`: expected 'mean_abs', 'mean', got 'median'"):
        drawn(name, [made()], value="median")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["bar", "network"])
def test_an_order_that_rows_do_not_hold(name):
    with pytest.raises(OrderError, match=r"`order`: expected .* Convert every row first, such as `\[row.to\("):
        drawn(name, [made(), made()], order=4)

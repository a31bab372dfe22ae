"""Two results on the same players, against definitions."""

from __future__ import annotations

import re
from math import hypot, inf

import numpy as np
import pytest
from games import random_table, smooth_game
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import INDICES
from pictures import made, of_spectrum
from shap_forms import QUICK, exact

import captum_spex
from captum_spex.errors import ArgumentError

ABCD = ("a", "b", "c", "d")


@pytest.mark.sampled
@pytest.mark.parametrize("index", ["SII", "k-SII", "FSII", "BII"])
@given(names=st.permutations(ABCD), seed=st.integers(0, 99))
def test_differences_by_enumeration_whatever_the_order_of_the_players(index, names, seed):
    tables = random_table(4, seed), random_table(4, seed + 1)
    one = exact(tables[0], 4, index, names=ABCD)
    found = one.compare(exact(tables[1], 4, index, names=names))
    place = [names.index(name) for name in ABCD]
    first, second = (INDICES[index](table, 4, 2) for table in tables)
    assert found.names == ABCD
    assert len(found) == len(first)
    for row, players in enumerate(found):
        other = second[tuple(sorted(place[player] for player in players))]
        assert found.first[row] == pytest.approx(first[players], abs=1e-9)
        assert found.second[row] == pytest.approx(other, abs=1e-9)
        assert found[players] == pytest.approx(first[players] - other, abs=1e-9)
    assert (np.diff(np.abs(found.values)) <= 0).all()
    assert_array_equal(found.std_errors, 0)
    assert_array_equal(found.differs, found.values != 0)


def test_a_result_does_not_differ_from_itself():
    result = exact(random_table(5, 0), 5)
    found = result.compare(result)
    assert_array_equal(found.values, 0)
    assert_array_equal(found.z, 0)
    assert not found.differs.any()


def test_rounding_is_no_difference():
    one, other = (
        captum_spex.explain(lambda m, s=s: m @ np.array([0.1, 0.2, 0.3]) + s - s, 3, budget=8) for s in (0, 1e3)
    )
    assert not one.compare(other).differs.any()


def test_exact_results_that_differ_are_infinitely_many_errors_apart():
    found = made({(0,): 1.0}).compare(made({(0,): 3.0, (1,): -1.0}))
    assert dict(zip(found, found.z, strict=True))[(0,)] == -inf
    assert dict(zip(found, found.z, strict=True))[(1,)] == inf
    assert found.top(2) == {(0,): -2.0, (1,): 1.0}
    assert found[2, 3] == 0.0
    assert found[()] == 0.0


@pytest.fixture(scope="module")
def pair():
    games = smooth_game, lambda m: smooth_game(m) + 0.8 * m[:, 9] - 0.3 * m[:, 0] * m[:, 8]
    names = tuple("abcdefghij")
    return [
        captum_spex.explain(game, 10, budget=200, approximator=QUICK, random_state=seed, names=names)
        for seed, game in enumerate(games)
    ]


def test_errors_add_in_quadrature(pair):
    one, other = pair
    found = one.compare(other)
    errors = [dict(zip(result, result.std_errors, strict=True)) for result in pair]
    for players, error, z, differs in zip(found, found.std_errors, found.z, found.differs, strict=True):
        assert error == pytest.approx(hypot(errors[0][players], errors[1][players]))
        assert z == pytest.approx(found[players] / error)
        assert differs == (abs(z) > 1.64)
    assert found.differs[0]
    assert_allclose(found.errors_of(found.sets.take(np.array([3]))), found.std_errors[[3]])


def test_a_term_that_one_result_left_out(pair):
    one, other = pair
    few = one.to("SII", 2, max_terms=3)
    found, whole = few.compare(other), one.compare(other)
    assert dict(found) == pytest.approx(dict(whole))
    both = few.compare(other.to("SII", 2, max_terms=3))
    missing = next(players for players in whole if players not in both)
    with pytest.raises(KeyError, match="listed in neither result, and left out of one"):
        both[missing]


def test_results_without_errors():
    found = of_spectrum({(0,): 1.0}, 5).compare(of_spectrum({(0, 1): 1.0}, 5))
    assert found.std_errors is found.z is found.differs is None
    assert list(found.to_dataframe().columns) == ["players", "name", "order", "first", "second", "difference"]


def test_as_a_data_frame(pair):
    frame = pair[0].compare(pair[1]).to_dataframe()
    assert list(frame.columns)[3:] == ["first", "second", "difference", "std_error", "z", "differs"]
    assert_allclose(frame["first"] - frame["second"], frame["difference"])


def test_looked_up_by_name(pair):
    found = pair[0].compare(pair[1])
    assert found["a", "i"] == found[0, 8]
    assert repr(found) == f"<Comparison: SII up to order 2 of two results, {len(found)} terms>"
    for wrong in ((0, 1, 2), 10, "z"):
        with pytest.raises(KeyError):
            found[wrong]


REFUSED = {
    "a list": ([made()], "`other`: expected one `Interactions`, got a list. Choose one of them, or summarise"),
    "nothing": (None, "`other`: expected one `Interactions`, got None."),
    "a summary": (captum_spex.summary([made(names=ABCD)]), "`other`: expected one `Interactions`, got a Summary."),
    "no names": (made(), "`other`: expected names in both results, or in neither, got a result without names"),
    "other players": (
        made(n_players=5, names=(*"abx", "y", "z")),
        "`other`: expected the same players by name, got a result without 'c', 'd' and with 'x', 'y', 'z'.",
    ),
    "a player less": (
        made({(0,): 1.0}, 3, names="abc"),
        "expected the same players by name, got a result without 'd'.",
    ),
    "another index": (
        made(names=ABCD, index="SII"),
        "`other`: expected Moebius of order 3, as in this result, got SII of order 3. "
        'Use `other.to("Moebius", max_order=3)`, which needs no further evaluations.',
    ),
    "another order": (
        made(names=ABCD, max_order=2),
        "expected Moebius of order 3, as in this result, got Moebius of ord",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared(case):
    other, said = REFUSED[case]
    with pytest.raises(ArgumentError, match=re.escape(said)):
        made(names=ABCD).compare(other)


def test_numbers_of_players_without_names():
    with pytest.raises(ArgumentError, match="`other`: expected the same 4 players, got a result of 5 players"):
        made().compare(made(n_players=5))
    with pytest.raises(ArgumentError, match="got a result with names of the players"):
        made().compare(made(names=ABCD))

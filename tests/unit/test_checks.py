"""Plain numbers, NumPy and torch scalars and 0-d arrays are alike; errors have one grammar."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, BudgetError, MaskError, UnknownNameError


def alike(value):
    return [value, np.asarray(value)[()], np.asarray(value), torch.tensor(value)]


@pytest.mark.parametrize("value", alike(3))
def test_integers(value):
    for checked in (checks.integer("k", value), checks.integer("k", value, 0, 3), checks.budget("budget", value)):
        assert type(checked) is int
        assert checked == 3


@pytest.mark.parametrize("value", alike(0.5))
def test_numbers(value):
    assert type(checks.number("share", value)) is type(checks.positive("share", value)) is float
    assert checks.number("share", value, "a number from 0 to 0.5", low=0, high=0.5) == 0.5


@pytest.mark.parametrize("value", alike(True))
def test_flags(value):
    assert checks.flag("paired", value) is True


@pytest.mark.parametrize("value", [0, 4, 2.0, "2", True, np.bool_(True), None, math.nan])
def test_integers_that_are_refused(value):
    with pytest.raises(ArgumentError, match=r"^`k`: expected an integer from 1 to 3, got .*\. Use 2\."):
        checks.integer("k", value, 1, 3, hint="Use 2.")


@pytest.mark.parametrize("value", [-1.0, 0, math.nan, math.inf, "1", True, None])
def test_numbers_that_are_refused(value):
    with pytest.raises(ArgumentError, match=r"^`share`: expected a positive number, got "):
        checks.positive("share", value)


@pytest.mark.parametrize("value", [0, 1, "yes", None])
def test_flags_that_are_refused(value):
    with pytest.raises(ArgumentError, match=r"^`paired`: expected True or False, got "):
        checks.flag("paired", value)


def test_names():
    assert checks.choice("design", "auto", ["auto", None]) == "auto"
    assert checks.choice("design", None, ["auto", None]) is None
    with pytest.raises(UnknownNameError, match=r"^`design`: expected 'auto', 'spread', got 'latin'"):
        checks.choice("design", "latin", ["auto", "spread"])


def test_ranges_of_one_number_are_that_number():
    assert checks.span(0, 0, "an integer from") == "0"
    with pytest.raises(ArgumentError, match=r"`n`: expected 1, got 2\."):
        checks.integer("n", 2, 1, 1)
    with pytest.raises(ArgumentError, match=r"`n`: expected an integer from 1 to 2, got 3\."):
        checks.integer("n", 3, 1, 2)


def test_a_budget_holds_both_ends():
    with pytest.raises(BudgetError, match=r"^`budget`: expected an integer of at least 2, got 1"):
        checks.budget("budget", 1)


def test_players_and_their_names():
    assert checks.player_names(None, 2) is None
    assert checks.player_names(["a", 1], 2) == ("a", "1")
    with pytest.raises(ArgumentError, match=r"^`names`: expected one for each of the 2 players, got 1 names"):
        checks.player_names(["a"], 2)
    assert checks.player("player", 1, 2) == 1
    with pytest.raises(MaskError, match=r"^`player`: expected 0 to 1, as there are 2 players, got player 2"):
        checks.player("player", 2, 2)


def test_generators():
    drawn = [checks.generator(seed).random() for seed in (5, np.int64(5), np.random.default_rng(5))]
    assert len(set(drawn)) == 1
    for wrong in (-1, "five", 1.5):
        with pytest.raises(ArgumentError, match=r"^`random_state`: expected None, an integer of at least 0, or "):
            checks.generator(wrong)


def test_types_with_their_article():
    assert [type_of(thing) for thing in (1, [], None)] == ["an int", "a list", "None"]

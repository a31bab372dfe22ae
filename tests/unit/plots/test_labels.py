"""Labels of players: short and distinct."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import LONG_NAMES, made

import captum_spex
from captum_spex.plots.labels import player_labels, short


def test_long_names_stay_different():
    labels = player_labels(made(n_players=6, names=LONG_NAMES), 20)
    assert len(set(labels)) == 6
    assert {len(label) <= 20 and "…" in label for label in labels} == {True}


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [("age", 20, "age"), ("", 9, "''"), (" \t ", 9, r"' \t '"), ("电影电影电影", 8, "电影…影"), ("a  b", 5, "a b"),
     ("abcdefghij", 10, "abcdefghij"), ("abcdefghijk", 10, "abcdef…ijk")],
)  # fmt: skip
def test_short(name, width, shown):
    assert short(name, width) == shown


def test_long_names_show_what_differs():
    names = [f"mean concentration of substance number {number} in the blood" for number in (7, 3, 9)]
    result = captum_spex.explain(lambda masks: masks @ np.array([1.0, 2.0, 4.0]), 3, budget=8, names=names)
    labels = player_labels(result)
    assert [label.strip("…").split()[1] for label in labels] == ["7", "3", "9"]
    assert max(map(len, labels)) <= 20


@pytest.mark.parametrize("names", [["the", "the#2", "the"], ["x" * 60, "x" * 61, "x" * 62], ["a", "a", "a"]])
def test_labels_are_all_different(names):
    result = captum_spex.explain(lambda masks: masks @ np.array([1.0, 2.0, 4.0]), 3, budget=8, names=names)
    assert len(set(player_labels(result))) == 3

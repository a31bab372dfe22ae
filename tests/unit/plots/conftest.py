"""Fixtures of all pictures."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from pictures import moebius_game

import captum_spex
from captum_spex.approximators import ProxySpex


@pytest.fixture(autouse=True)
def no_figure_is_left():
    mpl.use("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def estimated():
    """Twelve words, with standard errors."""
    words = ("The", "plot", "is", "slow", "but", "her", "acting", "never", "fails", "to", "move", "me")
    game = moebius_game({(7, 8): 2.0, (7,): 0.5, (8,): 0.4, (3, 4): -0.7, (6,): 0.2, (2, 9): 0.1})
    smooth = ProxySpex(proxy="gaussian-process")  # gives every pair a value, if a small one
    return captum_spex.explain(game, 12, budget=300, random_state=0, names=words, approximator=smooth)

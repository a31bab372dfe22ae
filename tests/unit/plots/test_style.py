"""Pictures are drawn into the axes that are given or empty."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from pictures import ALL, drawn, made

from captum_spex import plots
from captum_spex.errors import ArgumentError


@pytest.mark.parametrize("name", ALL)
def test_given_axes_are_drawn_into_without_pyplot(name):
    result, ax = made(), Figure(figsize=(6, 5)).add_subplot()
    found = drawn(name, result, ax=ax)
    if isinstance(found, np.ndarray):
        assert [one in ax.child_axes for one in found] == [True, True]
    else:
        assert found is ax
    ax.figure.canvas.draw()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ALL)
def test_no_setting_is_changed_and_nothing_is_shown(name):
    before = dict(mpl.rcParams)
    drawn(name, made())
    assert dict(mpl.rcParams) == before
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", ALL)
def test_empty_axes_are_used_and_drawn_ones_are_not(name):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5))
    plt.sca(left)
    first = np.atleast_1d(drawn(name, made()))[0]
    plt.sca(right)
    second = np.atleast_1d(drawn(name, made()))[0]
    assert first in (left, *left.child_axes)
    assert second in (right, *right.child_axes)
    third = np.atleast_1d(drawn(name, made()))[0]
    assert third.figure is not figure


def test_an_empty_figure_is_used():
    figure = plt.figure(figsize=(3, 3))
    assert plots.bar(made()).figure is figure
    figure = plt.figure(figsize=(3, 3))
    assert plots.text(made()).figure is figure
    assert figure.get_size_inches().tolist() == [3, 3]


@pytest.mark.parametrize("name", ALL)
def test_several_axes_are_refused(name):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ArgumentError, match=r"`ax`: expected one matplotlib `Axes` or None, got an ndarray"):
        drawn(name, made(), ax=axes)

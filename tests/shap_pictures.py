"""What tests of SHAP's plots share: sizes, and how a picture is read."""

# ruff: noqa: RUF001 (the multiplication and minus signs are wanted)

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shap
from matplotlib.collections import PathCollection

from captum_spex.explainers import to_shap

N_ROWS = 110  # the monitoring plot needs more than 100
TEXTS = ["her acting never fails to impress", "the plot was not good", "the cast never fails and the film is good"]
MOST = 6  # features shown
ROUNDED = 0.0051  # numbers in pictures have two digits
RNG = np.random.default_rng(0)  # by which points are scattered


@dataclass(frozen=True)
class Tables:
    """A forest of two classes on five columns: every answer is exact."""

    rows: pd.DataFrame
    predicted: np.ndarray
    both: shap.Explanation  # both outputs
    both_pairs: shap.Explanation
    results: list

    @property
    def values(self):
        return self.both[..., 1]

    @property
    def pairs(self):
        return self.both_pairs[..., 1]

    def terms(self, **settings):
        return to_shap(self.results, "terms", **{"data": self.rows} | settings)


def texts_of(labels):
    return [text.get_text() for text in labels]


def number(text):
    """The number in a text of a picture: "$ = 0.125$", "−0.38"."""
    return float(re.search(r"-?[\d.]+(e-?\d+)?", text.replace("−", "-")).group())


def ranked(values, names, most=MOST):
    """The largest values and their names, and the rest together, as most plots show them."""
    order = np.argsort(-np.abs(values), kind="stable")
    if len(order) <= most:
        return [names[k] for k in order], np.array(values)[order]
    rest = f"Sum of {len(order) - most + 1} other features"
    top, other = order[: most - 1], order[most - 1 :]
    return [*(names[k] for k in top), rest], np.append(values[top], values[other].sum())


def names_in(labels):
    """Names without the data in front of them."""
    return [label.split(" = ")[-1].strip() for label in labels]


def names_of(explanation):
    return [str(name).strip() for name in explanation.feature_names]


def assert_same_names(drawn, names, values):
    """The same, in any order where values are 0."""
    assert len(drawn) == len(names)
    there = np.flatnonzero(values)
    assert [drawn[k] for k in there] == [names[k] for k in there]


def points_of(axes):
    """All points of a picture."""
    return np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection)])


def points_by_line(axes):
    """For every horizontal line of a picture, from below, the sorted places of its points."""
    points = points_of(axes)
    lines = np.round(points[:, 1]).astype(int)
    return [np.sort(points[lines == line, 0]) for line in range(lines.max() + 1)]


def forces(html, kind):
    """The numbers that the force plot's script draws."""
    return json.loads(re.search(rf"SHAP\.{kind}, (\{{.*\}})\),\n", html).group(1))


def effects(drawn, names):
    """All effects by name, where the script has none for those of 0."""
    return [drawn.get(str(number), {"effect": 0.0})["effect"] for number in range(len(names))]

"""Models of twelve features that other processes can load without much else."""

from __future__ import annotations

import numpy as np

WEIGHTS = np.linspace(-1, 1, 12)


def bent(x):
    return np.tanh(x @ WEIGHTS) + x[:, 0] * x[:, 5]


class Bent:
    """The same and another output."""

    def __call__(self, x):
        return np.stack([bent(x), x[:, 1] * x[:, 2]], axis=1)


class Failing:
    """A model that fails, or returns NaN, once it sees a number that is in one row only."""

    def __init__(self, at, error=None):
        self.at, self.error = at, error
        self.rows = []

    def __call__(self, x):
        self.rows += [*x]
        found = bent(x)
        broken = (x == self.at).any(axis=1)
        if broken.any() and self.error is not None:
            raise self.error
        return np.where(broken, np.nan, found)

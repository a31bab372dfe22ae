"""Games and runs for tests of stores."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from games import Counting, smooth_game

import captum_spex
from captum_spex.approximators import GaussianProcess, ProxySpex, Spex
from captum_spex.masks import PackedMasks

QUICK = GaussianProcess(n_steps=5, links=False, terms=False)
PROXY = ProxySpex(QUICK)
SMALL_SPEX = Spex(degree=2, bits=3)
NOT_TOUCHED = "The file was not touched"


class StoppedError(Exception):
    """What ends a run in these tests."""


class Kept(Counting):
    """A game with a fingerprint that keeps what it was asked for, and raises instead of evaluating a further batch."""

    def __init__(self, game=smooth_game, fingerprint="a smooth game", stop_after=None, error=StoppedError):
        super().__init__(game)
        self.fingerprint = fingerprint
        self.stop_after = stop_after
        self.error = error

    def __call__(self, masks):
        if self.stop_after is not None and len(self.batches) >= self.stop_after:
            raise self.error
        return super().__call__(masks)


class Planned(Kept):
    """Small coalitions first, in batches of growing size."""

    def plan_batches(self, masks):
        order = np.argsort(masks.sum(axis=1), kind="stable")
        cuts = np.cumsum(np.arange(1, len(masks)))
        return [rows for rows in np.split(order, cuts[cuts < len(masks)]) if len(rows)]


class Unrepeatable:
    """Every evaluation of a mask has noise of its own, whoever asks for it."""

    def __init__(self):
        self.times = Counter()

    def __call__(self, masks):
        return smooth_game(masks) + np.array([self.noise(mask) for mask in masks])

    def noise(self, mask):
        known = mask.tobytes()
        self.times[known] += 1
        return np.random.default_rng([self.times[known], *known]).normal()


def whole_numbers(masks):
    """Exact, so that no value depends on the batch that it is computed in."""
    return masks.sum(axis=1) + 4.0 * masks[:, 0] * masks[:, 3] - 2.0 * masks[:, 1] * masks[:, 4] * masks[:, 6]


def two_outputs(masks):
    return np.stack([smooth_game(masks), masks[:, 2] - 0.5 * masks[:, 5] * masks[:, 1]], axis=1)


def explain(game, n=9, budget=60, approximator=PROXY, **settings):
    order = 2 if 1 < n < 100 else 1
    return captum_spex.explain(
        game, n, budget=budget, max_order=order, approximator=approximator, random_state=0, **settings
    )


def as_text(results):
    """All that a result says, to the last bit."""
    return [one.to_json() for one in (results if isinstance(results, list) else [results])]


def assert_stopped(game, path, error=StoppedError, **settings):
    with pytest.raises(error):
        explain(game, store=path, **settings)


def batch(n_players, n_masks, seed=0, n_outputs=1):
    rng = np.random.default_rng(seed)
    return PackedMasks.of(rng.random((n_masks, n_players)) < 0.5), rng.normal(size=(n_masks, n_outputs))


@cache
def uninterrupted(kind, batch_size, noisy):
    game = kind(Unrepeatable() if noisy else smooth_game)
    result = explain(game, approximator=ProxySpex(QUICK, noisy=noisy), batch_size=batch_size)
    return as_text(result), len(game.batches), sorted(mask.tobytes() for mask in game.masks)

"""The process, and the process behind a link, as proxies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gaussian_processes import (
    CPU,
    random_masks,
)

from captum_spex.approximators.proxyspex.gaussian_process.gaussian_process import GaussianProcess, Learner
from captum_spex.approximators.proxyspex.proxy import ProxyData
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.masks import Masks
from captum_spex.model import GameModel, LinkedExpansion
from captum_spex.statistics import Standardised


def learner(masks: Masks, values: Floats, **settings: int) -> Learner:
    standardised, rng = Standardised.of(values).values, np.random.default_rng(0)
    return Learner(GaussianProcess(**settings), ProxyData(masks, standardised, np.zeros(len(masks)), rng, CPU))


def squashed(masks: Masks) -> Floats:
    score = 3.0 * (masks[:, 0] ^ masks[:, 1]) + 3.0 * (masks[:, 2] & masks[:, 3]) + masks[:, 4:] @ np.ones(4) - 4
    return np.stack([1 / (1 + np.exp(-2 * score)), 1 / (1 + np.exp(-score))], axis=1)


@pytest.mark.parametrize("settings", [{}, {"most_exact": 20, "n_inducing": 60}, {"max_rows": 40}])
def test_parts_are_the_predictions_of_the_process(settings: dict[str, int]) -> None:
    masks = random_masks(120, 8, 0)
    taught = learner(masks, squashed(masks), **settings)
    for surrogate in (taught.plain(), taught.linked()):
        assert surrogate is not None
        assert surrogate.left_out.shape == surrogate.reused.shape == (len(masks), 2)
        for column, parts in enumerate(surrogate.parts):
            fitted = np.sum([part(masks) for part in parts], axis=0)
            assert ((fitted - taught.data.values[:, column]) ** 2).mean() < 0.08
            assert ((surrogate.left_out[:, column] - taught.data.values[:, column]) ** 2).mean() < 0.5


def test_few_distinct_values_have_no_link() -> None:
    masks = random_masks(120, 8, 0)
    seven, eight = (np.minimum(masks @ 2 ** np.arange(8), top)[:, None] * 1.0 for top in (6, 200))
    assert learner(masks, seven).linked() is None
    assert learner(masks, eight).linked() is not None
    assert learner(masks, np.concatenate([eight, seven], axis=1)).linked() is None


@pytest.mark.parametrize(
    ("n", "links", "top", "is_linked"),
    [(8, True, 200, True), (8, True, 6, False), (8, False, 200, False), (21, True, 200, False)],
)
def test_masks_of_few_players_are_chosen_behind_a_link(n: int, links: bool, top: int, is_linked: bool) -> None:
    masks = random_masks(120, n, 0)
    values = np.minimum(masks[:, :8] @ 2 ** np.arange(8), top)[:, None] * 1.0
    taught = learner(masks, values, links=links)
    guide = taught.settings.guide(taught.data)
    assert (len(guide.parts) == 1 and isinstance(guide.parts[0], LinkedExpansion)) == is_linked
    assert guide.posterior is not None
    assert np.corrcoef(guide(masks), values[:, 0])[0, 1] > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_a_game_that_is_nearly_constant_can_be_linked(seed: int) -> None:
    masks = random_masks(40, 9, seed)
    values = np.zeros(len(masks))
    values[2:9] = np.arange(1.0, 8)
    found = learner(masks, values[:, None]).linked()
    assert found is not None
    assert np.isfinite(found.left_out).all()


def test_all_values_that_differ_may_lie_in_one_half() -> None:
    masks = random_masks(40, 9, 0)
    for first in range(0, 40, 2):  # the values that differ lie in four pairs of complements
        values = np.zeros(len(masks))
        values[np.arange(first, first + 8) % 40] = np.arange(1.0, 9)
        found = learner(masks, values[:, None]).linked()
        assert found is not None
        assert np.isfinite(found.left_out).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 0}, "`n_steps`: expected an integer of at least 1, got 0"),
        ({"max_rows": 1.5}, "`max_rows`: expected an integer of at least 1, got 1.5"),
        ({"most_exact": 0}, "`most_exact`: expected an integer of at least 1, got 0"),
        ({"n_inducing": -1}, "`n_inducing`: expected an integer of at least 1, got -1"),
        ({"learning_rate": 0.0}, "`learning_rate`: expected a positive number, got 0.0"),
        ({"terms": "yes"}, "`terms`: expected True or False, got 'yes'"),
        ({"links": 1}, "`links`: expected True or False, got 1"),
        ({"learning_rate": float("nan")}, "`learning_rate`: expected a positive number, got nan"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        GaussianProcess(**settings)


@pytest.mark.parametrize(("n", "n_masks", "seed"), [(200, 300, 1), (200, 300, 2), (150, 256, 3)])
def test_a_kernel_that_few_masks_of_many_players_taught_finds_no_terms_by_chance(
    n: int, n_masks: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights, pairs, of_pairs = rng.normal(size=30), rng.integers(0, 30, (30, 2)), rng.normal(size=30)

    def game(masks: Masks) -> Floats:
        return np.asarray(masks[:, :30] @ weights + masks[:, pairs].all(axis=2) @ of_pairs)

    masks, others = rng.random((n_masks, n)) < 0.5, rng.random((2000, n)) < 0.5
    standard = Standardised.of(game(masks)[:, None])
    data = ProxyData(masks, standard.values, np.zeros(n_masks), np.random.default_rng(0), torch.device("cpu"))
    # The kernel is learnt on some of the masks: of the others it predicts less well than it says.
    (found,) = GaussianProcess(max_rows=100, links=False).surrogates(data, [])
    truth = (game(others) - standard.center[0]) / standard.scale[0]
    error = float(((GameModel(found.parts[0])(others) - truth) ** 2).mean())
    assert ((found.left_out - standard.values) ** 2).mean() > 0.7 * error

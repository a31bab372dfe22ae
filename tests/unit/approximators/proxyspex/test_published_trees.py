"""The published surrogate: its grid, and what it cuts off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from games import smooth_game

from captum_spex.approximators import BoostedTrees, ProxySpex, PublishedTrees
from captum_spex.approximators.proxyspex.validation import folds
from captum_spex.errors import ArgumentError
from captum_spex.statistics import r_squared

GRID = (BoostedTrees(n_trees=30, learning_rate=0.3), BoostedTrees(n_trees=20, learning_rate=0.5, max_depth=2))


def test_the_published_settings() -> None:
    published = ProxySpex.as_published()
    assert published == ProxySpex(PublishedTrees(), design="bernoulli", interpolate=False)
    assert {(trees.max_depth, trees.n_trees, trees.learning_rate) for trees in PublishedTrees().grid} == {
        (depth, n_trees, rate) for depth in (3, 5) for n_trees in (500, 1000, 5000) for rate in (0.01, 0.1)
    }


def test_published_trees_keep_fewer_terms_than_were_fitted() -> None:
    masks = np.random.default_rng(0).random((300, 10)) < 0.5
    spectrum, left_out, chosen = PublishedTrees(GRID).fit(
        masks, smooth_game(masks), folds(masks, 5, np.random.default_rng(0))
    )
    fitted = chosen.fit(masks, smooth_game(masks))
    assert 3 < len(spectrum) < len(fitted)
    assert set(spectrum) <= set(fitted)
    assert 0.6 < r_squared(smooth_game(masks), left_out) < r_squared(smooth_game(masks), fitted(masks)) < 1.0
    assert r_squared(smooth_game(masks), spectrum(masks)) > 0.8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid": ()}, r"`grid`: expected a tuple of `BoostedTrees`, got \(\)"),
        ({"grid": (1,)}, r"`grid`: expected a tuple of `BoostedTrees`, got \(1,\)"),
        ({"energy": 0}, "`energy`: expected a number above 0, at most 1, got 0"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        PublishedTrees(**settings)

"""Proxies of the user's own: one method is all that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from games import Counting, smooth_game
from numpy.testing import assert_allclose

import captum_spex
from captum_spex.approximators import BoostedTrees, Expected, FittedProxy, GaussianProcess, Proxy, ProxyData, ProxySpex
from captum_spex.approximators.proxyspex.proxy import guide_among
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.fourier import signs
from captum_spex.masks import Masks
from captum_spex.model import GameModel, Spectrum


@dataclass(frozen=True)
class MainEffects:
    """Least squares on single players."""

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        left_out = np.zeros_like(data.values)
        for held_out in data.folds():
            rest = np.setdiff1d(np.arange(len(data.masks)), held_out)
            for column in range(data.values.shape[1]):
                fitted = self.fit(data.masks[rest], data.values[rest, column])
                left_out[held_out, column] = fitted(data.masks[held_out])
        parts = [(self.fit(data.masks, column),) for column in data.values.T]
        return [FittedProxy("main effects", parts, left_out, left_out)]

    def fit(self, masks: Masks, values: Floats) -> Spectrum:
        n = masks.shape[1]
        features = np.column_stack([np.ones(len(masks)), signs(masks)])
        coefficients = np.linalg.lstsq(features, values, rcond=None)[0]
        return Spectrum.from_terms(dict(zip([(), *((i,) for i in range(n))], coefficients, strict=True)), n)


class Guiding(MainEffects):
    """Chooses masks as the Gaussian process does."""

    def guide(self, data: ProxyData) -> GameModel:
        return GaussianProcess(n_steps=10).guide(data)


@dataclass(frozen=True)
class Fixed:
    """Returns given surrogates."""

    answer: list[FittedProxy]

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        return self.answer


def linear(masks: Masks) -> Floats:
    return masks @ np.linspace(-1, 1, masks.shape[1])


def explain(game: Any, n: int, budget: int, proxy: Any, **settings: Any) -> Any:
    approximator = ProxySpex(proxy, **settings)
    return captum_spex.explain(game, n, budget=budget, approximator=approximator, random_state=0)


def test_a_proxy_of_ones_own_is_used() -> None:
    result = explain(linear, 12, 100, MainEffects())
    assert isinstance(MainEffects(), Proxy)
    assert_allclose(result.first_order(), np.linspace(-1, 1, 12), atol=1e-9)
    assert result.diagnostics["proxy"] == "1.00 x main effects"
    assert result.faithfulness > 0.999


def test_it_is_stacked_with_others() -> None:
    def half_linear(masks: Masks) -> Floats:
        return linear(masks) + 2.0 * (masks[:, 0] & masks[:, 1] & masks[:, 2])

    few_trees = BoostedTrees(n_trees=3, learning_rate=0.3)  # too few for the sum
    result = explain(half_linear, 12, 100, (few_trees, MainEffects()))
    assert "main effects" in result.diagnostics["proxy"]
    assert "boosted trees" in result.diagnostics["proxy"]


def test_it_is_fitted_to_several_outputs_that_go_together() -> None:
    first, second = explain(lambda m: np.stack([linear(m), 1 - 2 * linear(m)], axis=1), 12, 100, MainEffects())
    assert_allclose(second.first_order(), -2 * first.first_order(), atol=1e-9)


def test_rivals_are_what_was_fitted_before() -> None:
    names: list[list[str]] = []

    class Listening(MainEffects):
        def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
            names.append([one.name for one in rivals])
            return super().surrogates(data, rivals)

    explain(linear, 12, 100, (Listening(), MainEffects(), Listening()))
    assert names == [[], ["main effects", "main effects"]]


def test_one_that_guides_chooses_masks() -> None:
    assert guide_among((MainEffects(), BoostedTrees())) is None
    assert isinstance(guide_among((MainEffects(), Guiding())), Guiding)
    game = Counting(smooth_game)
    explain(game, 12, 130, Guiding(), rounds=2)
    assert [len(batch) for batch in game.batches] == [64, 66]
    with pytest.raises(ArgumentError, match="`rounds`: expected 1, as none of these proxies can choose masks, got 2"):
        ProxySpex(MainEffects(), rounds=2)


def test_without_any_surrogate_the_values_are_interpolated() -> None:
    game = Counting(smooth_game)
    result = explain(game, 12, 100, Fixed([]))
    assert result.diagnostics["proxy"] == "no proxy was fitted"
    assert np.isnan(result.faithfulness)
    assert_allclose(result.model(game.masks), smooth_game(game.masks), atol=1e-9)


def test_predictions_of_another_shape_are_refused() -> None:
    wrong = FittedProxy("mine", [()], np.zeros(100), np.zeros((100, 1)))
    message = r"`proxy`: expected predictions of shape \(100, 1\), .*, got \(100,\) and \(100, 1\) from 'mine'"
    with pytest.raises(ArgumentError, match=message):
        explain(smooth_game, 12, 100, Fixed([wrong]))


@dataclass(frozen=True)
class Expecting(MainEffects):
    """Says how much larger its errors are on masks that were not evaluated than on those left out."""

    factor: float

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        expected = Expected(np.full(len(data.masks), 0.5), 0.5 * self.factor)
        return [replace(one, expected=expected) for one in super().surrogates(data, rivals)]


def test_faithfulness_follows_what_a_proxy_expects_of_unseen_masks() -> None:
    found = {factor: explain(smooth_game, 12, 200, Expecting(factor)) for factor in (0.01, 0.5, 1.0, 2.0, 100.0)}
    scores = {factor: one.faithfulness for factor, one in found.items()}
    assert scores[0.5] > scores[1.0] > scores[2.0]
    assert scores[0.01] == scores[0.5]  # no expectation is trusted beyond a factor of two
    assert scores[100.0] == scores[2.0]
    assert scores[1.0] == explain(smooth_game, 12, 200, MainEffects()).faithfulness


@dataclass(frozen=True)
class Learned:
    """The Gaussian process, which says how many numbers it has learnt."""

    n_learnt: int

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        return [replace(GaussianProcess(links=False).surrogates(data, rivals)[0], n_learnt=self.n_learnt)]


def test_error_bars_are_longer_by_what_was_learnt_of_few_masks() -> None:
    none, some = (explain(smooth_game, 12, 100, Learned(count)).std_errors for count in (0, 50))
    assert none is not None
    assert some is not None
    assert_allclose(some, 1.5 * none)
    own = explain(smooth_game, 12, 100, GaussianProcess(links=False), rounds=1).std_errors
    assert_allclose(own, (1 + 2 * 12 / 100) * none)

"""From evaluations to estimates: convergence, kinds of games, error bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import oracles
import pytest
from games import Counting, Game, planted_spectrum, random_network, random_table, smooth_game
from numpy.testing import assert_allclose
from proxy_games import GAUSSIAN, error_of, r_squared_elsewhere

import captum_spex
from captum_spex.approximators import BoostedTrees, Exact, FittedProxy, ProxyData, ProxySpex
from captum_spex.approximators.proxyspex import Shared
from captum_spex.approximators.proxyspex.gaussian_process.gaussian_process import GaussianProcess
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.errors import ArgumentError
from captum_spex.interactions import Interactions
from captum_spex.masks import all_masks
from captum_spex.model import LinkedExpansion, Residuals, Spectrum


@pytest.mark.parametrize(
    ("game", "n", "approximator"),
    [
        (random_network(8, 1), 8, ProxySpex()),
        (planted_spectrum(9, 12, 4, 2), 9, GAUSSIAN),
        (oracles.as_game(random_table(8, 0)), 8, GAUSSIAN),
    ],
)
def test_errors_of_every_order_shrink_to_nothing(game: Game, n: int, approximator: ProxySpex) -> None:
    def explained(budget: int) -> Interactions:
        return captum_spex.explain(game, n, budget=budget, max_order=3, approximator=approximator, random_state=0)

    truth = captum_spex.explain(game, n, budget=2**n, max_order=3, approximator=Exact())
    results = [explained(2**n // part) for part in (8, 4, 2, 1)]
    errors = np.array([[error_of(result, truth, order) for order in (1, 2, 3)] for result in results])
    assert (errors[0] < 1.1).all()
    assert (errors[2] < 0.9 * errors[0]).all()
    assert (errors[1:] < 1.15 * errors[:-1]).all()
    assert (errors[3] == 0).all()


def test_nothing_is_interpolated_on_request() -> None:
    result = captum_spex.explain(smooth_game, 9, budget=60, approximator=ProxySpex(interpolate=False), random_state=0)
    assert not any(isinstance(part, Residuals) for part in result.model.parts)
    assert result.std_errors is not None  # those of the process
    assert (result.std_errors > 0).all()


def saturating(masks: np.ndarray) -> np.ndarray:
    """A squashed sum of pairs."""
    signs = 2.0 * masks - 1
    return 1 / (1 + np.exp(-1.5 * ((signs[:, ::2] * signs[:, 1::2]) @ np.linspace(1, 2, masks.shape[1] // 2))))


def test_a_saturating_game_takes_the_link() -> None:
    linked, plain = (
        captum_spex.explain(
            saturating, 12, budget=300, index="FBII", approximator=ProxySpex(proxy=proxy, rounds=1), random_state=0
        )
        for proxy in ("gaussian-process", GaussianProcess(links=False))
    )
    assert any(isinstance(part, LinkedExpansion) for part in linked.model.parts)
    assert not any(isinstance(part, LinkedExpansion) for part in plain.model.parts)
    assert r_squared_elsewhere(linked, saturating) > 0.95
    assert r_squared_elsewhere(plain, saturating) < 0.85


def tree(masks: np.ndarray) -> np.ndarray:
    m = masks
    left = np.where(m[:, 1], np.where(m[:, 2], 3.0, -1.0), np.where(m[:, 3], 1.0, -2.0))
    right = np.where(m[:, 4], np.where(m[:, 5], -3.0, 2.0), np.where(m[:, 6] & m[:, 7], 4.0, 0.0))
    return np.where(m[:, 0], left, right)


def test_a_tree_takes_the_trees() -> None:
    result = captum_spex.explain(tree, 20, budget=150, index="FBII", random_state=0)
    assert "boosted trees" in result.diagnostics["proxy"]
    assert r_squared_elsewhere(result, tree) > 0.8


def test_several_outputs_are_recovered_side_by_side() -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return np.stack(
            [smooth_game(masks), -3 * smooth_game(masks) + 7, 1.0 * masks[:, 0], np.ones(len(masks))], axis=1
        )

    first, second, single, constant = captum_spex.explain(game, 10, budget=100, approximator=GAUSSIAN, random_state=0)
    assert_allclose([second[players] for players in first], -3 * first.values, atol=0.02)
    assert_allclose(single.first_order(), np.eye(10)[0], atol=1e-3)
    assert not constant.values.any()
    assert constant.baseline == 1


@pytest.mark.parametrize("budget", [2, 15, 16, 60, "auto"])
def test_constant_values(budget: Any) -> None:
    result = captum_spex.explain(lambda masks: np.full(len(masks), 3.25), 10, budget=budget, random_state=0)
    assert not result.values.any()
    assert result.baseline == 3.25
    assert result.faithfulness == 1 or budget in (2, 15)


def test_players_that_do_the_same_get_the_same() -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return 1.0 * (masks[:, 2] | masks[:, 5]) + masks[:, 0]

    result = captum_spex.explain(game, 10, budget=200, approximator=GAUSSIAN, random_state=0)
    values = result.first_order()
    assert_allclose(values[[2, 5, 0]], [0.5, 0.5, 1.0], atol=0.01)
    assert_allclose(result[(2, 5)], -1.0, atol=0.02)
    assert np.abs(np.delete(values, [0, 2, 5])).max() < 0.01


@pytest.mark.parametrize("budget", [2, 3, 4, "auto"])
def test_two_players(budget: Any) -> None:
    game = Counting(lambda masks: masks[:, 0] + 2.0 * masks[:, 0] * masks[:, 1])
    result = captum_spex.explain(game, 2, budget=budget, random_state=0)
    assert game.n_rows == (4 if budget == "auto" else budget)
    assert_allclose(result.first_order().sum(), 3.0)


def test_three_hundred_players() -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return masks[:, 0] + 2.0 * masks[:, 250] * masks[:, 299] + 0.5 * masks[:, 100]

    approximator = ProxySpex(proxy=GaussianProcess(links=False))
    result = captum_spex.explain(game, 300, budget=500, approximator=approximator, random_state=0)
    assert result.n_evaluations == 500
    assert list(result.top(1, order=2)) == [(250, 299)]
    assert r_squared_elsewhere(result, game) > 0.95


def test_intervals_hold_about_nine_times_out_of_ten() -> None:
    held = []
    games = [random_network(8, seed) for seed in range(3)] + [planted_spectrum(8, 12, 3, seed) for seed in range(3)]
    for seed, game in enumerate(games):
        truth = captum_spex.explain(game, 8, budget=256)
        result = captum_spex.explain(game, 8, budget=80, approximator=GAUSSIAN, random_state=seed)
        assert result.std_errors is not None
        wrong = np.abs([result[players] - truth[players] for players in result])
        held.append((wrong <= 1.645 * result.std_errors).mean())
    assert 0.8 <= np.mean(held) <= 1.0


def test_the_spectrum_of_a_game_in_which_nothing_was_found() -> None:
    game = oracles.as_game(random_table(10, 0))
    result = captum_spex.explain(game, 10, budget=64, random_state=0)
    assert len(result.spectrum) > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_hopeless_game_has_no_faithfulness(seed: int) -> None:
    game = oracles.as_game(random_table(8, seed))
    result = captum_spex.explain(game, 8, budget=192, random_state=0)
    assert r_squared_elsewhere(result, game) < 0.15
    assert result.diagnostics["lower"] < 0.15


def test_the_spectrum_of_a_recovered_game_predicts_it() -> None:
    game = planted_spectrum(10, 6, 2, 0)
    result = captum_spex.explain(game, 10, budget=150, approximator=GAUSSIAN, random_state=0)
    found = result.model.spectrum(2**10)
    assert isinstance(found, Spectrum)
    assert_allclose(found(all_masks(10)), result.model(all_masks(10)), atol=0.02 * game(all_masks(10)).std())


class Recording:
    """Boosted trees that note the outputs of every fit."""

    def __init__(self) -> None:
        self.shapes: list[int] = []

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        self.shapes.append(data.values.shape[1])
        return BoostedTrees(n_trees=20).surrogates(data, ())


def many_outputs(n: int, count: int, seed: int = 0) -> Game:
    """A network with outputs that are little alike."""
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(n, 16)), rng.normal(size=(16, count))
    return lambda masks: np.tanh(masks @ inner) @ outer


def test_constant_outputs_cost_nothing() -> None:
    rival = Recording()
    game = many_outputs(8, 3)
    results = captum_spex.explain(
        lambda masks: np.concatenate([game(masks), np.full((len(masks), 5), 2.0)], axis=1),
        8,
        budget=60,
        approximator=ProxySpex(proxy=(GaussianProcess(), rival)),
        random_state=0,
    )
    assert sum(rival.shapes) == 3
    assert [one.diagnostics["proxy"] for one in results[3:]] == ["constant values"] * 5
    assert all(one.baseline == 2.0 and not one.values.any() for one in results[3:])


@pytest.mark.sampled
@pytest.mark.parametrize("budget", [60, 150])
def test_many_outputs_are_explained_as_well_as_each_alone(budget: int) -> None:
    n, game = 10, many_outputs(10, 8)
    truth = captum_spex.explain(game, n, budget=2**n)
    errors = np.zeros((2, 8))
    for seed in range(2):
        together = captum_spex.explain(game, n, budget=budget, approximator=GAUSSIAN, random_state=seed)
        for column in range(8):
            alone = captum_spex.explain(
                lambda masks, column=column: game(masks)[:, column],
                n,
                budget=budget,
                approximator=GAUSSIAN,
                random_state=seed,
            )
            errors[:, column] += [error_of(one, truth[column], 1) for one in (together[column], alone)]
    assert errors[0].mean() <= 1.05 * errors[1].mean()


class Together:
    """A proxy that is shown all its outputs first, and then asked for some of them; it claims to know all values."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []
        self.n_asked = 0

    def together(self, data: ProxyData) -> Together:
        self.shown.append(data.values)
        return self

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        assert_allclose(data.values, self.shown[-1][:, data.outputs], atol=1e-12)
        self.n_asked += len(data.outputs)
        parts = [(Spectrum.from_terms({(): 0.0}, data.masks.shape[1]),) for _ in data.outputs]
        return [FittedProxy("known", parts, data.values, data.values)]


@pytest.mark.parametrize("n_outputs", [3, 9])
def test_outputs_are_asked_for_by_their_numbers_among_those_fitted_together(n_outputs: int) -> None:
    together, game = Together(), many_outputs(8, n_outputs)
    chosen = ProxySpex(proxy=(GaussianProcess(terms=False, links=False), together))
    captum_spex.explain(lambda masks: game(masks)[:, [*range(n_outputs), 0]], 8, budget=50, approximator=chosen)
    assert together.n_asked == n_outputs + 1  # the last is in the group of the first
    assert sum(values.shape[1] for values in together.shown) == n_outputs + 1


@pytest.mark.parametrize("varying", [0, 1])
def test_outputs_of_which_hardly_any_varies(varying: int) -> None:
    def game(masks: np.ndarray) -> np.ndarray:
        return np.arange(5.0) + np.outer(masks[:, 0], np.arange(5) < varying)

    found = captum_spex.explain(game, 8, budget=50, random_state=0)
    assert [round(one[(0,)], 6) if (0,) in one else 0.0 for one in found] == [float(varying), 0.0, 0.0, 0.0, 0.0]


def test_what_is_of_no_use_to_the_first_outputs_is_not_fitted_to_the_others() -> None:
    rival = Recording()  # of a sum, which trees cannot tell
    slopes = np.random.default_rng(0).normal(size=(12, 9))
    chosen = ProxySpex(proxy=(GaussianProcess(), rival), shared=Shared())
    found = captum_spex.explain(lambda masks: masks @ slopes, 12, budget=100, approximator=chosen, random_state=0)
    assert rival.shapes == [1] * SETTINGS.pilots
    assert len(found) == 9
    assert chosen.shared is not None
    assert [type(proxy) for proxy in chosen.shared.proxies or ()] == [GaussianProcess]


def test_later_runs_start_from_what_the_first_outputs_taught() -> None:
    game, shared = many_outputs(12, 9), Shared()
    chosen = ProxySpex(proxy="gaussian-process", shared=shared)
    settings: dict[str, Any] = {"budget": 200, "approximator": chosen}
    captum_spex.explain(lambda masks: game(masks)[:, :3], 12, random_state=0, **settings)
    assert shared.proxies is None  # three are too few to teach anything
    captum_spex.explain(lambda masks: game(masks)[:, :8], 12, random_state=0, **settings)
    (first,) = shared.proxies or ()
    assert isinstance(first, GaussianProcess)
    assert first.start is not None
    assert first == GaussianProcess(links=first.links)  # the same description
    after = captum_spex.explain(lambda masks: game(masks)[:, 8], 12, random_state=0, **settings)
    assert shared.proxies == (first,)
    assert after.faithfulness > 0.9
    with pytest.raises(
        ArgumentError, match="`shared`: expected a `Shared\\(\\)` for 5 players, got what 12 players told"
    ):
        captum_spex.explain(lambda masks: masks[:, 0], 5, random_state=0, **settings | {"budget": 20})


def test_many_outputs_from_too_few_masks_for_any_proxy_are_unlearnt() -> None:
    proxy = ProxySpex(proxy="boosted-trees")
    found = captum_spex.explain(many_outputs(12, 9), 12, budget=10, approximator=proxy, random_state=0)
    assert [one.diagnostics["proxy"] for one in found] == ["too few masks to learn from"] * 9


@pytest.mark.parametrize("budget", [2, 3, 4, 15])
def test_outputs_that_share_by_order_may_have_very_few_masks(budget: int, capfd: pytest.CaptureFixture[str]) -> None:
    approximator = ProxySpex(shared=Shared())
    found = captum_spex.explain(many_outputs(12, 5), 12, budget=budget, approximator=approximator, random_state=0)
    assert len(found) == 5
    assert all(np.isnan(one.faithfulness) for one in found)
    assert capfd.readouterr().err == ""  # LAPACK writes there of matrices without rows


def test_few_masks_teach_many_outputs_nothing_that_could_be_checked() -> None:
    found = captum_spex.explain(many_outputs(12, 9), 12, budget=10, random_state=0)
    assert len(found) == 9
    assert all(np.isnan(one.faithfulness) for one in found)


def sums_of_pairs(n: int, count: int) -> Game:
    """Outputs with one main effect for each player and two pairs, no two outputs alike."""
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(n, count))
    pairs = [[rng.choice(n, 2, replace=False) for _ in range(2)] for _ in range(count)]

    def game(masks: np.ndarray) -> np.ndarray:
        bent = [sum(masks[:, pair].all(axis=1) for pair in some) for some in pairs]
        return np.asarray(masks @ slopes + 2.0 * np.stack(bent, axis=1))

    return game


def test_outputs_that_follow_find_what_each_finds_alone() -> None:
    n, count = 12, 6
    game, settings = sums_of_pairs(n, count), {"budget": 300, "approximator": GAUSSIAN, "random_state": 0}
    together = captum_spex.explain(game, n, **settings)
    for column in range(SETTINGS.pilots, count):
        truth = captum_spex.explain(lambda masks, column=column: game(masks)[:, column], n, budget=2**n)
        alone = captum_spex.explain(lambda masks, column=column: game(masks)[:, column], n, **settings)
        errors = [error_of(one, truth, order) for one in (together[column], alone) for order in (1, 2)]
        assert max(errors) < 1e-4
        assert together[column].faithfulness > 0.99


def test_an_output_that_follows_badly_is_fitted_in_full() -> None:
    n, game = 12, sums_of_pairs(12, 6)
    hard = oracles.as_game(random_table(n, 0))  # nothing that the others told is of use to it

    def games(masks: np.ndarray) -> np.ndarray:
        return np.concatenate([game(masks), hard(masks)[:, None]], axis=1)

    settings: dict[str, Any] = {"budget": 300, "approximator": GAUSSIAN, "random_state": 0}
    together = captum_spex.explain(games, n, **settings)[-1]
    alone = captum_spex.explain(hard, n, **settings)
    assert_allclose(together.values, alone.values, atol=1e-12)
    assert together.faithfulness < 0.2


def test_the_order_of_outputs_that_follow_does_not_matter() -> None:
    n, game, shared = 12, sums_of_pairs(12, 8), Shared()
    chosen = ProxySpex(proxy="gaussian-process", shared=shared)
    settings: dict[str, Any] = {"budget": 300, "approximator": chosen, "random_state": 0}
    captum_spex.explain(lambda masks: game(masks)[:, :5], n, **settings)
    later = [
        [captum_spex.explain(lambda masks, one=one: game(masks)[:, one], n, **settings) for one in order]
        for order in ((5, 6, 7), (7, 6, 5))
    ]
    for first, second in zip(later[0], reversed(later[1]), strict=True):
        assert_allclose(first.values, second.values, rtol=0, atol=0)

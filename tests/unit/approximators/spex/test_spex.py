"""SPEX from game to answer: what it guarantees, what it does with too little, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from games import Counting, planted_spectrum, random_network, smooth_game
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sampled import IS_THOROUGH, examples
from sklearn.linear_model import RidgeCV

import captum_spex
from captum_spex.approximators import BoostedTrees, ProxySpex, Spex
from captum_spex.approximators.spex.code import Code
from captum_spex.errors import ArgumentError, BudgetError, GameError
from captum_spex.model import Spectrum
from captum_spex.statistics import r_squared


def explain(game, n, budget, approximator=None, **arguments):
    chosen = Spex() if approximator is None else approximator
    return captum_spex.explain(game, n, **{"budget": budget, "approximator": chosen, "random_state": 0, **arguments})


def fresh_masks(n, count=500):
    return np.random.default_rng(99).random((count, n)) < 0.5


def faith(result, game, n):
    masks = fresh_masks(n, 2000)
    return r_squared(game(masks), result.model(masks))


def enough_bins(n_terms):
    """Logarithm of twice as many bins as terms."""
    return max(3, int(np.ceil(np.log2(2 * n_terms))))


# --- the guarantee ----------------------------------------------------------------------------------------------------


@st.composite
def sparse_games(draw):
    n = int(draw(st.sampled_from([10, 13, 20, 40, 64, 65, 100, 250, 600, *([2000] if IS_THOROUGH else [])])))
    degree, n_terms = draw(st.integers(2, 5)), draw(st.integers(1, 30))
    spectrum = planted_spectrum(n, n_terms, degree, draw(st.integers(0, 2**32 - 1)))
    return spectrum, Spex(degree=degree, bits=enough_bins(n_terms))


@given(game=sparse_games(), seed=st.integers(0, 1000))
def test_sparse_games_are_recovered_exactly(game, seed):
    spectrum, spex = game
    n = spectrum.n_players
    counting = Counting(spectrum)
    budget = spex.minimum_budget(n)
    result = explain(counting, n, budget, spex, random_state=seed)
    scale = np.abs(spectrum.values).sum()
    recovered = result.spectrum
    assert_allclose([recovered[players] for players in spectrum], spectrum.values, atol=1e-8 * scale)
    assert_allclose([value for players, value in recovered.items() if players not in spectrum], 0.0, atol=1e-8)
    masks = fresh_masks(n)
    assert_allclose(result.model(masks), spectrum(masks), atol=1e-8 * scale)
    assert_allclose(result.faithfulness, 1.0, atol=1e-12)
    ends = spectrum(np.array([[True] * n, [False] * n]))
    assert_allclose(result.first_order().sum(), ends[0] - ends[1], atol=1e-8 * scale)
    assert counting.n_rows == counting.n_distinct == result.n_evaluations <= budget


@pytest.mark.sampled
@pytest.mark.parametrize("degree", range(2, 6))
@pytest.mark.parametrize("n", [30, 300, 1000])
def test_the_formula_alone_is_enough(n, degree):
    """``n_groups * 2**bits * (parity bits + 1)`` evaluations, with the parameters left to the algorithm."""
    n_terms = 8
    budget = 3 * 2**5 * (Code(n, degree).n_parity + 1)
    spectrum = planted_spectrum(n, n_terms, degree, seed=n + degree)
    result = explain(spectrum, n, budget, Spex(degree=degree))
    assert_allclose([result.spectrum[players] for players in spectrum], spectrum.values, atol=1e-8)


@examples(0.4)
@given(n=st.sampled_from([30, 100, 500]), degree=st.integers(2, 4), seed=st.integers(0, 1000))
def test_terms_well_above_the_noise_are_found(n, degree, seed):
    spectrum = planted_spectrum(n, 10, degree, seed)
    noise_free = spectrum(fresh_masks(n))
    level = 0.05 * noise_free.std()
    noise = np.random.default_rng(seed)
    result = explain(lambda masks: spectrum(masks) + level * noise.normal(size=len(masks)), n, 6000, random_state=seed)
    found = set(result.spectrum)
    assert np.mean([players in found for players in spectrum]) >= 0.95
    assert r_squared(noise_free, result.model(fresh_masks(n))) > 0.99
    assert result.faithfulness > 0.98


@pytest.mark.parametrize("order", [4, 5])
def test_parities_without_a_visible_part_are_found(order):
    """Trees split on one player at a time and see nothing; the decoder does."""
    n, budget = 100, 4000
    rng = np.random.default_rng(order)
    sets = [tuple(sorted(rng.choice(n, order, replace=False).tolist())) for _ in range(10)]
    game = Spectrum.from_terms(dict.fromkeys(sets, 1.0), n)
    result = explain(game, n, budget)
    assert_allclose([result.spectrum[players] for players in sets], 1.0, atol=1e-8)
    assert faith(result, game, n) > 1 - 1e-12
    assert faith(explain(game, n, budget, ProxySpex(BoostedTrees(n_trees=30, learning_rate=0.3))), game, n) < 0.3


@pytest.mark.sampled
@pytest.mark.parametrize("n", [40, 300])
@pytest.mark.parametrize(("offset", "scale"), [(1e6, 1e-3), (-1e3, 1e5), (0.0, 1e-12), (0.0, 1e12)])
def test_offsets_and_scales_of_games(n, offset, scale):
    spectrum = planted_spectrum(n, 8, 4, seed=5)
    result = explain(lambda masks: offset + scale * spectrum(masks), n, 3500, Spex(degree=4))
    masks = fresh_masks(n)
    rounding = 1e-14 * abs(offset) / scale * 100
    assert_allclose((result.model(masks) - offset) / scale, spectrum(masks), atol=1e-8 + rounding)
    assert result.diagnostics["n_decoded"] >= 8


# --- few evaluations --------------------------------------------------------------------------------------------------


def linear_game(n, seed):
    weights = np.random.default_rng(seed).normal(size=n)
    return lambda masks: masks @ weights + 0.3


def gap_to_ridge(game, n, budget, seed):
    """R² on fresh masks, less that of a ridge fit of main effects to the same evaluations."""
    counting = Counting(game)
    result = explain(counting, n, budget, random_state=seed)
    ridge = RidgeCV(np.logspace(-4, 4, 17)).fit(counting.masks.astype(float), game(counting.masks))
    masks = fresh_masks(n, 2000)
    return faith(result, game, n) - r_squared(game(masks), ridge.predict(masks.astype(float)))


@pytest.mark.sampled
@pytest.mark.parametrize("n", [16, 60, 200])
@pytest.mark.parametrize("factor", [1, 1.6, 3, 6])
def test_linear_games_are_explained_as_linear(n, factor):
    budget = int(Spex().minimum_budget(n) * factor)
    gaps = [gap_to_ridge(linear_game(n, seed), n, budget, seed) for seed in range(3)]
    assert min(gaps) > -0.01


@pytest.mark.sampled
@pytest.mark.parametrize("n", [16, 60, 200])
@pytest.mark.parametrize("factor", [1, 1.6, 3, 6])
def test_dense_games_are_explained_as_well_as_by_a_linear_fit(n, factor):
    budget = int(Spex().minimum_budget(n) * factor)
    gaps = [gap_to_ridge(random_network(n, seed), n, budget, seed) for seed in range(4)]
    assert np.mean(gaps) > -0.03


@pytest.mark.parametrize(
    ("game", "budget", "answer"),
    [
        (linear_game(100, 0), 400, "main effects|linear"),
        (planted_spectrum(100, 3, 3, seed=0), 3000, "decoded"),
        (lambda masks: np.random.default_rng(1).normal(size=len(masks)), 3000, "empty"),
        (lambda masks: np.full(len(masks), 3.0), 400, "constant values"),
    ],
    ids=["linear", "sparse", "noise", "constant"],
)
def test_the_answer_is_named(game, budget, answer):
    diagnostics = explain(game, 100, budget).diagnostics
    assert any(part in diagnostics["answer"] for part in answer.split("|"))


def test_the_chosen_parameters_are_named():
    diagnostics = explain(smooth_game, 40, 2000, Spex(degree=2, bits=4, n_groups=3)).diagnostics
    expected = {"degree": 2, "bits": 4, "n_groups": 3}
    assert {key: diagnostics[key] for key in expected} == expected
    delays = Code(40, 2).n_parity + 1
    assert diagnostics["n_extra"] == 2000 - (3 * 16 * delays - 2 * delays + 1)
    assert set(diagnostics) == {*expected, "n_extra", "answer", "n_decoded", "n_terms"}


# --- easy games -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 2.5, -1e9])
def test_constant_games(value):
    result = explain(lambda masks: np.full(len(masks), value), 50, 600)
    assert dict(result.spectrum) == {(): value}
    assert_allclose(result.first_order(), 0.0, atol=0.0)
    assert result.baseline == value
    assert result.faithfulness == 1.0
    assert_array_equal(result.std_errors, 0.0)
    assert_array_equal(captum_spex.Interactions.from_json(result.to_json()).std_errors, 0.0)


def test_every_mask_is_evaluated_once_the_budget_holds_them():
    result = explain(smooth_game, 10, 1024)
    assert result.diagnostics == {"method": "exact: every mask was evaluated"}
    assert explain(smooth_game, 10, 1023).diagnostics["degree"] >= 1


def test_players_that_always_go_together():
    game = Counting(lambda masks: 2.0 * (masks[:, 0] & masks[:, 1]) + masks[:, 2])
    result = explain(game, 20, 1500)
    assert_allclose([result[(0, 1)], result[(2,)], result[(0, 2)]], [2.0, 1.0, 0.0], atol=1e-8)


@pytest.mark.parametrize("n", [12, 20])
def test_few_players_are_interpolated(n):
    game = Counting(smooth_game)
    result = explain(game, n, 800)
    assert_allclose(result.model(game.masks), smooth_game(game.masks), atol=1e-9)


# --- budgets ----------------------------------------------------------------------------------------------------------


@examples(0.5)
@given(n=st.integers(11, 300), budget=st.integers(300, 2000), seed=st.integers(0, 1000))
def test_the_budget_is_kept_and_used(n, budget, seed):
    game = Counting(smooth_game)
    result = explain(game, n, budget, random_state=seed, batch_size=333)
    assert game.n_rows == game.n_distinct == result.n_evaluations <= budget
    if n >= 20:
        assert result.n_evaluations == budget


@pytest.mark.sampled
@pytest.mark.parametrize("n", [12, 64, 500, 5000])
@pytest.mark.parametrize(
    ("spex", "named"),
    [(Spex(), ""), (Spex(degree=3), " and degree 3"), (Spex(degree=5, bits=4, n_groups=2), " and degree 5")],
    ids=repr,
)
def test_the_smallest_budget(n, spex, named):
    minimum = spex.minimum_budget(n)
    game = Counting(lambda masks: masks[:, 0] * 1.0)
    message = rf"`budget`: expected at least {minimum} for {n} players{named}, got {minimum - 1}\. `ProxySpex\(\)`"
    with pytest.raises(BudgetError, match=message):
        explain(game, n, minimum - 1, spex)
    assert game.n_rows == 0
    assert explain(game, n, minimum, spex).n_evaluations == game.n_rows <= minimum


def test_the_smallest_budget_follows_from_the_formula():
    """Three groups of eight bins, which share the masks without a combination; the full mask; 16 to choose by."""
    delays = Code(100, 5).n_parity + 1
    assert delays == 41
    assert Spex(degree=5).minimum_budget(100) == 3 * 8 * 41 - 2 * 41 + 1 + 16


@pytest.mark.parametrize("n", [30, 300])
def test_more_budget_brings_more_bins_or_a_higher_degree(n):
    def power(budget):
        facts = explain(smooth_game, n, budget).diagnostics
        return facts["degree"], facts["n_groups"] << facts["bits"]

    reached = [power(budget) for budget in (300, 600, 1500, 3000, 6000, 12000)]
    assert [degree for degree, _ in reached] == sorted(degree for degree, _ in reached)
    assert reached[-1][0] == 5
    assert reached[-2] < reached[-1]


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("argument", "low", "high"), [("degree", 1, 10), ("bits", 1, 24), ("n_groups", 2, 16)]
)  # fmt: skip
@pytest.mark.parametrize("value", [-1, 0, 25, 2.0, "3", True], ids=repr)
def test_settings_out_of_range(argument, low, high, value):
    for setting in (value, np.array(value)):
        with pytest.raises(ArgumentError) as caught:
            Spex(**{argument: setting})
        assert str(caught.value) == f"`{argument}`: expected an integer from {low} to {high}, got {value!r}."


@pytest.mark.parametrize(("argument", "low", "high"), [("degree", 1, 10), ("bits", 1, 24), ("n_groups", 2, 16)])
def test_settings_at_the_ends_of_their_range(argument, low, high):
    for value in (low, high, np.int64(low)):
        assert getattr(Spex(**{argument: value}), argument) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ArgumentError, match=f"`{argument}`: expected an integer from {low} to {high}, got {value}"):
            Spex(**{argument: value})


def test_more_bins_than_memory():
    game = Counting(smooth_game)
    with pytest.raises(
        ArgumentError, match=r"`bits`: expected bins that fit into 8 GiB, got 24, whose bins need 25\.6 GiB"
    ):
        explain(game, 100, 10**10, Spex(degree=5, bits=24))
    assert game.n_rows == 0


@pytest.mark.parametrize(
    ("game", "message"),
    [
        (lambda masks: np.where(masks.all(axis=1), np.nan, 0.0), "got nan for the mask with all players present"),
        (lambda masks: np.where(masks.any(axis=1), 0.0, -np.inf), "got -inf for the mask with no player present"),
        (
            lambda masks: np.where(masks[:, 3], np.nan, 0.0),
            r"got nan for the mask with players \[.*3,.*\] present",
        ),
    ],
)
def test_values_that_are_not_finite(game, message):
    with pytest.raises(GameError, match=message):
        explain(game, 20, 1500)


def test_games_that_fail_report_the_progress():
    def game(masks):
        raise KeyError("lost")

    with pytest.raises(KeyError) as caught:
        explain(game, 20, 1500, batch_size=10)
    assert "failed on a batch of 10 masks, after 0 of at most 1500 evaluations" in "\n".join(caught.value.__notes__)


# --- repeatable -------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits():
    games = [Counting(random_network(30, 0)) for _ in range(3)]
    results = [explain(game, 30, 1500, random_state=seed) for game, seed in zip(games, (7, 7, 8), strict=True)]
    assert_array_equal(games[0].masks, games[1].masks)
    assert results[0].to_json() == results[1].to_json()
    assert {mask.tobytes() for mask in games[0].masks} != {mask.tobytes() for mask in games[2].masks}


def test_two_outputs_share_their_evaluations():
    parts = [planted_spectrum(30, 5, 3, seed=0), smooth_game, lambda masks: np.full(len(masks), 3.0)]
    game = Counting(lambda masks: np.stack([part(masks) for part in parts], axis=1))
    together = explain(game, 30, 1500)
    assert game.n_rows == game.n_distinct == 1500
    for result, part in zip(together, parts, strict=True):
        alone = explain(part, 30, 1500)
        assert_array_equal(result.values, alone.values)
        assert_allclose(result.faithfulness, alone.faithfulness)


def test_results_survive_json():
    result = explain(smooth_game, 30, 1500)
    again = captum_spex.Interactions.from_json(result.to_json())
    assert_allclose(again.model(fresh_masks(30)), result.model(fresh_masks(30)), atol=1e-12)

"""The regression on large tables, against slow twins."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask
from sampled import some

import captum_spex
from captum_spex.approximators import FitLimits, ProxySpex
from captum_spex.approximators.proxyspex.many_players.blocked_table import BlockedTable
from captum_spex.approximators.proxyspex.many_players.regression import LinearFit, fourier_of_products, regressed
from captum_spex.games.training import from_table, table_game
from captum_spex.masks import PackedMasks
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import Standardised, r_squared

DENSITIES = some([0.5, 0.8, 0.2], 2)
N_LARGE, N_ROWS = 600, 3000  # more players than interactions are sought among
FEW_ROWS = 800
EFFECTS = {(0,): 1.5, (4,): -1.0, (500,): 2.0, (599,): -2.5, (3,): 1.0, (8,): 1.0, (20,): -1.5, (30,): 1.0, (40,): 1.0}
TOGETHER = {(3, 8): 3.0, (20, 30, 40): -6.0}
LIMITS = FitLimits(proxy_masks=100)  # regress tables that are large enough for that, and small enough for a test
STEPWISE = replace(LIMITS, direct_players=1)


# --- made tables ------------------------------------------------------------------------------------------------------


def random_masks(n_rows, n_players, density=0.5, seed=0):
    return np.random.default_rng(seed).random((n_rows, n_players), dtype=np.float32) < density


def polynomial(terms, masks):
    """Sum of the terms' coefficients over the masks that hold all of their players."""
    return sum(value * masks[:, list(players)].all(axis=1) for players, value in terms.items()) + 0.25


def large_table(density, n_outputs=1, n_rows=N_ROWS):
    masks = random_masks(n_rows, N_LARGE, density)
    first = polynomial(EFFECTS | TOGETHER, masks)
    values = np.stack([first, polynomial({(5,): 1.0, (6, 7): 2.0}, masks)], axis=1) if n_outputs > 1 else first
    return masks, values


@pytest.fixture(scope="module", params=DENSITIES)
def learnt(request):
    """The density, and what the regression makes of a large table with it."""
    masks, values = large_table(request.param)
    return request.param, explain(from_table(masks, values), budget=N_ROWS, index="Moebius", max_order=3)


def table_of(masks, values, limits=LIMITS):
    table = from_table(masks, values).table
    return BlockedTable(table.masks, table.values, limits)


def explain(table, limits=LIMITS, **settings):
    return captum_spex.explain(table, approximator=ProxySpex(limits=limits), **settings)


def held_out(n_rows, seed):
    """The rows that take no part, as a generator of that seed draws them."""
    chosen = np.zeros(n_rows, bool)
    chosen[np.random.default_rng(seed).choice(n_rows, min(n_rows // 10, 5000), replace=False)] = True
    return chosen


def test_main_effects_and_planted_groups_are_found(learnt):
    density, result = learnt
    shares = {players: value * density ** (len(players) - 1) for players, value in TOGETHER.items()}
    wanted = {players[0]: value for players, value in EFFECTS.items()}
    for players, value in shares.items():
        for player in players:
            wanted[player] = wanted.get(player, 0.0) + value
    alone = [player for player in wanted if player not in {p for players in TOGETHER for p in players}]
    assert_allclose([result[player] for player in alone], [wanted[player] for player in alone], rtol=0.2)
    assert next(iter(result.top(1, order=2))) == (3, 8) or density != 0.5
    assert next(iter(result.top(1, order=3))) == (20, 30, 40)
    assert result[(3, 8)] > 0.6 * TOGETHER[3, 8]
    assert result[20, 30, 40] < 0.6 * TOGETHER[20, 30, 40]


def test_planted_groups_have_their_full_weight(learnt):
    """What the main effects of a thousand players took by chance is given back."""
    _, result = learnt
    assert_allclose(result[(3, 8)], TOGETHER[3, 8], rtol=0.06)
    assert_allclose(result[(20, 30, 40)], TOGETHER[20, 30, 40], rtol=0.15)


def test_the_faithfulness_holds_on_fresh_masks(learnt):
    density, result = learnt
    fresh = random_masks(3000, N_LARGE, density, seed=77)
    truth = r_squared(polynomial(EFFECTS | TOGETHER, fresh), result.model(fresh))
    assert truth > 0.9
    assert_allclose(result.faithfulness, truth, atol=0.02)
    assert result.diagnostics["lower"] < result.faithfulness


@pytest.mark.parametrize(("density", "noise"), some([(0.2, 0.0), (0.8, 0.0), (0.5, 2.0)], 2))
def test_the_faithfulness_is_that_on_held_out_rows(density, noise):
    masks, values = large_table(density, n_outputs=2, n_rows=FEW_ROWS)
    values = values + noise * np.random.default_rng(0).normal(size=values.shape)
    rows = held_out(FEW_ROWS, seed=5)
    recovered = regressed(table_of(masks, values), np.random.default_rng(5))
    for output, one in enumerate(recovered):
        assert_allclose(one.faithfulness, r_squared(values[rows, output], one.model(masks[rows])), atol=1e-4)


def test_held_out_values_change_nothing_but_the_faithfulness():
    masks, values = large_table(0.5, n_rows=FEW_ROWS)
    other = values.copy()
    out = held_out(FEW_ROWS, seed=5)
    other[out] += np.random.default_rng(1).normal(size=out.sum()) * values.std()
    models = [regressed(table_of(masks, v), np.random.default_rng(5))[0] for v in (values, other)]
    one, noisy = (model.model(masks[:50]) for model in models)
    slope = np.ptp(noisy) / np.ptp(one)
    assert 0.5 < slope <= 1  # follows what was held out no farther than that bears it
    assert_allclose(noisy - noisy[0], slope * (one - one[0]), atol=1e-9)
    assert models[1].faithfulness < 0.8 < models[0].faithfulness


def test_noise_has_no_structure():
    masks = random_masks(3000, N_LARGE)
    result = explain(from_table(masks, np.random.default_rng(3).normal(size=3000)), budget=3000)
    assert abs(result.faithfulness) < 0.1
    assert np.abs(result.values).max() < 0.2
    assert len(result.top(100, order=2)) <= 2


def slow_polynomial(supports, coefficients, shares, masks):
    """Sum of coefficients times the products of presences minus how often players are present."""
    values = np.zeros(len(masks))
    for players, coefficient in zip(supports.tuples(), coefficients, strict=True):
        values += coefficient * np.prod([masks[:, player] - shares[player] for player in players], axis=0)
    return values


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 12))
def test_the_spectrum_is_the_polynomial(seed, n, n_terms):
    rng = np.random.default_rng(seed)
    sets = [rng.choice(n, rng.integers(1, min(n, 4) + 1), replace=False).tolist() for _ in range(n_terms)]
    supports, coefficients = PlayerSets.from_sets(sets, n), rng.normal(size=n_terms)
    shares = rng.choice([0.0, 0.2, 0.5, 0.9, 1.0], n)
    terms = list(fourier_of_products(supports, coefficients, shares))
    masks = every_mask(n)
    found = np.sum([spectrum(masks) for spectrum in terms], axis=0)
    assert_allclose(found, slow_polynomial(supports, coefficients, shares, masks), atol=1e-9)


@pytest.mark.parametrize("density", DENSITIES)
def test_main_effects_are_those_of_a_penalised_regression(density):
    """Of standardised presences, by the normal equations."""
    masks = random_masks(700, 30, density)
    values = polynomial({(0,): 1.0, (1, 2): 2.0}, masks)[:, None] * [1.0, 100.0] + random_masks(700, 2, 0.5, 1)
    linear = LinearFit.of(table_of(masks, values))
    centered, spread = masks - masks.mean(axis=0), masks.std(axis=0)
    standard = centered / spread
    for output, column in enumerate(values.T):
        target = Standardised.of(column).values
        explained = ((standard.T @ target / 700) ** 2).sum() - 30 / 700
        penalty = (1 - explained) / explained * 30
        slopes = np.linalg.solve(standard.T @ standard + penalty * np.eye(30), standard.T @ target)
        assert_allclose(linear.slopes[:, output], slopes / spread * column.std(), rtol=1e-3, atol=1e-4 * column.std())
    left = linear.residuals(table_of(masks, values))
    assert_allclose(left, values - values.mean(axis=0) - centered @ linear.slopes, atol=1e-3)


@pytest.mark.parametrize("density", DENSITIES)
def test_both_ways_to_solve_agree(density):
    masks, values = large_table(density, n_outputs=2)
    directly, stepwise = (LinearFit.of(table_of(masks[:2000], values[:2000], way)) for way in (LIMITS, STEPWISE))
    assert_allclose(stepwise.slopes, directly.slopes, atol=3e-3 * np.abs(directly.slopes).max())
    assert_allclose(stepwise.shares, directly.shares)


def test_a_large_table_is_learnt_step_by_step_too():
    table = from_table(*large_table(0.5))
    found = explain(table, STEPWISE, budget=N_ROWS, max_order=3, index="Moebius")
    assert next(iter(found.top(1, order=3))) == (20, 30, 40)
    assert found.faithfulness > 0.9


def test_more_players_than_are_solved_directly():
    n = 4200
    masks = random_masks(2000, n)
    truth = {(7,): 3.0, (4199,): -2.0, (100,): 2.0, (200,): 2.0, (100, 200): 4.0}
    result = explain(from_table(PackedMasks.of(masks), polynomial(truth, masks)), budget=2000)
    assert set(result.top(4, order=1)) == {(7,), (100,), (200,), (4199,)}
    assert next(iter(result.top(1, order=2))) == (100, 200)
    assert len(result.first_order()) == n


def test_packed_and_plain_tables_say_the_same():
    masks, values = large_table(0.5, n_rows=700)
    big = np.packbits(masks, axis=1)
    tables = [from_table(masks, values), from_table(big, values, n_players=N_LARGE, bitorder="big")]
    tables.append(from_table(PackedMasks.of(masks), values))
    results = [explain(table, budget=N_ROWS, random_state=0) for table in tables]
    for one, other in pairwise(results):
        assert_array_equal(one.values, other.values)


def test_blocks_change_little():
    masks, values = large_table(0.5, n_rows=FEW_ROWS)
    together = explain(from_table(masks, values), budget=FEW_ROWS, random_state=0)
    small = replace(LIMITS, block_cells=300 * N_LARGE)
    parts = explain(from_table(masks, values), small, budget=FEW_ROWS, random_state=0)
    assert_allclose(parts.first_order(), together.first_order(), atol=1e-4)
    assert list(parts.top(1, order=2)) == list(together.top(1, order=2))


def test_several_outputs_of_a_large_table():
    masks, values = large_table(0.5, n_outputs=2, n_rows=1200)
    settings = {"budget": 1200, "index": "Moebius", "max_order": 3, "random_state": 0}
    results = explain(from_table(masks, values), **settings)
    assert [next(iter(result.top(1, order=2))) for result in results] == [(3, 8), (6, 7)]
    alone = explain(from_table(masks, values[:, 1]), **settings)
    assert_allclose(results[1].first_order(), alone.first_order(), atol=1e-4)


def test_a_large_table_is_reproducible():
    masks, values = large_table(0.5, n_rows=FEW_ROWS)
    values = values + np.random.default_rng(0).normal(size=FEW_ROWS)
    results = [explain(from_table(masks, values), budget=600, random_state=seed) for seed in (1, 1, 2)]
    assert_array_equal(results[0].values, results[1].values)
    assert len(results[0].values) != len(results[2].values) or (results[0].values != results[2].values).any()
    assert [result.n_evaluations for result in results] == [600] * 3


@pytest.mark.parametrize("limits", [LIMITS, STEPWISE])
def test_constant_values_of_a_large_table(limits):
    masks = random_masks(200, N_LARGE)
    values = np.stack([np.full(200, 7.0), masks[:, 5] * 2.0], axis=1)
    constant, other = explain(from_table(masks, values), limits, budget=200)
    assert_allclose(constant.values, 0.0, atol=1e-12)
    assert_allclose(constant.baseline, 7.0)
    assert np.isnan(constant.faithfulness)
    assert next(iter(other.top(1, order=1))) == (5,)


@pytest.mark.parametrize("limits", [LIMITS, STEPWISE])
def test_players_that_are_always_or_never_present(limits):
    masks, _ = large_table(0.5, n_rows=FEW_ROWS)
    masks[:, :10], masks[:, 10:15] = True, False
    values = polynomial({(20,): 1.0, (30, 40): 2.0, (2, 50): 3.0}, masks)
    result = explain(from_table(masks, values), limits, budget=FEW_ROWS, random_state=0)
    assert_array_equal(result.first_order()[:15], 0.0)
    assert next(iter(result.top(1, order=2))) == (30, 40)
    assert next(iter(result.top(1, order=1))) == (50,)
    assert not any(min(players) < 15 for players in result.top(1000, order=2))


def test_all_rows_alike():
    masks = np.tile(random_masks(1, N_LARGE), (50, 1))
    result = explain(from_table(masks, np.random.default_rng(0).normal(size=50)), budget=50)
    assert_allclose(result.values, 0.0, atol=1e-9)


@pytest.mark.parametrize("n_rows", [1, 2, 5, 12])
def test_few_rows_of_many_players(n_rows):
    masks = random_masks(n_rows, N_LARGE)
    result = explain(from_table(masks, np.arange(n_rows) * 1.0), budget=max(2, n_rows))
    assert result.n_evaluations == n_rows
    assert np.isfinite(result.values).all()
    if n_rows < 10:
        assert np.isnan(result.faithfulness)


def test_very_many_rows_of_few_players():
    masks = random_masks(12_000, 6)
    values = polynomial({(0,): 1.0, (1, 2): 2.0, (3, 4, 5): 3.0}, masks)
    result = explain(from_table(masks, values), budget=12_000, max_order=3, index="Moebius")
    assert_allclose(result[(1, 2)], 2.0, atol=0.02)
    assert_allclose(result[(3, 4, 5)], 3.0, atol=0.02)
    assert result.faithfulness > 0.999


def test_a_file_is_never_unpacked_whole(tmp_path, monkeypatch):
    """Blocks of a million cells of a table of eighty million."""
    n, n_rows = 40_000, 2000
    rng = np.random.default_rng(0)
    packed = rng.integers(0, 256, (n_rows, n // 8), dtype=np.uint8)
    values = (packed[:, 0] & 1) * 2.0 + (packed[:, 100] & 1)
    np.save(tmp_path / "masks.npy", packed)
    del packed
    monkeypatch.setattr(table_game, "_BLOCK", 1 << 20)
    small = replace(LIMITS, block_cells=1 << 20, pair_cells=1 << 22)
    table = from_table(np.load(tmp_path / "masks.npy", mmap_mode="r"), values, n_players=n, bitorder="little")
    tracemalloc.start()
    try:
        result = explain(table, small, budget=n_rows, max_order=1, random_state=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(result.top(2, order=1)) == [(0,), (800,)]
    assert peak < 0.8 * n * n_rows  # octets of a bool array


def test_default_blocks_are_bounded():
    assert FitLimits().block_cells * 4 <= 1 << 27
    assert table_game._BLOCK <= 1 << 27

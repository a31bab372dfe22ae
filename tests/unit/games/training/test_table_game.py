"""Tables of past trainings: read, looked up, learned from."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, shapley_by_permutations, sii
from sampled import some

import captum_spex
from captum_spex.approximators import Exact, FitLimits, ProxySpex, Spex, ValueTable
from captum_spex.errors import ArgumentError, BudgetError, MaskError, UnknownNameError
from captum_spex.games.training import from_table
from captum_spex.games.training.table_game import StoredMasks
from captum_spex.masks import ChosenRows, PackedMasks, mask_keys

DENSITIES = [0.2, 0.5, 0.8]


# --- tables -----------------------------------------------------------------------------------------------------------


def random_masks(n_rows, n_players, density=0.5, seed=0):
    return np.random.default_rng(seed).random((n_rows, n_players), dtype=np.float32) < density


def polynomial(terms, masks):
    """Sum of the terms' coefficients over the masks that hold all of their players."""
    return sum(value * masks[:, list(players)].all(axis=1) for players, value in terms.items()) + 0.25


def r_squared(truth, predicted):
    return 1 - ((truth - predicted) ** 2).mean() / truth.var()


def table_of(masks, values):
    return from_table(masks, values).table


# --- what a table may look like ---------------------------------------------------------------------------------------

SMALL = random_masks(40, 19)
VALUES = np.random.default_rng(1).normal(size=40)

KINDS = {
    "bool": (SMALL, {}),
    "integers": (SMALL.astype(int), {}),
    "octets": (SMALL.astype(np.uint8), {}),
    "floats": (SMALL.astype(np.float32), {}),
    "lists": (SMALL.tolist(), {}),
    "frame": (pd.DataFrame(SMALL.astype(int)), {}),
    "tensor": (torch.tensor(SMALL), {}),
    "with n_players": (SMALL, {"n_players": 19}),
    "column-major": (np.asfortranarray(SMALL), {}),
    "packed": (np.packbits(SMALL, axis=1), {"n_players": 19}),
    "packed, little": (np.packbits(SMALL, axis=1, bitorder="little"), {"n_players": 19, "bitorder": "little"}),
    "packed, big": (np.packbits(SMALL, axis=1), {"n_players": 19, "bitorder": "big"}),
    "PackedMasks": (PackedMasks.of(SMALL), {}),
}


def same_table(game):
    masks = game.table.masks
    assert (game.n_players, len(game), len(masks)) == (19, 40, 40)
    for rows in (np.arange(40), np.arange(3, 9), np.array([5, 2, 2, 39]), np.array([7]), np.zeros(0, dtype=np.intp)):
        assert_array_equal(masks.block(rows).unpack(), SMALL[rows])
    assert_array_equal(masks.keys(), mask_keys(SMALL))
    assert_array_equal(game(SMALL), VALUES)
    return True


@pytest.mark.parametrize("name", KINDS)
def test_masks_of_any_kind(name):
    masks, settings = KINDS[name]
    assert same_table(from_table(masks, VALUES, **settings))


@pytest.mark.parametrize(("packed_in", "read_in"), [("little", "big"), ("big", "little")])
def test_the_other_order_of_bits_is_noticed(packed_in, read_in):
    packed = np.packbits(SMALL, axis=1, bitorder=packed_in)
    message = f'`masks`: expected rows padded with zeros, got set bits behind player 18. Is it `bitorder="{packed_in}"`'
    with pytest.raises(MaskError, match=message):
        from_table(packed, VALUES, n_players=19, bitorder=read_in)


@pytest.mark.parametrize("name", ["bool", "octets", "floats", "packed", "packed, big"])
def test_masks_in_a_file(name, tmp_path):
    masks, settings = KINDS[name]
    np.save(tmp_path / "masks.npy", masks)
    mapped = np.load(tmp_path / "masks.npy", mmap_mode="r")
    game = from_table(mapped, VALUES, **settings)
    assert same_table(game)
    assert np.shares_memory(game.table.masks.array, mapped)


@pytest.mark.parametrize("name", ["bool", "packed", "packed, big"])
def test_blocks_of_a_few_rows(name):
    masks, settings = KINDS[name]
    stored = from_table(masks, VALUES, **settings).table.masks
    assert_array_equal(replace(stored, block_size=50).keys(), stored.keys())


@pytest.mark.parametrize("values", [VALUES.tolist(), torch.tensor(VALUES), pd.Series(VALUES, index=VALUES)], ids=type)
def test_values_of_any_kind(values):
    assert same_table(from_table(SMALL, values))


def test_values_that_are_integers():
    assert_array_equal(from_table(SMALL, np.arange(40))(SMALL[[3, 9]]), [3.0, 9.0])


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_several_outputs(n_outputs):
    values = np.random.default_rng(0).normal(size=(40, n_outputs))
    game = from_table(SMALL, values)
    assert_array_equal(game(SMALL[::-1]), values[::-1])
    results = captum_spex.explain(game, random_state=0)
    assert isinstance(results, list)
    assert len(results) == n_outputs
    alone = captum_spex.explain(from_table(SMALL, values[:, 0]), random_state=0)
    assert_allclose(results[0].first_order(), alone.first_order(), atol=0.2 * np.abs(alone.first_order()).max())


def test_names():
    names = [f"player {number}" for number in range(19)]
    game = from_table(SMALL, VALUES, names=names)
    assert game.names == tuple(names)
    assert captum_spex.explain(game).names == tuple(names)
    assert from_table(SMALL, VALUES).names is None


# --- look-ups ---------------------------------------------------------------------------------------------------------


def test_calls_look_rows_up():
    masks, values = np.concatenate([SMALL, SMALL[:3]]), np.arange(43.0)
    game = from_table(masks, values)
    assert_array_equal(game(masks[[5, 41, 0]]), [5.0, 1.0, 0.0])  # of the same mask, the first
    assert_array_equal(game(masks[[5]].astype(int)), [5.0])


def test_calls_for_other_masks():
    unknown = ~SMALL[:2]
    with pytest.raises(
        MaskError, match=r"`masks`: expected masks that are in the table, got 2 others\. `explain` learns"
    ):
        from_table(SMALL, VALUES)(np.concatenate([unknown, SMALL[:1]]))
    with pytest.raises(MaskError, match=r"`masks`: expected .*, got shape \(1, 3\)"):
        from_table(SMALL, VALUES)(np.ones((1, 3), bool))


def test_chosen_rows_stay_where_they_are():
    masks = table_of(SMALL, VALUES).masks
    chosen = ChosenRows(masks, np.array([3, 8, 30]))
    assert (chosen.n_players, len(chosen), chosen.masks is masks) == (19, 3, True)
    assert_array_equal(chosen.keys(), mask_keys(SMALL[[3, 8, 30]]))
    assert_array_equal(chosen.block(np.array([2, 0])).unpack(), SMALL[[30, 3]])
    assert_array_equal(ChosenRows(chosen, np.array([1])).block(np.array([0])).unpack(), SMALL[[8]])


# --- bad input --------------------------------------------------------------------------------------------------------


def with_entry(dtype, entry):
    masks = SMALL.astype(dtype)
    masks[17, 4] = entry
    return masks


NOT_BINARY = [(int, 2, "2"), (int, -1, "-1"), (float, 0.5, "0.5"), (float, np.nan, "nan"), (np.uint8, 255, "255")]


@pytest.mark.parametrize(("dtype", "entry", "text"), NOT_BINARY)
def test_masks_that_are_not_binary(dtype, entry, text):
    message = f"`masks`: expected 0 and 1: absent and present, got {text} in row 17, column 4"
    masks = with_entry(dtype, entry)
    with pytest.raises(MaskError, match=message) as caught:
        from_table(masks, VALUES)
    assert ("`n_players`" in str(caught.value)) == (dtype is np.uint8)
    with pytest.raises(MaskError, match=message):
        StoredMasks(masks, masks.shape[1], bitorder=None, block_size=60).check_binary()


PACKED = KINDS["packed"][0]
PACKED_FORM = "`masks`: expected (n_masks, {}), or packed, uint8 (n_masks, {}),"
BAD_MASKS = [
    (SMALL[0], {}, "`masks`: expected shape (n_masks, n_players), at least one of each, got (19,)."),
    (SMALL[:0], {}, "`masks`: expected shape (n_masks, n_players), at least one of each, got (0, 19)."),
    (SMALL[:, :0], {}, "`masks`: expected shape (n_masks, n_players), at least one of each, got (40, 0)."),
    (SMALL, {"n_players": 20}, f"{PACKED_FORM.format(20, 3)} got shape (40, 19), bool"),
    (PACKED, {"n_players": 25}, f"{PACKED_FORM.format(25, 4)} got shape (40, 3), uint8"),
    (PACKED.astype(int), {"n_players": 19}, f"{PACKED_FORM.format(19, 3)} got shape (40, 3), int64"),
    (SMALL, {"n_players": 0}, "`n_players`: expected an integer of at least 1, got 0."),
    (SMALL, {"n_players": "19"}, "`n_players`: expected an integer of at least 1, got '19'."),
    (SMALL, {"bitorder": "middle"}, "`bitorder`: expected 'little', 'big', got 'middle'."),
    (SMALL, {"names": ["a"]}, "`names`: expected one for each of the 19 players, got 1 names"),
    (np.array([["a", "b"]] * 40), {}, "`masks`: expected 0 and 1: absent and present, got a in row 0, column 0"),
]  # fmt: skip


@pytest.mark.parametrize(("masks", "settings", "message"), BAD_MASKS, ids=[str(n) for n in range(len(BAD_MASKS))])
def test_bad_masks(masks, settings, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        from_table(masks, VALUES, **settings)


def with_value(row, entry, *outputs):
    values = np.zeros((40, *outputs))
    values[row, ...] = entry
    return values


NOT_FINITE = "`values`: expected finite numbers, at least one per row, got"
BAD_VALUES = [
    (
        with_value(7, np.nan),
        f"{NOT_FINITE} a value that is not finite in row 7",
    ),
    (
        with_value(7, -np.inf),
        f"{NOT_FINITE} a value that is not finite in row 7",
    ),
    (
        with_value(9, [0, 1, np.nan], 3),
        f"{NOT_FINITE} a value that is not finite in row 9",
    ),
    (VALUES[:39], "`values`: expected shape (40,) or (40, n_outputs), got (39,)."),
    (VALUES[:, None, None], "`values`: expected shape (40,) or (40, n_outputs), got (40, 1, 1)."),
    (np.zeros((40, 0)), "`values`: expected finite numbers, at least one per row, got none."),
    (["a"] * 40, "`values`: expected real numbers, got a list (dtype <U1)."),
    (VALUES + 1j, "`values`: expected real numbers, got an ndarray of shape (40,) (dtype complex128)."),
    (3.0, "`values`: expected shape (40,) or (40, n_outputs), got ()."),
]


@pytest.mark.parametrize(("values", "message"), BAD_VALUES, ids=[str(number) for number in range(len(BAD_VALUES))])
def test_bad_values(values, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        from_table(SMALL, values)


REFUSED = [
    (
        {"store": "kept.db"},
        ArgumentError,
        "`store`: expected None for a table, as its values are given, got 'kept.db'",
    ),
    ({"budget": "auto"}, ArgumentError, '`budget`: expected a number of rows of the table.*, got "auto"'),
    ({"approximator": Spex()}, ArgumentError, "`approximator`: expected .*, got Spex("),
    ({"approximator": Exact()}, ArgumentError, "`approximator`: expected `ProxySpex()`.*, got Exact()"),
    ({"approximator": ProxySpex}, ArgumentError, "`approximator`: expected .*, got <class"),
    ({"budget": 1}, BudgetError, "`budget`: expected .*, got 1"),
    ({"budget": 2.5}, BudgetError, "`budget`: expected .*, got 2.5"),
    ({"batch_size": 10}, ArgumentError, "`batch_size`: expected .*, got 10"),
    ({"max_budget": 10}, ArgumentError, "`max_budget`: expected .*, got 10"),
    ({"n_players": 5}, ArgumentError, "`n_players`: expected .*, got 5"),
    ({"n_players": 50}, ArgumentError, "`n_players`: expected .*, got 50"),
    ({"names": ["a"]}, ArgumentError, "`names`: expected .*, got 1 names"),
    ({"index": "SHAP"}, UnknownNameError, "`index`: expected .*, got 'SHAP'"),
    ({"random_state": "x"}, ArgumentError, "`random_state`: expected .*, got 'x'"),
]


@pytest.mark.parametrize(("settings", "kind", "message"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_a_table_cannot_do(settings, kind, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=re.escape(message).replace(r"\.\*", ".*")):
        captum_spex.explain(from_table(SMALL, VALUES), **settings)
    assert not list(tmp_path.iterdir())


# --- learned by proxies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_full_tables_are_exact(n):
    values = np.random.default_rng(n).normal(size=1 << n)
    order = np.random.default_rng(0).permutation(1 << n)
    result = captum_spex.explain(from_table(every_mask(n)[order], values[order]), max_order=min(2, n))
    assert result.n_evaluations == 1 << n
    assert_allclose(result.first_order(), shapley_by_permutations(values, n), rtol=1e-9, atol=1e-9)
    assert_allclose(result.model(every_mask(n)), values, rtol=1e-9, atol=1e-9)
    if n > 1:
        assert_allclose([result[players] for players in sii(values, n, 2)], list(sii(values, n, 2).values()), atol=1e-9)
        assert result.faithfulness == 1.0


def test_all_rows_are_used_by_default():
    """More of them than the budget that a game would get."""
    masks = random_masks(800, 10)
    result = captum_spex.explain(from_table(masks, masks[:, 0] * 1.0))
    assert result.n_evaluations == 800


def test_a_full_table_of_more_rows_than_the_default_budget_is_exact():
    values = np.random.default_rng(0).normal(size=1 << 10)
    result = captum_spex.explain(from_table(every_mask(10), values))
    assert (result.n_evaluations, result.faithfulness) == (1 << 10, 1.0)
    assert_allclose(result.first_order().sum(), values[-1] - values[0])


@pytest.mark.parametrize("density", some([0.5, 0.2, 0.8], 2))
def test_a_planted_polynomial_is_found(density):
    terms = {(3,): 1.0, (9,): -2.0, (5, 8): 2.0, (1, 2, 4): -3.0}
    masks = random_masks(500, 24, density)
    table = from_table(masks, polynomial(terms, masks))
    result = captum_spex.explain(table, index="Moebius", max_order=3, random_state=0)
    fresh = random_masks(1000, 24, density, seed=9)
    assert r_squared(polynomial(terms, fresh), result.model(fresh)) > 0.99
    assert result.faithfulness > 0.98
    shapley = result.to("SV")
    assert_allclose(shapley[9], -2.0, atol=0.15)
    if density == 0.5:
        assert next(iter(result.top(1, order=2))) == (5, 8)
        assert next(iter(result.top(1, order=3))) == (1, 2, 4)


def test_a_budget_is_a_number_of_rows():
    masks = random_masks(300, 12)
    table = from_table(masks, polynomial({(0,): 1.0, (3, 4): 2.0}, masks) + np.random.default_rng(0).normal(size=300))
    results = [captum_spex.explain(table, budget=100, random_state=seed) for seed in (1, 1, 2)]
    assert [result.n_evaluations for result in results] == [100] * 3
    assert_array_equal(results[0].values, results[1].values)
    assert np.abs(results[0].first_order() - results[2].first_order()).max() > 1e-3
    assert captum_spex.explain(table, budget=5000).n_evaluations == 300


def test_the_rows_of_a_budget_are_rows_of_the_table():
    table = from_table(random_masks(300, 12), np.arange(300.0))
    seen = []

    class Looking(ProxySpex):
        def fit(self, observed, rng):
            seen.append(observed)
            return super().fit(observed, rng)

    captum_spex.explain(table, budget=50, approximator=Looking(proxy="boosted-trees"), random_state=3)
    rows = seen[0].values[:, 0].astype(int)
    assert (len(rows), len(set(rows.tolist()))) == (50, 50)
    assert_array_equal(seen[0].masks.block(np.arange(50)).unpack(), random_masks(300, 12)[rows])


def test_values_of_the_same_mask_are_averaged():
    rng = np.random.default_rng(0)
    masks = np.repeat(every_mask(6), 3, axis=0)
    truth = polynomial({(0,): 1.0, (1, 2): 2.0}, masks)
    order, noise = rng.permutation(len(masks)), np.tile([-0.25, 0.0, 0.25], 64)
    noisy = captum_spex.explain(from_table(masks[order], (truth + noise)[order]), budget=192)
    assert noisy.n_evaluations == 192
    assert_allclose(noisy.model(every_mask(6)), truth[::3], atol=0.1)
    exact = captum_spex.explain(from_table(masks[order], truth[order]), budget=192)
    assert_allclose(exact.model(every_mask(6)), truth[::3], atol=1e-9)


def test_a_single_row_and_constant_values():
    one = captum_spex.explain(from_table(SMALL[:1], [3.0]))
    assert_allclose(one.model(SMALL), 3.0)
    constant = captum_spex.explain(from_table(SMALL, np.full(40, 3.0)))
    assert_allclose(constant.values, 0.0, atol=1e-12)
    assert_allclose(constant.baseline, 3.0)


def test_any_game_may_have_a_table():
    """The hook `table` is all that it takes."""

    class Past:
        n_players = 19
        table = ValueTable(table_of(SMALL, VALUES).masks, VALUES[:, None])

        def __call__(self, masks):
            raise AssertionError("a table is not asked")

    ours = captum_spex.explain(Past(), random_state=0)
    assert_array_equal(ours.values, captum_spex.explain(from_table(SMALL, VALUES), random_state=0).values)


def test_which_tables_are_regressed():
    def kind_of(n_rows, n_players, **limits):
        masks = random_masks(n_rows, n_players)
        table, approximator = from_table(masks, masks[:, 0] * 1.0), ProxySpex(limits=FitLimits(**limits))
        model = captum_spex.explain(table, budget=n_rows, max_order=1, approximator=approximator)
        return str(model.diagnostics.get("proxy", "")).startswith("regression")

    assert kind_of(10_001, 12)
    assert not kind_of(30, 1001)
    assert not kind_of(30, 1000)
    assert [kind_of(40, 3, proxy_masks=40), kind_of(41, 3, proxy_masks=40)] == [False, True]

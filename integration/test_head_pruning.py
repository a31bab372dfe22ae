"""Heads of a transformer trained here are pruned: what must hold whatever the seed.

One network; the script's own run has more, and the ablation by means.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import captum_spex
from benchmarks import head_pruning
from benchmarks.head_pruning import (
    HEADS,
    LAYERS,
    LENGTH,
    METHODS,
    N_HELD_OUT,
    N_TRAIN,
    PER_STEP,
    SHARES,
    TRAINING_STEPS,
    Energy,
    Kept,
    energy_shares,
    lists,
    mean_of,
    shrunk,
)

SEEDS = (0,)
N_PLAYERS = LAYERS * HEADS


@pytest.fixture(scope="module")
def runs() -> tuple[list[Kept], list[Energy]]:
    of_seeds = [head_pruning.run(seed, "zero") for seed in SEEDS]
    return [one for kept, _ in of_seeds for one in kept], [energy for _, energy in of_seeds]


def test_the_networks_have_learnt_the_task(runs):
    assert min(energy.full_accuracy for energy in runs[1]) > 0.9


def test_lists_held_out_are_new():
    def keys(rng, n_lists):
        tokens, _ = lists(rng, n_lists)
        return set(map(tuple, tokens[:, :LENGTH].tolist()))

    for seed in SEEDS:
        rng, training = np.random.default_rng([seed, 3]), np.random.default_rng(seed)
        chosen_on, held_out = keys(rng, N_TRAIN), keys(rng, N_HELD_OUT)
        assert not held_out & chosen_on
        seen = [len(held_out & keys(training, PER_STEP)) for _ in range(TRAINING_STEPS)]
        assert sum(seen) <= 2  # by chance 0.2 are to be expected


def test_subsets_of_proxyspex_are_worth_more_than_first_order_ones(runs):
    kept, _ = runs
    for rival in METHODS[1:]:
        assert mean_of(kept, "loss", method="ProxySPEX") < mean_of(kept, "loss", method=rival), rival
        assert mean_of(kept, "accuracy", method="ProxySPEX") >= mean_of(kept, "accuracy", method=rival), rival


def test_in_every_network_proxyspex_is_no_worse_than_lasso_over_all_sizes(runs):
    for seed in SEEDS:
        ours, theirs = (mean_of(runs[0], "loss", method=method, seed=seed) for method in ("ProxySPEX", "LASSO"))
        assert ours <= theirs, seed


def test_every_method_keeps_as_many_heads_as_it_may(runs):
    wanted = {share: round(share * N_PLAYERS) for share in SHARES}
    assert {one.method for one in runs[0]} == set(METHODS)
    for one in runs[0]:
        assert one.n_kept == len(set(one.heads)) == wanted[one.share]


def test_energy_shares_and_faithfulness(runs):
    for energy in runs[1]:
        shares = np.array([energy.linear, energy.within, energy.across])
        np.testing.assert_allclose(shares.sum(), 1.0, atol=1e-9)
        assert shares.min() > 0.001
        assert energy.covered > 0.98  # the terms that the shares are of are nearly all of the recovered game
        assert energy.faithfulness > 0.9
        np.testing.assert_allclose(energy.faithfulness, energy.true_r2, atol=0.05)


def test_energy_of_a_known_game_falls_to_the_right_layers():
    signs = {(0,): 2.0, (0, 1): 1.0, (1, 2): 0.5, (0, 1, 2): 0.5}

    def game(masks):
        return sum(value * (1 - 2 * (masks[:, list(players)].sum(axis=1) % 2)) for players, value in signs.items())

    result = captum_spex.explain(game, 3, budget=8)
    np.testing.assert_allclose(energy_shares(result, [0, 0, 1]), np.array([4, 1, 0.5]) / 5.5, atol=1e-12)


def test_leaving_out_one_by_one_keeps_what_matters_together():
    def value(masks):
        return masks[:, 0] * 1.0 + 5.0 * (masks[:, 1] & masks[:, 2])

    np.testing.assert_array_equal(shrunk(value, 4, 2), [False, True, True, False])


def test_the_script_prints_a_table_and_writes_figures_and_a_plot(tmp_path, capsys):
    head_pruning.main(
        ["--seeds", "1", "--steps", "20", "--budget", "60", "--ablations", "mean", "--out", str(tmp_path)]
    )
    printed = capsys.readouterr().out
    assert "mean ablation, accuracy on lists held out" in printed
    assert all(f"  {method} " in printed for method in METHODS)
    written = json.loads((tmp_path / "head_pruning.json").read_text())
    assert len(written["kept"]) == len(METHODS) * len(SHARES)
    assert len(written["energy"]) == 1
    assert (tmp_path / "head_pruning.png").read_bytes().startswith(b"\x89PNG")

"""Heads of a transformer trained here are pruned, and circuits of them found: what must hold whatever the seed.

One network; the script's own run has more, and the ablation by means. Circuits come from `best_subset` or attribution
patching, and are scored as in the benchmark MIB.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

import captum_spex
from benchmarks import head_pruning
from benchmarks.head_pruning import (
    BUDGET,
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
    game_of,
    lists,
    mean_of,
    scores,
    shrunk,
)
from benchmarks.lenses import Heads
from captum_spex import metrics, optimize
from captum_spex.games.components import log_prob

SEEDS = (0,)
N_PLAYERS = LAYERS * HEADS
SIZES = range(2, N_PLAYERS, 3)  # of circuits


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
        assert_allclose(shares.sum(), 1.0, atol=1e-9)
        assert shares.min() > 0.001
        assert energy.covered > 0.98  # the terms that the shares are of are nearly all of the recovered game
        assert energy.faithfulness > 0.9
        assert_allclose(energy.faithfulness, energy.true_r2, atol=0.05)


def test_energy_of_a_known_game_falls_to_the_right_layers():
    signs = {(0,): 2.0, (0, 1): 1.0, (1, 2): 0.5, (0, 1, 2): 0.5}

    def game(masks):
        return sum(value * (1 - 2 * (masks[:, list(players)].sum(axis=1) % 2)) for players, value in signs.items())

    result = captum_spex.explain(game, 3, budget=8)
    assert_allclose(energy_shares(result, [0, 0, 1]), np.array([4, 1, 0.5]) / 5.5, atol=1e-12)


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


# --- circuits ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    return head_pruning.trained(0)


@pytest.fixture(scope="module")
def games(network):
    """The game that circuits are found in, and that of held-out lists."""
    rng = np.random.default_rng([0, 22])
    drawn = [lists(rng, n_lists) for n_lists in (N_TRAIN, N_HELD_OUT)]
    return [game_of(network, tokens, log_prob(answers), "zero", tokens) for tokens, answers in drawn]


def lens_of(network):
    tokens, answers = lists(np.random.default_rng([0, 22]), N_TRAIN)
    return Heads(network, {"tokens": tokens}, log_prob(answers), scores(network), "zero")


def circuits_of(ranked):
    return [tuple(np.argsort(-ranked, kind="stable")[:size]) for size in SIZES]


@pytest.fixture(scope="module")
def scored(network, games):
    found, held_out = games
    result = captum_spex.explain(found, budget=BUDGET, random_state=0)
    best = [optimize.best_subset(result, size, time_limit=2).players for size in SIZES]
    patched = lens_of(network).patched()
    circuits = {
        "best subsets": best,
        "attribution patching": circuits_of(patched),
        "absolute attribution patching": circuits_of(abs(patched)),
        "Shapley values": circuits_of(result.to("SV", max_order=1).first_order()),
    }
    return {name: metrics.circuit_score(one, held_out) for name, one in circuits.items()}


def test_best_subsets_are_better_circuits_than_attribution_patching(scored):
    ours = scored["best subsets"]
    for rival in ("attribution patching", "absolute attribution patching"):
        assert ours.cpr > scored[rival].cpr, rival
        assert ours.cmd < scored[rival].cmd, rival


def test_the_last_circuits_are_the_model(scored):
    for score in scored.values():
        assert score.faithfulness[[0, -1]].tolist() == [0.0, 1.0]
        assert len(score.sizes) == 2 + len(SIZES)

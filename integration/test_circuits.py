"""Circuits of heads from `best_subset` against attribution patching, scored as in the benchmark MIB."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import captum_spex
from benchmarks.head_pruning import BUDGET, N_HELD_OUT, N_TRAIN, game_of, lists, scores, trained
from captum_spex import metrics, optimize
from captum_spex.games.components import heads, log_prob

SIZES = range(1, 24)


@pytest.fixture(scope="module")
def network():
    return trained(0)


@pytest.fixture(scope="module")
def games(network):
    """The game that circuits are found in, and that of held-out lists."""
    rng = np.random.default_rng([0, 22])
    drawn = [lists(rng, n_lists) for n_lists in (N_TRAIN, N_HELD_OUT)]
    return [game_of(network, tokens, log_prob(answers), "zero", tokens) for tokens, answers in drawn]


def attribution_patching(network):
    """The gradient of the value times the activation of each head: the effect of its ablation to first order."""
    rng = np.random.default_rng([0, 22])
    tokens, answers = lists(rng, N_TRAIN)
    inputs = {}
    parts = heads(network)
    with torch.enable_grad():
        handles = [
            network.get_submodule(name).register_forward_pre_hook(
                lambda _module, given, name=name: inputs.setdefault(name, given[0]).retain_grad()
            )
            for name in dict.fromkeys(part.places[0].module for part in parts)
        ]
        log_prob(answers)(scores(network)(tokens)[None])[0].backward()
    for handle in handles:
        handle.remove()
    network.zero_grad()
    products = {name: (given * given.grad).detach().sum(dim=(0, 1)) for name, given in inputs.items()}
    return np.array(
        [float(products[place.module][place.start : place.stop].sum()) for part in parts for place in part.places]
    )


def circuits_of(ranked):
    return [tuple(np.argsort(-ranked, kind="stable")[:size]) for size in SIZES]


@pytest.fixture(scope="module")
def scored(network, games):
    found, held_out = games
    result = captum_spex.explain(found, budget=BUDGET, random_state=0)
    best = [optimize.best_subset(result, size, time_limit=5).players for size in SIZES]
    patched = attribution_patching(network)
    circuits = {
        "best subsets": best,
        "attribution patching": circuits_of(patched),
        "absolute attribution patching": circuits_of(abs(patched)),
        "Shapley values": circuits_of(result.to("SV", max_order=1).first_order()),
    }
    return {name: metrics.circuit_score(one, held_out) for name, one in circuits.items()}


def test_attribution_patching_is_the_effect_of_a_small_change(network):
    """A hundredth of a head changes the value by a hundredth of its product."""
    patched = attribution_patching(network)
    tokens, answers = lists(np.random.default_rng([0, 22]), N_TRAIN)
    head = int(abs(patched).argmax())
    [place] = heads(network)[head].places

    def value(scale):
        def scaled(_module, given):
            states = given[0].clone()
            states[..., place.start : place.stop] *= scale
            return (states,)

        handle = network.get_submodule(place.module).register_forward_pre_hook(scaled)
        with torch.no_grad():
            found = log_prob(answers)(scores(network)(tokens)[None])
        handle.remove()
        return float(found)

    assert_allclose((value(1.01) - value(0.99)) / 0.02, patched[head], rtol=0.05)


def test_best_subsets_are_better_circuits_than_attribution_patching(scored):
    ours = scored["best subsets"]
    for rival in ("attribution patching", "absolute attribution patching"):
        assert ours.cpr > scored[rival].cpr, rival
        assert ours.cmd < scored[rival].cmd, rival


def test_the_last_circuits_are_the_model(scored):
    for score in scored.values():
        assert score.faithfulness[[0, -1]].tolist() == [0.0, 1.0]
        assert len(score.sizes) == 25

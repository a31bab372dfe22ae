"""Graph networks: what a node adds depends on its neighbourhood only, and the game is the network."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.benchmark.cases.graphs import made, molecule, motifs, neighbourhoods, trained, values_of_nodes
from captum_spex.benchmark.cases.source import tabled
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks


@pytest.mark.parametrize("n_nodes", [5, 32, 60])
def test_a_molecule_is_connected_and_has_few_bonds(n_nodes):
    bonds, types = molecule(n_nodes, np.random.default_rng(0))
    assert_array_equal(bonds, bonds.T)
    assert not bonds.diagonal().any()
    assert 1 <= bonds.sum(axis=1).min() <= bonds.sum(axis=1).max() <= 3
    assert (np.linalg.matrix_power(bonds + np.eye(n_nodes), n_nodes) > 0).all()
    assert_array_equal(types.sum(axis=1), 1.0)


def test_a_game_is_the_network():
    game, _ = made(32)
    bonds, types = molecule(32, np.random.default_rng(32))
    masks = np.random.default_rng(1).random((100, 32)) < 0.5
    assert_allclose(game(masks), values_of_nodes(bonds, types, masks).sum(axis=1), atol=1e-12)


def test_a_node_sees_its_neighbourhood_only():
    bonds, types = molecule(32, np.random.default_rng(32))
    everyone = np.ones((1, 32), dtype=bool)
    whole = values_of_nodes(bonds, types, everyone)[0]
    for absent in range(32):
        masks = everyone.copy()
        masks[0, absent] = False
        changed = np.flatnonzero(np.abs(values_of_nodes(bonds, types, masks)[0] - whole) > 1e-12)
        assert {node for node, seen in enumerate(neighbourhoods(bonds)) if absent in seen} >= set(changed)


@pytest.mark.parametrize("name", ["SV", "SII", "FSII", "Moebius"])
def test_indices_are_those_of_the_enumerated_game(name):
    game, _ = made(11)
    _, table = tabled(11, game(all_masks(11)))
    index = resolve_index(name, 3, 11)
    found, exact = game.index_terms(index), table.index_terms(index)
    assert_allclose([found.get(players, 0.0) for players in exact], exact.values, atol=1e-10)
    assert set(found) <= set(exact)


def test_the_network_has_learnt_its_task_and_is_the_same_every_time():
    rng = np.random.default_rng(5)
    drawn = [molecule(24, rng) for _ in range(60)]
    target = [motifs(*one) for one in drawn]
    found = [values_of_nodes(*one, np.ones((1, 24), dtype=bool)).sum() for one in drawn]
    for once, again in zip(trained(), trained.__wrapped__(), strict=True):
        for one, other in zip(once, again, strict=True):
            assert_array_equal(one, other)
    assert np.corrcoef(target, found)[0, 1] > 0.7

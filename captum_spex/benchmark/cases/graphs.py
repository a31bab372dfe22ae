"""Graph networks whose nodes are players; a node's output depends on its neighbourhood only, so indices are exact."""

from __future__ import annotations

from functools import cache, partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from captum_spex.arrays import Floats, Ints
from captum_spex.benchmark.cases.products import Product, SumOfProducts
from captum_spex.benchmark.cases.source import CaseSource, Made
from captum_spex.masks import Masks, all_masks
from captum_spex.threads import one_thread

_TYPES, _HIDDEN, _LAYERS, _MOST_BONDS = 4, 16, 2, 3
_N_GRAPHS, _N_STEPS = 200, 300
Layers = list[tuple[Tensor, Tensor, Tensor]]


def molecule(n_nodes: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw a chain with branches and rings, of at most three bonds a node; return its bonds, and types of nodes."""
    bonds = np.zeros((n_nodes, n_nodes))
    for node in range(1, n_nodes):
        near = range(max(0, node - 4), node)
        bonds[node, rng.choice([other for other in near if bonds[other].sum() < _MOST_BONDS])] = 1.0
        bonds = np.maximum(bonds, bonds.T)
    for _ in range(n_nodes // 8):
        free = np.flatnonzero(bonds.sum(axis=1) < _MOST_BONDS)
        one, other = rng.choice(free, 2, replace=False)
        bonds[one, other] = bonds[other, one] = 1.0
    return bonds, np.eye(_TYPES)[rng.integers(0, _TYPES, n_nodes)]


def motifs(bonds: Floats, types: Floats) -> float:
    """Count what the network learns: nodes of a type beside one of another, between two, and two bonds away."""
    beside, apart = bonds @ types, np.minimum(bonds @ bonds, 1.0) @ types
    pairs = types[:, 0] * np.minimum(beside[:, 1], 1.0)
    between = types[:, 2] * (beside[:, 3] >= 2)
    far = types[:, 1] * np.minimum(apart[:, 3], 1.0)
    return float((pairs - 2.0 * between + 0.5 * far).sum())


def node_outputs(layers: Layers, features: Tensor, bonds: Tensor) -> Tensor:
    """Pass messages, and return what each node adds to the output, ``(..., n_nodes)``."""
    *hidden_layers, (last, _, shift) = layers
    for own, others, constant in hidden_layers:
        features = torch.relu(features @ own + bonds @ features @ others + constant)
    return (features @ last + shift)[..., 0]


@cache
def trained() -> Layers:
    """Train two layers on made molecules; the output is a sum over the nodes."""
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    drawn = [molecule(24, rng) for _ in range(_N_GRAPHS)]
    bonds, features = (torch.from_numpy(np.stack(some)) for some in zip(*drawn, strict=True))
    target = torch.tensor([motifs(*one) for one in drawn], dtype=torch.float64)
    sizes = [_TYPES, *[_HIDDEN] * _LAYERS, 1]
    layers: Layers = []
    for n_in, n_out in pairwise(sizes):
        own, others = torch.randn((2, n_in, n_out), generator=generator, dtype=torch.float64) / n_in**0.5
        layers.append((own, others, torch.zeros(n_out, dtype=torch.float64)))
    flat = [one.requires_grad_() for layer in layers for one in layer]
    optimizer = torch.optim.Adam(flat, lr=0.01)
    with one_thread(), torch.enable_grad():
        for _ in range(_N_STEPS):
            optimizer.zero_grad()
            loss = ((node_outputs(layers, features, bonds).sum(dim=1) - target) ** 2).mean()
            torch.autograd.backward(loss)
            optimizer.step()
    return [(own.detach(), others.detach(), shift.detach()) for own, others, shift in layers]


def values_of_nodes(bonds: Floats, types: Floats, masks: Masks) -> Floats:
    """Return what each node adds, ``(n_masks, n_nodes)``; absent nodes have the features of a mean node."""
    features = np.where(masks[:, :, None], types, 1.0 / _TYPES)
    with one_thread(), torch.no_grad():
        return np.asarray(node_outputs(trained(), torch.from_numpy(features), torch.from_numpy(bonds)).numpy())


def neighbourhoods(bonds: Floats) -> list[Ints]:
    """Return for every node the nodes that its output depends on."""
    reach = np.linalg.matrix_power(bonds + np.eye(len(bonds)), _LAYERS)
    return [np.flatnonzero(row) for row in reach]


def made(n_nodes: int) -> Made:
    """Make the game of a new molecule: a table of the neighbourhood for each of its nodes."""
    bonds, types = molecule(n_nodes, np.random.default_rng(n_nodes))
    tables = []
    for node, players in enumerate(neighbourhoods(bonds)):
        masks = np.ones((1 << len(players), n_nodes), dtype=np.bool_)
        masks[:, players] = all_masks(len(players))
        tables.append(Product([players], [values_of_nodes(bonds, types, masks)[:, node]]))
    game = SumOfProducts(n_nodes, tables)
    return game, game


_ABOUT = "Sum over the {} atoms of a made molecule by two layers of messages; an absent atom is of a mean type."
SOURCES = tuple(CaseSource(f"graph-{n}", "graphs", n, _ABOUT.format(n), partial(made, n)) for n in (32, 60))

"""Sums of products of small networks of their own players, whose indices are exact by independence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex.arrays import Floats, Ints
from captum_spex.benchmark.cases.source import CaseSource, Made
from captum_spex.indices import Functional, Index, IndexTerms
from captum_spex.masks import all_masks, as_masks
from captum_spex.player_sets import PlayerSets

_RADIUS = 0.25  # of the circle on which derivatives are taken
Complex = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Product:
    """A product of tables: the value of each depends on the players of its own group, bit j of a row: player j of it.

    Attributes:
        groups: disjoint groups of players.
        tables: ``2**len(group)`` values for each of them.
    """

    groups: Sequence[Ints]
    tables: Sequence[Floats]

    def __call__(self, masks: NDArray[np.bool_]) -> Floats:
        """Return the values of masks."""
        factors = [table[masks[:, group] @ (1 << np.arange(len(group)))]
                   for group, table in zip(self.groups, self.tables, strict=True)]  # fmt: skip
        return np.prod(factors, axis=0)

    def differences(self, block: Ints, probabilities: Complex) -> Complex:
        """Return the mean difference over each set ``(n_sets, order)`` while all others join with a probability.

        Shape ``(n_sets, n_probabilities)``: a product of one number of each group, and 0 where a player is in none.
        """
        is_outside = ~np.isin(block, np.concatenate(self.groups))
        found = (is_outside.sum(axis=1) == 0)[:, None].astype(np.complex128)
        for group, table in zip(self.groups, self.tables, strict=True):
            bits = np.zeros(1 + max(block.max(initial=0), group.max()), dtype=np.int64)
            bits[group] = 1 << np.arange(len(group))
            found = found * _mean_differences(table, probabilities)[bits[block].sum(axis=1)]
        return found


def _mean_differences(table: Floats, probabilities: Complex) -> Complex:
    """Return for every subset of a table's players its mean difference, ``(2**n_players, n_probabilities)``."""
    found = np.repeat(table[:, None], len(probabilities), axis=1).astype(np.complex128)
    for player in range(len(table).bit_length() - 1):
        halves = found.reshape(-1, 2, 1 << player, len(probabilities))
        absent, present = halves[:, 0], halves[:, 1]
        mixed = (1 - probabilities) * absent + probabilities * present
        found = np.stack([mixed, present - absent], axis=1).reshape(found.shape)
    return found


def rule(functional: Functional, degree: int) -> tuple[Complex, Complex]:
    """Return probabilities and weights that are exact for polynomials of a degree, and stable for large ones.

    Gauss-Legendre for the density; a Taylor coefficient is Cauchy's integral over a circle, at equal steps.
    """
    nodes: list[Floats | Complex] = []
    weights: list[Floats | Complex] = []
    if functional.density:
        x, w = np.polynomial.legendre.leggauss(ceil((degree + len(functional.density)) / 2) + 1)
        nodes.append((1 - x) / 2)
        weights.append(w / 2 * np.polynomial.polynomial.polyval(x, [float(c) for c in functional.density]))
    for x_, k, weight in functional.points:
        steps = np.exp(2j * np.pi * np.arange(degree + 1) / (degree + 1)) if k else np.ones(1, dtype=np.complex128)
        nodes.append(float((1 - x_) / 2) + (_RADIUS if k else 0.0) * steps)
        weights.append(float(weight) * steps ** (-k) / _RADIUS**k / len(steps))
    return np.concatenate(nodes).astype(np.complex128), np.concatenate(weights).astype(np.complex128)


@dataclass(frozen=True, eq=False)
class SumOfProducts:
    r"""The game :math:`\sum_k \prod_j t_{kj}(m)` of tables :math:`t_{kj}` of disjoint groups of players for each k.

    The mean difference over S, while all others join with probability p, is a product of one polynomial in p for each
    group; indices are integrals over p (`captum_spex.indices`), which a quadrature gives exactly.

    Example:
        >>> tables = [np.array([0.0, 1.0, 2.0, 5.0]), np.array([1.0, 3.0])]
        >>> game = SumOfProducts(3, [Product([np.array([0, 1]), np.array([2])], tables)])
        >>> game([[True, True, True], [True, False, False]])
        array([15.,  1.])
    """

    n_players: int
    products: Sequence[Product]

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        checked = as_masks(masks, self.n_players)
        return np.sum([product(checked) for product in self.products], axis=0)

    def index_terms(self, index: Index) -> IndexTerms:
        """Return the index of every set of players where it is not 0."""
        blocks = [PlayerSets.all_of_order(order, self.n_players) for order in range(1, index.max_order + 1)]
        values = [self._of(index, sets.of_order(order)[1]) for order, sets in enumerate(blocks, start=1)]
        sets, found = PlayerSets.concatenate(blocks), np.concatenate(values)
        baseline = float(self._of(index, np.zeros((1, 0), dtype=np.int64))[0])
        rows = np.flatnonzero(found)
        return IndexTerms(index, sets.take(rows), found[rows], baseline)

    def _of(self, index: Index, block: Ints) -> Floats:
        probabilities, weights = rule(index.functional(block.shape[1]), self.n_players)
        return np.sum([(one.differences(block, probabilities) @ weights).real for one in self.products], axis=0)


def network_table(n_players: int, rng: np.random.Generator, spread: float) -> Floats:
    """Return the outputs of a random network with eight hidden units at all masks, scaled to mean 1 and a spread."""
    present, absent = rng.normal(size=(2, n_players))
    inputs = np.where(all_masks(n_players), present, absent)
    hidden = np.tanh(inputs @ rng.normal(size=(n_players, 8)) + rng.normal(size=8))
    outputs = hidden @ rng.normal(size=8)
    return 1.0 + spread * (outputs - outputs.mean()) / outputs.std()


def made(n_players: int, n_products: int, group: int, spread: float) -> Made:
    """Divide the players among products at random, and those of a product into groups."""
    rng = np.random.default_rng([n_players, n_products])
    products = []
    for players in np.array_split(rng.permutation(n_players), n_products):
        groups = [np.sort(some) for some in np.array_split(players, len(players) // group)]
        products.append(Product(groups, [network_table(len(some), rng, spread) for some in groups]))
    game = SumOfProducts(n_players, products)
    return game, game


_ABOUT = "{} of random networks of 6 players each; a present player shows an input, an absent one another."
SOURCES = (
    CaseSource("products-24", "networks", 24, _ABOUT.format("The product of 4"), partial(made, 24, 1, 6, 0.5)),
    CaseSource("products-48", "networks", 48, _ABOUT.format("Four products of 2"), partial(made, 48, 4, 6, 0.5)),
    CaseSource("products-96", "networks", 96, _ABOUT.format("Two products of 8"), partial(made, 96, 2, 6, 0.3)),
)

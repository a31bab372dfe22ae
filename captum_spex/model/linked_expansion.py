"""Linked game: a kernel expansion behind a monotone link, as when a score is squashed to a probability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import factorial
from typing import Any, ClassVar

import numpy as np

from captum_spex.arrays import Floats, Ints, Rows
from captum_spex.fourier import characters, signs
from captum_spex.indices import Functional, Index
from captum_spex.masks import Masks, all_masks, ends
from captum_spex.model.kernel_expansion import KernelExpansion
from captum_spex.model.product_kernel import ProductKernel
from captum_spex.model.residuals import Residuals
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets, supersets


@dataclass(frozen=True)
class Limits:
    """How much work the indices of a linked game may cost; the counts of coalitions follow from it."""

    enumerated_players: int = 16  # up to which the game is tabulated: its indices are exact, from 65,536 values
    work: float = 3e9  # multiplications for the differences of the sets of one order: seconds on one core
    fewest_coalitions: int = 8  # at every inclusion probability, whatever they cost
    most_coalitions: int = 512  # at every inclusion probability, however cheap they are
    nodes: int = 8  # inclusion probabilities, 0 and 1 among them
    link_cost: int = 60  # multiplications that take as long as one value of the link (measured)
    most_supersets: int = 1_000_000  # to sum derivatives over; beyond, those of a polynomial through the nodes
    most_sampled: int = 20_000  # sets of one order whose differences are averaged
    cells: int = 1 << 21  # of a block of differences: 16 MiB
    spectrum_masks: int = 1 << 14  # to which Fourier terms for display are fitted
    spectrum_terms: int = 1000  # that are fitted: a system of 8 MiB
    negligible: float = 1e-15  # share of the largest kernel with a center that a center's own must exceed


@dataclass(frozen=True, eq=False)
class Link:
    """A monotone function from latent scores to values: linear between the knots, constant outside."""

    latents: Floats
    values: Floats

    def __call__(self, latents: Floats) -> Floats:
        """Return the values of latent scores of any shape."""
        return np.asarray(np.interp(latents, self.latents, self.values))

    def slopes(self, latents: Floats) -> Floats:
        """Return the derivative at latent scores; outside the knots, where it is 0, that at the outermost."""
        return np.asarray(np.interp(latents, self.latents, np.gradient(self.values, self.latents)))


class LinkedExpansion:
    r"""The game :math:`f(m) = w\,h(g(m))`: a monotone link h of a latent game g, itself linear plus a kernel expansion.

    Up to 16 players the game is tabulated and its indices are exact. Beyond, the polynomial
    :math:`g_S(p) = \mathbb E_p \Delta_S f(T)` behind an index (see `captum_spex.indices`) is taken at eight inclusion
    probabilities (Gauss-Lobatto, so at 0 and 1 exactly) as the mean of the differences themselves over random
    coalitions T, the same for all sets, with the latent game's differences, whose index is known in closed form, as
    control variate. All differences at one coalition follow from sums of characters, so all sets share one matrix
    product. A null player gets exactly 0, and first-order Shapley values are made to sum to ``f(all) - f(none)``.
    """

    kind: ClassVar[str] = "linked"
    concerns_all: ClassVar[bool] = True
    limits = Limits()

    def __init__(self, linear: Spectrum, kernel: KernelExpansion, link: Link, weight: float = 1.0) -> None:
        self.linear = linear
        self.kernel = kernel
        self.link = link
        self.weight = weight

    @property
    def n_players(self) -> int:
        """Number of players of the game."""
        return self.kernel.n_players

    def __call__(self, masks: Masks) -> Floats:
        """Return the value of every mask."""
        return self.weight * self._unweighted(masks)

    def slopes(self, masks: Masks) -> Floats:
        """Return by how much the value of every mask rises with its latent score."""
        return self.weight * self.link.slopes(self.linear(masks) + self.kernel(masks))

    def _unweighted(self, masks: Masks) -> Floats:
        return self.link(self.linear(masks) + self.kernel(masks))

    def scaled(self, factor: float) -> LinkedExpansion:
        """Return ``factor`` times the game."""
        return LinkedExpansion(self.linear, self.kernel, self.link, factor * self.weight)

    def baseline(self, index: Index) -> float:
        """Return the index of the empty set."""
        if self._table is not None:
            return self._table.baseline(index)
        return float(self._sampled(index.functional(0), np.zeros((1, 0), dtype=np.int64))[0])

    def index_at(self, index: Index, sets: PlayerSets) -> Floats:
        """Return the index of every set."""
        if self._table is not None:
            return self._table.index_at(index, sets)
        values = np.zeros(len(sets))
        for order, rows, block in sets.by_order():
            values[rows] = self._sampled(index.functional(order), block)
        return values

    def candidates(self, max_order: int) -> PlayerSets:
        """Return the sets below the largest Fourier terms of the latent game."""
        return self.kernel.candidates(max_order)

    def largest_terms(self, max_terms: int) -> Spectrum:
        """Return about the ``max_terms`` largest Fourier terms.

        Beyond 16 players: the terms of the latent game that are largest, with coefficients fitted by least squares to
        the values of 16,384 random masks.
        """
        n = self.n_players
        if self._table is not None:
            return Spectrum.from_values(self._table.values, n).largest_terms(max_terms)
        masks = np.random.default_rng(0).random((self.limits.spectrum_masks, n)) < 0.5
        latent = Spectrum.sum([self.linear, self.kernel.largest_terms(self.limits.spectrum_terms)], n)
        sets = latent.largest_terms(self.limits.spectrum_terms).sets
        columns = characters(masks, sets)
        gram = columns @ columns.T
        gram.flat[:: len(gram) + 1] += 1e-6 * len(masks)
        fitted = Spectrum(sets, np.asarray(np.linalg.solve(gram, columns @ self(masks)), dtype=np.float64))
        return fitted.largest_terms(max_terms)

    def to_dict(self) -> dict[str, Any]:
        """Return the latent game, the link's knots and the weight, for JSON."""
        link = {"latents": self.link.latents.tolist(), "values": self.link.values.tolist()}
        parts = {"linear": self.linear.to_dict(), "kernel": self.kernel.to_dict()}
        return {"n_players": self.n_players, "weight": self.weight, "link": link, **parts}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LinkedExpansion:
        """Read what `to_dict` returned."""
        link = Link(np.array(content["link"]["latents"]), np.array(content["link"]["values"]))
        linear, kernel = Spectrum.from_dict(content["linear"]), KernelExpansion.from_dict(content["kernel"])
        return cls(linear, kernel, link, content["weight"])

    @cached_property
    def _table(self) -> Residuals | None:
        """The values of all masks, where they are few."""
        if self.n_players > self.limits.enumerated_players:
            return None
        masks = all_masks(self.n_players)
        return Residuals(masks, self.weight * self.link(self.linear(masks) + self.kernel.of_all_masks()))

    def _sampled(self, functional: Functional, block: Ints) -> Floats:
        """Apply a functional to the polynomials of the sets ``block``."""
        derivatives = [point for point in functional.points if point[1] > 0]
        n_supersets = len(block) * self.n_players ** max((k for _, k, _ in derivatives), default=0)
        if derivatives and n_supersets <= self.limits.most_supersets:
            points = tuple(point for point in functional.points if point[1] == 0)
            estimate = self._averaged(Functional(functional.density, points), block)
            for x, k, weight in derivatives:
                larger, rows = supersets(block, k, self.n_players)
                found = self._averaged(Functional(points=((x, 0, weight),)), larger)
                estimate += np.bincount(rows, weights=found, minlength=len(block)) / factorial(k)
            return self.weight * estimate
        estimate = self._averaged(functional, block)
        if block.shape == (self.n_players, 1) and functional == Functional(density=(Fraction(1),)):
            # Shapley values sum to f(all) - f(none): the difference is distributed in proportion to their sizes, so
            # that those of null players stay 0.
            full, empty = self._unweighted(ends(self.n_players))
            shares = np.abs(estimate) / max(np.abs(estimate).sum(), np.finfo(np.float64).tiny)
            estimate += (full - empty - estimate.sum()) * shares
        return self.weight * estimate

    def _averaged(self, functional: Functional, block: Ints) -> Floats:
        """Average differences over coalitions: if the sets are very many, of those with the strongest latent index.

        The other sets get their latent index times the slope of the link that the strongest have in common.
        """
        exact = self.kernel.apply(functional, block) + self._linear_index(functional, block)
        if len(block) <= self.limits.most_sampled:
            return self._corrected(functional, block, exact)[0]
        rows = np.argpartition(-np.abs(exact), self.limits.most_sampled)[: self.limits.most_sampled]
        estimate, slope = self._corrected(functional, block[rows], exact[rows])
        values = slope * exact
        values[rows] = estimate
        return values

    def _corrected(self, functional: Functional, block: Ints, exact: Floats) -> tuple[Floats, float]:
        """Return the averages, with the latent game as control variate, and the common slope."""
        estimate, control, both, squares = np.zeros((4, len(block)))
        uniform = self._uniform(*block.shape)
        for p, weight in functional.rule(self.limits.nodes):
            coalitions = uniform < p if 0 < p < 1 else np.full((1, self.n_players), p == 1)
            for rows, values, latents in self._differences(coalitions, block):
                estimate[rows] += weight * values.mean(axis=1)
                control[rows] += weight * latents.mean(axis=1)
                both[rows] += abs(weight) * (values * latents).mean(axis=1)
                squares[rows] += abs(weight) * (latents**2).mean(axis=1)
        # The mean of the latent differences is replaced by their exact index, times the slope with which they explain
        # most of the differences: what remains to be averaged varies much less.
        slopes = np.divide(both, squares, out=np.zeros_like(both), where=squares > 0)
        return estimate + slopes * (exact - control), float(both.sum() / max(squares.sum(), np.finfo(np.float64).tiny))

    def _linear_index(self, functional: Functional, block: Ints) -> Floats:
        if block.shape[1] > 1:
            return np.zeros(len(block))
        own = float(functional.of_character(0))
        if block.shape[1] == 1:
            return -2 * own * self._slopes[block[:, 0]]
        constant = self.linear.values[self.linear.orders == 0].sum()
        return np.array([own * constant + float(functional.of_character(1)) * self._slopes.sum()])

    @cached_property
    def _slopes(self) -> Floats:
        """The latent game's linear coefficients, ``(n_players,)``."""
        return self.linear.first_order()

    def _uniform(self, n_sets: int, order: int) -> Floats:
        """Uniform numbers whose coalitions ``u < p`` grow with p: the same at all probabilities and for all sets."""
        flips = 1 << order
        cost = self.limits.nodes * flips * max(1, n_sets) * (len(self.kernel.masks) / 2 + self.limits.link_cost)
        half = int(np.clip(self.limits.work / cost, self.limits.fewest_coalitions, self.limits.most_coalitions)) // 2
        # No Sobol points: at p = 1/2 their first bits are a linear code, and Banzhaf indices were twice as far off.
        drawn = np.random.default_rng(0).random((half, self.n_players))
        return np.concatenate([drawn, 1 - drawn])

    def _around(self, coalitions: Masks) -> list[tuple[ProductKernel, Floats, Rows | slice]]:
        """Every kernel, weighted, of coalitions with the centers that matter: few where one fades from an end."""
        least = 0.0
        found: list[tuple[ProductKernel, Floats, Rows | slice]] = []
        for kernel in self.kernel.kernels:
            weights = kernel.between(coalitions, self.kernel.masks) * self.kernel.weights
            largest = np.abs(weights).max(axis=0, initial=0.0)
            least = max(least, self.limits.negligible * largest.max(initial=0.0))
            rows = slice(None) if kernel.is_stationary else np.flatnonzero(largest > least)
            found.append((kernel, weights[:, rows], rows))
        return found

    def _differences(self, coalitions: Masks, block: Ints) -> Iterator[tuple[slice, Floats, Floats]]:
        r"""Yield :math:`\Delta_S` of the values and of the latents at coalitions, for runs of sets ``block``.

        Arrays ``(n_sets, n_coalitions)``.
        """
        own_signs, centers = signs(coalitions), signs(self.kernel.masks)
        around = self._around(coalitions)
        base = self.linear(coalitions)
        order = block.shape[1]

        def latents_of(sets: Ints) -> Floats:
            latents = _flipped_linear(base, self._slopes, own_signs, sets)
            for kernel, weights, rows in around:
                latents += kernel.flipped(weights, coalitions, centers[rows], sets)
            return latents

        # Few sets of up to one player: their values, which take long, serve all sets.
        single = self.link(latents_of(np.arange(self.n_players)[:, None])) if order > 1 else np.zeros(0)
        step = max(1, self.limits.cells // (max(len(coalitions), len(centers)) << order))
        for start in range(0, len(block), step):
            sets = block[start : start + step]
            latents = latents_of(sets)
            present = (-own_signs.T[sets]).prod(axis=1)
            values = np.empty_like(latents)
            for flips in range(1 << order):
                if order < 2 or flips.bit_count() > 1:
                    values[flips] = self.link(latents[flips])
                else:
                    values[flips] = single[1, sets[:, flips.bit_length() - 1]] if flips else single[0, 0]
            yield slice(start, start + len(sets)), _difference(values) * present, _difference(latents) * present


def _difference(flipped: Floats) -> Floats:
    """Return what is left when every flip changes the sign: player by player, so that null players leave exactly 0."""
    while len(flipped) > 1:
        flipped = flipped[::2] - flipped[1::2]
    return np.asarray(flipped[0])


def _flipped_linear(base: Floats, slopes: Floats, own_signs: Floats, sets: Ints) -> Floats:
    """The linear part after every subset of flips, ``(2**order, n_sets, n_coalitions)``."""
    latents = np.repeat(base[None, None], len(sets), axis=1)
    changes = -2 * slopes[:, None] * own_signs.T
    for column in sets.T:
        latents = np.concatenate([latents, latents + changes[column]])
    return latents

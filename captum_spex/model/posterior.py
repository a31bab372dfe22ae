"""Posterior: how far the interaction indices of a game may be from those recovered, by a Gaussian process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, solve_triangular
from scipy.special import gammaln

from captum_spex.arrays import Floats
from captum_spex.fourier import characters, signs
from captum_spex.indices import Functional, Index
from captum_spex.masks import Masks, in_batches, masks_from_hex, masks_to_hex
from captum_spex.model.product_kernel import ProductKernel
from captum_spex.model.spectrum import Spectrum
from captum_spex.player_sets import PlayerSets


@dataclass(frozen=True)
class Limits:
    """How accurate standard errors are, and how much work they may cost."""

    nodes: int = 10  # of the quadrature over inclusion probabilities
    fading_nodes: int = 14  # of that of a kernel which fades from an end of the lattice
    work: float = 4e10  # multiplications for the errors of the sets of one order: seconds on one core
    strongest: int = 2000  # sets whose errors use all evaluated masks whatever it costs
    fewest_masks: int = 64  # that the errors of the other sets use
    jitter: float = 1e-8  # relative to the mean variance of a value: keeps the Cholesky factorisation stable
    cells: int = 1 << 22  # of a block of covariances: 32 MiB


@dataclass(frozen=True, eq=False)
class Posterior:
    r"""A Gaussian process conditioned on the values of ``masks``.

    The covariance is a sum of product kernels, ``linear`` variances :math:`l_i` of the players' signs, variances of
    single Fourier ``terms``, and a ``nugget`` :math:`s^2`, different in every mask. The nugget is a property of the
    game, not noise: it is known where the game was evaluated, up to the ``noise`` of evaluation. An index is a linear
    functional of the game, so its variance given the values is

    .. math:: \operatorname{Var} I(S) - q_S^T (K + s^2 + \text{noise})^{-1} q_S, \qquad
              q_S(t) = \operatorname{Cov}(I(S), f(m_t)) = I_S[k(\cdot, m_t)] + s^2 c_S(m_t)

    with the index's own coefficient :math:`c_S` of every coalition, all in closed form. ``scale`` multiplies the
    standard errors: it holds the units and what calibration adds.

    References:
        Rasmussen, Williams, "Gaussian Processes for Machine Learning", 2006, equation 2.26.
        O'Hagan, "Bayes-Hermite quadrature", 1991 (variances of linear functionals of a process).
    """

    masks: Masks
    kernels: tuple[ProductKernel, ...]
    linear: Floats
    terms: Spectrum
    nugget: float
    noise: Floats
    scale: float = 1.0
    limits = Limits()

    @property
    def n_players(self) -> int:
        """Number of players of the game."""
        return self.masks.shape[1]

    def std_errors(self, index: Index, sets: PlayerSets) -> Floats:
        """Return the standard error of the index of every set.

        Where there are too many sets and evaluated masks, all but the first 2,000 sets (the strongest, in a result)
        are given fewer of the masks, which makes their errors larger, never smaller.
        """
        errors = np.zeros(len(sets))
        for order, rows, _ in sets.by_order():
            own = sets.take(rows)
            affordable = int(np.sqrt(self.limits.work / max(1, len(rows))))
            exact = len(rows) if affordable >= len(self.masks) else min(len(rows), self.limits.strongest)
            errors[rows[:exact]] = self._errors(index, order, own.take(np.arange(exact)), self)
            if exact < len(rows):
                n_masks = max(self.limits.fewest_masks, affordable)
                fewer = self.restricted(np.sort(np.random.default_rng(0).permutation(len(self.masks))[:n_masks]))
                errors[rows[exact:]] = self._errors(index, order, own.take(np.arange(exact, len(rows))), fewer)
        return errors

    def restricted(self, rows: np.ndarray) -> Posterior:
        """Return the process conditioned on some of the evaluated masks."""
        return replace(self, masks=self.masks[rows], noise=self.noise[rows])

    def covariance(self, masks: Masks, others: Masks) -> Floats:
        """Return the prior covariance of the values of masks, without the nugget."""
        total = (signs(masks) * self.linear) @ signs(others).T
        for kernel in self.kernels:
            total += kernel.between(masks, others)
        if len(self.terms):
            left, right = characters(masks, self.terms.sets), characters(others, self.terms.sets)
            total += left.T @ (self.terms.values[:, None] * right)
        return np.asarray(total)

    def whitened(self, covariances: Floats) -> Floats:
        """Return :math:`L^{-1} q` for covariances with the evaluated masks, ``(n_masks, n)``: their squares add up."""
        return np.asarray(solve_triangular(self._factor, covariances, lower=True, check_finite=False))

    def index_covariance(self, index: Index, sets: PlayerSets, masks: Masks) -> Floats:
        """Return the prior covariance of the values of masks with the indices of sets of one order."""
        order, _, block = next(sets.by_order())
        functional = index.functional(order)
        # Every part of the prior has the index of its covariance with a value in closed form: the linear part, the
        # product kernels (node by node of the quadrature), the terms, and the nugget, coalition by coalition.
        total = np.zeros((len(masks), len(block)))
        if order == 1:
            players = block[:, 0]
            total -= 2 * float(functional.of_character(0)) * self.linear[players] * signs(masks[:, players])
        held, columns = np.unique(block, return_inverse=True)
        for kernel in self.kernels:
            for p, weight in self._rule(functional, kernel):
                factor, ratios = kernel.factors(masks, p, held)
                product = np.repeat((weight * factor)[:, None], len(block), axis=1)
                for column in columns.reshape(block.shape).T:
                    product *= ratios[:, column]
                total += product
        if len(self.terms):
            weights = self._term_weights(index, order, sets)
            total += characters(masks, self.terms.sets).T @ (self.terms.values[:, None] * weights)
        return np.asarray(total + self.nugget * index.coefficients(masks, sets))

    def to_dict(self) -> dict[str, Any]:
        """Return the process as plain lists and numbers, for JSON."""
        masks, kernels = masks_to_hex(self.masks), [kernel.to_dict() for kernel in self.kernels]
        prior = {"kernels": kernels, "linear": self.linear.tolist(), "terms": self.terms.to_dict()}
        noise = {"nugget": self.nugget, "noise": self.noise.tolist(), "scale": self.scale}
        return {"n_players": self.n_players, "masks": masks, **prior, **noise}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Posterior:
        """Read what `to_dict` returned."""
        masks = masks_from_hex(content["masks"], content["n_players"])
        kernels = tuple(ProductKernel.from_dict(kernel) for kernel in content["kernels"])
        linear, noise = (np.array(content[name], dtype=np.float64) for name in ("linear", "noise"))
        return cls(
            masks, kernels, linear, Spectrum.from_dict(content["terms"]), content["nugget"], noise, content["scale"]
        )

    @cached_property
    def _factor(self) -> Floats:
        """The Cholesky factor of the covariance of the evaluated masks."""
        total = self.covariance(self.masks, self.masks)
        total.flat[:: len(total) + 1] += self.nugget + self.noise + self.limits.jitter * total.diagonal().mean()
        return np.asarray(cho_factor(total, lower=True, overwrite_a=True, check_finite=False)[0])

    def _errors(self, index: Index, order: int, sets: PlayerSets, given: Posterior) -> Floats:
        """Errors of the indices of sets of one order, ``given`` the masks of a process that is conditioned on fewer."""
        variances = self.prior_variances(index, order, sets)
        step = max(1, self.limits.cells // len(given.masks))
        for rows in in_batches(len(sets), step):
            whitened = given.whitened(given.index_covariance(index, sets.take(rows), given.masks))
            variances[rows] -= (whitened**2).sum(axis=0)
        return self.scale * np.sqrt(np.maximum(variances, 0.0))

    def prior_variances(self, index: Index, order: int, sets: PlayerSets) -> Floats:
        """Return the variance of the index of sets of one order before any evaluation."""
        block = next(sets.by_order())[2]
        functional = index.functional(order)
        variances = np.full(len(block), self.nugget * _sum_of_squares(index, order, self.n_players))
        if order == 1:
            variances += 4 * float(functional.of_character(0)) ** 2 * self.linear[block[:, 0]]
        for kernel in self.kernels:
            for (i, (p, weight)), (j, (q, other)) in combinations_with_replacement(
                enumerate(self._rule(functional, kernel)), 2
            ):
                product, ratios = kernel.mutual_factors(p, q)
                both = weight * other * (1 if i == j else 2)  # (p, q) and (q, p)
                variances += both * product * ratios[block].prod(axis=1)
        if len(self.terms):
            variances += self.terms.values @ self._term_weights(index, order, sets) ** 2
        return variances

    def _rule(self, functional: Functional, kernel: ProductKernel) -> list[tuple[float, float]]:
        """Inclusion probabilities and weights that apply a functional to the factors of a kernel."""
        if kernel.is_stationary:
            return functional.rule(self.limits.nodes)
        at_points = Functional(points=functional.points).rule(self.limits.fading_nodes)
        return [*at_points, *(kernel.rule(functional, self.limits.fading_nodes) if functional.density else [])]

    def _term_weights(self, index: Index, order: int, sets: PlayerSets) -> Floats:
        """The weight of every term's coefficient in every index, ``(n_terms, n_sets)``."""
        weights = np.zeros((len(self.terms), len(sets)))
        below, parents = self.terms.sets.subsets(order)
        columns = below.find(sets)
        of_degree = index.fourier_weights(order, int(self.terms.orders.max(initial=0)))
        known = columns >= 0
        weights[parents[known], columns[known]] = of_degree[self.terms.orders[parents[known]]]
        return weights


def _sum_of_squares(index: Index, order: int, n_players: int) -> float:
    """The sum over all coalitions of the squared weight of a coalition in the index of a set, by logarithms."""
    weights = np.abs(index.coalition_weights(order, n_players))
    a, size = np.nonzero(weights)
    outside = n_players - order
    counts = (
        gammaln(order + 1) - gammaln(a + 1) - gammaln(order - a + 1)
        + gammaln(outside + 1) - gammaln(size - a + 1) - gammaln(outside - size + a + 1)
    )  # fmt: skip
    return float(np.exp(counts + 2 * np.log(weights[a, size])).sum())

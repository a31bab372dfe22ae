"""Product kernel on masks: the one implementation in NumPy; that in torch is the Gaussian process's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import roots_legendre

from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import signs
from captum_spex.indices import Functional
from captum_spex.masks import Masks

LARGEST_DECAY = 15.0
"""Decays are cut here: a factor of 3e-7 is as good as 0, and the reciprocal of a smaller one loses all digits."""


@dataclass(frozen=True, eq=False)
class ProductKernel:
    r"""The kernel :math:`k(m, m') = a\,g(m)\,g(m') \exp(-\sum_i w_i [m_i \ne m'_i])`.

    With ``amplitude`` a and ``decays`` w ``(n_players,)``. It may fade away from an end of the lattice,
    :math:`g(m) = \exp(-r |m|)` from the empty mask and :math:`\exp(-r (n - |m|))` from the full one, by the rate r
    ``from_empty`` or ``from_full``; 0: it does not. Every player multiplies the kernel by one of three numbers, for
    both absent, both present, or different, so whatever is summed over coalitions factorises.

    Example:
        >>> kernel = ProductKernel(2.0, np.array([0.0, 1.0]))
        >>> kernel.between(np.array([[True, True]]), np.array([[False, True], [True, False]])).round(3)
        array([[2.   , 0.736]])
    """

    amplitude: float
    decays: Floats
    from_empty: float = 0.0
    from_full: float = 0.0

    def __post_init__(self) -> None:
        """Cut decays that are too large to compute with."""
        object.__setattr__(self, "decays", np.minimum(self.decays, LARGEST_DECAY))

    @property
    def is_stationary(self) -> bool:
        """Whether the kernel depends on the players in which two masks differ only."""
        return not (self.from_empty or self.from_full)

    @property
    def _logarithms(self) -> tuple[Floats, Floats, Floats]:
        """Logarithms of what a player multiplies by: both absent, both present, different; ``(n_players,)`` each."""
        absent, present = (np.full(len(self.decays), -2 * rate) for rate in (self.from_full, self.from_empty))
        return absent, present, (absent + present) / 2 - self.decays

    @property
    def fourier_ratios(self) -> Floats:
        """What every player of a set multiplies a stationary kernel's Fourier coefficient by, ``(n_players,)``."""
        return np.tanh(self.decays / 2)

    def fading(self, masks: Masks) -> Floats:
        """Return the logarithm of :math:`g` of every mask, ``(n_masks,)``."""
        n_present = masks.sum(axis=1)
        return np.asarray(-self.from_empty * n_present - self.from_full * (masks.shape[1] - n_present))

    def between(self, masks: Masks, others: Masks) -> Floats:
        """Return the kernel of every pair of masks, ``(n_masks, n_others)``."""
        distances = (self.decays.sum() - (signs(masks) * self.decays) @ signs(others).T) / 2
        np.negative(np.maximum(distances, 0.0, out=distances), out=distances)
        if not self.is_stationary:
            distances += self.fading(masks)[:, None] + self.fading(others)
        return np.asarray(self.amplitude * np.exp(distances))

    def halves(self, n_first: int) -> tuple[ProductKernel, ProductKernel]:
        """Return the kernels of the first ``n_first`` players and of the others, whose product it is."""
        first, others = self.decays[:n_first], self.decays[n_first:]
        return replace(self, decays=first), replace(self, amplitude=1.0, decays=others)

    def factors(self, masks: Masks, p: float, players: Ints | None = None) -> tuple[Floats, Floats]:
        r"""Return what :math:`\mathbb E_p\,k(T, m)` is made of, when every player is in T with probability p.

        The product of the players' factors :math:`q_i = (1-p)\,k_i(0) + p\,k_i(1)`, ``(n_masks,)``, and the ratios
        :math:`(k_i(1) - k_i(0)) / q_i` of some players, by default all, ``(n_masks, n_players)``. A ratio takes a
        player into the set S of an index; it is also the logarithmic derivative of the factor in p. At p = 1/2 they
        are the mean over all masks, and minus twice what a player of S multiplies a Fourier coefficient by.
        """
        absent, present, differ = (np.exp(one) for one in self._logarithms)
        own = (1 - p) * differ + p * present  # of a player that the mask holds
        other = (1 - p) * absent + p * differ
        logarithms = masks @ np.log(own / other) + np.log(other).sum()
        chosen = slice(None) if players is None else players
        rise = ((present - differ) / own)[chosen], ((differ - absent) / other)[chosen]
        return np.asarray(self.amplitude * np.exp(logarithms)), np.where(masks[:, chosen], rise[0], rise[1])

    def mutual_factors(self, p: float, q: float) -> tuple[float, Floats]:
        r"""Return what :math:`\mathbb E_{p, q}\,k(T, T')` is made of, T and T' drawn independently.

        The product of all players' factors, and the ratios ``(n_players,)`` which take a player into the set S of an
        index of both T and T': its second difference over its factor.
        """
        absent, present, differ = (np.exp(one) for one in self._logarithms)
        factors = (1 - p) * (1 - q) * absent + p * q * present + (p * (1 - q) + q * (1 - p)) * differ
        return float(self.amplitude * np.exp(np.log(factors).sum())), (absent + present - 2 * differ) / factors

    def rule(self, functional: Functional, n_nodes: int) -> list[tuple[float, float]]:
        r"""Return inclusion probabilities and weights that integrate the functional's density times `factors`.

        Gauss-Legendre quadrature. A kernel that fades from an end is steep there, within about 1 of :math:`1 / \sum_i
        (1 - e^{-r - w_i})`: nodes are spaced evenly in the logarithm of the distance beyond that.
        """
        nodes, weights = roots_legendre(n_nodes)
        steps, weights = (1 + nodes) / 2, weights / 2
        rate = max(self.from_empty, self.from_full)
        width = np.log1p(-np.expm1(-rate - self.decays).sum()) if rate else 0.0
        if width > 0:
            weights = weights * width * np.exp(width * steps) / np.expm1(width)
            steps = np.expm1(width * steps) / np.expm1(width)
        probabilities = steps if self.from_empty >= self.from_full else 1 - steps
        differences = (1 - probabilities) - probabilities
        density = np.polynomial.polynomial.polyval(differences, [float(c) for c in functional.density])
        return list(zip(probabilities.tolist(), (weights * density).tolist(), strict=True))

    def flipped(self, weights: Floats, masks: Masks, centers: Floats, sets: Ints) -> Floats:
        r"""Return sums of the kernel around centers after every subset of flips, ``(2**order, n_sets, n_masks)``.

        Flipping a player of a mask T multiplies its kernel with a center by a number that depends on the player's
        states in both, :math:`c_i(T) + s_i(T) \chi_i(m_t)`, which is :math:`\cosh w_i - \chi_i(T) \chi_i(m_t) \sinh
        w_i` for a stationary kernel. So all flips of all sets follow from the characters' sums
        :math:`\sum_t \alpha_t k(T, m_t) \chi_H(m_t)` for :math:`H \subseteq S`.

        Args:
            weights: the kernel of every mask with every center, times the center's weight, ``(n_masks, n_centers)``.
            masks: the masks, ``(n_masks, n_players)``.
            centers: signs of the centers, ``(n_centers, n_players)``.
            sets: players that are flipped, ``(n_sets, order)``; bit j of a row of the result: player j is.
        """
        order, players = sets.shape[1], np.ascontiguousarray(centers.T)
        sums = np.empty((1 << order, len(sets), len(masks)))
        # Masks along the rows: then what belongs to a player is a row too, which is copied at once.
        same, opposite = (np.where(masks.T, now[1][:, None], now[0][:, None]) for now in self._flips)
        singles = players @ weights.T * opposite
        for subset in range(1 << order):  # bit j: player j of the set is in H
            members = [sets[:, j] for j in range(order) if subset >> j & 1]
            if not members:
                sums[0] = weights.sum(axis=1)
            elif len(members) == 1:
                sums[subset] = singles[members[0]]
            else:
                characters = players[members[0]]
                for column in members[1:]:
                    characters *= players[column]
                np.matmul(characters, weights.T, out=sums[subset])
                for column in members:
                    sums[subset] *= opposite[column]
        # From the coefficients of all H to the values of all F, one player of the sets at a time.
        for j, column in enumerate(sets.T):
            halves = sums.reshape(-1, 2, 1 << j, *sums.shape[1:])
            halves[:, 1] += same[column] * halves[:, 0]
        return sums

    @property
    def _flips(self) -> tuple[Floats, Floats]:
        """Constant and sign part of the factor of a flip, ``(2, n_players)``: of a player absent before, or present."""
        absent, present, differ = self._logarithms
        # The center does not hold the player, or holds it.
        before_absent = np.exp(differ - absent), np.exp(present - differ)
        before_present = np.exp(absent - differ), np.exp(differ - present)
        pairs = np.array([before_absent, before_present])
        return (pairs[:, 0] + pairs[:, 1]) / 2, (pairs[:, 0] - pairs[:, 1]) / 2

    def to_dict(self) -> dict[str, Any]:
        """Return the kernel as plain numbers, for JSON."""
        plain = {"amplitude": self.amplitude, "decays": self.decays.tolist()}
        rates = {"from_empty": self.from_empty, "from_full": self.from_full}
        return {**plain, **{name: rate for name, rate in rates.items() if rate}}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ProductKernel:
        """Read what `to_dict` returned."""
        rates = (content.get(name, 0.0) for name in ("from_empty", "from_full"))
        return cls(content["amplitude"], np.array(content["decays"]), *rates)

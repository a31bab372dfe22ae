"""Product kernel on masks: the one implementation in NumPy; that in torch is the Gaussian process's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from captum_spex.arrays import Floats, Ints
from captum_spex.fourier import signs
from captum_spex.masks import Masks

LARGEST_DECAY = 15.0
"""Decays are cut here: a factor of 3e-7 is as good as 0, and the reciprocal of a smaller one loses all digits."""


@dataclass(frozen=True, eq=False)
class ProductKernel:
    r"""The kernel :math:`k(m, m') = a \exp(-\sum_i w_i [m_i \ne m'_i])`: ``amplitude`` and ``decays`` ``(n_players,)``.

    Every player multiplies it by :math:`1` or :math:`e^{-w_i}`, so whatever is summed over coalitions factorises.

    Example:
        >>> kernel = ProductKernel(2.0, np.array([0.0, 1.0]))
        >>> kernel.between(np.array([[True, True]]), np.array([[False, True], [True, False]])).round(3)
        array([[2.   , 0.736]])
    """

    amplitude: float
    decays: Floats

    def __post_init__(self) -> None:
        """Cut decays that are too large to compute with."""
        object.__setattr__(self, "decays", np.minimum(self.decays, LARGEST_DECAY))

    @property
    def mean(self) -> float:
        """The mean over all masks of the kernel around any one of them."""
        return float(self.amplitude * np.exp(np.log1p((np.exp(-self.decays) - 1) / 2).sum()))

    @property
    def fourier_ratios(self) -> Floats:
        """What every player of a set multiplies the kernel's Fourier coefficient by, ``(n_players,)``."""
        return np.tanh(self.decays / 2)

    def between(self, masks: Masks, others: Masks) -> Floats:
        """Return the kernel of every pair of masks, ``(n_masks, n_others)``."""
        distances = (self.decays.sum() - (signs(masks) * self.decays) @ signs(others).T) / 2
        return np.asarray(self.amplitude * np.exp(-np.maximum(distances, 0.0)))

    def factors(self, masks: Masks, p: float, players: Ints | None = None) -> tuple[Floats, Floats]:
        r"""Return what :math:`\mathbb E_p\,k(T, m)` is made of, when every player is in T with probability p.

        The product of the players' factors :math:`q_i = (1-p)\,k_i(0) + p\,k_i(1)`, ``(n_masks,)``, and the ratios
        :math:`(k_i(1) - k_i(0)) / q_i` of some players, by default all, ``(n_masks, n_players)``. A ratio takes a
        player into the set S of an index; it is also the logarithmic derivative of the factor in p.
        """
        away = np.exp(-self.decays)
        own = np.log(p + (1 - p) * away)  # of a player that the mask holds
        other = np.log((1 - p) + p * away)
        logarithms = masks @ (own - other) + other.sum()
        chosen = slice(None) if players is None else players
        rise = ((1 - away) / np.exp(own))[chosen], ((away - 1) / np.exp(other))[chosen]
        return np.asarray(self.amplitude * np.exp(logarithms)), np.where(masks[:, chosen], rise[0], rise[1])

    def mutual_factors(self, p: float, q: float) -> tuple[float, Floats]:
        r"""Return what :math:`\mathbb E_{p, q}\,k(T, T')` is made of, T and T' drawn independently.

        The product of all players' factors, and the ratios ``(n_players,)`` which take a player into the set S of an
        index of both T and T': its second difference over its factor.
        """
        same = p * q + (1 - p) * (1 - q)
        away = np.exp(-self.decays)
        factors = same + (1 - same) * away
        return float(self.amplitude * np.exp(np.log(factors).sum())), 2 * (1 - away) / factors

    def flipped(self, weights: Floats, masks: Floats, centers: Floats, sets: Ints) -> Floats:
        r"""Return sums of the kernel around centers after every subset of flips, ``(2**order, n_masks, n_sets)``.

        Flipping the players F of a mask T multiplies its kernel with a center by
        :math:`\prod_{i \in F} (\cosh w_i - \chi_i(T) \chi_i(m_t) \sinh w_i)`, so all flips of all sets follow from
        the characters' sums :math:`\sum_t \alpha_t k(T, m_t) \chi_H(m_t)` for :math:`H \subseteq S`.

        Args:
            weights: the kernel of every mask with every center, times the center's weight, ``(n_masks, n_centers)``.
            masks: signs of the masks, ``(n_masks, n_players)``.
            centers: signs of the centers, ``(n_centers, n_players)``.
            sets: players that are flipped, ``(n_sets, order)``; bit j of a row of the result: player j is.
        """
        order = sets.shape[1]
        sums = np.empty((1 << order, len(masks), len(sets)))
        singles = weights @ centers
        for subset in range(1 << order):  # bit j: player j of the set is in H
            members = [sets[:, j] for j in range(order) if subset >> j & 1]
            if not members:
                sums[0] = weights.sum(axis=1)[:, None]
            elif len(members) == 1:
                sums[subset] = singles[:, members[0]]
            else:
                characters = centers[:, members[0]]
                for column in members[1:]:
                    characters *= centers[:, column]
                sums[subset] = weights @ characters
            for column in members:
                sums[subset] *= -np.sinh(self.decays[column]) * masks[:, column]
        # From the coefficients of all H to the values of all F, one player of the sets at a time.
        for j, column in enumerate(sets.T):
            halves = sums.reshape(-1, 2, 1 << j, *sums.shape[1:])
            halves[:, 1] += np.cosh(self.decays[column]) * halves[:, 0]
        return sums

    def to_dict(self) -> dict[str, Any]:
        """Return the kernel as plain numbers, for JSON."""
        return {"amplitude": self.amplitude, "decays": self.decays.tolist()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ProductKernel:
        """Read what `to_dict` returned."""
        return cls(content["amplitude"], np.array(content["decays"]))

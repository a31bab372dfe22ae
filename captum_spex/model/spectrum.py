"""A sparse Fourier spectrum: a game, and the closed form of all its interaction indices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats, Rows, real_numbers, scalar
from captum_spex.errors import ArgumentError
from captum_spex.fourier import parities, walsh_hadamard
from captum_spex.indices import Index, IndexTerms, resolve_index
from captum_spex.masks import as_masks, in_batches
from captum_spex.player_sets import PlayerSets, sum_by_set
from captum_spex.terms import Terms


class Spectrum(Terms):
    r"""A game given by its Fourier coefficients, :math:`f(m) = \sum_S F(S) (-1)^{|S \cap m|}`.

    A mapping from sets of players to coefficients, from the largest absolute value; the empty set is the mean
    over all masks.

    Example:
        >>> spectrum = Spectrum.from_terms({(): 0.5, (0, 3): -1.25}, n_players=10)
        >>> spectrum([[True] + [False] * 9])
        array([1.75])
        >>> spectrum.to_index("SII", max_order=2)[(0, 3)]
        -5.0

    References:
        Kang et al., "SPEX", ICML 2025, equation 1.
    """

    kind: ClassVar[str] = "spectrum"
    concerns_all: ClassVar[bool] = False
    cells: ClassVar[int] = 1 << 22
    """Of a block of characters: 32 MiB as float64."""

    @classmethod
    def from_terms(cls, terms: Mapping[tuple[int, ...], float], n_players: int) -> Spectrum:
        """Build a spectrum from ``{players: coefficient}``; coefficients of the same set of players add up.

        Raises:
            MaskError: if a player is not between 0 and ``n_players - 1``.
            ArgumentError: if a coefficient is not finite.
        """
        values = real_numbers("terms", [scalar(value) for value in terms.values()])
        if not np.isfinite(values).all():
            raise ArgumentError("terms", f"{values[~np.isfinite(values)][0]}", "finite coefficients")
        return cls(*sum_by_set(PlayerSets.from_sets(terms, n_players), values))

    @classmethod
    def from_values(cls, values: ArrayLike, n_players: int) -> Spectrum:
        """Return the exact spectrum of a full table: ``values[i]`` has player ``j`` present iff bit ``j`` of ``i``."""
        coefficients = walsh_hadamard(real_numbers("values", values)) / 2.0**n_players
        sets = PlayerSets.concatenate([PlayerSets.all_of_order(order, n_players) for order in range(n_players + 1)])
        return cls(sets, coefficients[sets.keys()])  # the key of a set of few players is its row in the table

    def __call__(self, masks: ArrayLike) -> Floats:
        """Return the value of every mask, float64 ``(n_masks,)``."""
        checked = as_masks(masks, self.n_players)
        values = np.full(len(checked), float(self.values.sum()))
        block = max(1, self.cells // max(1, len(checked)))
        for rows in in_batches(len(self), block):
            values -= 2 * (self.values[rows] @ parities(checked, self.sets.take(rows)))
        return values

    def to_index(self, index: str = "SII", max_order: int = 2) -> IndexTerms:
        r"""Return :math:`I(S) = \sum_{U \supseteq S} F(U)\, w(|S|, |U|)` for every S below a term of the spectrum.

        All other sets have the index 0. The cost per term is the number of its subsets of order up to ``max_order``.

        Raises:
            UnknownNameError: if the index is unknown.
            OrderError: if ``max_order`` is not between 1 and ``n_players``.
        """
        resolved = resolve_index(index, max_order, self.n_players)
        return IndexTerms(resolved, *self._index_terms(resolved), self.baseline(resolved))

    def baseline(self, index: Index) -> float:
        """Return the index of the empty set."""
        return float(index.fourier_weights(0, self._degree)[self.orders] @ self.values)

    def index_at(self, index: Index, sets: PlayerSets) -> Floats:
        """Return the index of every set."""
        known, values = self._index_terms(index)
        rows = sets.find(known)
        return np.where(rows >= 0, np.append(values, 0.0)[rows], 0.0)

    def candidates(self, max_order: int) -> PlayerSets:
        """Return all sets of order 1 to ``max_order`` below a term."""
        found = [self.sets.subsets(order)[0].unique()[0] for order in range(1, max_order + 1)]
        return PlayerSets.concatenate(found)

    def largest_terms(self, max_terms: int) -> Spectrum:
        """Return the ``max_terms`` largest terms."""
        return self.select(np.arange(min(max_terms, len(self))))

    def select(self, rows: Rows) -> Spectrum:
        """Return the terms at increasing ``rows``."""
        return Spectrum(self.sets.take(rows), self.values[rows], is_sorted=True)

    def scaled(self, factor: float) -> Spectrum:
        """Return ``factor`` times the game."""
        return Spectrum(self.sets, factor * self.values, is_sorted=factor != 0)

    def energy_by_order(self) -> Floats:
        """Return the sum of squared coefficients of every order; from order 1 on they sum to the variance."""
        return np.bincount(self.orders, weights=self.values**2).astype(np.float64)

    @staticmethod
    def sum(spectra: Iterable[Spectrum], n_players: int) -> Spectrum:
        """Return the spectrum of the sum of several games."""
        many = [spectrum for spectrum in spectra if len(spectrum)]
        if not many:
            return Spectrum.from_terms({}, n_players)
        values = np.concatenate([spectrum.values for spectrum in many])
        return Spectrum(*sum_by_set(PlayerSets.concatenate([s.sets for s in many]), values))

    def to_dict(self) -> dict[str, Any]:
        """Return the terms as plain lists and numbers, for JSON."""
        terms = [[list(players), value] for players, value in zip(self, self.values.tolist(), strict=True)]
        return {"n_players": self.n_players, "terms": terms}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Spectrum:
        """Read what `to_dict` returned."""
        return cls.from_terms({tuple(players): value for players, value in content["terms"]}, content["n_players"])

    @property
    def _degree(self) -> int:
        return int(self.orders.max(initial=0))

    def _index_terms(self, index: Index) -> tuple[PlayerSets, Floats]:
        sets, values = [], []
        for order in range(1, index.max_order + 1):
            below, parents = self.sets.subsets(order)
            weights = index.fourier_weights(order, self._degree)
            found, summed = sum_by_set(below, self.values[parents] * weights[self.orders[parents]])
            sets.append(found)
            values.append(summed)
        return PlayerSets.concatenate(sets), np.concatenate(values)

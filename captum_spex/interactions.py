"""The result: what interacts, how strongly, and how far to trust it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.exports import data_frame, json_text, page, shapiq, terminal
from captum_spex.exports.page import PAGE_TERMS
from captum_spex.exports.shap import MOST_TERMS, Form, to_shap_row
from captum_spex.indices import Index, IndexTerms, resolve_index
from captum_spex.model import AmongOthers, RecoveredGame, Spectrum
from captum_spex.player_sets import PlayerSets
from captum_spex.summaries import Comparison, compare
from captum_spex.terms import no_term

if TYPE_CHECKING:
    import pandas
    from shapiq import InteractionValues

    from captum_spex.compat.shap import Explanation

MAX_TERMS = 100_000
_SHOWN_SPECTRUM = 500


class Interactions(IndexTerms):
    """Values of an interaction index for single players and for groups, from the largest absolute value.

    A read-only mapping from tuples of players to values. Where no term of an order was left out, sets that are not
    listed have the value 0.

    Attributes:
        index, max_order, baseline: which index, up to which order, and its value for the empty set.
        values: float64 ``(n_terms,)``, aligned with iteration and with ``supports``.
        n_evaluations: number of masks that were evaluated.
        faithfulness: R² of predictions for uniformly random masks by fits that did not see them; 1.0 if every mask was
            evaluated, NaN if too few were to hold any out.
        model: the recovered game, callable on any masks.
        names: names of the players, or ``None``.
        n_left_out: how many terms of order 2 and more were left out: beyond ``max_terms``, or, in orders with very
            many sets, never computed as no part of the model suggests them (`captum_spex.model.GameModel.index_terms`).
        diagnostics: what the algorithm chose.
    """

    model: RecoveredGame
    n_evaluations: int
    faithfulness: float
    names: tuple[str, ...] | None
    n_left_out: int
    diagnostics: Mapping[str, Any]

    def __init__(
        self,
        terms: IndexTerms,
        model: RecoveredGame,
        *,
        n_evaluations: int,
        faithfulness: float,
        names: tuple[str, ...] | None = None,
        n_left_out: int = 0,
        diagnostics: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(terms.resolved_index, terms.sets, terms.values, terms.baseline, is_sorted=True)
        self._set(
            model=model,
            n_evaluations=n_evaluations,
            faithfulness=faithfulness,
            names=names,
            n_left_out=n_left_out,
            diagnostics=dict(diagnostics or {}),
        )

    @classmethod
    def from_model(
        cls, model: RecoveredGame, index: Index, *, max_terms: int = MAX_TERMS, **facts: Any
    ) -> Interactions:
        """Compute the index of a recovered game and keep its largest ``max_terms`` terms of order 2 and more."""
        terms = model.index_terms(index)
        # Terms are sorted, so the first of higher order are the largest; increasing rows keep them sorted.
        higher = np.flatnonzero(terms.orders > 1)
        rows = np.sort(np.concatenate([np.flatnonzero(terms.orders == 1), higher[:max_terms]]))
        chosen = IndexTerms(index, terms.sets.take(rows), terms.values[rows], terms.baseline, is_sorted=True)
        n_sets = model.n_sets(index.max_order)
        n_left_out = (len(terms) if n_sets is None else n_sets) - len(rows)
        return cls(chosen, model, n_left_out=n_left_out, **facts)

    @cached_property
    def std_errors(self) -> Floats | None:
        """Standard errors aligned with ``values``, or ``None`` where the algorithm gives none; computed on first use.

        From the posterior of the Gaussian process (`captum_spex.model.Posterior`), calibrated: nine times out of ten
        the true value lies within 1.64 standard errors. 0 if every mask was evaluated.
        """
        return self.model.std_errors(self.resolved_index, self.sets)

    @property
    def spectrum(self) -> Spectrum:
        """The 500 largest Fourier terms of the recovered game, for display; ``model.spectrum(k)`` gives ``k``."""
        return self.model.spectrum(_SHOWN_SPECTRUM)

    def __getitem__(self, players: Any) -> float:
        key, value = self._listed(players, self.baseline)
        if value is not None:
            return value
        self._check_numbers(key)
        if len(key) > self.max_order:
            raise no_term(f"{key}: orders go up to {self.max_order}; see `.to(index, max_order=...)`", "indices")
        if self.n_left_out:
            screened = " or their players were screened out" if self.diagnostics.get("n_screened_out") else ""
            left_out = f"{self.n_left_out} smaller ones were left out{screened}"
            raise no_term(f"{key}: not among the listed terms, {left_out}", "how-proxyspex-works")
        return 0.0

    def to(self, index: str, max_order: int | None = None, *, max_terms: int = MAX_TERMS) -> Interactions:
        """Return another index or other orders of the same recovered game, without further evaluations.

        Raises:
            UnknownNameError: if the index is unknown.
            OrderError: if ``max_order`` is not between 1 and ``n_players``.
        """
        checks.integer("max_terms", max_terms)
        resolved = resolve_index(index, self.max_order if max_order is None else max_order, self.n_players)
        return Interactions.from_model(
            self.model,
            resolved,
            max_terms=max_terms,
            n_evaluations=self.n_evaluations,
            faithfulness=self.faithfulness,
            names=self.names,
            diagnostics=self.diagnostics,
        )

    def among(self, players: Sequence[int], n_players: int, names: Sequence[str] | None = None) -> Interactions:
        """Return the same result for a game with further players, which have no influence.

        Args:
            players: the number of each of these players in that game, in increasing order.
            n_players: number of players of that game.
            names: names of all its players.

        Example:
            >>> import captum_spex
            >>> result = captum_spex.explain(lambda m: 1.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
            >>> result.among([3, 8], 10)[(3, 8)]
            1.0
        """
        numbers = np.asarray(players)
        fits = numbers.dtype.kind in "iu" and numbers.shape == (self.n_players,) and (np.diff(numbers) > 0).all()
        if not fits or numbers[0] < 0 or numbers[-1] >= n_players:
            expected = f"{self.n_players} increasing numbers from 0 to {n_players - 1}"
            raise ArgumentError("players", repr(players), expected)
        checked = checks.player_names(names, n_players)
        model = AmongOthers.of(self.model, players, n_players)
        return Interactions(
            model.terms_among(self),
            model,
            n_evaluations=self.n_evaluations,
            faithfulness=self.faithfulness,
            names=checked,
            n_left_out=self.n_left_out,
            diagnostics=self.diagnostics,
        )

    def compare(self, other: Interactions) -> Comparison:
        r"""Return how this result differs from another one on the same players: of another row, or another model.

        Players are joined by name, in whatever order each result has them; without names, by number.

        Returns:
            A `captum_spex.Comparison`: both values and the difference, this minus the other, of every term of either,
            the standard error of the difference (errors taken as independent, :math:`\sqrt{e_1^2 + e_2^2}`) and whether
            its 90 % interval is beyond 0.

        Raises:
            ArgumentError: if ``other`` is no result, or its players, index or order differ.

        Example:
            >>> import captum_spex
            >>> rows = [captum_spex.explain(lambda m, x=x: x * m[:, 0], 2, budget=4) for x in (1.0, 3.0)]
            >>> rows[0].compare(rows[1]).top(1)
            {(0,): -2.0}
        """
        return compare(self, other)

    def errors_of(self, sets: PlayerSets) -> Floats | None:
        """Return the standard errors of a few sets; ``None`` if there are none or all are 0."""
        errors = self.model.std_errors(self.resolved_index, sets)
        return None if errors is None or not errors.any() else errors

    def to_dataframe(self) -> pandas.DataFrame:
        """Return one row per term: ``players``, ``name``, ``order``, ``value`` and, where known, ``std_error``."""
        return data_frame.to_dataframe(self)

    def to_shap(self, form: Form = "values", *, data: Any = None, max_terms: int = MOST_TERMS) -> Explanation:
        """Return the result as a ``shap.Explanation``, for ``shap.plots``.

        Args:
            form: ``"values"``: Shapley values ``(n_players,)``. ``"matrix"``: ``(1, n_players, n_players)``, in SHAP's
                convention. ``"terms"``: players and groups of players ("never × fails") as features, ``(n_terms,)``.
                See `captum_spex.explainers.to_shap`, which does the same for many rows.
            data: the players' values ``(n_players,)``, shown beside the names.
            max_terms: how many terms, the largest; the rest is one feature, "other terms".

        Raises:
            ArgumentError: if the form is unknown, the data does not fit, or the index does not add up to the
                prediction.

        Example:
            >>> import captum_spex
            >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4, names=["never", "fails"])
            >>> result.to_shap("terms").feature_names, result.to_shap("terms").values
            (['never × fails'], array([2.]))
        """
        return to_shap_row(self, form, data=data, max_terms=max_terms)

    def to_shapiq(self) -> InteractionValues:
        """Return the result as ``shapiq.InteractionValues``, for shapiq's plots (``pip install shapiq``).

        Raises:
            UnknownNameError: if shapiq does not know the index.
        """
        return shapiq.to_shapiq(self)

    @classmethod
    def from_shapiq(cls, values: InteractionValues, names: Sequence[str] | None = None) -> Interactions:
        """Read a result of shapiq; its ``model`` is the game of lowest degree whose index has these values.

        Args:
            values: ``shapiq.InteractionValues``.
            names: names of the players.

        Raises:
            ArgumentError: if these are not values of shapiq, or the names do not fit.
            UnknownNameError: if the index is not in `captum_spex.indices.NAMES`.
        """
        return cls(**shapiq.arguments_from_shapiq(values, names))

    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        title: str | None = None,
        index: str | None = None,
        max_terms: int = PAGE_TERMS,
    ) -> str:
        """Return the result as a page, one HTML file that needs no network, and write it to ``path`` if given.

        Hovering, tapping or focusing a player shows what it interacts with; the table of terms can be sorted and
        filtered. Names are data: markup in them is shown, not run. The same result gives the same text.

        Args:
            path: where to write it, in UTF-8; checked before anything is computed.
            title: the heading; default: the number of players.
            index: which index to show; default: the result's own, but k-SII instead of SII, so that the terms add up.
            max_terms: how many interactions, the largest; in addition to all players shown (at most 1,000, those of
                the largest terms).

        Raises:
            ArgumentError: if the file cannot be written, or an argument cannot be used.

        Example:
            >>> import captum_spex
            >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4, names=["never", "fails"])
            >>> result.to_html(title="Two words")[:15]
            '<!doctype html>'
        """
        return page.to_html(self, path, title=title, index=index, max_terms=max_terms)

    def _repr_html_(self) -> str:
        """Return the page in a frame, with its 500 largest interactions: what notebooks show, k-SII instead of SII."""
        return page.fragment(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the result as JSON text, the recovered game included, and write it to ``path`` if given."""
        return json_text.to_json(self, path)

    @classmethod
    def from_json(cls, source: str | Path) -> Interactions:
        """Read what `to_json` wrote: a path, or the JSON text itself.

        Raises:
            ArgumentError: if the content is not a result that this version can read.
        """
        return cls(**json_text.from_json(source))

    def coo(self, order: int, *, symmetric: bool = False) -> Any:
        """Return the terms of one order as a ``sparse.COO`` of shape ``(n_players,) * order``.

        Entries are at ``i < j < ...``; with ``symmetric=True`` at every permutation of the players.

        Raises:
            OrderError: if the result holds no such order, or the array would not fit a 64-bit index.
        """
        if checks.is_integer(order) and order > self.max_order:
            hint = f'Use `.to("{self.index}", max_order={order})` first.'
            raise OrderError("order", str(order), f"an order of this result, 1 to {self.max_order}", hint)
        return super().coo(order, symmetric=symmetric)

    def __str__(self) -> str:
        return terminal.tables(self)

    def __repr__(self) -> str:
        return terminal.summary(self)

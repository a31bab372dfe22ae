"""The result: what interacts, how strongly, and how far to trust it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from operator import index as as_index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, OrderError, with_page
from captum_spex.exports.page import PAGE_TERMS, fragment, page, screened_out, write_page
from captum_spex.exports.shap import MOST_TERMS, Form, to_shap_row
from captum_spex.exports.shapiq import facts, from_shapiq, to_shapiq
from captum_spex.indices import Index, IndexTerms, resolve_index
from captum_spex.model import AmongOthers, GameModel, Spectrum
from captum_spex.player_sets import PlayerSets

if TYPE_CHECKING:
    import pandas
    from shapiq import InteractionValues

    from captum_spex.compat.shap import Explanation

MAX_TERMS = 100_000
_SHOWN_SPECTRUM = 500
_FORMAT = "captum_spex.interactions"
_VERSION = 1
_TABLE_ROWS = 10
_BAR_WIDTH = 20
_NAME_WIDTH = 44


class Interactions(IndexTerms):
    """Values of an interaction index for single players and for groups, from the largest absolute value.

    A read-only mapping from tuples of players to values. Inside an order of which nothing was left out, a set that is
    not listed is worth 0.

    Attributes:
        index, max_order, baseline: which index, up to which order, and its value for the empty set.
        values: float64 ``(n_terms,)``, aligned with iteration and with ``supports``.
        n_evaluations: number of masks that were evaluated.
        faithfulness: R² of predictions for uniformly random masks by fits that did not see them; 1.0 if every mask was
            evaluated, NaN if too few were to hold any out.
        model: the recovered game, callable on any masks.
        names: names of the players, or ``None``.
        n_left_out: how many terms of order 2 and more were left out: beyond ``max_terms``, or, of orders with very
            many sets, never computed as no part of the model suggests them (`captum_spex.model.GameModel.index_terms`).
        diagnostics: what the algorithm chose.
    """

    model: GameModel
    n_evaluations: int
    faithfulness: float
    names: tuple[str, ...] | None
    n_left_out: int
    diagnostics: Mapping[str, Any]
    _std_errors: dict[str, Floats | None]

    def __init__(
        self,
        terms: IndexTerms,
        model: GameModel,
        *,
        n_evaluations: int,
        faithfulness: float,
        names: tuple[str, ...] | None = None,
        n_left_out: int = 0,
        diagnostics: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(Index(terms.index, terms.max_order), terms.sets, terms.values, terms.baseline)
        self._set(
            model=model,
            n_evaluations=n_evaluations,
            faithfulness=faithfulness,
            names=names,
            n_left_out=n_left_out,
            diagnostics=dict(diagnostics or {}),
            _std_errors={},
        )

    @classmethod
    def from_model(cls, model: GameModel, index: Index, *, max_terms: int = MAX_TERMS, **facts: Any) -> Interactions:
        """Compute the index of a recovered game and keep its largest ``max_terms`` terms of order 2 and more."""
        terms = model.index_terms(index)
        higher = np.flatnonzero(terms.orders > 1)
        kept = np.sort(np.concatenate([np.flatnonzero(terms.orders == 1), higher[:max_terms]]))
        chosen = IndexTerms(index, terms.sets.take(kept), terms.values[kept], terms.baseline)
        n_sets = model.n_sets(index.max_order)
        n_left_out = (len(terms) if n_sets is None else n_sets) - len(kept)
        return cls(chosen, model, n_left_out=n_left_out, **facts)

    @property
    def std_errors(self) -> Floats | None:
        """Standard errors aligned with ``values``, or ``None`` where the algorithm gives none; computed when asked for.

        From the posterior of the Gaussian process (`captum_spex.model.Posterior`), calibrated: the true value lies
        within 1.64 of them nine times out of ten. 0 if every mask was evaluated.
        """
        if "known" not in self._std_errors:
            found = self.model.std_errors(Index(self.index, self.max_order), self.sets)
            self._std_errors["known"] = found
        return self._std_errors["known"]

    @property
    def spectrum(self) -> Spectrum:
        """The 500 largest Fourier terms of the recovered game, for display; ``model.spectrum(k)`` gives ``k``."""
        return self.model.spectrum(_SHOWN_SPECTRUM)

    def __getitem__(self, players: Any) -> float:
        key = self._canonical(players)
        row = self._rows().get(key)
        if row is not None:
            return float(self.values[row])
        if not key:
            return self.baseline
        if key[0] < 0 or key[-1] >= self.n_players:
            raise _no_term(f"{key}: players are numbered 0 to {self.n_players - 1}")
        if len(key) > self.max_order:
            raise _no_term(f"{key}: orders go up to {self.max_order}; see `.to(index, max_order=...)`", "indices")
        if self.n_left_out:
            screened = " or their players were screened out" if self.diagnostics.get("n_screened_out") else ""
            left_out = f"{self.n_left_out} smaller ones were left out{screened}"
            raise _no_term(f"{key}: not among the terms kept, {left_out}", "how-proxyspex-works")
        return 0.0

    def _canonical(self, players: object) -> tuple[int, ...]:
        """Players may be named, if the result has names."""
        if self.names is None:
            return super()._canonical(players)
        chosen = players if isinstance(players, (tuple, list, frozenset, set)) else (players,)
        return super()._canonical(tuple(self._player(player) for player in chosen))

    def _player(self, player: object) -> int:
        if not isinstance(player, str):
            try:
                return as_index(player)  # type: ignore[arg-type]
            except TypeError:
                raise _no_term(player) from None
        names = self.names or ()
        if names.count(player) != 1:
            raise _no_term(f"{player!r} names {names.count(player)} players")
        return names.index(player)

    def to(self, index: str, max_order: int | None = None, *, max_terms: int = MAX_TERMS) -> Interactions:
        """Return another index, or other orders, of the same recovered game; costs no evaluation.

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
        """Return the same result among more players, of which all others have no influence.

        Args:
            players: which of all players plays for each of these, in increasing order.
            n_players: number of all players.
            names: names of all players.

        Example:
            >>> import captum_spex
            >>> result = captum_spex.explain(lambda m: 1.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
            >>> result.among([3, 8], 10)[(3, 8)]
            1.0
        """
        numbers = np.asarray(players)
        fits = numbers.dtype.kind in "iu" and numbers.shape == (self.n_players,) and (np.diff(numbers) > 0).all()
        if not fits or numbers[0] < 0 or numbers[-1] >= n_players:
            allowed = f"{self.n_players} increasing numbers from 0 to {n_players - 1}"
            raise ArgumentError("players", repr(players), allowed)
        if names is not None and len(names) != n_players:
            raise ArgumentError("names", f"{len(names)} names", f"one for each of the {n_players} players")
        model = AmongOthers.of(self.model, players, n_players)
        return Interactions(
            model.terms_among(self),
            model,
            n_evaluations=self.n_evaluations,
            faithfulness=self.faithfulness,
            names=None if names is None else tuple(map(str, names)),
            n_left_out=self.n_left_out,
            diagnostics=self.diagnostics,
        )

    def first_order(self) -> Floats:
        """Return the values of the single players as an array ``(n_players,)``."""
        rows = np.flatnonzero(self.orders == 1)
        dense = np.zeros(self.n_players)
        dense[self.sets.players[self.sets.indptr[rows]]] = self.values[rows]
        return dense

    def name_of(self, players: tuple[int, ...]) -> str:
        """Return a term's players in words, joined by ``x``."""
        return " x ".join(self.names[player] if self.names else str(player) for player in players)

    def errors_of(self, supports: PlayerSets) -> Floats | None:
        """Return the standard errors of a few sets; ``None`` where there are none, or all are 0."""
        errors = self.model.std_errors(Index(self.index, self.max_order), supports)
        return None if errors is None or not errors.any() else errors

    def to_dataframe(self) -> pandas.DataFrame:
        """Return one row per term: ``players``, ``name``, ``order``, ``value`` and, where known, ``std_error``."""
        import pandas

        players = self.sets.tuples()
        columns: dict[str, Any] = {
            "players": players,
            "name": [self.name_of(term) for term in players],
            "order": self.orders,
            "value": self.values,
        }
        if self.std_errors is not None:
            columns["std_error"] = self.std_errors
        return pandas.DataFrame(columns)

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
        return to_shapiq(self)

    @classmethod
    def from_shapiq(cls, values: InteractionValues, names: Sequence[str] | None = None) -> Interactions:
        """Read a result of shapiq; its ``model`` is the game of lowest degree whose index has these values.

        Args:
            values: ``shapiq.InteractionValues``.
            names: names of the players.

        Raises:
            ArgumentError: if the values are none of shapiq's, or the names do not fit.
            UnknownNameError: if the index is none of `captum_spex.indices.NAMES`.
        """
        terms, model = from_shapiq(values)
        checked = None if names is None else tuple(map(str, names))
        if checked is not None and len(checked) != terms.n_players:
            allowed = f"one for each of the {terms.n_players} players"
            raise ArgumentError("names", f"{len(checked)} names", allowed)
        return cls(terms, model, names=checked, **facts(values))

    def to_html(
        self, path: str | os.PathLike[str] | None = None, *, title: str | None = None, max_terms: int = PAGE_TERMS
    ) -> str:
        """Return the result as a page, one HTML file that needs no network, and write it to ``path`` if given.

        Hovering, tapping or focusing a player shows what it interacts with; a table of the terms sorts and filters.

        Args:
            path: where to write it, in UTF-8.
            title: what stands on top; default: the number of players.
            max_terms: how many interactions, the largest; the main effects of all players that are shown (at most
                1,000, those of the largest terms) come on top.

        Raises:
            ArgumentError: if the file cannot be written, or an argument cannot be used.

        Example:
            >>> import captum_spex
            >>> result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4, names=["never", "fails"])
            >>> result.to_html(title="Two words")[:15]
            '<!doctype html>'
        """
        if path is None:
            return page(self, title=title, max_terms=max_terms)
        return write_page(self, path, title=title, max_terms=max_terms)

    def _repr_html_(self) -> str:
        """Return the page in a frame, with its 500 largest interactions: what notebooks show."""
        return fragment(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the result as JSON text, the recovered game included, and write it to ``path`` if given."""
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "index": self.index,
            "max_order": self.max_order,
            "n_players": self.n_players,
            "names": self.names,
            "baseline": self.baseline,
            "n_evaluations": self.n_evaluations,
            "faithfulness": None if math.isnan(self.faithfulness) else self.faithfulness,
            "n_left_out": self.n_left_out,
            "diagnostics": {key: _plain(value) for key, value in self.diagnostics.items()},
            "terms": [[list(term), value] for term, value in zip(self, self.values.tolist(), strict=True)],
            "model": self.model.to_dict(),
        }
        text = json.dumps(content, allow_nan=False)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> Interactions:
        """Read what `to_json` wrote: a path, or the JSON text itself.

        Raises:
            ArgumentError: if the content is not a result that this version can read.
        """
        is_text = isinstance(source, str) and source.lstrip()[:1] in ("{", "[")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ArgumentError("source", f"text that is no JSON ({error})", "what `to_json` wrote") from None
        header = (content.get("format"), content.get("version")) if isinstance(content, dict) else (None, None)
        if header != (_FORMAT, _VERSION):
            came = f"format {header[0]!r}, version {header[1]!r}"
            raise ArgumentError("source", came, f"format {_FORMAT!r}, version {_VERSION}")
        try:
            return cls._from_content(content)
        except (KeyError, TypeError, ValueError) as error:
            raise ArgumentError("source", f"damaged content ({error!r})", "what `to_json` wrote") from error

    @classmethod
    def _from_content(cls, content: dict[str, Any]) -> Interactions:
        supports = PlayerSets.from_sets((term for term, _ in content["terms"]), content["n_players"])
        values = np.array([value for _, value in content["terms"]], dtype=np.float64)
        index = Index(content["index"], content["max_order"])
        return cls(
            IndexTerms(index, supports, values, content["baseline"]),
            GameModel.from_dict(content["model"]),
            n_evaluations=content["n_evaluations"],
            faithfulness=float("nan") if content["faithfulness"] is None else content["faithfulness"],
            names=tuple(content["names"]) if content["names"] is not None else None,
            n_left_out=content["n_left_out"],
            diagnostics=content["diagnostics"],
        )

    def coo(self, order: int, *, symmetric: bool = False) -> Any:
        """Return the terms of one order as a ``sparse.COO`` of shape ``(n_players,) * order``.

        Entries stand at ``i < j < ...``; with ``symmetric=True`` at every permutation of the players.

        Raises:
            OrderError: if the result holds no such order, or the array would not fit a 64-bit index.
        """
        if order > self.max_order:
            hint = f'Use `.to("{self.index}", max_order={order})` first.'
            raise OrderError("order", str(order), f"1 to {self.max_order}, the orders of this result", hint)
        return super().coo(order, symmetric=symmetric)

    def __str__(self) -> str:
        counts = np.bincount(self.orders, minlength=self.max_order + 1)
        of_orders = ", ".join(f"{counts[order]:,} of order {order}" for order in range(1, self.max_order + 1))
        left = f" ({self.n_left_out:,} smaller ones left out)" if self.n_left_out else ""
        faith = "unknown" if math.isnan(self.faithfulness) else f"R² {self.faithfulness:.4f}"
        lines = [
            f"{self.index} of {self.n_players:,} players: {of_orders}{left}",
            f"baseline {self.baseline:.6g} | faithfulness {faith} | {self.n_evaluations:,} evaluations",
        ]
        if screened := screened_out(self.diagnostics):
            lines.append(screened)
        for order in range(1, self.max_order + 1):
            lines += self._table(order)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"<Interactions: {self.index} up to order {self.max_order} of {self.n_players} players, "
            f"{len(self)} terms, faithfulness {self.faithfulness:.4f}, {self.n_evaluations} evaluations>"
        )

    def _table(self, order: int) -> list[str]:
        chosen = self.sets.take(np.flatnonzero(self.orders == order)[:_TABLE_ROWS])
        if not len(chosen):
            return []
        values = [self[players] for players in chosen.tuples()]
        names = [_shortened(self.name_of(players)) for players in chosen.tuples()]
        width = max(len(name) for name in names)
        largest = max(abs(value) for value in values) or 1.0
        title = "main effects" if order == 1 else f"interactions of order {order}"
        rows = [
            f"  {name:<{width}}  {value:>+12.6g}{error}  {'█' * round(_BAR_WIDTH * abs(value) / largest)}".rstrip()
            for name, value, error in zip(names, values, self._doubts(chosen), strict=True)
        ]
        return ["", title, *rows]

    def _doubts(self, supports: PlayerSets) -> list[str]:
        """The standard errors of a few sets as text; nothing where there are none, or all are 0."""
        errors = self.errors_of(supports)
        return [""] * len(supports) if errors is None else [f" ± {error:<8.2g}" for error in errors]


def _plain(value: Any) -> int | float | str:
    """Return a diagnostic as JSON has it: finite numbers, all else in words."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and math.isfinite(value)
    return (int(value) if isinstance(value, int | np.integer) else float(value)) if is_number else str(value)


def _no_term(message: object, page: str = "quickstart") -> Exception:
    """Return the error of a look-up that cannot be answered."""
    return with_page(KeyError(message), page)


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"

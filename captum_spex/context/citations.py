"""The result: an answer, and for each of its spans the sources, and the groups of sources, that it rests on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.context import json_text, markdown, page
from captum_spex.context.cited import Cited, by_score, by_size
from captum_spex.context.pairs import NamedPair, named_pairs
from captum_spex.context.sets import SourceSet, necessary_set, sufficient_set
from captum_spex.context.sources import Source
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import smallest
from captum_spex.game import Game
from captum_spex.games.text.units import Span
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Citations:
    """What an answer rests on: the record that `captum_spex.context.cite` returns.

    Attributes:
        answer, query: the answer, and the question.
        spans: the spans of the answer, (first character, one after the last).
        context: the sources, the players of all results.
        interactions: one result for each span, from the same evaluations.
        value_name: what the scores add up to: the change of this between all sources and none.
        documents: of a run with ``hierarchy=True``, the first round, in which whole documents are the sources; here
            the sources are then the parts of those that matter.
        game: what can be asked again, for `sufficient_set` and `necessary_set`; not part of JSON.
    """

    answer: str
    query: str
    spans: tuple[Span, ...]
    context: tuple[Source, ...]
    interactions: tuple[Interactions, ...]
    value_name: str = "log-probability"
    game: Game | None = None
    documents: Citations | None = None

    @property
    def span_texts(self) -> tuple[str, ...]:
        """The texts of the spans."""
        return tuple(self.answer[start:end] for start, end in self.spans)

    @property
    def n_evaluations(self) -> int:
        """Number of prompts that the model was asked, in all rounds."""
        before = 0 if self.documents is None else self.documents.n_evaluations
        return before + self.interactions[0].n_evaluations

    def sources(self, span: int | None = None) -> list[Cited]:
        """Return all sources with their scores for a span, or for all spans together, the highest score first.

        The score is the index of order 1, by default the Shapley value: the scores of a span add up to what all
        sources together change.

        Raises:
            ArgumentError: if there is no such span.
        """
        return by_score(self._terms(span, 1))

    def groups(self, span: int | None = None) -> list[Cited]:
        """Return groups of two or more sources with their scores, the largest absolute value first.

        Of two sources, above 0: they do more together than each beside the others; below 0: they can replace each
        other.

        Raises:
            ArgumentError: if there is no such span.
        """
        return by_size(self._terms(span, None))

    def pairs(self, span: int = 0, *, max_pairs: int = 10) -> tuple[NamedPair, ...]:
        """Return the pairs of sources that are redundant or complementary for a span, in words.

        See `captum_spex.context.named_pairs`.
        """
        return named_pairs(self.interactions[self._checked(span)], max_pairs=max_pairs)

    def sufficient_set(self, span: int = 0, *, share: float = 0.9, max_evaluations: int = 64) -> SourceSet:
        """Return the smallest set of sources that keeps a share of a span's value, verified by asking the model.

        See `captum_spex.context.sufficient_set`.

        Raises:
            ArgumentError: if there is no such span, or these citations were read from a file, without a model.
        """
        return sufficient_set(*self._asked(span), share=share, max_evaluations=max_evaluations)

    def necessary_set(self, span: int = 0, *, share: float = 0.9, max_evaluations: int = 64) -> SourceSet:
        """Return the smallest set of sources without which a span loses a share of its value, verified.

        See `captum_spex.context.necessary_set`.

        Raises:
            ArgumentError: as for `sufficient_set`.
        """
        return necessary_set(*self._asked(span), share=share, max_evaluations=max_evaluations)

    @overload
    def get_attributions(
        self,
        start_idx: int | None = None,
        end_idx: int | None = None,
        as_dataframe: Literal[False] = False,
        top_k: int | None = None,
    ) -> Floats: ...
    @overload
    def get_attributions(
        self, start_idx: int | None = None, end_idx: int | None = None, *, as_dataframe: bool, top_k: int | None = None
    ) -> Floats | pandas.DataFrame: ...
    def get_attributions(
        self,
        start_idx: int | None = None,
        end_idx: int | None = None,
        as_dataframe: bool = False,
        top_k: int | None = None,
    ) -> Any:
        """Return the score of every source for a part of the answer, as ContextCite's users know it.

        Args:
            start_idx: the part's first character, at the border of a span; default: that of the answer.
            end_idx: the character after its last; default: the answer's end.
            as_dataframe: whether to return a frame with the columns ``Score`` and ``Source``, the highest first,
                instead of float64 ``(n_sources,)`` in the order of the context.
            top_k: how many sources, the highest; of an array the same.

        Raises:
            ArgumentError: for a part that cuts a span: its sources are known as a whole only.
        """
        chosen = self._spans_in(start_idx, end_idx)
        scores = np.sum([self.interactions[span].first_order() for span in chosen], axis=0)
        order = np.argsort(-np.round(scores, 9), kind="stable")
        n_shown = len(scores) if top_k is None else checks.integer("top_k", top_k)
        if not checks.flag("as_dataframe", as_dataframe):
            return scores if top_k is None else scores[order[:n_shown]]
        import pandas

        shown = order[:n_shown]
        texts = [self.context[place].text for place in shown]
        return pandas.DataFrame({"Score": scores[shown], "Source": pandas.Series(texts, dtype=object)})

    def to_dataframe(self) -> pandas.DataFrame:
        """Return one row for every source and every group of every span, the largest first.

        Columns: ``span``, ``span_text``, ``sources`` (numbers from 0), ``texts``, ``order``, ``score`` and
        ``std_error`` (NaN where unknown).
        """
        import pandas

        rows = [
            (span, text, one)
            for span, text in enumerate(self.span_texts)
            for one in by_size([*self._terms(span, 1), *self._terms(span, None)])
        ]
        errors = [np.nan if one.std_error is None else one.std_error for _, _, one in rows]
        return pandas.DataFrame(
            {
                "span": [span for span, _, _ in rows],
                "span_text": pandas.Series([text for _, text, _ in rows], dtype=object),
                "sources": pandas.Series([one.players for _, _, one in rows], dtype=object),
                "texts": pandas.Series([one.texts for _, _, one in rows], dtype=object),
                "order": [len(one.players) for _, _, one in rows],
                "score": [one.score for _, _, one in rows],
                "std_error": errors,
            }
        )

    def to_markdown(self, *, top: int = 3) -> str:
        """Return the answer with the numbers of the sources behind every span, and the list of these sources.

        A source is cited if its score is above 0, above a tenth of the span's largest, and beyond its error (1.64
        standard errors); groups by the same rule.

        Args:
            top: the most sources, and the most groups, of a span.
        """
        return markdown.to_markdown(self, checks.integer("top", top))

    def to_html(self, path: str | os.PathLike[str] | None = None, *, title: str | None = None, top: int = 3) -> str:
        """Return a page, one HTML file that needs no network, and write it to ``path`` if given.

        Hovering, tapping or focusing a sentence of the answer shows its sources, coloured by their scores, and which of
        them act together. All texts are data: markup in them is shown, not run.

        Args:
            path: where to write it, in UTF-8.
            title: the heading; default: the query.
            top: as for `to_markdown`, of the numbers behind a sentence.

        Raises:
            ArgumentError: if the file cannot be written.
        """
        return page.to_html(self, path, self.query if title is None else title, checks.integer("top", top))

    def _repr_html_(self) -> str:
        return page.fragment(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the citations as JSON text, the recovered games included, and write it to ``path`` if given."""
        return json_text.to_json(self, path)

    @classmethod
    def from_json(cls, source: str | Path) -> Citations:
        """Read what `to_json` wrote: a path, or the JSON text itself.

        Raises:
            ArgumentError: if the content is no citations that this version can read.
        """
        found = json_text.from_json(source)
        first = found.pop("documents")
        return cls(**found, documents=None if first is None else cls.from_json(first))

    def _terms(self, span: int | None, order: int | None) -> list[Cited]:
        """Return the terms of order 1, or those of higher orders, of a span or of the sum of all."""
        chosen = range(len(self.spans)) if span is None else [self._checked(span)]
        found: dict[tuple[int, ...], Cited] = {}
        for number in chosen:
            for one in _of_result(self.interactions[number], self.context, order):
                found[one.players] = found[one.players].plus(one) if one.players in found else one
        return list(found.values())

    def _asked(self, span: int) -> tuple[Interactions, Game]:
        """Return the result of a span, and the game of its values."""
        number, game = self._checked(span), self.game
        if game is None:
            hint = "Use `captum_spex.context.sufficient_set(citations.interactions[span], game)`."
            raise ArgumentError("game", "None", "citations that `cite` returned, with their model", hint)

        def of_span(masks: Masks) -> Floats:
            return np.asarray(game(masks)).reshape(len(masks), -1)[:, number]

        return self.interactions[number], of_span

    def _checked(self, span: int) -> int:
        return checks.integer("span", span, 0, len(self.spans) - 1)

    def _spans_in(self, start: int | None, end: int | None) -> list[int]:
        first = 0 if start is None else checks.integer("start_idx", start, 0, len(self.answer))
        last = len(self.answer) if end is None else checks.integer("end_idx", end, 0, len(self.answer))
        touched = [number for number, (low, high) in enumerate(self.spans) if low < last and high > first]
        cut = [
            self.spans[number] for number in touched if self.spans[number][0] < first or self.spans[number][1] > last
        ]
        if cut or not touched:
            got = f"({first}, {last}), which {f'cuts the span {cut[0]}' if cut else 'holds no span'}"
            hint = f"Give `spans=[({first}, {last})]` to `cite`."
            raise ArgumentError("start_idx", got, "the characters of one or more whole spans of the answer", hint)
        return touched

    def __str__(self) -> str:
        return self.to_markdown()

    def __repr__(self) -> str:
        n_spans = f"{len(self.spans)} span{'s' if len(self.spans) > 1 else ''}"
        return f"Citations({n_spans}, {len(self.context)} sources, {self.n_evaluations} evaluations)"


def _of_result(result: Interactions, context: Sequence[Source], order: int | None) -> list[Cited]:
    rows = np.flatnonzero(result.orders == 1 if order == 1 else result.orders > 1)
    errors = [None] * len(rows) if result.std_errors is None else result.std_errors[rows].tolist()
    values = np.where(np.abs(result.values[rows]) <= smallest(result), 0.0, result.values[rows])  # rounding
    terms = zip(result.sets.take(rows).tuples(), values.tolist(), errors, strict=True)
    return [
        Cited(players, tuple(context[player].text for player in players), value, error)
        for players, value, error in terms
    ]

"""One call from a model, a context and a question to an answer with its sources."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import Any, TypedDict, Unpack, cast

import numpy as np

from captum_spex import checks
from captum_spex.approximators import Approximator
from captum_spex.checks import RandomState
from captum_spex.context.answers import Spans
from captum_spex.context.citations import Citations
from captum_spex.context.context_game import ContextGame
from captum_spex.context.hierarchy import (
    GroupedGame,
    chosen_documents,
    documents_of,
    first_budget,
    warn_of_left_documents,
)
from captum_spex.context.rendering import RemovalName
from captum_spex.context.sources import Source, Split
from captum_spex.errors import ArgumentError, OrderError
from captum_spex.explaining import StoreArgument, check_plan, explain
from captum_spex.exports.page import check_writable
from captum_spex.interactions import Interactions

_LEAST, _PER_SOURCE = 64, 4  # evaluations by default


class GameSettings(TypedDict, total=False):
    """The settings of `ContextGame`."""

    tokenizer: Any
    answer: str | None
    split: Split | None
    spans: Spans
    removal: RemovalName
    placeholder: str
    template: str | None
    numbered: bool | None
    system: str | None
    chat: bool | None
    chat_template_kwargs: Mapping[str, Any] | None
    max_new_tokens: int
    tokens_per_batch: int | None
    prefix_cache: bool


def cite(
    model: Any,
    context: Any,
    query: str | None = None,
    *,
    budget: int | None = None,
    index: str = "SII",
    max_order: int = 2,
    approximator: Approximator | None = None,
    random_state: RandomState = None,
    show_progress: bool = False,
    store: StoreArgument = None,
    hierarchy: bool = False,
    **settings: Unpack[GameSettings],
) -> Citations:
    """Let a model answer a question, and find the sources, and the groups of sources, that every sentence rests on.

    Args:
        model: see `ContextGame`.
        context: see `ContextGame`.
        query: the question; of a chat, default: the last message of the user.
        budget: how many prompts to ask, at least 2; default: four for every source, and at least 64. From
            ``2**n_sources`` on the result is exact. All spans of the answer share them.
        index: an interaction index, see `captum_spex.explain`.
        max_order: the largest number of sources in a group.
        approximator: the algorithm; default `ProxySpex()`.
        random_state: seed or generator.
        show_progress: whether to show a progress bar.
        store: a file that keeps every evaluation, see `captum_spex.explain`.
        hierarchy: for many documents: half of the budget finds the documents that matter, the other half their
            sentences (or paragraphs, ``split=``), while all other documents are present. The result is that of the
            sentences; its attribute ``documents`` that of the documents.
        **settings: ``tokenizer``, ``answer``, ``split``, ``spans`` and the other settings of `ContextGame`.

    Raises:
        ArgumentError: for an argument that cannot be used, before the model is asked.
        BudgetError: if ``budget`` is no integer of at least 2.

    Example:
        >>> def cited(model, tokenizer):  # of transformers
        ...     documents = [{"title": "Paris", "text": "It has a tower."}, {"title": "Rome", "text": "It has none."}]
        ...     found = cite(model, documents, "Where is the tower?", tokenizer=tokenizer, budget=64)
        ...     return found.to_markdown(), found.sources(0), found.groups(0)
    """
    # Before the model is asked for its answer:
    max_order = checks.integer("max_order", max_order, error=OrderError)
    rng = checks.generator(random_state)
    if budget is not None:
        checks.budget("budget", budget)
    check_plan(2, 4, index, min(max_order, 2), approximator)
    if isinstance(store, str | os.PathLike):
        check_writable("store", store)
    if checks.flag("hierarchy", hierarchy):
        settings["split"] = settings.get("split") or "sentence"
        if store is not None:
            raise ArgumentError("store", repr(store), "None for `hierarchy=True`, whose rounds are two games")
    game = ContextGame(model, context, query, **settings)
    options: dict[str, Any] = {"index": index, "approximator": approximator, "show_progress": show_progress}
    options |= {"max_order": max_order, "random_state": rng}
    if hierarchy:
        return _in_two_rounds(game, budget, options)
    asked = _default_budget(game.n_players) if budget is None else budget
    return _citations(game, game.sources, _explained(game, asked, store=store, **options))


def _in_two_rounds(game: ContextGame, budget: int | None, options: dict[str, Any]) -> Citations:
    documents = documents_of(game.sources)
    asked = 2 * _default_budget(len(documents)) if budget is None else checks.budget("budget", budget)
    n_first = first_budget(asked)
    heads = [game.sources[places[0]] for places in documents]
    names = [head.title or head.id or f"document {number + 1}" for number, head in enumerate(heads)]
    results = _explained(GroupedGame(game, documents, names), n_first, **options)
    whole = [replace(head, text=_joined(game, places)) for head, places in zip(heads, documents, strict=True)]
    first = _citations(game, whole, results, has_game=False)
    left = asked - first.n_evaluations
    looked_into = chosen_documents(results, documents, left)
    warn_of_left_documents(results, names, looked_into)
    chosen = np.concatenate([documents[number] for number in looked_into])
    if len(chosen) < 2:  # a document of one sentence, and nothing to compare it with
        return first
    inner = GroupedGame(game, list(chosen[:, None]), [game.names[place] for place in chosen])
    results = _explained(inner, left, **options)
    sources = [game.sources[place] for place in chosen]
    return replace(_citations(game, sources, results), game=inner, documents=first)


def _joined(game: ContextGame, places: Any) -> str:
    """Return the text of a document again."""
    return "".join(game.sources[place].gap + game.sources[place].text for place in places).strip()


def _default_budget(n_sources: int) -> int:
    return max(_LEAST, _PER_SOURCE * n_sources)


def _explained(game: Any, budget: int, *, max_order: int, **options: Any) -> list[Interactions]:
    found = explain(game, budget=budget, max_order=min(max_order, game.n_players), **options)
    return cast("list[Interactions]", found if isinstance(found, list) else [found])


def _citations(
    game: ContextGame, sources: Sequence[Source], results: Sequence[Interactions], *, has_game: bool = True
) -> Citations:
    if any(one.std_errors is None and isnan(one.faithfulness) for one in results):
        n_asked = results[0].n_evaluations
        message = (
            f"Of {len(sources)} sources and {n_asked} prompts, nothing says how sure the scores are: raise `budget`."
        )
        warnings.warn(message, stacklevel=3)
    own = (game.answer, game.query, game.spans, tuple(sources), tuple(results), game.value_name)
    return Citations(*own, game if has_game else None)

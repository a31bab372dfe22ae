"""One call from a model, a context and a question to an answer with its sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack, cast

from captum_spex.approximators import Approximator
from captum_spex.checks import RandomState
from captum_spex.context.answers import Spans
from captum_spex.context.citations import Citations
from captum_spex.context.context_game import ContextGame
from captum_spex.context.rendering import RemovalName
from captum_spex.context.sources import Split
from captum_spex.explaining import StoreArgument, explain
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
    game = ContextGame(model, context, query, **settings)
    asked = max(_LEAST, _PER_SOURCE * game.n_players) if budget is None else budget
    found = explain(
        game,
        budget=asked,
        index=index,
        max_order=min(max_order, game.n_players),
        approximator=approximator,
        random_state=random_state,
        show_progress=show_progress,
        store=store,
    )
    results = cast("list[Interactions]", found if isinstance(found, list) else [found])
    return Citations(game.answer, game.query, game.spans, game.sources, tuple(results), game.value_name, game)

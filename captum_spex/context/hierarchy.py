"""Many documents of many sentences: documents first, then the sentences of those that matter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captum_spex.arrays import Floats
from captum_spex.context.context_game import ContextGame
from captum_spex.context.sources import Source
from captum_spex.errors import ArgumentError, BudgetError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.exports.result import clipped
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks

_SHARE = 0.1  # of the largest influence on a span, below which a document is not looked into
_MUCH = 0.5  # of it, above which one that is not looked into is warned of
_PER_SENTENCE = 2  # evaluations that the second round has for every sentence, at least
_NAME = 40  # characters of a name in a warning
_LEAST = 8  # evaluations of a round


class GroupedGame:
    """A game whose players are groups of sources; all other sources are always present.

    Args:
        game: the game of the single sources.
        groups: the sources of each player.
        names: the names of the players.

    Attributes:
        n_players, names: the players.
        members: which sources each has, bool ``(n_players, n_sources)``.

    Example:
        >>> def of(game):  # 100 documents of 20 sentences, players in the order of the sentences
        ...     return GroupedGame(game, np.arange(2000).reshape(100, 20), [f"document {i}" for i in range(100)])
    """

    def __init__(self, game: ContextGame, groups: Sequence[ArrayLike], names: Sequence[str]) -> None:
        self._game = game
        self.names, self.n_players = tuple(names), len(names)
        self.members = np.zeros((len(groups), game.n_players), dtype=np.bool_)
        for player, sources in enumerate(groups):
            self.members[player, np.asarray(sources)] = True
        self.keeps_budget = True
        hooks = ("batch_argument", "rounding", "noisy")
        vars(self).update({hook: getattr(game, hook) for hook in hooks if hasattr(game, hook)})
        adapter = GameAdapter.of(game)
        if adapter.plan_batches is not None:
            self.plan_batches = self._plan_batches
        if adapter.answer_each is not None:
            self.answer_each = self._answer_each

    def sources(self, masks: Masks) -> Masks:
        """Return the masks of the single sources, ``(n_masks, n_sources)``."""
        return (masks.astype(np.float32) @ self.members > 0) | ~self.members.any(axis=0)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values of the masks."""
        return self._game(self.sources(np.asarray(masks, dtype=np.bool_)))

    @property
    def fingerprint(self) -> dict[str, str]:
        """The identity of this game, for a store."""
        return {**self._game.fingerprint, "groups": digest(self.members)}

    @property
    def diagnostics(self) -> dict[str, Any]:
        """Those of the game."""
        return self._game.diagnostics

    def _plan_batches(self, masks: Masks) -> Any:
        return self._game.plan_batches(self.sources(masks))

    def _answer_each(self, masks: Masks) -> Iterator[tuple[int, Any]]:
        return self._game.answer_each(self.sources(np.asarray(masks, dtype=np.bool_)))


def documents_of(sources: Sequence[Source]) -> list[NDArray[np.intp]]:
    """Return the sources of every document.

    Raises:
        ArgumentError: for a context that is not made of two or more documents.
    """
    numbers = [source.document for source in sources]
    if None in numbers or len(set(numbers)) < 2:
        expected = "a list of two or more documents, which are split into sentences or paragraphs"
        raise ArgumentError("context", "one that is not", f"{expected} for `hierarchy=True`")
    keys = np.array(numbers)
    return [np.flatnonzero(keys == number) for number in dict.fromkeys(numbers)]


def first_budget(budget: int) -> int:
    """Return how many evaluations the documents get: half of them.

    Raises:
        BudgetError: for a budget too small for two rounds.
    """
    if budget < 2 * _LEAST:
        raise BudgetError("budget", str(budget), f"at least {2 * _LEAST} for the two rounds of `hierarchy=True`")
    return budget // 2


def influence(results: Sequence[Interactions]) -> Floats:
    """Return how much each player does for the span on which it does most, relative to the largest there.

    That is the size of its own value and half that of its interactions.
    """
    largest = np.zeros(results[0].n_players)
    for result in results:
        found = np.abs(result.first_order())
        errors = result.std_errors
        for row, (players, value) in enumerate(zip(result.sets.tuples(), result.values, strict=True)):
            is_sure = errors is None or abs(value) > 2 * errors[row]
            if len(players) > 1 and is_sure:
                found[list(players)] += abs(value) / len(players)
        if found.max() > 0:
            largest = np.maximum(largest, found / found.max())
    return largest


def chosen_documents(results: Sequence[Interactions], documents: Sequence[NDArray[np.intp]], budget: int) -> list[int]:
    """Return the documents to look into, in the order of the context.

    Those of the largest influence, above a tenth of the largest, as long as every sentence gets two evaluations; the
    first in any case.
    """
    strength = influence(results)
    chosen: list[int] = []
    n_sentences = 0
    for number in np.argsort(-strength, kind="stable").tolist():
        n_sentences += len(documents[number])
        if chosen and (strength[number] < _SHARE or n_sentences * _PER_SENTENCE > budget):
            break
        chosen.append(number)
    return sorted(chosen)


def warn_of_left_documents(results: Sequence[Interactions], names: Sequence[str], chosen: Sequence[int]) -> None:
    """Warn of documents that matter much and are not looked into: what they say as well counts for no sentence."""
    left = [number for number in np.flatnonzero(influence(results) >= _MUCH).tolist() if number not in chosen]
    if left:
        shown = ", ".join(repr(clipped(names[number], _NAME)) for number in left[:3])
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        message = f"The budget does not allow to look into {shown}{more}, which matter, and stay present: what they say"
        warnings.warn(f"{message} too is no merit of other sentences. Raise `budget`.", stacklevel=4)

"""Prompts under masks: a context of which some sources are absent, and the query."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeAlias

import numpy as np

from captum_spex import checks
from captum_spex.context.sources import Source
from captum_spex.errors import ArgumentError
from captum_spex.masks import Masks

RemovalName = Literal["leave out", "replace"]
Messages: TypeAlias = list[dict[str, Any]]
Prompt: TypeAlias = str | Messages
"""A text, or the messages of a chat."""

TEMPLATE = "Context:\n{context}\n\nQuestion: {query}"
"""How a context and a query become a prompt, by default; without a chat, "Answer:" follows."""
_BETWEEN = "\n\n"  # documents


@dataclass(frozen=True)
class Removal:
    """What becomes of absent sources: they are left out, or replaced by a placeholder.

    Attributes:
        placeholder: what replaces an absent source; ``None``: nothing.
    """

    placeholder: str | None = None

    @classmethod
    def checked(cls, removal: RemovalName, placeholder: str) -> Removal:
        """Check the arguments of those names."""
        name = checks.choice("removal", removal, ("leave out", "replace"))
        if not isinstance(placeholder, str) or not placeholder.strip():
            raise ArgumentError("placeholder", repr(placeholder), "a text that is not empty")
        return cls(placeholder if name == "replace" else None)


class Rendering(ABC):
    """How a mask becomes a prompt.

    Attributes:
        sources: the players.
        query: the question.
        removal: what becomes of absent sources.
    """

    def __init__(self, sources: Sequence[Source], query: str, removal: Removal) -> None:
        self.sources, self.query, self.removal = tuple(sources), query, removal

    @abstractmethod
    def prompt(self, mask: Masks) -> Prompt:
        """Return the prompt in which the sources of a mask ``(n_players,)`` are present."""


class TextRendering(Rendering):
    r"""A context as text, in a template.

    Absent sources are left out: the documents that are present are numbered, a heading vanishes with the last of its
    sources, and of the separators around what is missing the larger one stays. Or each is replaced by a placeholder.

    Args:
        sources: the players, from `captum_spex.context.as_sources`.
        query: the question.
        removal: what becomes of absent sources.
        template: a text with ``{context}`` and ``{query}``, once each.
        numbered: whether documents are numbered, "[1] ..."; default: if one has a title.

    Example:
        >>> import numpy as np
        >>> sources = [Source("Red."), Source("Blue."), Source("Green.")]
        >>> rendering = TextRendering(sources, "Which?", Removal(), template="{context} {query}", numbered=True)
        >>> rendering.prompt(np.array([True, False, True]))
        '[1] Red.\n\n[2] Green. Which?'
    """

    def __init__(
        self,
        sources: Sequence[Source],
        query: str,
        removal: Removal,
        *,
        template: str = TEMPLATE,
        numbered: bool | None = None,
    ) -> None:
        super().__init__(sources, checked_query(query), removal)
        self._before, self._after = _around(template, query)
        pairs = list(enumerate(sources))
        has_titles = any(source.title for source in sources)
        self._numbered = has_titles if numbered is None else checks.flag("numbered", numbered)
        keys = [(one.document is None, place if one.document is None else one.document) for place, one in pairs]
        self._documents = [list(group) for _, group in groupby(range(len(sources)), key=keys.__getitem__)]

    def prompt(self, mask: Masks) -> str:
        """Return the prompt in which the sources of a mask ``(n_players,)`` are present."""
        return self._before + self.context(mask) + self._after

    def context(self, mask: Masks) -> str:
        """Return the context alone."""
        shown: list[str] = []
        for places in self._documents:
            body = self._body(places, mask)
            if body:
                shown.append(self._heading(places[0], len(shown) + 1) + body)
        return _BETWEEN.join(shown)

    def _body(self, places: Sequence[int], mask: Masks) -> str:
        body, gap = "", ""
        for place in places:
            source = self.sources[place]
            gap = max(gap, source.gap, key=_strength)
            text = source.text if mask[place] else self.removal.placeholder
            if text is not None:
                body += (gap if body else "") + text
                gap = ""
        return body

    def _heading(self, place: int, number: int) -> str:
        title = self.sources[place].title
        return (f"[{number}] " if self._numbered else "") + (f"{title}\n" if title else "")


def _strength(gap: str) -> tuple[int, int]:
    """Order separators: an empty line is more than a line break, and that is more than a space."""
    return gap.count("\n"), len(gap)


def _around(template: str, query: str) -> tuple[str, str]:
    """Return what stands before and after the context."""
    counts = [template.count(name) for name in ("{context}", "{query}")] if isinstance(template, str) else []
    if counts != [1, 1]:
        raise ArgumentError("template", repr(template), "a text with {context} and {query}, once each")
    before, after = template.split("{context}")
    return before.replace("{query}", query), after.replace("{query}", query)


def checked_query(query: Any) -> str:
    """Return the question, a text that is not empty."""
    if not isinstance(query, str) or not query.strip():
        raise ArgumentError("query", repr(query), "a question or a task, as a text")
    return query


def complete(rendering: Rendering) -> Prompt:
    """Return the prompt with all sources."""
    return rendering.prompt(np.ones(len(rendering.sources), dtype=np.bool_))

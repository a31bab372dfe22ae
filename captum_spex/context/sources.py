"""Sources: the parts of a context that may be left out, whatever the context comes as."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import Any, Literal

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import clipped
from captum_spex.games.text.units import Span, spans_of

Split = Literal["sentence", "paragraph"]
_SPLITS = ("sentence", "paragraph", None)
_PARAGRAPH = re.compile(r"\S(?:.*?\S)??(?=[^\S\n]*\n\s*\n|\s*\Z)", re.DOTALL)
_TEXTS = ("text", "content", "page_content", "memory")  # as databases, loaders and memories call a document's text
_FORMS = "a text, a list of texts or documents (`{'text': ..., 'title': ...}`), or a list of chat messages"
_QUESTION = 4  # words from which a query is a question, and no keyword that sources contain anyway
_NAME = 60  # characters of a source in a message


@dataclass(frozen=True)
class Source:
    """A part of a context: the player of a `ContextGame`.

    Attributes:
        text: what the model reads of it.
        title: the title of its document.
        id: what its document, message or memory is called elsewhere.
        role: of a chat message, who said it.
        metadata: what else is known.
        document: which document it is a part of; ``None`` where it is one itself.
        gap: the white space before it in that document.
    """

    text: str
    title: str | None = None
    id: str | None = None
    role: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    document: int | None = None
    gap: str = ""

    @property
    def name(self) -> str:
        """The source in one line: its text, or title and text."""
        text = " ".join(self.text.split())
        return f"{self.title}: {text}" if self.title else f"{self.role}: {text}" if self.role else text


def as_sources(context: Any, split: Split | None = None) -> list[Source]:
    """Return the sources of a context that is no chat.

    Args:
        context: a text, or a list of texts, of `Source`, or of documents: mappings with ``text`` (or ``content``,
            ``page_content``, ``memory``) and, if they like, ``title``, ``id`` and ``metadata``, or objects with
            ``page_content`` and ``metadata``.
        split: ``"sentence"`` or ``"paragraph"``, into which texts are split; default: sentences of a single text, and
            documents as they are.

    Raises:
        ArgumentError: for an empty context, or one with a single source, which there is nothing to compare with.

    Example:
        >>> [source.text for source in as_sources("The key is red. Dr. Who has it.")]
        ['The key is red.', 'Dr. Who has it.']
    """
    split = checks.choice("split", split, _SPLITS)
    if isinstance(context, str):
        documents = [Source(context)]
        split = split or "sentence"
    elif isinstance(context, Sequence):
        documents = [_document(f"context[{place}]", item) for place, item in enumerate(context)]
    else:
        raise ArgumentError("context", type_of(context), _FORMS)
    empty = [place for place, one in enumerate(documents) if not one.text.strip()]
    if not documents or (empty and isinstance(context, str)):
        raise ArgumentError("context", "an empty context", "one with at least two sources")
    if empty:
        raise ArgumentError(f"context[{empty[0]}]", "an empty text", "a text")
    sources = documents if split is None else _split(documents, split)
    if len(sources) < 2:
        finer = ' Split it into sentences: `split="sentence"`.' if split != "sentence" else ""
        hint = f"With a single source there is nothing to compare.{finer}"
        raise ArgumentError("context", "one source", "at least two sources", hint)
    return sources


def text_spans(text: str, split: Split) -> list[Span]:
    """Return where the sentences or the paragraphs of a text are."""
    if split == "paragraph":
        return [found.span() for found in _PARAGRAPH.finditer(text)]
    return spans_of(text, "sentence") or []


def _split(documents: Sequence[Source], split: Split) -> list[Source]:
    sources = []
    for number, one in enumerate(documents):
        last = 0
        for start, end in text_spans(one.text, split):
            sources.append(replace(one, text=one.text[start:end], document=number, gap=one.text[last:start]))
            last = end
    return sources


def _document(argument: str, item: Any) -> Source:
    if isinstance(item, Source):
        return item
    if isinstance(item, str):
        return Source(item)
    if not isinstance(item, Mapping) and hasattr(item, "page_content"):
        item = {"text": item.page_content, "metadata": getattr(item, "metadata", None) or {}}
    if not isinstance(item, Mapping):
        raise ArgumentError(argument, type_of(item), "a text or a document, `{'text': ..., 'title': ...}`")
    key = next((key for key in _TEXTS if isinstance(item.get(key), str)), None)
    if key is None:
        got = f"a document with {', '.join(map(repr, item)) or 'nothing'}"
        raise ArgumentError(argument, got, f"one with a text as {', '.join(map(repr, _TEXTS))}")
    if key == "content" and isinstance(item.get("role"), str):
        raise ArgumentError(argument, "a message of a chat beside texts", "messages only, or texts and documents only")
    own = dict(item.get("metadata") or {})
    others = {name: value for name, value in item.items() if name not in (key, "title", "id", "metadata")}
    title, name = (item.get(what, own.get(what)) for what in ("title", "id"))
    return Source(
        item[key],
        title=_known(title),
        id=_known(name),
        metadata={**own, **others},
    )


def _known(value: Any) -> str | None:
    """Return a value as text; ``None`` for none, and for the NaN that tables have in its place."""
    is_missing = value is None or (isinstance(value, float) and isnan(value))
    return None if is_missing else str(value)


def _alike(text: str) -> str:
    """Return a text without what does not tell texts apart: line breaks, and the case of letters."""
    return " ".join(text.split()).casefold()


def warn_of_repetition(sources: Sequence[Source], query: str) -> None:
    """Warn of sources that occur twice, and of a source in which the query stands."""
    first: dict[tuple[str | None, str], int] = {}
    twice: list[str] = []
    for place, source in enumerate(sources):
        before = first.setdefault((source.role, " ".join(source.text.split())), place)
        if before != place:
            twice.append(f"{before + 1} and {place + 1} ({clipped(source.name, _NAME)!r})")
    if twice:
        more = f" and {len(twice) - 3} more" if len(twice) > 3 else ""
        message = f"Sources that occur twice share their credit: {', '.join(twice[:3])}{more}."
        warnings.warn(message, stacklevel=4)
    question = _alike(query)
    if len(question.split()) < _QUESTION and not question.endswith("?"):
        return
    for place, source in enumerate(sources):
        if question in _alike(source.text):
            message = f"The query stands inside source {place + 1} ({clipped(source.name, _NAME)!r}) of the context."
            warnings.warn(f"{message} Left out there, it is still asked.", stacklevel=4)

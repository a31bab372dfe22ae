"""Prompts under masks, against a slow twin that writes them line by line."""

from __future__ import annotations

import re

import numpy as np
import pytest
from context_cases import FILMS
from oracles import every_mask

from captum_spex.context import Source, as_sources
from captum_spex.context.rendering import Removal, TextRendering, complete
from captum_spex.errors import ArgumentError

DOCUMENTS = [
    {"text": "Paris is big. It is in France.\nIt rains.", "title": "Paris"},
    {"text": "Rome is old."},
    {"text": "Bonn was the capital. Berlin is.", "title": "Germany"},
]


def slow_context(texts, titles, mask, instead, numbered):
    """Split every document by its separators, keep what is present, put separators of the missing together."""
    pieces, left = [], list(mask)
    for text, title in zip(texts, titles, strict=True):
        parts = re.split(r"((?<=[.!?])\s+)", text)
        body = ""
        waiting = [""]
        for sentence, before in zip(parts[::2], ["", *parts[1::2]], strict=True):
            waiting.append(before)
            present = left.pop(0)
            if present or instead is not None:
                best = sorted(waiting, key=lambda gap: (gap.count("\n"), len(gap)))[-1]
                body += (best if body else "") + (sentence if present else instead)
                waiting = [""]
        if body:
            number = f"[{len(pieces) + 1}] " if numbered else ""
            pieces.append(number + (f"{title}\n" if title else "") + body)
    return "\n\n".join(pieces)


@pytest.mark.parametrize("instead", [None, "(gone)"])
@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("context", [FILMS, DOCUMENTS], ids=["text", "documents"])
def test_every_mask_is_rendered_as_the_slow_twin_writes_it(context, numbered, instead):
    documents = [{"text": context}] if isinstance(context, str) else context
    rendering = TextRendering(
        as_sources(context, "sentence"), "Why?", Removal(instead), template="<{context}> {query}", numbered=numbered
    )
    texts, titles = ([one.get(key) for one in documents] for key in ("text", "title"))
    for mask in every_mask(len(rendering.sources)):
        assert rendering.prompt(mask) == f"<{slow_context(texts, titles, mask, instead, numbered)}> Why?"


def test_the_complete_prompt_holds_the_text_as_it_was():
    rendering = TextRendering(as_sources(FILMS), "Why {context}?", Removal(), template="Q: {query}\n{context}\nA:")
    assert complete(rendering) == f"Q: Why {{context}}?\n{FILMS}\nA:"


def test_documents_with_titles_are_numbered_by_default_and_texts_are_not():
    with_titles, without = (TextRendering(as_sources(one), "Why?", Removal()) for one in (DOCUMENTS, ["A.", "B."]))
    assert with_titles.context(np.array([False, True, True])) == (
        "[1] Rome is old.\n\n[2] Germany\nBonn was the capital. Berlin is."
    )
    assert without.context(np.array([True, True])) == "A.\n\nB."


def test_a_source_of_no_document_is_no_part_of_the_document_of_its_number():
    sources = [Source("A."), Source("B.", document=0), Source("C.", document=0)]
    rendering = TextRendering(sources, "Why?", Removal(), numbered=True)
    assert rendering.context(np.ones(3, dtype=bool)) == "[1] A.\n\n[2] B.C."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"template": "{context}"}, "`template`: expected a text with {context} and {query}, once each"),
        ({"template": "{context} {query} {query}"}, "once each"),
        ({"template": None}, "once each"),
        ({"query": " "}, "`query`: expected a question or a task, as a text, got ' '"),
        ({"query": None}, "`query`"),
        ({"numbered": "yes"}, "`numbered`: expected True or False"),
    ],
)
def test_invalid_settings_are_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        TextRendering(as_sources(FILMS), settings.pop("query", "Why?"), Removal(), **settings)


def test_invalid_removals_are_refused():
    with pytest.raises(ArgumentError, match="`removal`: expected 'leave out', 'replace', got 'drop'"):
        Removal.checked("drop", "[...]")
    with pytest.raises(ArgumentError, match="`placeholder`: expected a text that is not empty, got ' '"):
        Removal.checked("replace", " ")

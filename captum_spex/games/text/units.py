"""Where the players of a text are: words, sentences, or given spans."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.errors import ArgumentError, UnknownNameError

UNITS = ("word", "token", "sentence")
Span = tuple[int, int]
"""First character and the one after the last."""

_WORD = re.compile(r"\S+")
_SENTENCE = re.compile(
    r"\S.*?(?:[.!?]+[^\w\s]*(?=\s+(?![a-z\s]))"  # closing quotes belong to the sentence
    r"|[\u3002\uff01\uff1f]+"  # full-width full stop, exclamation mark, question mark
    r"|(?=[^\S\n]*\n\s*\n)|(?=\s*\Z))",
    re.DOTALL,
)
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|cf|Fig|Eq|approx|e\.g|i\.e|[A-Z])\.\Z")


def spans_of(text: str, unit: str | Sequence[Span]) -> list[Span] | None:
    """Return the spans of the players in text order; ``None`` for tokens, which the tokenizer knows.

    Words are separated by white space. Sentences end at ``.``, ``!`` or ``?`` before white space without a lower-case
    letter after it, at their full-width forms, and at empty lines; common abbreviations do not end a sentence.

    Example:
        >>> spans_of("Yes. It works! Dr. Who agrees.", "sentence")
        [(0, 4), (5, 14), (15, 30)]
    """
    if isinstance(unit, np.ndarray):
        unit = unit.tolist()
    if isinstance(unit, Sequence) and not isinstance(unit, str):
        return _checked_spans(text, unit)
    if unit not in UNITS:
        raise UnknownNameError("unit", repr(unit), f"{', '.join(map(repr, UNITS))}, or a list of (start, end)")
    if unit == "token":
        return None
    return [match.span() for match in _WORD.finditer(text)] if unit == "word" else _sentences(text)


def _sentences(text: str) -> list[Span]:
    spans: list[Span] = []
    for match in _SENTENCE.finditer(text):
        is_continued = bool(spans) and _ABBREVIATION.search(text[slice(*spans[-1])]) is not None
        start = spans.pop()[0] if is_continued else match.start()
        spans.append((start, match.end()))
    return spans


def _checked_spans(text: str, given: Sequence[Any]) -> list[Span]:
    expected = f"pairs (start, end) of characters, 0 <= start < end <= {len(text)}, that do not overlap"
    wrong = [position for position, span in enumerate(given) if not _is_span(span, len(text))]
    if wrong:
        raise ArgumentError(f"unit[{wrong[0]}]", repr(given[wrong[0]]), expected)
    spans = sorted((int(start), int(end)) for start, end in given)
    for first, second in pairwise(spans):
        if first[1] > second[0]:
            raise ArgumentError("unit", f"{first} and {second}, which overlap", expected)
    return spans


def _is_span(span: Any, length: int) -> bool:
    is_pair = isinstance(span, Sequence) and len(span) == 2 and all(map(checks.is_integer, span))
    return is_pair and 0 <= span[0] < span[1] <= length

"""The spans of an answer, and which of its tokens belong to which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, in_words
from captum_spex.games.text.tokens import FIXED, span_owners
from captum_spex.games.text.units import Span, spans_of

Spans = Literal["sentence", "answer"] | Sequence[Span]
"""How an answer is divided: into sentences, not at all, or into given (first character, one after the last)."""


def answer_spans(answer: str, spans: Spans) -> list[Span]:
    """Return the spans of an answer, in order.

    Raises:
        ArgumentError: for spans that overlap, are not in order, or reach beyond the answer.

    Example:
        >>> answer_spans("It is red. Who knows?", "sentence")
        [(0, 10), (11, 21)]
    """
    if isinstance(spans, str):
        checks.choice("spans", spans, ("sentence", "answer"), hint="Or a list of (start, end).")
        return [(0, len(answer))] if spans == "answer" else spans_of(answer, "sentence") or []
    if not len(spans):
        raise ArgumentError("spans", "no spans", "at least one (start, end) of characters of the answer")
    with in_words({"unit": "spans"}):
        found = spans_of(answer, spans) or []
    if found != [(int(start), int(end)) for start, end in spans]:
        raise ArgumentError("spans", "spans that are not in order", f"them as they stand in the answer, {found}")
    return found


def check_spans(spans: Any) -> None:
    """Refuse, before there is an answer, what can be no spans of any."""
    if isinstance(spans, str) or spans is None:
        checks.choice("spans", spans, ("sentence", "answer"), hint="Or a list of (start, end).")


def membership(answer: str, places: Sequence[Span], spans: Sequence[Span]) -> Floats:
    """Return which token belongs to which span, 0 or 1, float64 ``(n_tokens, n_spans)``.

    Args:
        answer: the answer.
        places: where each token is in it, first character and the one after the last.
        spans: the spans; a token belongs to the one in which its first visible character is, white space to that of
            the token after it.
    """
    visible: list[Span | None] = []
    for start, end in places:
        piece = answer[start:end]
        visible.append((start + len(piece) - len(piece.lstrip()), end))
    with in_words({"unit": "spans"}):
        owners = np.array(span_owners(visible, spans))
    return (owners[:, None] == np.arange(len(spans))).astype(float)


__all__ = ["FIXED", "Spans", "answer_spans", "check_spans", "membership"]

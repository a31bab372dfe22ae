"""Citations as a page to look at and to pass on: one HTML file that needs no network."""

from __future__ import annotations

import math
import os
from html import escape
from typing import TYPE_CHECKING, Any

from captum_spex.context.cited import Cited
from captum_spex.context.markdown import GROUPS_IN_WORDS, cited_of
from captum_spex.exports.page import check_writable, written
from captum_spex.exports.page.html import as_html, assembled, part
from captum_spex.exports.result import counted, is_exact

if TYPE_CHECKING:
    from captum_spex.context.citations import Citations

_GROUPS = 12  # of a span, the largest
_DIGITS = 6
_HEIGHT = 560  # pixels, in notebooks
_HERE = "captum_spex.context.page"


def to_html(citations: Citations, path: str | os.PathLike[str] | None, title: str, top: int) -> str:
    """Return the page, and write it to a path if there is one; see `captum_spex.context.Citations.to_html`."""
    if path is not None:
        check_writable("path", path)
    body, style, script = (part(f"citations.{kind}", _HERE) for kind in ("html", "css", "js"))
    facts = "".join(f"<li>{as_html(fact)}</li>" for fact in _facts(citations))
    style = part("page.css") + style
    return written(assembled(body, style, script, title=title, facts=facts, data=_data(citations, top)), path)


def fragment(citations: Citations) -> str:
    """Return the page in a frame, for notebooks: its style and script are isolated from theirs."""
    text = to_html(citations, None, citations.query, 3)
    return (
        f'<iframe title="{escape(citations.query)}" sandbox="allow-scripts" width="100%" height="{_HEIGHT}" '
        f'style="border:0" srcdoc="{escape(text)}"></iframe>'
    )


def _facts(citations: Citations) -> list[str]:
    known = [result.faithfulness for result in citations.interactions]
    least = "unknown" if any(map(math.isnan, known)) else f"{min(known):.2f}"
    index, exact = citations.interactions[0].index, all(map(is_exact, citations.interactions))
    faithful = f"Faithfulness (R² on held-out prompts) {'at least ' if len(known) > 1 else ''}{least}."
    return [
        f"{counted(len(citations.context), 'source')}.",
        f"{counted(citations.n_evaluations, 'prompt')}.",
        f"{index} of the {citations.value_name}.",
        "Exact: every combination of sources was asked." if exact else faithful,
    ]


def _data(citations: Citations, top: int) -> dict[str, Any]:
    pieces: list[tuple[str, int | None]] = []
    last = 0
    for span, (start, end) in enumerate(citations.spans):
        pieces += [(citations.answer[last:start], None), (citations.answer[start:end], span)]
        last = end
    pieces.append((citations.answer[last:], None))
    spans = []
    for span in range(len(citations.spans)):
        cited = [one.players[0] for one in cited_of(citations, span, top)[0]]
        spans.append({"cited": cited, **_terms(citations, span)})
    return {
        "pieces": [piece for piece in pieces if piece[0]],
        "sources": [{"title": one.title, "text": one.text, "name": one.name} for one in citations.context],
        "spans": spans,
        "whole": _terms(citations, None),
        "value": f"Scores: by how much sources change its {citations.value_name}.",
        "together": GROUPS_IN_WORDS[0],
        "instead": GROUPS_IN_WORDS[1],
        "several": GROUPS_IN_WORDS[2],
    }


def _terms(citations: Citations, span: int | None) -> dict[str, Any]:
    groups = [one for one in citations.groups(span) if one.is_sure]
    return {
        "sources": [_plain(one) for one in citations.sources(span)],
        "groups": [_plain(one) for one in groups[:_GROUPS]],
    }


def _plain(one: Cited) -> list[Any]:
    error = None if one.std_error is None else float(f"{one.std_error:.{_DIGITS}g}")
    return [list(one.players), float(f"{one.score:.{_DIGITS}g}"), error]

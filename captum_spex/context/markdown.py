"""An answer with numbered citations, as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from captum_spex.context.cited import Cited, worth_citing
from captum_spex.exports.result import as_text

if TYPE_CHECKING:
    from captum_spex.context.citations import Citations

GROUPS_IN_WORDS = ("do more together", "can replace each other", "depend on each other")
"""What an interaction of two sources above 0 means, one below, and one of more sources."""
_BREAK = re.compile(r"\s*\n\s*")
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")


def cited_of(citations: Citations, span: int, top: int) -> tuple[list[Cited], list[Cited]]:
    """Return the sources and the groups of sources that are worth citing of a span."""
    sources = citations.sources(span)
    highest = max((abs(one.score) for one in sources), default=0.0)
    positive = [one for one in sources if one.score > 0]
    return worth_citing(positive, highest, top), worth_citing(citations.groups(span), highest, top)


def to_markdown(citations: Citations, top: int) -> str:
    """Return the answer with the numbers of sources behind every span, and below it the sources and groups."""
    text, last, lines = "", 0, []
    shown: set[int] = set()
    for span, (_, end) in enumerate(citations.spans):
        sources, groups = cited_of(citations, span, top)
        shown |= {player for one in [*sources, *groups] for player in one.players}
        marks = "".join(f" [{one.players[0] + 1}]" for one in sources)
        text += escaped(citations.answer[last:end]) + marks
        last = end
        lines += [_together(span, one, len(citations.spans)) for one in groups]
    text += escaped(citations.answer[last:])
    listed = [f"- [{player + 1}] {escaped(citations.context[player].name)}" for player in sorted(shown)]
    if not listed:
        listed = ["No source has a score beyond its error."]
    return "\n".join([text, "", *listed, *(["", *lines] if lines else [])]) + "\n"


def _together(span: int, one: Cited, n_spans: int) -> str:
    numbers = " + ".join(f"[{player + 1}]" for player in one.players)
    where = f" (part {span + 1})" if n_spans > 1 else ""
    return f"- {numbers} {in_words(one)}: {as_text(one.score, sign='+')}{where}"


def in_words(one: Cited) -> str:
    """Return what an interaction means; the sign of one of three sources or more has no plain meaning."""
    return GROUPS_IN_WORDS[2 if len(one.players) > 2 else 0 if one.score > 0 else 1]


def escaped(text: str) -> str:
    r"""Return a text that Markdown shows as it is, in one line.

    Example:
        >>> escaped("a *b*\n[1]")
        'a \\*b\\* \\[1\\]'
    """
    return _SPECIAL.sub(r"\\\1", _BREAK.sub(" ", text))

"""One HTML document out of a page's content, its frame, style and script."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from captum_spex.exports.page.content import Content

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def document(content: Content, title: str | None) -> str:
    """Return the complete document."""
    shown = content.title if title is None else title
    parts = (part("page.html"), part("page.css"), part("page.js"))
    return assembled(*parts, title=shown, facts=_facts(content), data=content.data)


def assembled(body: str, style: str, script: str, *, title: str, facts: str, data: Any) -> str:
    """Return a page with its parts put in; the title and the data are texts of anybody, the facts are HTML."""
    frame = part("frame.html").replace("{{body}}\n", body)  # of this package, as the body is
    fill = {
        "title": as_html(title),
        "facts": facts,
        "policy": _policy(style, script),
        "style": style,
        "data": as_data(data),
        "script": script,
    }
    # One pass, so that braces in names and titles are never taken for placeholders.
    return _PLACE.sub(lambda place: fill[place[1]], frame)


def as_data(content: Any) -> str:
    r"""Return JSON in ASCII that no HTML parser mistakes for a tag, a comment or an entity.

    Example:
        >>> as_data(["</script>", "&", "é"])
        '["\\u003c/script\\u003e","\\u0026","\\u00e9"]'
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return "".join(_UNSAFE.get(character, character) for character in text)


def _facts(content: Content) -> str:
    trust = f'<li id="trust" class="{content.trust}">{as_html(content.faithfulness)}</li>'
    before, after = (
        "".join(f"<li>{as_html(fact)}</li>" for fact in facts) for facts in (content.facts, content.missing)
    )
    return before + trust + after


def as_html(words: str) -> str:
    """Return words as HTML; lone surrogates, which UTF-8 cannot encode, are replaced."""
    return escape(words.encode("utf-8", "replace").decode("utf-8"))


def _policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that allows this style and this script only, and loads nothing."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


@cache
def part(name: str, package: str = "captum_spex.exports.page") -> str:
    """Return a file that comes with the package."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")  # as browsers normalise line ends before they hash

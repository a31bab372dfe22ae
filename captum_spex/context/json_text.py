"""Citations as JSON text, the recovered games included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captum_spex.context.sources import Source
from captum_spex.errors import ArgumentError
from captum_spex.interactions import Interactions

if TYPE_CHECKING:
    from captum_spex.context.citations import Citations

_FORMAT, _VERSION = "captum_spex.citations", 1
_TEXTS = ("answer", "query", "value_name")
_OF_SOURCES = ("text", "title", "id", "role", "document", "gap")


def to_json(citations: Citations, path: str | Path | None) -> str:
    """Return citations as JSON text; see `captum_spex.context.Citations.to_json`."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        **{name: getattr(citations, name) for name in _TEXTS},
        "spans": [list(span) for span in citations.spans],
        "sources": [
            {**{name: getattr(one, name) for name in _OF_SOURCES}, "metadata": _plain(one.metadata)}
            for one in citations.context
        ],
        "documents": None if citations.documents is None else json.loads(to_json(citations.documents, None)),
        "interactions": [json.loads(result.to_json()) for result in citations.interactions],
    }
    text = json.dumps(content, allow_nan=False)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def _plain(metadata: Mapping[str, Any]) -> Any:
    """Return metadata, which may be anything, as JSON knows it: what is no number is null, the rest is text."""
    text = json.dumps({str(name): value for name, value in metadata.items()}, default=str)
    return json.loads(text, parse_constant=lambda _: None)


def from_json(source: str | Path) -> dict[str, Any]:
    """Return what `to_json` wrote, as the arguments of `captum_spex.context.Citations`; ``documents`` as JSON text.

    Raises:
        ArgumentError: if the content is no citations that this version can read.
    """
    is_text = isinstance(source, str) and source.lstrip()[:1] == "{"
    text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        header = (content.get("format"), content.get("version")) if isinstance(content, dict) else (None, None)
    except json.JSONDecodeError as error:
        raise ArgumentError("source", f"text that is not JSON ({error})", "what `to_json` wrote") from None
    if header != (_FORMAT, _VERSION):
        raise ArgumentError("source", f"format {header[0]!r}, version {header[1]!r}", f"format {_FORMAT!r}, version 1")
    try:
        return {
            "documents": None if content["documents"] is None else json.dumps(content["documents"]),
            **{name: content[name] for name in _TEXTS},
            "spans": tuple((start, end) for start, end in content["spans"]),
            "context": tuple(Source(**one) for one in content["sources"]),
            "interactions": tuple(Interactions.from_json(json.dumps(one)) for one in content["interactions"]),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ArgumentError("source", f"a damaged file ({error!r})", "what `to_json` wrote") from error

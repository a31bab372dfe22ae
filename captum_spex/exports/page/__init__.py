"""A result as a page to look at and to pass on: one HTML file that needs no network."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.exports.page.content import content_of
from captum_spex.exports.page.html import document
from captum_spex.exports.result import Result

PAGE_TERMS = 2000
_TERMS_IN_NOTEBOOK = 500  # notebooks store every page that they show
_HEIGHT = 560  # pixels


def to_html(
    result: Result,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
    index: str | None = None,
    max_terms: int = PAGE_TERMS,
) -> str:
    """Return a complete HTML document that shows a result; see `captum_spex.Interactions.to_html`."""
    if path is not None:
        check_writable("path", path)
    if title is not None and not isinstance(title, str):
        raise ArgumentError("title", type_of(title), "a text or None")
    return written(document(content_of(result, max_terms, index), title), path)


def written(text: str, path: str | os.PathLike[str] | None) -> str:
    """Write a page to a path, if there is one, and return it."""
    if path is not None:
        try:
            Path(path).write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise _unwritable("path", path, error) from error
    return text


def fragment(result: Result, *, max_terms: int = _TERMS_IN_NOTEBOOK) -> str:
    """Return the page in a frame, for notebooks: its style and script are isolated from theirs."""
    content = content_of(result, max_terms)
    return (
        f'<iframe title="{escape(content.title)}" sandbox="allow-scripts" width="100%" height="{_HEIGHT}" '
        f'style="border:0" srcdoc="{escape(document(content, None))}"></iframe>'
    )


def check_writable(argument: str, path: str | os.PathLike[str]) -> None:
    """Raise an `ArgumentError` if this is not a path or no file can be written there; leave no file."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(argument, type_of(path), "a path where a file can be written")
    try:
        file = Path(path).resolve()  # follows links
        existed = file.exists()
        file.open("ab").close()
        if not existed:
            file.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(argument, path, error) from error


def _unwritable(argument: str, path: object, error: Exception) -> ArgumentError:
    why = getattr(error, "strerror", None) or error
    return ArgumentError(argument, f"{path or repr(path)} ({why})", "a path where a file can be written")

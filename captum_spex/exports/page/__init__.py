"""A result as a page to look at and to pass on: one HTML file that needs no network."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from captum_spex.errors import ArgumentError
from captum_spex.exports.page.content import Result, content_of, screened_out
from captum_spex.exports.page.html import document

PAGE_TERMS = 2000
_TERMS_IN_NOTEBOOK = 500  # notebooks keep every page that they show
_HEIGHT = 560  # pixels


def page(result: Result, *, title: str | None = None, max_terms: int = PAGE_TERMS) -> str:
    """Return a whole HTML document that shows a result; it loads nothing, and the same result gives the same text.

    Hovering, tapping or focusing a player shows what it interacts with and the numbers; a table of all terms sorts and
    filters. Names are data: markup in them is shown, not run. Of more than 1,000 players those of the largest terms
    are shown.

    Args:
        result: a `captum_spex.Interactions`.
        title: what stands on top; default: the number of players.
        max_terms: how many interactions, the largest; the main effects of all players that are shown come on top.

    Raises:
        ArgumentError: if an argument cannot be used.

    Example:
        >>> import captum_spex
        >>> result = captum_spex.explain(lambda m: 1.0 * (m[:, 0] & m[:, 1]), 2, budget=4, names=["never", "fails"])
        >>> page(result, title="A <small> game").count("A &lt;small&gt; game")
        2
    """
    if title is not None and not isinstance(title, str):
        raise ArgumentError("title", f"a {type(title).__name__}", "a text, or nothing")
    return document(content_of(result, max_terms), title)


def write_page(
    result: Result, path: str | os.PathLike[str], *, title: str | None = None, max_terms: int = PAGE_TERMS
) -> str:
    """Write the page of a result to a file, in UTF-8, and return it; see `page`.

    Raises:
        ArgumentError: if the file cannot be written, before anything is computed; if an argument cannot be used.

    Example:
        >>> import captum_spex, tempfile
        >>> result = captum_spex.explain(lambda m: 1.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> path = Path(tempfile.mkdtemp()) / "page.html"
        >>> write_page(result, path) == path.read_text(encoding="utf-8")
        True
    """
    check_writable("path", path)
    text = page(result, title=title, max_terms=max_terms)
    try:
        Path(path).write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise _unwritable("path", path, error) from error
    return text


def fragment(result: Result, *, max_terms: int = _TERMS_IN_NOTEBOOK) -> str:
    """Return the page in a frame, for notebooks: its style and script touch nothing else there, nor the other way.

    Example:
        >>> import captum_spex
        >>> result = captum_spex.explain(lambda m: 1.0 * (m[:, 0] & m[:, 1]), 2, budget=4)
        >>> fragment(result)[:38]
        '<iframe title="Interactions of 2 playe'
    """
    content = content_of(result, max_terms)
    return (
        f'<iframe title="{escape(content.title)}" sandbox="allow-scripts" width="100%" height="{_HEIGHT}" '
        f'style="border:0" srcdoc="{escape(document(content, None))}"></iframe>'
    )


def check_writable(argument: str, path: str | os.PathLike[str]) -> None:
    """Refuse a path that cannot be written, and leave no file there.

    Raises:
        ArgumentError: if the path cannot be written, or is none.

    Example:
        >>> check_writable("path", "/no/such/folder/page.html")
        Traceback (most recent call last):
        ...
        captum_spex.errors.ArgumentError: `path`: expected a path where a file can be written, got \
/no/such/folder/page.html (No such file or directory).
        See docs/index.md
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(argument, f"a {type(path).__name__}", "a path where a file can be written")
    try:
        file = Path(path).resolve()  # of a link, what it leads to
        existed = file.exists()
        file.open("ab").close()
        if not existed:
            file.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(argument, path, error) from error


def _unwritable(argument: str, path: object, error: Exception) -> ArgumentError:
    why = getattr(error, "strerror", None) or error
    return ArgumentError(argument, f"{path or repr(path)} ({why})", "a path where a file can be written")


__all__ = ["PAGE_TERMS", "check_writable", "fragment", "page", "screened_out", "write_page"]

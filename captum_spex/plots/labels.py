"""Names of players as labels: short, distinct, and shown letter by letter."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib import font_manager, rcParams

from captum_spex.exports.many_rows import distinct
from captum_spex.terms import Terms

TIMES = " \N{MULTIPLICATION SIGN} "
_HEAD = 0.6  # share of a shortened name that is its beginning: names often differ at their end
_MORE_LETTERS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Apple SD Gothic Neo", "WenQuanYi Zen Hei", "Arial Unicode MS",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Nirmala UI", "Segoe UI",
    "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola",
)  # fmt: skip
"""Fonts, where installed, for letters that the default font lacks."""


def short(name: object, width: int = 20) -> str:
    """Return a name on one line, with an ellipsis in the middle if it is longer than ``width``.

    Letters of double width count twice.

    Example:
        >>> short("mean radius of the largest nuclei", 16), short("age")
        ('mean radi…nuclei', 'age')
    """
    text = _on_a_line(name)
    if sum(map(_columns, text)) <= width:
        return text
    head = _cut(text, int(_HEAD * width))
    tail = _cut(text[::-1], width - 1 - int(_HEAD * width))[::-1]
    return f"{head.rstrip()}…{tail.lstrip()}"


def player_labels(result: Terms, width: int = 20) -> list[str]:
    """Return a label for every player, all different; equal names are numbered: "the", "the#2".

    Long names that would look alike are shortened to the part that differs.
    """
    if result.names is None:
        return [str(player) for player in range(result.n_players)]
    names = distinct([_on_a_line(name) for name in result.names])
    labels = [short(name, width) for name in names]
    for alike in _alike(labels):
        own = [names[player] for player in alike]
        start = _n_common(own)
        end = _n_common([name[start:][::-1] for name in own])
        for player, name in zip(alike, own, strict=True):
            labels[player] = _around(name, start, len(name) - end, width)
    for alike in _alike(labels):
        for player in alike:
            labels[player] = f"{player}: {short(names[player], max(6, width - 5))}"
    return labels


def _alike(labels: list[str]) -> list[list[int]]:
    """Return the players of every label that several have."""
    found: dict[str, list[int]] = {}
    for player, label in enumerate(labels):
        found.setdefault(label, []).append(player)
    return [players for players in found.values() if len(players) > 1]


def _n_common(names: list[str]) -> int:
    """Return how many letters at the beginning are the same in all names."""
    lengths = enumerate(zip(*names, strict=False))
    return next((number for number, letters in lengths if len(set(letters)) > 1), min(map(len, names)))


def _around(name: str, start: int, stop: int, width: int) -> str:
    """Return the part of a name from ``start`` to ``stop``, with as much on both sides as fits."""
    room = max(0, width - 2 - (stop - start)) // 2
    first, last = max(0, start - room), min(len(name), stop + room)
    before, after = "…" if first else "", "…" if last < len(name) else ""
    return short(f"{before}{name[first:last].strip()}{after}", width)


def _on_a_line(name: object) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in str(name))
    return " ".join(text.split()) or repr(str(name))


def term_labels(result: Terms, terms: Sequence[tuple[int, ...]], width: int = 44) -> list[str]:
    """Return a label for every term: its players, joined by a multiplication sign."""
    most = max(map(len, terms), default=1)
    labels = player_labels(result, max(6, min(26, width // most)))
    return [TIMES.join(labels[player] for player in term) for term in terms]


def lettering(*texts: str) -> dict[str, Any]:
    """Return settings for texts that show every letter: no mathematics between dollars, further fonts if needed."""
    settings: dict[str, Any] = {"parse_math": False, "usetex": False}
    if any(ord(letter) > 0x2FF for text in texts for letter in text) and _installed():
        settings["fontfamily"] = [*rcParams["font.family"], *_installed()]
    return settings


@cache
def _installed() -> tuple[str, ...]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in _MORE_LETTERS if name in installed)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _cut(text: str, width: int) -> str:
    """Return the beginning of a text, of at most a width."""
    used = 0
    for place, letter in enumerate(text):
        used += _columns(letter)
        if used > width:
            return text[:place]
    return text

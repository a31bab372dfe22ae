"""Names of players as labels: short, distinct, and shown letter by letter."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib import font_manager, rcParams

from captum_spex.interactions import Interactions

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
    text = "".join(letter if letter.isprintable() else " " for letter in str(name))
    text = " ".join(text.split()) or repr(str(name))
    if _width(text) <= width:
        return text
    head = _cut(text, int(_HEAD * width))
    tail = _cut(text[::-1], width - 1 - int(_HEAD * width))[::-1]
    return f"{head.rstrip()}…{tail.lstrip()}"


def player_labels(result: Interactions, width: int = 20) -> list[str]:
    """Return a label for every player; those that occur again are numbered: "the", "the#2"."""
    if result.names is None:
        return [str(player) for player in range(result.n_players)]
    seen: Counter[str] = Counter()
    labels = []
    for name in result.names:
        label = short(name, width)
        seen[label] += 1
        number = "" if seen[label] == 1 else f"#{seen[label]}"
        labels.append(short(name, width - len(number)) + number)
    return labels


def term_labels(result: Interactions, terms: Sequence[tuple[int, ...]], width: int = 44) -> list[str]:
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
    there = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in _MORE_LETTERS if name in there)


def _width(text: str) -> int:
    return sum(_columns(letter) for letter in text)


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

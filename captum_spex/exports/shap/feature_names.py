"""Names that SHAP's plots show as they are."""

from __future__ import annotations

from collections.abc import Sequence

_REPLACED = {"<=": "≤", ">=": "≥", "!=": "≠", "==": ":", "=": ":"}


def plain_name(name: object) -> str:
    """Return a name without ``=``, as SHAP's plots show only what follows it.

    Example:
        >>> plain_name("sex=male"), plain_name("age <= 30")
        ('sex:male', 'age ≤ 30')
    """
    text = str(name)
    for sign, instead in _REPLACED.items():
        text = text.replace(sign, instead)
    return text


def names_of(names: Sequence[str] | None, n_players: int) -> list[str]:
    """Return a name for every player."""
    return [f"Feature {player}" for player in range(n_players)] if names is None else list(map(plain_name, names))


def distinct(names: Sequence[str]) -> list[str]:
    """Number names that occur again.

    Example:
        >>> distinct(["the", "cat", "the"])
        ['the', 'cat', 'the#2']
    """
    found: dict[str, None] = {}
    given = set(names)
    for name in names:
        number, free = 2, name
        while free in found or (free != name and free in given):
            number, free = number + 1, f"{name}#{number}"
        found[free] = None
    return list(found)

"""Pairs of sources that say the same, and pairs of which each needs the other, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, type_of
from captum_spex.checks import RandomState
from captum_spex.errors import ArgumentError
from captum_spex.interactions import Interactions
from captum_spex.metrics.explanations import one_output

Kind = Literal["redundant", "complementary"]
_LOOKED_AT = 50  # pairs, those of the largest interactions
_DRAWS = 1024  # coalitions of the other sources
_LEAST = 0.05  # of the largest source or pair: smaller interactions are true perhaps, but no news


@dataclass(frozen=True)
class NamedPair:
    """Two sources that act together.

    Attributes:
        kind: ``"redundant"``: either would do; ``"complementary"``: only together.
        players: the sources, the first by number.
        value: their interaction, SII of order 2: below 0 if redundant, above 0 if complementary.
        std_error: of the interaction; NaN where none is known.
        alone: what each adds where the other is absent.
        together: what both add.
        text: the same in words.
    """

    kind: Kind
    players: tuple[int, int]
    value: float
    std_error: float
    alone: tuple[float, float]
    together: float
    text: str

    def __str__(self) -> str:
        return self.text


def named_pairs(
    result: Interactions, *, share: float = 1 / 3, max_pairs: int = 10, random_state: RandomState = 0
) -> tuple[NamedPair, ...]:
    r"""Return the pairs of sources that are redundant or complementary, the largest interaction first.

    With :math:`g_i` what source i adds where j is absent, :math:`g_{ij}` what both add, each in the mean over
    coalitions of the others as the Shapley interaction index takes it, and :math:`I = g_{ij} - g_i - g_j` that index:

    - redundant, "either would do": :math:`g_i, g_j > 0` and :math:`-I \ge \alpha \max(g_i, g_j)`: what one adds shrinks
      by a share where the other is present;
    - complementary, "only together": :math:`I \ge \alpha\, g_{ij} > 0`: a share of what both add is nobody's alone;
      where a gain is below 0, it is not counted in :math:`I`: making up for what the other takes is not needing it.

    :math:`|I|` must exceed twice its standard error, and a twentieth of the largest value of a source or pair. Sources
    that add up, however large, have :math:`I = 0`.

    Args:
        result: of one output.
        share: :math:`\alpha`, above 0 and at most 1. A third, as a source that has a stand-in (A and (B or C)) is
            needed for half of what it does with its partner.
        max_pairs: how many at most.
        random_state: of the coalitions of the other sources.

    Raises:
        ArgumentError: if an argument cannot be used, or there are several outputs.

    Example:
        >>> import captum_spex
        >>> def game(masks):
        ...     return 2.0 * (masks[:, 0] | masks[:, 1]) + 3.0 * (masks[:, 2] & masks[:, 3]) + masks[:, 4]
        >>> result = captum_spex.explain(game, 5, budget=32, names=["a", "b", "c", "d", "e"])
        >>> for pair in named_pairs(result):
        ...     print(pair)
        c and d only together: alone 0.00 and 0.00, together 3.00 (interaction +3.00).
        Either of a and b would do: alone 2.00 and 2.00, together 2.00 (interaction -2.00).
    """
    if not isinstance(result, Interactions):
        hint = "Choose one of several outputs, such as `results[0]`." if isinstance(result, list | tuple) else ""
        raise ArgumentError("result", type_of(result), "`Interactions`, what `captum_spex.explain` returns", hint)
    share = checks.number("share", share, "a number above 0 and at most 1", above=0, high=1)
    max_pairs = checks.integer("max_pairs", max_pairs)
    rng = checks.generator(random_state)
    if result.n_players < 2:
        return ()
    players, values, errors = _clear_pairs(result)
    if not len(players):
        return ()
    alone = _alone(result, players, rng)
    added = np.column_stack([alone, alone.sum(axis=1) + values])
    names = result.names or tuple(f"source {player}" for player in range(result.n_players))
    kinds = [_kind_of(value, gains, share) for value, gains in zip(values, added, strict=True)]
    return tuple(
        _named(kind, names, pair, (value, error), gains)
        for kind, pair, value, error, gains in zip(kinds, players, values, errors, added, strict=True)
        if kind is not None
    )[:max_pairs]


def _clear_pairs(result: Interactions) -> tuple[Ints, Floats, Floats]:
    """Return the largest pairs that are clear of noise, with their interactions and standard errors."""
    pairs = result if (result.index, result.max_order) == ("SII", 2) else result.to("SII", 2)
    rows = np.flatnonzero(pairs.orders == 2)[:_LOOKED_AT]
    values = pairs.values[rows]
    largest = np.abs(pairs.values).max(initial=0.0)
    known = pairs.model.std_errors(pairs.resolved_index, pairs.sets.take(rows))
    errors = np.full(len(rows), np.nan) if known is None else known
    clear = np.abs(values) > np.maximum(2 * np.nan_to_num(errors), _LEAST * largest)
    return pairs.sets.take(rows).players.reshape(-1, 2)[clear], values[clear], errors[clear]


def _alone(result: Interactions, pairs: Ints, rng: np.random.Generator) -> Floats:
    """Return what each source of a pair adds to coalitions without the other, ``(n_pairs, 2)``, by the model."""
    shares = rng.permutation((np.arange(_DRAWS) + rng.random(_DRAWS)) / _DRAWS)  # of the index: all sizes alike
    others = rng.random((_DRAWS, result.n_players)) < shares[:, None]
    added = []
    for pair in pairs:
        masks = np.tile(others, (3, 1))
        masks[:, pair] = np.repeat([[0, 0], [1, 0], [0, 1]], _DRAWS, axis=0)
        none, first, second = one_output(result, masks).reshape(3, _DRAWS).mean(axis=1).tolist()
        added.append((first - none, second - none))
    return np.array(added)


def _kind_of(value: float, gains: Floats, share: float) -> Kind | None:
    first, second, both = gains
    if first > 0 and second > 0 and -value >= share * max(first, second):
        return "redundant"
    nobodys = min(value, both - max(first, 0.0) - max(second, 0.0))
    return "complementary" if both > 0 and nobodys >= share * both else None


def _named(kind: Kind, names: Sequence[str], pair: Ints, value: tuple[float, float], gains: Floats) -> NamedPair:
    one, other = (names[player] for player in pair)
    first, second, both = gains.tolist()
    beginning = f"Either of {one} and {other} would do" if kind == "redundant" else f"{one} and {other} only together"
    error = f" ± {value[1]:.2f}" if value[1] > 0 else ""
    text = f"{beginning}: alone {first:.2f} and {second:.2f}, together {both:.2f} (interaction {value[0]:+.2f}{error})."
    players = (int(pair[0]), int(pair[1]))
    return NamedPair(kind, players, float(value[0]), float(value[1]), (first, second), both, text)

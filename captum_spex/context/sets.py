"""The smallest sets of sources that suffice for an answer, or without which it breaks, verified by asking the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats, Ints
from captum_spex.errors import GameError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.game import Game
from captum_spex.masks import Masks, ends
from captum_spex.metrics.explanations import Explained, is_list, n_players_of, one_output
from captum_spex.optimize.predicted import BestSubsets

Kind = Literal["sufficient", "necessary"]
Mask = NDArray[np.bool_]
_ROUNDING = 1e-9  # of the share to be kept or taken: what is this close to the target reaches it
_TRIES = 3  # candidates of a size that are asked about before a player more is taken
_SMALLER = 8  # smaller sets that are asked about where the recovered game was found wrong by more than they miss


@dataclass(frozen=True)
class SourceSet:
    r"""A set of sources that suffices, or without which the answer breaks.

    Attributes:
        kind: ``"sufficient"`` or ``"necessary"``.
        players: the sources of the set.
        predicted, measured: the recovered game and the game, with the set alone, or with all but the set.
        target: what ``measured`` has to reach, from below or, of a necessary set, from above.
        share: ``measured`` on the way from nobody's value, 0, to everybody's, 1.
        is_verified: whether it does; False only where ``max_evaluations`` ended the search.
        is_minimal: whether the game was also asked without each single member, and none can be dropped.
        n_evaluations: distinct masks evaluated, those of all and of no sources among them.
    """

    kind: Kind
    players: tuple[int, ...]
    predicted: float
    measured: float
    target: float
    share: float
    is_verified: bool
    is_minimal: bool
    n_evaluations: int

    def __len__(self) -> int:
        return len(self.players)


def sufficient_set(
    result: Explained,
    game: Game,
    *,
    share: float = 0.9,
    output: int | None = None,
    max_evaluations: int = 64,
    n_players: int | None = None,
) -> SourceSet:
    r"""Return the smallest set of sources that alone keeps a share of the value, and ask the game whether it does.

    .. math:: \min |S| \quad\text{with}\quad v(S) - v(\emptyset) \ge \alpha\,(v(N) - v(\emptyset))

    The recovered game says which set of each size keeps most: all sets of a size are tried where there are at most
    20,000, else those built upon the best of the size below (`captum_spex.optimize.predicted`). The game is asked about
    the best of the smallest size that reaches the target. If it says no, the next best are asked about, then larger
    ones. Members are then left out where the game says that they are not needed, and smaller sets are tried that the
    recovered game puts no further from the target than it may be wrong: by its faithfulness, or by what was asked.

    Args:
        result: what was recovered of the game, one output: `Interactions`, a recovered game, or what predicts masks.
        game: the game, which is asked.
        share: :math:`\alpha`, above 0 and at most 1; values are taken as they are, log-probabilities too.
        output: which output of a game of several, such as the span of an answer; ``result`` may then be the list of
            all results.
        max_evaluations: largest number of masks to evaluate, at least 3.
        n_players: default: that of the result or the game.

    Raises:
        ArgumentError: if an argument cannot be used, or there are several outputs.
        GameError: if the value with all sources does not exceed the one with none, as there is nothing to keep.

    Example:
        >>> import captum_spex
        >>> def game(masks):  # either of 0 and 1 will do, beside 2
        ...     return 1.0 * ((masks[:, 0] | masks[:, 1]) & masks[:, 2])
        >>> result = captum_spex.explain(game, 5, budget=32)
        >>> found = sufficient_set(result, game)
        >>> found.players, found.is_verified, found.is_minimal, found.n_evaluations
        ((0, 2), True, True, 5)
    """
    n = n_players_of(n_players, result, game)
    return _smallest("sufficient", (result, output), game, n, share=share, max_evaluations=max_evaluations)


def necessary_set(
    result: Explained,
    game: Game,
    *,
    share: float = 0.9,
    output: int | None = None,
    max_evaluations: int = 64,
    n_players: int | None = None,
) -> SourceSet:
    r"""Return the smallest set of sources whose removal takes a share of the value, and ask the game whether it does.

    .. math:: \min |S| \quad\text{with}\quad v(N \setminus S) - v(\emptyset) \le (1 - \alpha)\,(v(N) - v(\emptyset))

    Search, arguments and errors are those of `sufficient_set`.

    Example:
        >>> import captum_spex
        >>> def game(masks):  # either of 0 and 1 will do
        ...     return 1.0 * (masks[:, 0] | masks[:, 1])
        >>> result = captum_spex.explain(game, 5, budget=32)
        >>> necessary_set(result, game).players, sufficient_set(result, game).players
        ((0, 1), (0,))
    """
    n = n_players_of(n_players, result, game)
    return _smallest("necessary", (result, output), game, n, share=share, max_evaluations=max_evaluations)


def _smallest(
    kind: Kind, chosen: tuple[Explained, int | None], game: Game, n: int, *, share: float, max_evaluations: int
) -> SourceSet:
    result, output = chosen
    share = checks.number("share", share, "a number above 0 and at most 1", above=0, high=1)
    budget = checks.integer("max_evaluations", max_evaluations, 3)
    if output is not None and is_list(result):
        result = result[checks.integer("output", output, 0, len(result) - 1)]
    predicted_ends = one_output(result, ends(n))  # what cannot be used is refused before the game is asked
    with Evaluator(game, n, budget=budget) as evaluator:
        output = _only_output(evaluator(ends(n)), output)
        everybody, nobody = _ends_of(evaluator, n, output)
        goal = _Goal.of(kind, share, everybody, nobody)
        asked = _Asked(goal, result, evaluator, output, budget, doubt=_doubt(result, everybody - nobody))
        asked.doubt = max(asked.doubt, float(np.abs(predicted_ends - (everybody, nobody)).max()))
        asked.values.update(zip(map(bytes, goal.masks(ends(n))), (everybody, nobody), strict=True))
        search = BestSubsets(asked.predicted, n)
        found, is_minimal = _reduced(asked, search, _searched(asked, search, n))
    measured = asked.values[found.tobytes()]
    return SourceSet(
        kind,
        tuple(np.flatnonzero(found).tolist()),
        predicted=float(one_output(result, goal.masks(found[None]))[0]),
        measured=measured,
        target=goal.target,
        share=(measured - nobody) / (everybody - nobody),
        is_verified=asked.reaches(found),
        is_minimal=is_minimal,
        n_evaluations=evaluator.n_evaluations,
    )


def _only_output(values: Floats, output: int | None) -> int:
    """Return which output of the game is meant."""
    n_outputs = values.shape[1]
    if output is None and n_outputs > 1:
        raise GameError(f"`game`: expected one output, got {n_outputs}. Choose one by `output=`.", "game")
    return checks.integer("output", output or 0, 0, n_outputs - 1)


def _ends_of(evaluator: Evaluator, n_players: int, output: int) -> tuple[float, float]:
    """Return the values with all sources and with none."""
    everybody, nobody = evaluator(ends(n_players))[:, output].tolist()
    if not everybody > nobody:
        got = f"{everybody:.6g} with all sources and {nobody:.6g} with none"
        raise GameError(
            f"`game`: expected a value that the sources raise, got {got}: there is nothing to keep.", "game"
        )
    return everybody, nobody


def _doubt(result: Explained, way: float) -> float:
    """Return twice the root mean squared error that a faithfulness allows for values between those of the ends."""
    faithfulness = float(getattr(result, "faithfulness", 1.0))
    return float(np.sqrt(1 - max(np.nan_to_num(faithfulness), 0.0))) * way


@dataclass(frozen=True)
class _Goal:
    """What a set has to do: kept alone reach the target from below, or removed reach it from above."""

    is_removed: bool
    target: float
    rounding: float

    @classmethod
    def of(cls, kind: Kind, share: float, everybody: float, nobody: float) -> _Goal:
        way = everybody - nobody
        kept = share if kind == "sufficient" else 1 - share
        return cls(kind == "necessary", nobody + kept * way, _ROUNDING * share * way)

    def masks(self, sets: Masks) -> Masks:
        """Return who is present."""
        return ~sets if self.is_removed else sets

    def margins(self, values: Floats) -> Floats:
        """Return by how much values reach the target, at least 0 if they do."""
        return (self.target - values if self.is_removed else values - self.target) + self.rounding


@dataclass
class _Asked:
    """The recovered game, and what the game said about sets, each asked about once.

    Attributes:
        values: the game's value for every set, by its bytes.
        doubt: how far the recovered game may be from the game: by its faithfulness, and where it was asked.
    """

    goal: _Goal
    result: Explained
    evaluator: Evaluator
    output: int
    budget: int
    values: dict[bytes, float] = field(default_factory=dict)
    doubt: float = 0.0

    def predicted(self, sets: Masks) -> Floats:
        """Return the margins of sets by the recovered game."""
        return self.goal.margins(one_output(self.result, self.goal.masks(sets)))

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be asked."""
        return self.evaluator.n_evaluations >= self.budget

    def reaches(self, one: Mask) -> bool:
        """Ask the game, if it was not and may be, whether a set does it; what may not be asked does not."""
        key = one.tobytes()
        if key not in self.values:
            if self.is_over:
                return False
            value = float(self.evaluator(self.goal.masks(one[None]))[0, self.output])
            self.values[key] = value
            self.doubt = max(self.doubt, abs(float(self.predicted(one[None])[0]) - self._margin(key)))
        return self._margin(key) >= 0

    def knows(self, one: Mask) -> bool:
        """Whether the game was asked about a set."""
        return one.tobytes() in self.values

    def closest(self) -> Mask:
        """Return the set that came closest to the target, of those asked about, all sources apart."""
        best = max(list(self.values)[2:], key=self._margin)
        return np.frombuffer(best, dtype=np.bool_).copy()

    def _margin(self, key: bytes) -> float:
        return float(self.goal.margins(np.array(self.values[key])))


def _searched(asked: _Asked, search: BestSubsets, n_players: int) -> Mask:
    """Return a set that does it, from the smallest size that the recovered game believes in on; else the closest."""
    size = next(size for size in range(n_players + 1) if size == n_players or search.of_size(size).values[0] >= 0)
    step = 0
    while True:
        for one in search.of_size(size).masks[: _TRIES if step < 2 else 1]:
            if asked.reaches(one):
                return one
        if asked.is_over:
            return asked.closest()
        step = max(1, 2 * step)  # 1, 2, 4, ...: whatever was recovered, all sources are soon reached
        size = min(size + step, n_players)


def _reduced(asked: _Asked, search: BestSubsets, found: Mask) -> tuple[Mask, bool]:
    """Leave out members that are not needed, and try other smaller sets; return whether none can be left out."""
    while asked.reaches(found):
        found = _without_spare_members(asked, found)
        if not all(map(asked.knows, _one_less(found))):
            return found, False  # nothing more may be asked
        smaller = search.of_size(int(found.sum()) - 1)
        near = [one for one in smaller.masks[smaller.values >= -asked.doubt] if not asked.knows(one)]
        better = next((one for one in near[:_SMALLER] if asked.reaches(one)), None)
        if better is None:
            return found, True
        found = better
    return found, False


def _without_spare_members(asked: _Asked, found: Mask) -> Mask:
    """Leave members out, those that the recovered game needs least first, many at once at first, until none can be.

    References:
        Zeller, Hildebrandt, "Simplifying and isolating failure-inducing input", 2002.
    """
    n_at_once = max(1, int(found.sum()) // 8)
    while True:
        members = np.flatnonzero(found)
        members = members[np.argsort(-asked.predicted(_one_less(found)), kind="stable")]
        n_before = len(members)
        for start in range(0, n_before, n_at_once):
            smaller = _without(found, members[start : start + n_at_once])
            found = smaller if asked.reaches(smaller) else found
        if n_at_once == 1 and (asked.is_over or int(found.sum()) == n_before):
            return found
        n_at_once = max(1, n_at_once // 2)


def _one_less(found: Mask) -> Masks:
    """Return the set without each of its members."""
    return np.array([_without(found, np.array([player])) for player in np.flatnonzero(found)])


def _without(one: Mask, players: Ints) -> Mask:
    smaller = one.copy()
    smaller[players] = False
    return smaller

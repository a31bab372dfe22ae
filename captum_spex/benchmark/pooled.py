"""Curves of many games in one: what is left unexplained after some evaluations for each player, by method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from captum_spex.arrays import Floats
from captum_spex.benchmark.comparison import R2, SHAPLEY, Curves, Metric, Rows, curves_of, frame_of, interval
from captum_spex.benchmark.protocol import OURS

_Key = tuple[str, float]  # a case, and a budget for each player
NEAREST, _FARTHEST = (14, 60, 200, 1000), 2.5
"""Numbers of players of the panels; a game is in the panel of the nearest, if that is within this factor."""


@dataclass(frozen=True, eq=False)
class Line:
    """One method: geometric means over games, a point for each budget."""

    method: str
    multiples: Floats  # evaluations for each player
    left: Floats  # the error, or 1 - R²
    low: Floats  # 95 % bootstrap interval over games; NaN for a single game
    high: Floats


@dataclass(frozen=True, eq=False)
class Panel:
    """The games with about one number of players."""

    metric: Metric
    n_players: int
    sizes: tuple[int, int]  # the fewest and the most players of its games
    n_games: int
    budgets: Floats  # evaluations for each player that were asked for
    lines: tuple[Line, ...]


def pooled(rows: Rows, metric: Metric) -> list[Panel]:
    """Average curves over games with about 14, 60, 200 and 1,000 players.

    Errors are of games with exact values, R² of all others. A budget is the same in two games if the evaluations for
    each player are, up to a factor of ``2**0.25``. The default method of this package has the geometric mean over
    games. Another method has the same, times the geometric mean of its ratio to that method over the games in which
    both have an answer, at least half: so it does not matter of which games it has none.
    """
    table = frame_of(rows)
    exact = set(table.loc[np.isfinite(table[SHAPLEY.column].astype(float)), "case"])
    curves = curves_of(table, metric)
    found = []
    for nearest in NEAREST:
        near = [case for case, (_, n_players) in curves.cases.items() if _nearest(n_players) == nearest]
        exactly = [case for case in near if (case in exact) == (metric == SHAPLEY)]
        cases = [case for case in exactly if (case, OURS) in curves.points and len(curves.points[case, OURS].known[0])]
        lines = tuple(_lines(curves, cases))
        if lines:
            sizes = [curves.cases[case][1] for case in cases]
            found.append(Panel(metric, nearest, (min(sizes), max(sizes)), len(cases), _budgets(curves, cases), lines))
    return found


def _budgets(curves: Curves, cases: list[str]) -> Floats:
    """Return the budgets of the default method for each player, a mean over games where they are the same."""
    multiples = np.concatenate([curves.points[case, OURS].known.budgets / curves.cases[case][1] for case in cases])
    _, places = np.unique(_half_octaves(multiples), return_inverse=True)
    counts = np.bincount(places)
    return np.exp(np.bincount(places, np.log(multiples)) / counts)[2 * counts >= len(cases)]


def _half_octaves(multiples: Floats) -> Floats:
    return np.round(2 * np.log2(multiples))


def _nearest(n_players: int) -> int | None:
    best = min(NEAREST, key=lambda number: abs(np.log(number / n_players)))
    return best if max(best, n_players) <= _FARTHEST * min(best, n_players) else None


def _logs(curves: Curves, case: str, method: str) -> tuple[Floats, Floats, Floats]:
    """Return where the budgets of a curve are, and logarithms: of evaluations for each player, of what is left."""
    known, n_players = curves.points[case, method].known, curves.cases[case][1]
    left = -known.quality if curves.metric != R2 else np.log10(1 - known.quality)
    return _half_octaves(known.budgets / n_players), np.log10(known.evaluations / n_players), left


def _lines(curves: Curves, cases: list[str]) -> Iterator[Line]:
    ours = {(case, place): left for case in cases for place, _, left in zip(*_logs(curves, case, OURS), strict=True)}
    n_answered = Counter(place for _, place in ours)
    places = sorted(place for place, count in n_answered.items() if 2 * count >= len(cases))
    for method in curves.packages if ours else ():
        own = {
            (case, place): (cost, left)
            for case in cases if (case, method) in curves.points
            for place, cost, left in zip(*_logs(curves, case, method), strict=True)
        }  # fmt: skip
        points = [_point(ours, own, place, is_ours=method == OURS) for place in places]
        points = [point for point in points if len(point)]
        if points:
            yield Line(method, *(10.0 ** np.array(points).T))


def _point(
    ours: dict[tuple[str, float], float],
    own: dict[tuple[str, float], tuple[float, float]],
    place: float,
    *,
    is_ours: bool,
) -> tuple[float, ...]:
    """Return logarithms of evaluations, of what is left, and of its limits; nothing if too few games have an answer."""
    of_ours = {key: left for key, left in ours.items() if key[1] == place}
    both = [key for key in of_ours if key in own]
    if 2 * len(both) < len(of_ours) or not both:
        return ()
    level = 0.0 if is_ours else float(np.mean(list(of_ours.values())))
    values = np.array([own[key][1] - (0.0 if is_ours else of_ours[key]) for key in both])
    cost, (low, high) = float(np.mean([own[key][0] for key in both])), interval(values)
    return cost, level + float(values.mean()), level + low, level + high

"""From an answer to the numbers of a row: errors of predictions, of values and of rankings."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from time import perf_counter
from typing import TypeVar

import numpy as np
from scipy.special import comb

from captum_spex.arrays import Floats
from captum_spex.benchmark._protocol import Answer, Case
from captum_spex.benchmark.methods._adapter import of_groups, shapley_of
from captum_spex.game import Game
from captum_spex.indices import resolve_index
from captum_spex.masks import Keys, Masks, all_masks, mask_keys
from captum_spex.metrics import removal_curve
from captum_spex.model import RecoveredGame

Values = Mapping[tuple[int, ...], float]
K = TypeVar("K")
_ENUMERATED, _ENUMERATED_UNKNOWN = 12, 8  # players, up to which all unseen masks are held out; the exact game unknown
_MOST_DRAWN, _FEWEST_DRAWN = 1000, 200
_SECONDS = 6.0  # for the held-out masks of a case, unless the fewest take longer
_FEWEST_UNSEEN = 20
_TOP = 10
_STEPS = 20  # of a removal curve
_TINY = 1e-9  # of the largest: rounding errors
_FLAT = 0.05  # of the range of values: less between no player and all is nothing to remove
_CELLS = 1 << 22


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Masks that no method is told of, their values, and how much each weighs.

    Attributes:
        masks: ``(n_masks, n_players)``.
        values: of the game.
        uniform: weights that make the masks uniformly random ones.
        sized: weights that make them masks of uniformly random size.
    """

    masks: Masks
    values: Floats
    uniform: Floats
    sized: Floats

    @cached_property
    def keys(self) -> Keys:
        """The masks' keys."""
        return mask_keys(self.masks)

    def errors(self, predict: Callable[[Masks], Floats], seen: Keys) -> tuple[float, float]:
        """Return R² by both weights, of masks that were not seen.

        Raises:
            ValueError: if what is predicted is not finite, or not one number for each mask.
        """
        unseen = ~np.isin(self.keys, seen)
        rows = in_blocks(self.masks)
        predicted = np.concatenate([np.asarray(predict(self.masks[some]), dtype=np.float64) for some in rows])
        if predicted.shape != self.values.shape or not np.isfinite(predicted).all():
            raise ValueError("the explanation does not predict a finite number for every mask")
        return tuple(r_squared(self.values, predicted, unseen * weights) for weights in (self.uniform, self.sized))  # type: ignore[return-value]


def hold_out(case: Case, n_masks: int | None = None) -> HeldOut:
    """Draw masks by the case's name, and evaluate them: all of few players, else some of both kinds.

    Args:
        case: the case.
        n_masks: how many of each kind; default: as many as some seconds are enough for, 200 to 1,000.
    """
    n = case.n_players
    if n <= (_ENUMERATED_UNKNOWN if case.truth is None else _ENUMERATED):
        masks = all_masks(n)
        sizes = masks.sum(axis=1)
        return HeldOut(masks, _values(case.game, masks), np.ones(len(masks)), 1.0 / comb(n, sizes))
    rng = np.random.default_rng([zlib.crc32(case.name.encode()), n])
    uniform, sized = rng.random((_MOST_DRAWN, n)) < 0.5, _of_random_size(rng, _MOST_DRAWN, n)
    start = perf_counter()
    first = _values(case.game, np.concatenate([uniform[:_FEWEST_DRAWN], sized[:_FEWEST_DRAWN]]))
    if n_masks is None:
        n_affordable = int(_FEWEST_DRAWN * _SECONDS / max(perf_counter() - start, 1e-9))
        n_masks = min(max(_FEWEST_DRAWN, n_affordable), _MOST_DRAWN)
    more = _values(case.game, np.concatenate([uniform[_FEWEST_DRAWN:n_masks], sized[_FEWEST_DRAWN:n_masks]]))
    parts = uniform[:_FEWEST_DRAWN], sized[:_FEWEST_DRAWN], uniform[_FEWEST_DRAWN:n_masks], sized[_FEWEST_DRAWN:n_masks]
    kinds = np.repeat([0, 1, 0, 1], [len(part) for part in parts])
    return HeldOut(
        np.concatenate(parts), np.concatenate([first, more]), (kinds == 0).astype(float), (kinds == 1).astype(float)
    )


def r_squared(values: Floats, predicted: Floats, weights: Floats) -> float:
    """Return the weighted R²; NaN for fewer than 20 masks, or if all have the same value."""
    if np.count_nonzero(weights) < _FEWEST_UNSEEN:
        return nan
    mean = np.average(values, weights=weights)
    total = float(weights @ (values - mean) ** 2)
    if total <= (_TINY * np.abs(values).max()) ** 2 * weights.sum():
        return nan
    return 1.0 - float(weights @ (values - predicted) ** 2) / total


class Examiner:
    """Measures the answers to one case; what that takes is computed once.

    Args:
        case: the case.
        n_held_out: how many masks of each kind to hold out; default: as many as some seconds are enough for.
    """

    def __init__(self, case: Case, n_held_out: int | None = None) -> None:
        self._case = case
        self._exact: dict[tuple[str, int], Values] = {}
        self.held_out = hold_out(case, n_held_out)

    @property
    def n_held_out(self) -> int:
        """How many masks of each kind are held out."""
        return int(self.held_out.sized.astype(bool).sum())

    def numbers(self, answer: Answer, seen: Keys, max_order: int, *, gives_groups: bool) -> dict[str, float]:
        """Measure an answer.

        Args:
            answer: the answer.
            seen: keys of the masks that it was computed from.
            max_order: of the interactions that were asked for.
            gives_groups: whether the method estimates interactions; then no interaction means that all are 0.

        Returns:
            The columns of a row by their names, those that cannot be measured left out.

        Raises:
            ValueError: if the answer is none: not finite, or not of these players.
        """
        found: dict[str, float] = {}
        answer = _checked(answer, self._case.n_players)
        if answer.predict is not None:
            found["r2"], found["r2_sized"] = self.held_out.errors(answer.predict, seen)
        ranked = _ranked(answer, self._case.n_players)
        if ranked is not None:
            found["removal_area"] = self._removal_area(ranked)
        truth = self._case.truth
        if truth is None:
            return found
        if answer.shapley is not None:
            found["shapley_error"] = _distance(dict(enumerate(answer.shapley)), dict(enumerate(self._shapley)))
        if gives_groups or answer.interactions:
            found |= self._of_groups(answer, truth, min(max_order, self._case.n_players))
        return found

    @cached_property
    def _shapley(self) -> Floats:
        if self._case.truth is None:
            return np.zeros(0)
        return shapley_of(self._case.truth)

    def _of_groups(self, answer: Answer, truth: RecoveredGame, max_order: int) -> dict[str, float]:
        if max_order < 2:
            return {}
        given = max_order if answer.index == "SII" else max(map(len, answer.interactions), default=max_order)
        exact = self._groups(truth, answer.index, given)  # of other indices all values depend on the largest order
        errors = {
            f"order{order}_error": _distance(_of_order(answer.interactions, order), _of_order(exact, order))
            for order in (2, 3)
            if order <= given
        }
        return errors | {"precision": _precision(answer.interactions, self._groups(truth, "SII", max_order), max_order)}

    def _groups(self, truth: RecoveredGame, index: str, max_order: int) -> Values:
        if (index, max_order) not in self._exact:
            terms = truth.index_terms(resolve_index(index, max_order, self._case.n_players))
            self._exact[index, max_order] = of_groups(terms)
        return self._exact[index, max_order]

    def _removal_area(self, ranked: Floats) -> float:
        """Return the area under the normalised curve; the players are removed first that add most to what all add."""
        game, n = self._case.game, self._case.n_players
        none, everyone = self._ends
        if abs(everyone - none) <= _FLAT * np.ptp(self.held_out.values):
            return nan
        order = np.argsort(-np.sign(everyone - none) * ranked, kind="stable")
        return float(removal_curve(order, game, n_steps=min(n, _STEPS), n_players=n).normalised.area)

    @cached_property
    def _ends(self) -> Floats:
        n = self._case.n_players
        return _values(self._case.game, np.stack([np.zeros(n, dtype=np.bool_), np.ones(n, dtype=np.bool_)]))


def in_blocks(masks: Masks) -> list[slice]:
    """Return slices of masks that keep what is computed of them in memory."""
    size = max(1, _CELLS // masks.shape[1])
    return [slice(start, start + size) for start in range(0, len(masks), size)]


def _checked(answer: Answer, n_players: int) -> Answer:
    """Return the answer with its Shapley values as an array and the players of its sets in order."""
    groups = {tuple(sorted(players)): float(value) for players, value in answer.interactions.items()}
    if not all(0 <= player < n_players for players in groups for player in players):
        raise ValueError(f"the interactions are of other players than 0 to {n_players - 1}")
    if not np.isfinite(list(groups.values())).all():
        raise ValueError("the interactions are not finite numbers")
    if answer.shapley is None:
        return replace(answer, interactions=groups)
    shapley = np.asarray(answer.shapley, dtype=np.float64)
    if shapley.shape != (n_players,) or not np.isfinite(shapley).all():
        raise ValueError("the Shapley values are not one finite number for every player")
    return replace(answer, shapley=shapley, interactions=groups)


def _values(game: Game, masks: Masks) -> Floats:
    blocks = [np.asarray(game(masks[rows]), dtype=np.float64) for rows in in_blocks(masks)]
    if sum(map(len, blocks)) != len(masks) or not all(block.ndim == 1 and np.isfinite(block).all() for block in blocks):
        raise ValueError("the game does not return a finite number for every mask")
    return np.concatenate([np.zeros(0), *blocks])


def _of_random_size(rng: np.random.Generator, n_masks: int, n_players: int) -> Masks:
    sizes = rng.integers(0, n_players + 1, n_masks)
    return rng.permuted(np.arange(n_players) < sizes[:, None], axis=1)


def _ranked(answer: Answer, n_players: int) -> Floats | None:
    """Return what the players are ranked by: Shapley values, or what each alone adds to the prediction."""
    if answer.shapley is not None or answer.predict is None:
        return answer.shapley
    none = np.asarray(answer.predict(np.zeros((1, n_players), dtype=np.bool_)), dtype=np.float64)
    size = max(1, _CELLS // n_players)
    singles = []
    for start in range(0, n_players, size):
        players = np.arange(start, min(start + size, n_players))
        masks = players[:, None] == np.arange(n_players)
        singles.append(np.asarray(answer.predict(masks), dtype=np.float64))
    return np.concatenate(singles) - none


def _of_order(values: Values, order: int) -> Values:
    return {players: value for players, value in values.items() if len(players) == order}


def _distance(found: Mapping[K, float], exact: Mapping[K, float]) -> float:
    """Return the sum of squared differences, relative to the sum of the squared exact values; NaN if these are 0."""
    total = sum(value * value for value in exact.values())
    if not total:
        return nan
    return sum((found.get(key, 0.0) - exact.get(key, 0.0)) ** 2 for key in found.keys() | exact.keys()) / total


def _precision(found: Values, exact: Values, max_order: int) -> float:
    best = _largest(exact)
    within = {players: value for players, value in found.items() if len(players) <= max_order}
    return len(_largest(within) & best) / len(best) if best else nan


def _largest(values: Values) -> set[tuple[int, ...]]:
    """Return the ten largest by absolute value; equal ones by order, then by players."""
    least = _TINY * max((abs(value) for value in values.values()), default=0.0)
    ordered = sorted(values, key=lambda players: (-abs(values[players]), len(players), players))
    return {players for players in ordered[:_TOP] if abs(values[players]) > least}

"""From an answer to the numbers of a row: errors of predictions, of values and of rankings."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import nan
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from scipy.special import comb

from captum_spex.arrays import Floats
from captum_spex.benchmark.methods.adapter import of_groups, shapley_of
from captum_spex.benchmark.protocol import Answer, Case, ExactGame
from captum_spex.game import Game
from captum_spex.indices import resolve_index
from captum_spex.masks import Keys, Masks, all_masks, ends, mask_keys
from captum_spex.metrics import recovery, removal_curve
from captum_spex.metrics.explanations import top_of
from captum_spex.statistics import r_squared


@dataclass(frozen=True)
class _Settings:
    """How much is measured."""

    enumerated: int = 12  # players up to which all unseen masks are held out
    enumerated_unknown: int = 8  # the same where the exact game is not known
    most_drawn: int = 1000  # masks of each kind
    fewest_drawn: int = 200
    seconds: float = 6.0  # for the held-out masks of a case, unless the fewest take longer
    fewest_unseen: int = 20  # masks, of which an R² means something
    top: int = 10  # pairs of the precision
    steps: int = 20  # of a removal curve
    tiny: float = 1e-9  # of the largest value: rounding errors
    flat: float = 0.05  # of the range of values: a smaller difference of all and no players cannot be removed
    cells: int = 1 << 22  # of a block of masks, by memory


_SETTINGS = _Settings()


class HeldOut(NamedTuple):
    """Masks that no method is given, their values, and weights that make them uniformly random, or of random size."""

    masks: Masks
    values: Floats
    uniform: Floats
    sized: Floats


def hold_out(case: Case, n_masks: int | None = None) -> HeldOut:
    """Draw masks by the case's name, and evaluate them: all of few players, else some of both kinds.

    ``n_masks`` are drawn of each kind, by default as many as are evaluated in some seconds, 200 to 1,000.
    """
    n, fewest, most = case.n_players, _SETTINGS.fewest_drawn, _SETTINGS.most_drawn
    if n <= (_SETTINGS.enumerated_unknown if case.truth is None else _SETTINGS.enumerated):
        masks = all_masks(n)
        return HeldOut(masks, _values(case.game, masks), np.ones(len(masks)), 1.0 / comb(n, masks.sum(axis=1)))
    rng = np.random.default_rng([zlib.crc32(case.name.encode()), n])
    uniform, sizes = rng.random((most, n)) < 0.5, rng.integers(0, n + 1, most)
    sized = rng.permuted(np.arange(n) < sizes[:, None], axis=1)
    masks = np.concatenate([uniform[:fewest], sized[:fewest]])
    start = perf_counter()
    values = _values(case.game, masks)
    if n_masks is None:  # the time of the first ones says how many more can be afforded
        n_affordable = int(fewest * _SETTINGS.seconds / max(perf_counter() - start, 1e-9))
        n_masks = min(max(fewest, n_affordable), most)
    more = np.concatenate([uniform[fewest:n_masks], sized[fewest:n_masks]])
    is_sized = np.repeat([0.0, 1.0, 0.0, 1.0], [fewest, fewest, n_masks - fewest, n_masks - fewest])
    values = np.concatenate([values, _values(case.game, more)])
    return HeldOut(np.concatenate([masks, more]), values, 1.0 - is_sized, is_sized)


def weighted_r_squared(values: Floats, predicted: Floats, weights: Floats) -> float:
    """Return the weighted R²; NaN for fewer than 20 masks, or if all have the same value."""
    if np.count_nonzero(weights) < _SETTINGS.fewest_unseen:
        return nan
    spread = float(weights @ (values - np.average(values, weights=weights)) ** 2)
    if spread <= (_SETTINGS.tiny * np.abs(values).max()) ** 2 * weights.sum():
        return nan
    return r_squared(values, predicted, weights)


class Examiner:
    """Measures the answers to one case; exact values and held-out masks are computed once."""

    def __init__(self, case: Case, n_held_out: int | None = None) -> None:
        self._case = case
        self._exact: dict[tuple[str, int], Mapping[tuple[int, ...], float]] = {}
        self._exact_shapley = dict(enumerate([] if case.truth is None else shapley_of(case.truth).tolist()))
        self._held_out = hold_out(case, n_held_out)
        self._keys = mask_keys(self._held_out.masks)
        self.n_held_out = int(np.count_nonzero(self._held_out.sized))  # of each kind

    def numbers(self, answer: Answer, evaluated: Keys, max_order: int, *, gives_groups: bool) -> dict[str, float]:
        """Measure an answer.

        Args:
            answer: the answer.
            evaluated: keys of the masks that it was computed from.
            max_order: of the interactions that were asked for.
            gives_groups: whether the method estimates interactions; then no interaction means that all are 0.

        Returns:
            The columns of a row by their names, those that cannot be measured left out.

        Raises:
            ValueError: if the answer is invalid: not finite, or not of these players.
        """
        answer, truth = _checked(answer, self._case.n_players), self._case.truth
        found = {} if answer.predict is None else self.errors(answer.predict, evaluated)
        ranked = _ranked(answer, self._case.n_players)
        if ranked is not None:
            found["removal_area"] = self._removal_area(ranked)
        if truth is not None and answer.shapley is not None:
            found["shapley_error"] = _distance(dict(enumerate(answer.shapley.tolist())), self._exact_shapley)
        if truth is not None and (gives_groups or answer.interactions):
            found |= self._of_groups(answer, truth, min(max_order, self._case.n_players))
        return found

    def errors(self, predict: Callable[[Masks], Floats], evaluated: Keys) -> dict[str, float]:
        """Return R² of predictions, by both weights, for held-out masks that were not evaluated."""
        masks, values, uniform, sized = self._held_out
        unseen = ~np.isin(self._keys, evaluated)
        predicted = _predictions(predict, masks)
        weights = {"r2": uniform, "r2_sized": sized}
        return {name: weighted_r_squared(values, predicted, unseen * each) for name, each in weights.items()}

    def _of_groups(self, answer: Answer, truth: ExactGame, max_order: int) -> dict[str, float]:
        if max_order < 2:
            return {}
        given = max_order if answer.index == "SII" else max(map(len, answer.interactions), default=max_order)
        exact = self._groups(truth, answer.index, given)  # of other indices all values depend on the largest order
        found = {}
        for order in (2, 3)[: given - 1]:
            both = ({k: v for k, v in values.items() if len(k) == order} for values in (answer.interactions, exact))
            found[f"order{order}_error"] = _distance(*both)
        best = top_of(self._groups(truth, "SII", 2), _SETTINGS.top, 2)  # not all methods are asked for triples
        within = {players: value for players, value in answer.interactions.items() if len(players) == 2}
        return found | {"precision": recovery(within, best, _SETTINGS.top) if best else nan}

    def _groups(self, truth: ExactGame, index: str, max_order: int) -> Mapping[tuple[int, ...], float]:
        if (index, max_order) not in self._exact:
            terms = truth.index_terms(resolve_index(index, max_order, self._case.n_players))
            self._exact[index, max_order] = of_groups(terms)
        return self._exact[index, max_order]

    def _removal_area(self, ranked: Floats) -> float:
        """Return the area under the normalised curve; players that push towards the value of all are removed first."""
        game, n = self._case.game, self._case.n_players
        everyone, nobody = _values(game, ends(n))
        if abs(everyone - nobody) <= _SETTINGS.flat * np.ptp(self._held_out.values):
            return nan
        order = np.argsort(-np.sign(everyone - nobody) * ranked, kind="stable")
        return float(removal_curve(order, game, n_steps=min(n, _SETTINGS.steps), n_players=n).normalised.area)


def _checked(answer: Answer, n_players: int) -> Answer:
    """Return the answer with its Shapley values as an array and the players of its sets in order."""
    groups = {tuple(sorted(players)): float(value) for players, value in answer.interactions.items()}
    if not all(0 <= player < n_players for players in groups for player in players):
        raise ValueError(f"the interactions are of other players than 0 to {n_players - 1}")
    if not np.isfinite(list(groups.values())).all():
        raise ValueError("the interactions are not finite numbers")
    shapley = None if answer.shapley is None else np.asarray(answer.shapley, dtype=np.float64)
    if shapley is not None and (shapley.shape != (n_players,) or not np.isfinite(shapley).all()):
        raise ValueError("the Shapley values are not one finite number for every player")
    return replace(answer, shapley=shapley, interactions=groups)


def _values(game: Game, masks: Masks, failure: str = "the game does not return") -> Floats:
    size = max(1, _SETTINGS.cells // masks.shape[1])
    blocks = [np.asarray(game(masks[start : start + size]), np.float64) for start in range(0, len(masks), size)]
    if sum(map(len, blocks)) != len(masks) or not all(block.ndim == 1 and np.isfinite(block).all() for block in blocks):
        raise ValueError(f"{failure} a finite number for every mask")
    return np.concatenate([np.zeros(0), *blocks])


def _predictions(predict: Callable[[Masks], Floats], masks: Masks) -> Floats:
    return _values(predict, masks, "the explanation does not predict")


def _ranked(answer: Answer, n_players: int) -> Floats | None:
    """Return what the players are ranked by: Shapley values, or what each alone adds to the prediction."""
    if answer.shapley is not None or answer.predict is None:
        return answer.shapley
    values = _predictions(answer.predict, np.concatenate([ends(n_players)[1:], np.eye(n_players, dtype=np.bool_)]))
    return values[1:] - values[0]


def _distance(found: Mapping[Any, float], exact: Mapping[Any, float]) -> float:
    """Return the sum of squared differences, relative to the sum of the squared exact values; NaN if these are 0."""
    total = sum(value * value for value in exact.values())
    if not total:
        return nan
    return sum((found.get(key, 0.0) - exact.get(key, 0.0)) ** 2 for key in found.keys() | exact.keys()) / total

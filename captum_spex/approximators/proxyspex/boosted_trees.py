"""Boosted trees on masks (LightGBM): their exact spectrum, and their predictions out of sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import lightgbm
import numpy as np
from scipy.optimize import nnls

from captum_spex import checks
from captum_spex.approximators.proxyspex.found_terms import Beside, fitted_alone, largest_terms
from captum_spex.approximators.proxyspex.many_trees import ManyTrees
from captum_spex.approximators.proxyspex.proxy import FittedProxy, ProxyData
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.approximators.proxyspex.stacking import stack
from captum_spex.arrays import Floats, Rows
from captum_spex.masks import Masks
from captum_spex.model import Part, Spectrum, TreeEnsemble
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import Standardised


@dataclass(frozen=True)
class BoostedTrees:
    """Settings of the boosted trees that stand in for the game, in LightGBM's terms.

    Attributes:
        n_trees: number of boosting rounds.
        learning_rate: shrinkage of every tree.
        max_depth: most players on a path, so the highest order of an interaction that the trees can hold; 1 to 16.
        num_leaves: most leaves of a tree. As a proxy, from 4 on, they are averaged with trees of half as many.
        min_child_samples: fewest masks in a leaf.
        subsample: share of the masks that each tree is fitted to. Below 1 it breaks ties: on masks in complementary
            pairs no single player of a parity shows at all, and a tree on all masks never makes its first split.
        many: trees of many outputs that were fitted together; ``None``: every output is fitted when it is asked for.
    """

    n_trees: int = 160
    learning_rate: float = 0.15
    max_depth: int = 6
    num_leaves: int = 8
    min_child_samples: int = 2
    subsample: float = 0.8
    many: ManyTrees | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        # LightGBM gets plain numbers, whatever kind of number was given.
        plain: dict[str, float] = {
            name: checks.integer(name, getattr(self, name)) for name in ("n_trees", "num_leaves", "min_child_samples")
        }
        plain["max_depth"] = checks.integer("max_depth", self.max_depth, 1, SETTINGS.deepest_tree)
        plain["subsample"] = checks.number("subsample", self.subsample, "a number above 0, at most 1", above=0, high=1)
        plain["learning_rate"] = checks.positive("learning_rate", self.learning_rate)
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        """Fit trees, and once more the terms that they found, few of which matter: alone, and beside a rival process.

        Every fold is predicted by trees, and terms, that did not use it. Where these add nothing to the rivals on the
        folds so far, all are given up; those that a stack with the rivals leaves out are not fitted to all masks.
        """
        masks, values = data.masks, data.values
        beside = Beside.of(rivals, masks, values, data.noise)
        many = None if self.many is None else self.many.of_outputs(data.outputs)
        left_out, seen = np.zeros((2 if beside is None else 3, *values.shape)), np.zeros(0, dtype=np.int64)
        for number, held_out in enumerate(data.folds() if many is None else many.folds):
            rest, seen = np.setdiff1d(np.arange(len(masks)), held_out), np.append(seen, held_out)
            if many is None:
                left_out[:2, held_out], sets = self._predicted(masks, values, rest, held_out)
            else:
                left_out[:2, held_out], sets = many.held_out[:, held_out], many.sets(number)
            if beside is not None:
                left_out[2, held_out] = beside.predicted(rest, held_out, sets, values)
            is_judged = bool(rivals) and len(seen) >= SETTINGS.judged_masks
            if is_judged and not _adds(left_out[:, seen], values[seen], rivals, seen):
                return []
        names = "boosted trees", "terms of boosted trees", "terms of boosted trees beside a process"
        found = [FittedProxy(name, [], one, one) for name, one in zip(names, left_out, strict=False)]
        useful = _useful(found, values, rivals, masks)
        if not useful:
            return []
        both = [self._fit_twice(masks, column) for column in values.T] if many is None else many.spectra()
        parts: list[list[tuple[Part, ...]]] = [[(pair[place],) for pair in both] for place in range(2)]
        if beside is not None and 2 in useful:
            parts.append(beside.parts([terms.sets for _, terms in both], values))
        return [replace(found[place], parts=parts[place]) for place in useful]

    def together(self, data: ProxyData) -> BoostedTrees:
        """See `TogetherProxy`: trees of several outputs of few players are fitted at once."""
        (n_masks, n_players), n_outputs = data.masks.shape, data.values.shape[1]
        is_small = n_players <= SETTINGS.together_players and n_masks <= SETTINGS.together_masks
        if n_outputs < 2 or not is_small or not 2 <= self.num_leaves <= SETTINGS.together_leaves:
            return self
        leaves = np.array([trees.num_leaves for trees in self._averaged_settings])
        return replace(self, many=ManyTrees.fitted(self, data.masks, data.values, data.folds(), leaves))

    def fit(self, masks: Masks, values: Floats) -> Spectrum:
        """Fit the trees to values ``(n_masks,)`` and return their exact Fourier spectrum."""
        return _mean_spectrum([self], masks, values)

    def _predicted(self, masks: Masks, values: Floats, rest: Rows, held_out: Rows) -> tuple[Floats, list[PlayerSets]]:
        """Fit trees, and terms, to some masks; return what they predict of others, and the terms of every output."""
        fitted = [self._fit_twice(masks[rest], column) for column in values[rest].T]
        predicted = [[one(masks[held_out]) for one in pair] for pair in fitted]
        return np.array(predicted).transpose(1, 2, 0), [terms.sets for _, terms in fitted]

    def _fit_twice(self, masks: Masks, values: Floats) -> tuple[Spectrum, Spectrum]:
        """Return the spectrum of trees, and its largest terms fitted again, each with a prior variance of its own."""
        spectrum = self._averaged(masks, values)
        return spectrum, fitted_alone(largest_terms(spectrum, len(masks)), masks, values)

    def _averaged(self, masks: Masks, values: Floats) -> Spectrum:
        """Return the mean of these trees and of smaller ones, which have other errors."""
        return _mean_spectrum(self._averaged_settings, masks, values)

    @property
    def _averaged_settings(self) -> list[BoostedTrees]:
        is_averaged = self.num_leaves >= SETTINGS.averaged_leaves
        return [self, replace(self, num_leaves=self.num_leaves // 2)] if is_averaged else [self]

    def _parameters(self) -> dict[str, object]:
        return {
            "objective": "l2",
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "num_leaves": self.num_leaves,
            "min_child_samples": self.min_child_samples,
            "bagging_fraction": self.subsample,
            "bagging_freq": 1 if self.subsample < 1 else 0,
            "max_bin": 2,
            "min_data_in_bin": 1,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,  # at these sizes threads only wait for each other
            "seed": 0,
            "verbosity": -1,
        }


def _mean_spectrum(settings: Sequence[BoostedTrees], masks: Masks, values: Floats) -> Spectrum:
    """Fit trees of several settings, which differ in their trees only, and return the spectrum of their mean."""
    # LightGBM keeps labels in single precision, so an offset would eat the digits that matter.
    labels = Standardised.of(values)
    constant = Spectrum.from_terms({(): float(labels.center)}, masks.shape[1])
    if not labels.values.any() or len(masks) < 2 * settings[0].min_child_samples:
        return constant
    data = lightgbm.Dataset(masks.astype(np.float32), labels.values, params=settings[0]._parameters())
    texts = []
    for trees in settings:
        # Unless it keeps the training booster, LightGBM writes the model to text and reads it back.
        booster = lightgbm.train(trees._parameters(), data, num_boost_round=trees.n_trees, keep_training_booster=True)
        texts.append(booster.model_to_string())
    found = TreeEnsemble.from_lightgbm("".join(texts), masks.shape[1]).spectrum()
    return Spectrum.sum([found.scaled(float(labels.scale) / len(settings)), constant], masks.shape[1])


def _adds(predicted: Floats, values: Floats, rivals: Sequence[FittedProxy], rows: Rows) -> bool:
    """Whether predictions ``(n_kinds, n_rows, n_outputs)`` of some rows lower the error of a combination of the rivals.

    By as much as is asked of one more surrogate, for any output. The weights are chosen on the same rows, so in favour
    of the predictions.
    """
    for column, truth in enumerate(values.T):
        others = np.stack([one.left_out[rows, column] for one in rivals], axis=1)
        without, error = (nnls(some, truth)[1] ** 2 for some in (others, np.hstack([others, predicted[..., column].T])))
        if error < (1 - SETTINGS.worth_a_surrogate) * without:
            return True
    return False


def _useful(found: Sequence[FittedProxy], values: Floats, rivals: Sequence[FittedProxy], masks: Masks) -> list[int]:
    """Return which surrogates, by place, have a weight in a stack with the rivals for any output.

    All, where there are no rivals.
    """
    if not rivals:
        return list(range(len(found)))
    stacks = [stack([*rivals, *found], truth, column, masks) for column, truth in enumerate(values.T)]
    return sorted({place - len(rivals) for one in stacks for place in one.weights if place >= len(rivals)})

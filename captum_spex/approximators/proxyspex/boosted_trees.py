"""Boosted trees on masks (LightGBM): their exact spectrum, and their predictions out of sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np

from captum_spex import checks
from captum_spex.approximators.proxyspex.found_terms import Beside, fitted_alone, largest_terms
from captum_spex.approximators.proxyspex.proxy import FittedProxy, ProxyData, best_of
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Rows
from captum_spex.masks import Masks
from captum_spex.model import Part, Spectrum, TreeEnsemble
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
    """

    n_trees: int = 250
    learning_rate: float = 0.1
    max_depth: int = 6
    num_leaves: int = 8
    min_child_samples: int = 2
    subsample: float = 0.8

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

        Every fold is predicted by trees, and terms, that did not use it. What is far behind the best rival on the
        first fold is given up.
        """
        masks, values, folds = data.masks, data.values, data.folds()
        beside = Beside.of(rivals, masks, values, data.noise)
        left_out = np.zeros((2 if beside is None else 3, *values.shape))
        for number, held_out in enumerate(folds):
            rest = np.setdiff1d(np.arange(len(masks)), held_out)
            fitted = [self._fit_twice(masks[rest], column) for column in values[rest].T]
            for column, pair in enumerate(fitted):
                left_out[:2, held_out, column] = [spectrum(masks[held_out]) for spectrum in pair]
            if beside is not None:
                left_out[2, held_out] = beside.predicted(rest, held_out, [terms.sets for _, terms in fitted], values)
            if number == 0 and _is_hopeless(left_out[:, held_out], values, rivals, held_out):
                return []
        both = [self._fit_twice(masks, column) for column in values.T]
        parts: list[list[tuple[Part, ...]]] = [[(pair[place],) for pair in both] for place in range(2)]
        if beside is not None:
            parts.append(beside.parts([terms.sets for _, terms in both], values))
        names = "boosted trees", "terms of boosted trees", "terms of boosted trees beside a process"
        return [FittedProxy(*one) for one in zip(names, parts, left_out, left_out, strict=False)]

    def fit(self, masks: Masks, values: Floats) -> Spectrum:
        """Fit the trees to values ``(n_masks,)`` and return their exact Fourier spectrum."""
        # LightGBM keeps labels in single precision, so an offset would eat the digits that matter.
        labels = Standardised.of(values)
        constant = Spectrum.from_terms({(): float(labels.center)}, masks.shape[1])
        if not labels.values.any() or len(masks) < 2 * self.min_child_samples:
            return constant
        data = lightgbm.Dataset(masks.astype(np.float32), labels.values, params={"verbosity": -1})
        # Unless it keeps the training booster, LightGBM writes the model to text and reads it back.
        booster = lightgbm.train(self._parameters(), data, num_boost_round=self.n_trees, keep_training_booster=True)
        trees = TreeEnsemble.from_lightgbm(booster.model_to_string(), masks.shape[1]).spectrum()
        return Spectrum.sum([trees.scaled(float(labels.scale)), constant], masks.shape[1])

    def _fit_twice(self, masks: Masks, values: Floats) -> tuple[Spectrum, Spectrum]:
        """Return the spectrum of trees, and its largest terms fitted again, each with a prior variance of its own."""
        spectrum = self._averaged(masks, values)
        return spectrum, fitted_alone(largest_terms(spectrum, len(masks)), masks, values)

    def _averaged(self, masks: Masks, values: Floats) -> Spectrum:
        """Return the mean of these trees and of smaller ones, which have other errors."""
        if self.num_leaves < SETTINGS.averaged_leaves:
            return self.fit(masks, values)
        both = self, replace(self, num_leaves=self.num_leaves // 2)
        return Spectrum.sum([trees.fit(masks, values).scaled(0.5) for trees in both], masks.shape[1])

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


def _is_hopeless(predicted: Floats, values: Floats, rivals: Sequence[FittedProxy], rows: Rows) -> bool:
    """Whether predictions ``(n_kinds, n_rows, n_outputs)`` of some rows are far behind those of the best rival.

    Those of terms beside a process, the third, cannot be: they have to be clearly better than it.
    """
    rival = best_of(rivals, values)
    if rival is None:
        return False
    errors = ((predicted - values[rows]) ** 2).sum(axis=1)
    best = ((rival.left_out[rows] - values[rows]) ** 2).sum(axis=0)
    is_behind = errors[:2].min(axis=0) > SETTINGS.hopeless * best
    gain_little = (errors[2:] > (1 - SETTINGS.worth_the_folds) * best).all(axis=0)
    return bool((is_behind & gain_little).all())

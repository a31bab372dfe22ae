"""Boosted trees on masks (LightGBM): their exact spectrum, and their predictions out of sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np

from captum_spex import checks
from captum_spex.approximators.ard_regression import relevant_weights
from captum_spex.approximators.proxyspex.fitted_proxy import FittedProxy
from captum_spex.arrays import Floats, Ints
from captum_spex.errors import ArgumentError
from captum_spex.fourier import parities
from captum_spex.masks import Masks
from captum_spex.model import Spectrum, TreeEnsemble

_HOPELESS = 1.5  # times the squared error of a rival on the first fold, beyond which the other folds are not fitted
_REFITTED = 200  # terms of the trees that are fitted once more
_DEEPEST = 16  # a path of 16 players has 65,536 subsets


@dataclass(frozen=True)
class BoostedTrees:
    """Settings of the boosted trees that stand in for the game, in LightGBM's terms.

    Attributes:
        n_trees: number of boosting rounds.
        learning_rate: shrinkage of every tree.
        max_depth: most players on a path, so the highest order of an interaction that the trees can hold; 1 to 16.
        num_leaves: most leaves of a tree.
        min_child_samples: fewest masks in a leaf.
        subsample: share of the masks that each tree is fitted to. Below 1 it breaks ties: on masks in complementary
            pairs no single player of a parity shows at all, and a tree on all masks never makes its first split.
    """

    n_trees: int = 250
    learning_rate: float = 0.1
    max_depth: int = 5
    num_leaves: int = 31
    min_child_samples: int = 5
    subsample: float = 0.8

    def __post_init__(self) -> None:
        for name in ("n_trees", "num_leaves", "min_child_samples"):
            checks.integer(name, getattr(self, name))
        if not 1 <= self.max_depth <= _DEEPEST:
            raise ArgumentError("max_depth", repr(self.max_depth), f"1 to {_DEEPEST}")
        if not 0 < self.subsample <= 1:
            raise ArgumentError("subsample", repr(self.subsample), "a number above 0, at most 1")
        if not self.learning_rate > 0:
            raise ArgumentError("learning_rate", repr(self.learning_rate), "a positive number")

    def fit(self, masks: Masks, values: Floats) -> Spectrum:
        """Fit the trees to values ``(n_masks,)`` and return their exact Fourier spectrum."""
        center, scale = float(values.mean()), float(values.std())
        if scale == 0 or len(masks) < 2 * self.min_child_samples:
            return Spectrum.from_terms({(): center}, masks.shape[1])
        # LightGBM keeps labels in single precision, so an offset would eat the digits that matter.
        data = lightgbm.Dataset(masks.astype(np.float32), (values - center) / scale, params={"verbosity": -1})
        booster = lightgbm.train(
            self._parameters(), data, num_boost_round=self.n_trees, keep_training_booster=True
        )  # else LightGBM writes and reads the whole model once more
        trees = TreeEnsemble.from_lightgbm(booster.model_to_string(), masks.shape[1]).spectrum()
        constant = Spectrum.from_terms({(): center}, masks.shape[1])
        return Spectrum.sum([trees.scaled(scale), constant], masks.shape[1])

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


def boosted_surrogates(
    trees: BoostedTrees, masks: Masks, values: Floats, split: Sequence[Ints], rival: Floats | None
) -> list[FittedProxy]:
    """Fit trees to values ``(n_masks, n_outputs)``, and once more the terms that they found, few of which matter.

    Every fold of ``split`` is predicted by trees, and terms, that did not see it. ``rival`` holds another surrogate's
    predictions out of sample: what is far behind on the first fold is given up.
    """
    left_out = np.zeros((2, *values.shape))
    for number, held_out in enumerate(split):
        kept = np.setdiff1d(np.arange(len(masks)), held_out)
        for column in range(values.shape[1]):
            fitted = _fitted_twice(trees, masks[kept], values[kept, column])
            left_out[:, held_out, column] = [spectrum(masks[held_out]) for spectrum in fitted]
        if number == 0 and rival is not None:
            errors = ((left_out[:, held_out] - values[held_out]) ** 2).sum(axis=1).min(axis=0)
            if (errors > _HOPELESS * ((rival[held_out] - values[held_out]) ** 2).sum(axis=0)).all():
                return []
    both = [_fitted_twice(trees, masks, column) for column in values.T]
    return [
        FittedProxy(name, [(pair[place],) for pair in both], left_out[place], left_out[place])
        for place, name in enumerate(("boosted trees", "terms of boosted trees"))
    ]


def _fitted_twice(trees: BoostedTrees, masks: Masks, values: Floats) -> tuple[Spectrum, Spectrum]:
    """Return the spectrum of trees, and its largest terms fitted again, each with a prior variance of its own."""
    spectrum = trees.fit(masks, values)
    rows = np.flatnonzero(spectrum.orders > 0)
    if not len(rows):
        return spectrum, spectrum
    terms = spectrum.select(rows[np.argsort(-np.abs(spectrum.values[rows]), kind="stable")[:_REFITTED]])
    characters = 1.0 - 2.0 * parities(masks, terms.sets).T
    centers, middle = characters.mean(axis=0), float(values.mean())
    weights, _ = relevant_weights(characters - centers, values - middle)
    constant = Spectrum.from_terms({(): middle - float(centers @ weights)}, spectrum.n_players)
    return spectrum, Spectrum.sum([constant, Spectrum(terms.sets, weights)], spectrum.n_players)

"""Boosted trees of many outputs and folds at once, of few players: LightGBM's rule on arrays over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from captum_spex.approximators.proxyspex.ard_regression import many_ard_weights
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Ints, Rows
from captum_spex.fourier import characters
from captum_spex.masks import Masks, all_masks, mask_keys
from captum_spex.model import Spectrum
from captum_spex.player_sets import PlayerSets
from captum_spex.statistics import Standardised

_ROUNDING = 1e-12  # share of the largest coefficient of trees that is none
_LCG, _LCG_STEP = np.uint32(214013), np.uint32(2531011)  # of LightGBM's generator of random numbers


class TreeRule(Protocol):
    """How trees are grown: the fields of `BoostedTrees`."""

    @property
    def n_trees(self) -> int: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def max_depth(self) -> int: ...  # noqa: D102
    @property
    def num_leaves(self) -> int: ...  # noqa: D102
    @property
    def min_child_samples(self) -> int: ...  # noqa: D102
    @property
    def subsample(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class ManyTrees:
    """Trees of many outputs, and their largest terms fitted again: to all masks but those of a fold, and to all.

    Attributes:
        folds: of the masks.
        held_out: predictions of the masks of every fold, by fits without it: ``(2, n_masks, n_outputs)``.
        coefficients: Fourier coefficients of trees and terms, of fits without a fold, and of those to all masks, the
            last: ``(n_folds + 1, 2, n_outputs, 2**n_players)``, in the order of `all_masks`.
    """

    folds: Sequence[Rows]
    held_out: Floats
    coefficients: Floats

    @classmethod
    def fitted(cls, trees: TreeRule, masks: Masks, values: Floats, folds: Sequence[Rows], leaves: Ints) -> ManyTrees:
        """Fit values ``(n_masks, n_outputs)``: the means of trees that have at most so many ``leaves``."""
        keys, everything = mask_keys(masks).astype(np.int64), all_masks(masks.shape[1])
        signs = characters(everything, _sets_of(everything))
        fits = [np.setdiff1d(np.arange(len(masks)), held_out) for held_out in folds] + [np.arange(len(masks))]
        of_trees = _values_of_trees(trees, masks, values, fits, leaves) @ signs / len(signs)
        sizes = np.abs(of_trees)
        of_trees[sizes <= _ROUNDING * sizes.max(axis=-1, keepdims=True)] = 0.0
        of_terms = [
            _refitted(own, signs[:, keys[rows]], values[rows]) for own, rows in zip(of_trees, fits, strict=True)
        ]
        coefficients = np.stack([of_trees, np.stack(of_terms)], axis=1)
        predicted = np.zeros((2, *values.shape))
        for held_out, own in zip(folds, coefficients, strict=False):
            predicted[:, held_out] = (own @ signs[:, keys[held_out]]).transpose(0, 2, 1)
        return cls(folds, predicted, coefficients)

    def of_outputs(self, columns: Sequence[int]) -> ManyTrees:
        """Return those of some outputs."""
        return ManyTrees(self.folds, self.held_out[..., columns], self.coefficients[:, :, columns])

    def sets(self, fold: int) -> list[PlayerSets]:
        """Return the terms that were found without a fold, of every output."""
        return [self._sets.take(1 + np.flatnonzero(own[1:])) for own in self.coefficients[fold, 1]]

    def spectra(self) -> list[tuple[Spectrum, Spectrum]]:
        """Return trees and terms that were fitted to all masks, of every output."""

        def spectrum(own: Floats) -> Spectrum:
            rows = np.flatnonzero(own)
            return Spectrum(self._sets.take(rows), own[rows])

        return [(spectrum(trees), spectrum(terms)) for trees, terms in zip(*self.coefficients[-1], strict=True)]

    @cached_property
    def _sets(self) -> PlayerSets:
        return _sets_of(all_masks(self.coefficients.shape[-1].bit_length() - 1))


def _sets_of(masks: Masks) -> PlayerSets:
    """Return the players of every mask."""
    n_players = masks.shape[1]
    return PlayerSets.from_padded(np.where(masks, np.arange(n_players), -1), n_players)


def _refitted(of_trees: Floats, signs: Floats, values: Floats) -> Floats:
    """Fit the largest terms to some masks, each with a prior variance of its own, and a mean.

    ``of_trees`` and what is returned: coefficients ``(n_outputs, n_sets)``; ``signs``: of the sets at the masks.
    """
    count = min(SETTINGS.refitted_terms, int(SETTINGS.refitted_share * len(values)), len(signs) - 1)
    sets = 1 + np.argsort(-np.abs(of_trees[:, 1:]), axis=1, kind="stable")[:, :count]
    features, means = signs[sets].transpose(0, 2, 1), values.mean(axis=0)
    centers = features.mean(axis=1)
    taken = np.take_along_axis(of_trees, sets, axis=1) != 0
    weights = many_ard_weights(features - centers[:, None], (values - means).T, taken)
    found = np.zeros_like(of_trees)
    np.put_along_axis(found, sets, weights, axis=1)
    found[:, 0] = means - (centers * weights).sum(axis=1)
    return found


def _values_of_trees(trees: TreeRule, masks: Masks, values: Floats, fits: Sequence[Rows], leaves: Ints) -> Floats:
    """Return the values of trees at all masks, each fitted to some of them, ``(n_fits, n_outputs, 2**n_players)``."""
    used = np.zeros((len(fits), len(masks)), dtype=bool)
    for own, rows in zip(used, fits, strict=True):
        own[rows] = True
    standards = [Standardised.of(values[rows]) for rows in fits]
    centers, scales = (np.stack([getattr(one, name) for one in standards]) for name in ("center", "scale"))
    labels = ((values - centers[:, None]) / scales[:, None]).transpose(0, 2, 1).reshape(-1, len(masks))
    kind, table = np.repeat(np.arange(len(fits)), values.shape[1]), all_masks(masks.shape[1])
    order = np.append(mask_keys(masks).astype(np.int64), np.setdiff1d(np.arange(len(table)), mask_keys(masks)))
    n_kinds = len(leaves)
    problems = TreeProblems(table[order], np.tile(labels, (n_kinds, 1)), used, np.tile(kind, n_kinds))
    boosted = problems.boosted(trees, np.repeat(-np.sort(-leaves), len(labels)))
    found = np.empty((*centers.shape, len(table)))
    found[..., order] = boosted.reshape(n_kinds, *centers.shape, len(table)).mean(axis=0)
    return found * scales[..., None] + centers[..., None]


@dataclass(frozen=True, eq=False)
class TreeProblems:
    """Values to boost trees on, each with masks of its own among those that all share.

    Attributes:
        table: masks at which the trees are wanted, those with values first, ``(n_table, n_players)``.
        labels: values of mean about 0, ``(n_problems, n_masks)``.
        used: which masks a problem learns from, ``(n_kinds, n_masks)``.
        kind: which of these a problem has, ``(n_problems,)``.
    """

    table: Masks
    labels: Floats
    used: Masks
    kind: Ints

    def boosted(self, trees: TreeRule, leaves: Ints) -> Floats:
        """Return the sum of the trees at every mask of the table, ``(n_problems, n_table)``.

        ``leaves`` are the most leaves that a tree of each problem has, the most first. Every tree splits the leaf whose
        squared error falls most, by LightGBM's rule and on the masks that LightGBM would draw.
        """
        scores, n_masks = np.zeros((len(self.labels), len(self.table))), self.labels.shape[1]
        bags = np.stack([_bags(trees, used) for used in self.used], axis=1).astype(np.float64)
        labels, both = self.labels.astype(np.float32), np.empty((len(self.labels), 2, n_masks))
        growing = [int((leaves > leaf).sum()) for leaf in range(trees.num_leaves)]
        for of_step in bags:
            both[:, 1] = of_step.take(self.kind, axis=0)
            # In single precision: then sums in double precision are exact, whatever their order.
            both[:, 0] = (scores[:, :n_masks] - labels).astype(np.float32) * both[:, 1]
            grown = _Trees(self, trees, both)
            for leaf in range(1, trees.num_leaves):
                grown.split(leaf, growing[leaf])
            steps = trees.learning_rate * grown.values()
            scores += steps.ravel().take(grown.leaf + grown.first[:, None])
        return scores

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which masks of the table hold a player, a row for each; and a last one for nobody."""
        return np.vstack([self.table.T, np.zeros((1, len(self.table)), dtype=bool)])

    @cached_property
    def features(self) -> Floats:
        """Players of the masks with values, and a column of ones."""
        masks = self.table[: self.labels.shape[1]]
        return np.hstack([masks, np.ones((len(masks), 1))])


def _bags(trees: TreeRule, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the masks that every tree is fitted to, ``(n_trees, n_masks)``: as LightGBM draws them, with seed 0."""
    rows, bags = np.flatnonzero(used), np.zeros((trees.n_trees, len(used)), dtype=bool)
    if trees.subsample >= 1:
        bags[:, rows] = True
        return bags
    seed = int(_random(0, 2)[1]) % (2**15 - 1)  # the second of the seeds drawn from the seed
    drawn = _random(seed, trees.n_trees * len(rows)).reshape(trees.n_trees, len(rows)) / 2**15 < trees.subsample
    complete = np.flatnonzero(drawn.all(axis=1))
    if len(complete):  # from then on LightGBM draws no more
        drawn[complete[0] :] = True
    bags[:, rows] = drawn
    return bags


def _random(seed: int, count: int) -> Ints:
    """Return numbers below 2**15 from LightGBM's generator: a linear congruential one, all at once."""
    powers = np.cumprod(np.full(count, _LCG), dtype=np.uint32)
    steps = np.cumsum(np.append(np.uint32(1), powers[:-1]), dtype=np.uint32) * _LCG_STEP
    return ((powers * np.uint32(seed) + steps) >> np.uint32(16) & np.uint32(0x7FFF)).astype(np.int64)


class _Trees:
    """A tree for every problem while it grows; leaf ``l`` of problem ``b`` is row ``b * num_leaves + l`` of an array.

    Attributes:
        leaf: where every mask of the table is, ``(n_problems, n_table)``.
        sums: of the gradients, and of the masks, in a leaf that hold a player, or any: ``(.., 2, n_players + 1)``.
        gain, player: by how much the best split of a leaf lowers the squared error, and whom it tests; nobody's number
            is ``n_players``.
        depth: tests above a leaf.
        grows: whether a tree has more than one leaf.
    """

    def __init__(self, problems: TreeProblems, trees: TreeRule, both: Floats) -> None:
        """Plant trees of one leaf; ``both``: gradients and weights, ``(n_problems, 2, n_masks)``."""
        n_rows = len(both) * trees.num_leaves
        self.problems, self.trees, self.both = problems, trees, both
        self.first = np.arange(0, n_rows, trees.num_leaves)
        self.leaf = np.zeros((len(both), len(problems.table)), dtype=np.int8)
        self.sums = np.zeros((n_rows, *(both @ problems.features).shape[1:]))
        self.gain, self.player = np.full(n_rows, -np.inf), np.zeros(n_rows, dtype=np.int64)
        self.depth = np.zeros(n_rows, dtype=np.int64)
        self._judge(self.first, both @ problems.features)
        self.grows = self.gain[self.first] > 0

    def split(self, new: int, n_growing: int) -> None:
        """Split the best leaf of the first trees where that lowers the error: who holds the player moves to ``new``."""
        first = self.first[:n_growing]
        best = self.gain.reshape(len(self.first), -1)[:n_growing].argmax(axis=1)
        rows = first + best
        moves = self.problems.present.take(self.player.take(rows), axis=0)
        moves &= self.leaf[:n_growing] == best.astype(np.int8)[:, None]
        np.putmask(self.leaf[:n_growing], moves, np.int8(new))
        both = self.both[:n_growing]
        moved = (moves[:, None, : both.shape[2]] * both) @ self.problems.features
        depth = self.depth.take(rows) + 1
        self.depth[rows] = self.depth[first + new] = depth
        self._judge(np.concatenate([rows, first + new]), np.concatenate([self.sums.take(rows, axis=0) - moved, moved]))

    def _judge(self, rows: Ints, sums: Floats) -> None:
        """Note the sums of some leaves and their best splits."""
        total, n_all, own, n_own = sums[:, 0, -1:], sums[:, 1, -1:], sums[:, 0, :-1], sums[:, 1, :-1]
        others, n_others = total - own, n_all - n_own
        fewest = np.minimum(n_own, n_others)
        gains = others * others / np.maximum(n_others, 1) + own * own / np.maximum(n_own, 1)
        gains -= total * total / np.maximum(n_all, 1)
        gains[fewest < self.trees.min_child_samples] = 0.0
        player = gains.argmax(axis=1)
        gain = gains.max(axis=1)
        is_split = (gain > 0) & (self.depth.take(rows) < self.trees.max_depth)
        self.sums[rows] = sums
        self.gain[rows] = np.where(is_split, gain, -np.inf)
        self.player[rows] = np.where(is_split, player, own.shape[1])

    def values(self) -> Floats:
        """Return the step of every leaf down the gradient, ``(n_problems, num_leaves)``; none of a tree of one leaf."""
        steps = -self.sums[:, 0, -1] / np.maximum(self.sums[:, 1, -1], 1)
        return np.asarray(steps.reshape(len(self.first), -1) * self.grows[:, None])

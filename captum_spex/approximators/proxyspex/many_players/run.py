"""ProxySPEX among very many players: random packed masks, screened, then fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from captum_spex.approximators.base import Estimate
from captum_spex.approximators.proxyspex.estimation import FEWEST_MASKS, Estimator, Evaluations
from captum_spex.approximators.proxyspex.many_players.mask_blocks import (
    columns_of,
    held_out_quality,
    split,
    trusted_slope,
)
from captum_spex.approximators.proxyspex.many_players.regression import regressed
from captum_spex.approximators.proxyspex.many_players.screening import Screened, marginals
from captum_spex.arrays import Floats, Ints
from captum_spex.errors import BudgetError
from captum_spex.game import ValueTable
from captum_spex.masks import Masks, PackedMasks, first_rows, mask_keys
from captum_spex.model import AmongOthers, GameModel, RecoveredGame, Residuals, Spectrum

_MOST_BYTES = 8 << 30  # of packed masks
_TWO_SIDED_95 = 1.96


def check_memory(n_players: int, n_masks: int) -> None:
    """Raise an error if so many masks do not fit into memory, eight players to a byte."""
    width = -(-n_players // 8)
    if n_masks * width > _MOST_BYTES:
        came = f"{n_masks:,} masks of {n_players:,} players, {n_masks * width / 2**30:.0f} GiB even if packed"
        raise BudgetError("budget", came, f"up to {_MOST_BYTES // width:,}, {_MOST_BYTES >> 30} GiB")


@dataclass
class ManyPlayersRun:
    """A run whose masks are uniformly random, after the full and the empty one.

    Attributes:
        n_players: number of players.
        sizes: how many masks there are after every round.
        target: faithfulness above which no further round is wanted.
        estimator: what fits proxies of the caller's choice to the players that are left; None: regression.
        interpolate: whether the values of the full and of the empty mask replace what is recovered there.
        rng: draws the masks; the same seed gives the same masks and result.
    """

    n_players: int
    sizes: Sequence[int]
    target: float | None
    estimator: Estimator | None
    interpolate: bool
    rng: np.random.Generator
    seed: int
    packed: list[np.ndarray] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    n_rounds: int = 0
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    recovered: list[Estimate] | None = None

    def ask(self) -> PackedMasks | None:
        """Return the masks of the next round."""
        if self.n_rounds == len(self.sizes) or (self.values and self._reached()):
            return None
        before = self.sizes[self.n_rounds - 1] if self.n_rounds else 0
        masks = self._drawn(self.sizes[self.n_rounds] - before, with_ends=not before)
        self.n_rounds += 1
        self.packed.append(masks.packed)
        return masks

    def tell(self, values: Floats) -> None:
        """Receive the values of the masks asked for last."""
        self.values.append(values)
        self.recovered = None

    def result(self) -> list[Estimate]:
        """Recover every output."""
        if not self.values:
            raise RuntimeError("`result` was called before the values were told")
        if self.recovered is None:
            self.recovered = self._recovered()
        if self.target is None:
            return self.recovered
        if not self.curve or self.curve[-1][0] < len(self._observed().values):
            self._reached()
        return [replace(one, diagnostics={**one.diagnostics, "curve": self.curve}) for one in self.recovered]

    def _drawn(self, count: int, *, with_ends: bool) -> PackedMasks:
        """Uniformly random masks; two that are alike are rarer than bits that flip by themselves."""
        packed = self.rng.integers(0, 256, size=(count, -(-self.n_players // 8)), dtype=np.uint8)
        if with_ends:
            packed[:2] = 0
            packed[0] = ~packed[0]
        if self.n_players % 8:
            packed[:, -1] &= np.uint8((1 << self.n_players % 8) - 1)
        return PackedMasks(packed, self.n_players)

    def _observed(self) -> ValueTable:
        if len(self.values) > 1:
            self.packed, self.values = [np.concatenate(self.packed)], [np.concatenate(self.values)]
        return ValueTable(PackedMasks(self.packed[0], self.n_players), self.values[0])

    def _reached(self) -> bool:
        if self.target is None:
            return False
        self.recovered = self._recovered()
        lowest = min(self.recovered, key=lambda one: one.diagnostics.get("lower", float("-inf")))
        self.curve.append((len(self._observed().values), lowest.faithfulness, lowest.diagnostics["lower"]))
        return bool(lowest.diagnostics["lower"] >= self.target)

    def _recovered(self) -> list[Estimate]:
        observed = self._observed()
        if len(observed.masks) < FEWEST_MASKS:
            few = Estimator((), self.interpolate, torch.device("cpu"), self.seed)
            return few(averaged(observed, np.arange(self.n_players)))
        learnt = observed.at(np.arange(2, len(observed.masks)))  # the ends tell nothing about random masks
        found = learnt_among_many(learnt, self.estimator, np.random.default_rng(self.seed))
        return [self._finished(one, values) for one, values in zip(found, observed.values.T, strict=True)]

    def _finished(self, found: Estimate, values: Floats) -> Estimate:
        """Put the values of the full and the empty mask back."""
        if np.ptp(values) == 0:
            constant = Spectrum.from_terms({(): float(values[0])}, self.n_players)
            return Estimate(GameModel((constant,)), 1.0, {"proxy": "constant values", "lower": 1.0})
        if not self.interpolate:
            return found
        others = found.model if isinstance(found.model, AmongOthers) else None
        model = found.model if others is None else others.inner
        ends = np.stack([np.ones(model.n_players, dtype=np.bool_), np.zeros(model.n_players, dtype=np.bool_)])
        corrections = Residuals(ends, values[:2] - model(ends))
        model = GameModel((*model.parts, corrections), model.posterior)
        if others is not None:
            model = AmongOthers.of(model, others.players.tolist(), self.n_players, others.other_std_error)
        return replace(found, model=model)


def learnt_among_many(observed: ValueTable, estimator: Estimator | None, rng: np.random.Generator) -> list[Estimate]:
    """Recover every output from masks of many players: by proxies among those that are screened, or by regression.

    Either way a tenth of the masks takes no part, in the screening neither; there the faithfulness is measured.
    """
    if estimator is None:
        return regressed(observed, rng)
    rows, others = split(observed, rng)
    shares, correlations = marginals(rows)
    return [_fitted(rows, others, shares, estimator, (output, column)) for output, column in enumerate(correlations.T)]


def _fitted(
    rows: ValueTable, others: ValueTable, shares: Floats, estimator: Estimator, of: tuple[int, Floats]
) -> Estimate:
    """Fit proxies to the players that the screening leaves of an output, given its number and correlations."""
    output, correlations = of
    n_players = len(shares)
    screened = Screened.of(rows, shares, correlations, output)
    (one,) = estimator(averaged(replace(rows, values=rows.values[:, [output]]), screened.players))
    truth = others.values[:, output]
    model, predicted = _shrunk(one.model, columns_of(others, screened.players) > 0, truth)
    r_squared, lower = held_out_quality(truth, truth - predicted)
    if len(screened.players) < n_players:
        model = AmongOthers.of(model, screened.players.tolist(), n_players, screened.bound / _TWO_SIDED_95)
    facts = {**one.diagnostics, "lower": lower, **screened.described(n_players)}
    return Estimate(model, r_squared, facts)


def _shrunk(model: RecoveredGame, masks: Masks, truth: Floats) -> tuple[RecoveredGame, Floats]:
    """Return the model, as far as it surely follows values that it has not seen, and what it predicts there."""
    predicted = model(masks)
    slope, middle = trusted_slope(predicted, truth), float(predicted.sum()) / max(len(truth), 1)
    if slope == 1:
        return model, predicted
    constant = Spectrum.from_terms({(): (1 - slope) * middle}, model.n_players)
    parts = (constant, *(part.scaled(slope) for part in model.parts))
    return GameModel(parts, model.posterior), middle + slope * (predicted - middle)


def averaged(observed: ValueTable, players: Ints) -> Evaluations:
    """Return distinct masks of some players, with the means of their values and the variances of these."""
    masks = columns_of(observed, players) > 0
    first, rows = first_rows(mask_keys(masks))
    counts = np.bincount(rows).astype(np.float64)
    means = np.zeros((len(first), observed.values.shape[1]))
    np.add.at(means, rows, observed.values)
    means /= counts[:, None]
    again = len(rows) - len(first)  # degrees of freedom
    variance = ((observed.values - means[rows]) ** 2).sum(axis=0) / max(again, 1)
    return Evaluations(masks[first], means, counts / counts.sum(), variance / counts[:, None])

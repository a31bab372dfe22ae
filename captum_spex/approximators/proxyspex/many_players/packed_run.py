"""A run of ProxySPEX among very many players: random packed masks, screened players, then proxies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from captum_spex.approximators.base import Estimate, Problem
from captum_spex.approximators.proxyspex.estimation import Estimator
from captum_spex.approximators.proxyspex.many_players.blocked_table import BlockedTable
from captum_spex.approximators.proxyspex.many_players.screened_fit import averaged, estimate_among_many
from captum_spex.approximators.proxyspex.rounds import FEWEST_MASKS, Rounds
from captum_spex.approximators.proxyspex.settings import FitLimits
from captum_spex.arrays import Floats
from captum_spex.masks import PackedMasks, ends
from captum_spex.model import AmongOthers, GameModel, Residuals


@dataclass
class PackedRun:
    """A run whose masks are uniformly random, after the full and the empty one.

    Attributes:
        problem: what is explained.
        estimator: fits proxies to the players that pass a screening; ``None``: regression.
        sizes: how many masks there are after every round.
        interpolate: whether the estimate takes the values of the full and of the empty mask.
        rng: draws the masks; the same seed gives the same masks and result.
        seed: of the estimation.
        limits: bounds of memory and time.
    """

    problem: Problem
    estimator: Estimator | None
    sizes: Sequence[int]
    interpolate: bool
    rng: np.random.Generator
    seed: int
    limits: FitLimits
    packed: list[np.ndarray] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self.rounds = Rounds(self.sizes, self.problem.target, self._estimates)

    def ask(self) -> PackedMasks | None:
        """Return the masks of the next round."""
        n_before, size = self.rounds.size, self.rounds.next_size()
        if size is None:
            return None
        masks = self._drawn(size - n_before, with_ends=not n_before)
        self.packed.append(masks.packed)
        return masks

    def tell(self, values: Floats) -> None:
        """Receive the values of the last masks."""
        self.values.append(values)

    def result(self) -> list[Estimate]:
        """Estimate every output."""
        return self.rounds.result()

    def _drawn(self, count: int, *, with_ends: bool) -> PackedMasks:
        """Return uniformly random masks; two that are alike are rarer than bits that flip by themselves."""
        n = self.problem.n_players
        packed = self.rng.integers(0, 256, size=(count, -(-n // 8)), dtype=np.uint8)
        if n % 8:
            packed[:, -1] &= np.uint8((1 << n % 8) - 1)
        if with_ends:
            packed[:2] = PackedMasks.of(ends(n)).packed
        return PackedMasks(packed, n)

    def _estimates(self) -> list[Estimate]:
        if not self.values:
            raise RuntimeError("`result` was called before `tell`")
        if len(self.values) > 1:  # joined for good: two copies of all masks may not fit into memory
            self.packed, self.values = [np.concatenate(self.packed)], [np.concatenate(self.values)]
        n, values = self.problem.n_players, self.values[0]
        table = BlockedTable(PackedMasks(self.packed[0], n), values, self.limits)
        if len(table) < FEWEST_MASKS:
            too_few = Estimator((), self.interpolate, torch.device("cpu"), self.seed)
            return too_few(averaged(table, np.arange(n)))
        learnt_on = table.at(np.arange(2, len(table)))  # the ends tell nothing about random masks
        found = estimate_among_many(learnt_on, self.estimator, np.random.default_rng(self.seed))
        return [self._finished(one, column) for one, column in zip(found, values.T, strict=True)]

    def _finished(self, found: Estimate, values: Floats) -> Estimate:
        """Interpolate the values of the full and the empty mask."""
        n = self.problem.n_players
        if np.ptp(values) == 0:
            constant = GameModel.constant(float(values[0]), n)
            return Estimate(constant, 1.0, {"proxy": "constant values", "lower": 1.0})
        if not self.interpolate:
            return found
        others = found.model if isinstance(found.model, AmongOthers) else None
        model = found.model if others is None else others.inner
        masks = ends(model.n_players)
        model = GameModel((*model.parts, Residuals(masks, values[:2] - model(masks))), model.posterior)
        if others is not None:
            model = AmongOthers.of(model, others.players.tolist(), n, others.other_std_error)
        return replace(found, model=model)

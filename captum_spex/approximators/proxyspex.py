"""ProxySPEX: a fitted surrogate whose Fourier spectrum is read off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any, Literal, get_args

import numpy as np

from captum_spex.approximators._boosted import BoostedTrees
from captum_spex.approximators._refit import PENALTIES, WeightedRidge, refit_energy
from captum_spex.approximators._validation import folds, r_squared
from captum_spex.approximators.base import Problem, Recovered, Run, SingleRound
from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.masks import Masks
from captum_spex.model import GameModel, ObservedCorrections, Spectrum
from captum_spex.sampling import Design, affordable_level, bernoulli, enumerate_and_spread
from captum_spex.supports import Floats

DesignName = Literal["auto", "bernoulli", "spread"]
RefitName = Literal["validated", "energy"]

_UNIFORM_INDICES = ("BV", "BII", "FBII", "Fourier")
_SUPPORT_SIZES = (0.5, 2.0)  # candidate supports, in terms per evaluated mask
_N_FOLDS = 5
_VALIDATED_MASKS = 3000  # fits on held-out folds stop when they have seen about as many masks
_FEWEST_VALIDATED = 16  # masks below which holding some out says nothing
_PUBLISHED_ENERGY = 0.95


@dataclass(frozen=True)
class ProxySpex:
    """ProxySPEX: fit boosted trees to the evaluated masks, read off their spectrum, refit it, put back what was seen.

    The trees' exact spectrum proposes the terms. How many of them are kept, and how strongly their coefficients are
    shrunk when they are refitted (or whether the trees are left as they are, or main effects say it all), is decided
    by predictions for held-out masks. The values that were observed replace the model's on the masks evaluated, so
    first-order Shapley values always sum to ``f(all) - f(none)``, and the estimate becomes exact as the budget
    approaches ``2**n_players``.

    Attributes:
        design: which masks to evaluate: ``"bernoulli"`` (uniformly random), ``"spread"`` (all small and large
            coalitions, the rest spread in complementary pairs), or ``"auto"``: Bernoulli for the indices that weigh
            all masks alike (Banzhaf, Fourier), spread for the others.
        trees: settings of the boosted trees; of several, the best on held-out masks is used.
        refit: ``"validated"`` as described, or ``"energy"``, as published: keep the terms larger than the one at which
            95 % of the energy is reached (so a single term that holds it all is lost), and refit them by ridge.
        put_back: whether observed values replace the model's.

    Example:
        >>> import captum_spex
        >>> game = lambda m: m[:, 0] + 2.0 * (m[:, 3] & m[:, 8])
        >>> result = captum_spex.explain(game, 20, budget=256, approximator=ProxySpex(), random_state=0)
        >>> list(result.top(1, order=2))
        [(3, 8)]

    References:
        Butler et al., "ProxySPEX", NeurIPS 2025, arXiv 2505.17495.
    """

    design: DesignName = "auto"
    trees: BoostedTrees | tuple[BoostedTrees, ...] = field(default_factory=BoostedTrees)
    refit: RefitName = "validated"
    put_back: bool = True

    def __post_init__(self) -> None:
        for name, allowed in (("design", get_args(DesignName)), ("refit", get_args(RefitName))):
            if getattr(self, name) not in allowed:
                raise UnknownNameError(name, repr(getattr(self, name)), ", ".join(f'"{a}"' for a in allowed))
        if not self._candidates or not all(isinstance(trees, BoostedTrees) for trees in self._candidates):
            raise ArgumentError("trees", repr(self.trees), "`BoostedTrees` or a tuple of them")

    @classmethod
    def as_published(cls) -> ProxySpex:
        """Return the method with its published settings, for comparison: slower, and not convergent.

        Uniformly random masks; 5-fold choice among twelve LightGBM settings (depth 3 or 5; 500, 1,000 or 5,000 trees;
        learning rate 0.01 or 0.1); 95 % of the energy; ridge; observed values are not put back. The faithfulness is
        that of the trees on held-out masks, before the cut.
        """
        grid = tuple(
            BoostedTrees(n_trees, rate, depth, num_leaves=31, min_child_samples=20, subsample=1.0)
            for depth, n_trees, rate in product((3, 5), (500, 1000, 5000), (0.01, 0.1))
        )
        return cls(design="bernoulli", trees=grid, refit="energy", put_back=False)

    def start(self, problem: Problem, rng: np.random.Generator) -> Run:
        """Plan the masks of a run."""
        design = self._design(problem, rng)
        return SingleRound(design.masks, partial(self._recover, design, int(rng.integers(2**63))))

    @property
    def _candidates(self) -> tuple[BoostedTrees, ...]:
        return (self.trees,) if isinstance(self.trees, BoostedTrees) else tuple(self.trees)

    def _design(self, problem: Problem, rng: np.random.Generator) -> Design:
        n, budget, index = problem.n_players, problem.budget, problem.index
        uniform = index.name in _UNIFORM_INDICES or index.name.startswith("BII")
        if self.design == "bernoulli" or (self.design == "auto" and uniform):
            return bernoulli(n, budget, rng)
        return enumerate_and_spread(n, budget, rng, level=affordable_level(n, budget, index.max_order))

    def _recover(self, design: Design, seed: int, masks: Masks, values: Floats) -> Recovered:
        honest = bool(design.uniform.sum() >= _FEWEST_VALIDATED)
        if len(masks) < _FEWEST_VALIDATED or values.min() == values.max():
            return self._without_validation(masks, values, honest)
        center, scale = _units(values)
        spectrum, recovered = self._fit(design, honest, seed, masks, (values - center) / scale)
        constant = Spectrum.from_terms({(): center}, masks.shape[1])
        in_units = Spectrum.sum([spectrum.scaled(scale), constant], masks.shape[1])
        return Recovered(self._model(in_units, masks, values), **recovered)

    def _fit(
        self, design: Design, honest: bool, seed: int, masks: Masks, values: Floats
    ) -> tuple[Spectrum, dict[str, Any]]:
        held_out = np.flatnonzero(design.uniform) if honest else np.arange(2, len(masks))
        # The same folds for every output: outputs of one game are recovered alike.
        # With many masks, fewer of the five folds say enough.
        split = [held_out[rows] for rows in folds(masks[held_out], _N_FOLDS, np.random.default_rng(seed))]
        split = split[: max(1, _VALIDATED_MASKS // len(masks))]
        choice, predicted = self._validate(masks, values, split)
        rows = np.concatenate(split)
        spectrum = choice.fit(masks, values)
        return spectrum, {
            "faithfulness": r_squared(values[rows], predicted[rows]) if honest else float("nan"),
            "diagnostics": {"trees": choice.trees, "refit": choice.describe(), "n_terms": len(spectrum)},
        }

    def _validate(self, masks: Masks, values: Floats, split: Sequence[np.ndarray]) -> tuple[_Choice, Floats]:
        """Return the choice with the smallest squared error on held-out masks, and its held-out predictions."""
        best: tuple[float, _Choice, Floats] | None = None
        for trees in self._candidates:
            choices = _choices(trees, self.refit)
            predicted = np.full((len(choices), len(values)), np.nan)
            for held_out in split:
                kept = np.setdiff1d(np.arange(len(values)), held_out)
                predicted[:, held_out] = _predict_all(choices, masks[kept], values[kept], masks[held_out])
            errors = np.nansum((predicted - values) ** 2, axis=1)
            winner = int(errors.argmin())
            if best is None or errors[winner] < best[0]:
                best = float(errors[winner]), choices[winner], predicted[winner]
        if best is None:
            raise RuntimeError("no settings to choose from")
        return best[1], best[2]

    def _without_validation(self, masks: Masks, values: Floats, honest: bool) -> Recovered:
        """Too few masks to hold any out, or constant values: the middle, and what was seen."""
        constant = values.min() == values.max()
        spectrum = Spectrum.from_terms({(): float(values[0]) if constant else _units(values)[0]}, masks.shape[1])
        reason = "constant values" if constant else "too few masks to validate a surrogate"
        faithfulness = 1.0 if constant and honest else float("nan")
        return Recovered(self._model(spectrum, masks, values), faithfulness, {"refit": reason})

    def _model(self, spectrum: Spectrum, masks: Masks, values: Floats) -> GameModel:
        if not self.put_back:
            return GameModel((spectrum,))
        return GameModel((spectrum, ObservedCorrections(masks, values - spectrum(masks))))


def _units(values: Floats) -> tuple[float, float]:
    """Return center and scale: every step between works on numbers of size 1, whatever the game's units."""
    center = float(values.min() / 2 + values.max() / 2)
    return center, float(np.abs(values - center).max())


@dataclass(frozen=True)
class _Choice:
    """One way from fitted trees to a spectrum: the refit of ``size`` terms per mask under ``penalty``, or none."""

    trees: BoostedTrees
    kind: Literal["none", "main effects", "ridge", "energy"]
    size: float = 0.0
    penalty: float = 0.0

    def fit(self, masks: Masks, values: Floats) -> Spectrum:
        """Fit the trees and refit their spectrum."""
        if self.kind == "main effects":
            return WeightedRidge.main_effects(masks, values).solve(self.penalty)
        spectrum = self.trees.fit(masks, values)
        if self.kind == "none":
            return spectrum
        if self.kind == "energy":
            return refit_energy(spectrum, _PUBLISHED_ENERGY, masks, values)
        ridge = WeightedRidge.prepare(spectrum, round(self.size * len(masks)), masks, values)
        return ridge.solve(self.penalty) if len(ridge.prior) > 1 else spectrum

    def describe(self) -> str:
        """Say what was chosen."""
        return {
            "none": "none, the trees as fitted",
            "main effects": f"ridge on the main effects only, penalty {self.penalty:g}",
            "ridge": f"ridge on {self.size:g} terms per mask, penalty {self.penalty:g}",
            "energy": f"ridge on {_PUBLISHED_ENERGY:.0%} of the energy",
        }[self.kind]


def _choices(trees: BoostedTrees, refit: RefitName) -> list[_Choice]:
    if refit == "energy":
        return [_Choice(trees, "energy")]
    ridges = [_Choice(trees, "ridge", size, penalty) for size, penalty in product(_SUPPORT_SIZES, PENALTIES)]
    linear = [_Choice(trees, "main effects", penalty=penalty) for penalty in PENALTIES]
    return [_Choice(trees, "none"), *linear, *ridges]


def _predict_all(choices: Sequence[_Choice], masks: Masks, values: Floats, others: Masks) -> Floats:
    """Predict other masks by every choice; the trees are fitted once, and every support factorised once a penalty."""
    if choices[0].kind == "energy":
        # As published, the settings of the trees are chosen by the error of the trees themselves.
        return choices[0].trees.fit(masks, values)(others)[None]
    return np.concatenate(list(_predictions(choices[0].trees, masks, values, others)))


def _predictions(trees: BoostedTrees, masks: Masks, values: Floats, others: Masks) -> Iterator[Floats]:
    spectrum = trees.fit(masks, values)
    plain = spectrum(others)[None]
    yield plain
    yield WeightedRidge.main_effects(masks, values).predict_path(others, PENALTIES)
    for size in _SUPPORT_SIZES:
        ridge = WeightedRidge.prepare(spectrum, round(size * len(masks)), masks, values)
        if len(ridge.prior) > 1:
            yield ridge.predict_path(others, PENALTIES)
        else:  # the trees found nothing: there is nothing to refit
            yield np.repeat(plain, len(PENALTIES), axis=0)

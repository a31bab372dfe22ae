"""SPEX: sparse Fourier decoding with error-correcting codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from captum_spex import checks
from captum_spex.approximators.base import Estimate, Problem, Run, SingleRound
from captum_spex.approximators.spex.bins import NOISE_FLOOR, Bins
from captum_spex.approximators.spex.code import LARGEST_CORRECTION, Code
from captum_spex.approximators.spex.mask_design import MaskDesign
from captum_spex.approximators.spex.peeling import decode
from captum_spex.approximators.spex.settings import SETTINGS
from captum_spex.approximators.spex.term_choice import answers, grow
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, BudgetError
from captum_spex.masks import ends
from captum_spex.model import GameModel, Residuals, Spectrum
from captum_spex.statistics import r_squared


@dataclass(frozen=True)
class Spex:
    """SPEX: an error-correcting code designs the masks, so that a sparse spectrum is decoded instead of searched.

    Attributes:
        degree: errors that the code corrects in a bin: the order of a term and wrong signs count alike, so it is the
            highest order of a term that can be found by decoding. Default: 5, or less (down to 1) where the budget
            gives fewer than 16 bins.
        bits: logarithm of the number of bins of a group. Default: as many as the budget allows.
        n_groups: groups of masks, 2 or more. Default: 3 to 5, whichever uses most of the budget.

    The rest of the budget is spent on uniformly random masks. They decide between the ways to answer (the decoded
    terms, more terms that the residual shows, main effects only, the mean only), measure the faithfulness, and then
    join the final fit.

    Example:
        >>> import captum_spex
        >>> game = lambda m: 1.0 * m[:, 0] + 4.0 * (m[:, 3] & m[:, 80])
        >>> result = captum_spex.explain(game, 100, budget=2000, approximator=Spex(), random_state=0)
        >>> round(result[(3, 80)], 8), round(result.faithfulness, 8)
        (4.0, 1.0)

    References:
        Kang et al., "SPEX: Scaling Feature Interaction Explanations for LLMs", ICML 2025, arXiv 2502.13870.
    """

    degree: int | None = None
    bits: int | None = None
    n_groups: int | None = None

    def __post_init__(self) -> None:
        for argument, low, high in (("degree", 1, LARGEST_CORRECTION), ("bits", 1, 24), ("n_groups", 2, 16)):
            value = getattr(self, argument)
            if value is not None:
                object.__setattr__(self, argument, checks.integer(argument, value, low, high))

    def start(self, problem: Problem, rng: np.random.Generator) -> Run:
        """Choose the parameters and plan the masks of a run.

        Raises:
            BudgetError: if the budget is below the minimum for this number of players and this degree.
            ArgumentError: if so many bins are asked for that they do not fit into memory.
        """
        degree, bits, n_groups = self._parameters(problem)
        design = MaskDesign.draw(Code(problem.n_players, degree), bits, n_groups, problem.budget, rng)
        facts = {"degree": degree, "bits": bits, "n_groups": n_groups, "n_extra": len(design.extra)}
        return SingleRound(design, partial(_recover, facts))

    def minimum_budget(self, n_players: int) -> int:
        """Return the smallest budget for this number of players."""
        degrees = SETTINGS.degrees if self.degree is None else (self.degree,)
        bits = SETTINGS.fewest_bits if self.bits is None else self.bits
        n_groups = SETTINGS.groups[0] if self.n_groups is None else self.n_groups
        return min(_cost(Code(n_players, degree), bits, n_groups) for degree in degrees)

    @staticmethod
    def default_budget(n_players: int) -> int:
        """Return the budget of three groups of 64 bins at degree 5, and never more than ``2**n``.

        For 20 players 5,337, for 100 7,807, for 1,000 10,657.
        """
        usual = Spex(degree=5, bits=6, n_groups=3)
        return min(usual.minimum_budget(n_players), 2 ** min(n_players, 62))

    def _parameters(self, problem: Problem) -> tuple[int, int, int]:
        """Choose degree, bits and groups: the largest degree with enough bins, then as much of the budget as fits."""
        degrees = SETTINGS.degrees if self.degree is None else (self.degree,)
        choices = [(degree, *found) for degree in degrees if (found := self._largest(problem, degree)) is not None]
        if not choices:
            expected = f"at least {self.minimum_budget(problem.n_players)} for {problem.n_players} players"
            expected += "" if self.degree is None else f" and degree {self.degree}"
            hint = "`ProxySpex()` explains from fewer evaluations."
            raise BudgetError("budget", str(problem.budget), expected, hint)
        comfortable = [choice for choice in choices if choice[1] >= SETTINGS.comfortable_bits]
        degree, bits, n_groups = comfortable[0] if comfortable else max(choices, key=lambda choice: choice[1])
        needed = _bytes_needed(Code(problem.n_players, degree), bits, n_groups)
        if needed > SETTINGS.most_bytes:  # only bits that were asked for get here
            got = f"{bits}, whose bins need {needed / 2**30:.1f} GiB"
            raise ArgumentError("bits", got, f"bins that fit into {SETTINGS.most_bytes >> 30} GiB")
        return degree, bits, n_groups

    def _largest(self, problem: Problem, degree: int) -> tuple[int, int] | None:
        """Return the bits and groups that use most of the budget at one degree, or None if none fits."""
        code = Code(problem.n_players, degree)
        fitting = [
            (_cost(code, bits, n_groups), bits, n_groups)
            for n_groups in (SETTINGS.groups if self.n_groups is None else (self.n_groups,))
            for bits in (range(SETTINGS.fewest_bits, 25) if self.bits is None else (self.bits,))
            if _cost(code, bits, n_groups) <= problem.budget
            and (self.bits is not None or _bytes_needed(code, bits, n_groups) <= SETTINGS.most_bytes)
        ]
        return max(fitting)[1:] if fitting else None


def _bytes_needed(code: Code, bits: int, n_groups: int) -> int:
    """Return the memory of the bins."""
    return 8 * n_groups * (code.n_parity + 1) << bits


def _cost(code: Code, bits: int, n_groups: int) -> int:
    """Return the distinct masks of the groups, which share those without a combination, the full mask, and extra ones.

    Without extra masks nothing could decide between the ways to answer.
    """
    n_delays = code.n_parity + 1
    return (n_groups * n_delays << bits) - (n_groups - 1) * n_delays + 1 + SETTINGS.fewest_extra


def _recover(facts: dict[str, Any], design: MaskDesign, values: Floats) -> Estimate:
    full, extra = values[design.n_structured], values[design.n_structured + 1 :]
    center = float(values[0]) if not np.ptp(values) else float(values.mean())
    if not np.ptp(values):
        constant_game = GameModel.constant(center, design.n_players)
        return Estimate(constant_game, 1.0, {**facts, "answer": "constant values"})
    constant = Spectrum.from_terms({(): center}, design.n_players)
    scale = float(np.abs(values - center).max())
    extra = (extra - center) / scale
    bins = Bins.transform(design, (values - center) / scale)
    decoded = decode(bins)
    grown = grow(bins, decoded)
    ways = answers(bins, decoded, grown)
    spectra = [way.solve(bins) for way in ways]
    held_out = np.stack([one.values @ design.extra_signs(one.sets) for one in spectra])
    best = _choose((held_out - extra) ** 2)
    spectrum = Spectrum.sum([ways[best].solve(bins, extra).scaled(scale), constant], design.n_players)
    faithfulness = r_squared(extra, held_out[best]) if len(extra) >= SETTINGS.fewest_extra else float("nan")
    return Estimate(
        GameModel((spectrum, _residuals(design, spectrum, values, float(full)))),
        faithfulness,
        {**facts, "answer": ways[best].name, "n_decoded": len(decoded.terms), "n_terms": len(spectrum)},
    )


def _choose(errors: Floats) -> int:
    """Return the way with the smallest mean of squared errors ``(n_ways, n_extra)``.

    The first, careful way is replaced only by one that is better by more than a standard error: with few extra masks
    richer ones often look better than they are. Among exact ways the first is taken.
    """
    if errors.shape[1] < SETTINGS.fewest_extra:
        return 0
    floored = np.maximum(errors, NOISE_FLOOR)
    best = int(floored.mean(axis=1).argmin())
    gain = floored[0] - floored[best]
    return best if gain.sum() > gain.std() * np.sqrt(len(gain)) else 0


def _residuals(design: MaskDesign, spectrum: Spectrum, values: Floats, full: float) -> Residuals:
    """Return the residuals of every mask where players are few, else of the full and the empty one.

    With more players no other single mask carries weight in any index.
    """
    if design.n_players <= SETTINGS.interpolated_players:
        _, rows = np.unique(design.keys(), return_index=True)
        masks, truth = design.block(rows).unpack(), values[rows]
    else:
        masks = ends(design.n_players)
        truth = np.array([full, values[0]])  # the first mask of the first group is empty
    return Residuals(masks, truth - spectrum(masks))

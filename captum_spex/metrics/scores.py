"""Predictions against values: faithfulness, the linear data-modelling score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.checks import RandomState
from captum_spex.errors import ArgumentError, MaskError
from captum_spex.game import Game
from captum_spex.masks import Masks, all_masks, as_masks
from captum_spex.metrics.explanations import Explained, evaluated, n_players_of, predictions_of
from captum_spex.statistics import r_squared


@dataclass(frozen=True, eq=False)
class Score:
    """A measure and its cost: ``value`` is a number, or ``(n_outputs,)`` where the game has several outputs."""

    value: float | Floats
    n_evaluations: int

    def __float__(self) -> float:
        return float(self.value)


def faithfulness(
    explained: Explained,
    game: Game | ArrayLike,
    *,
    masks: ArrayLike | None = None,
    n_masks: int = 1000,
    n_players: int | None = None,
    random_state: RandomState = None,
) -> Score:
    r"""Return R² of a recovered game against the game, on uniformly random masks unless others are given.

    .. math:: R^2 = 1 - \sum_m (f(m) - \hat f(m))^2 \big/ \sum_m (f(m) - \bar f)^2

    Args:
        explained: whose predictions are measured; for a result, those of its recovered game.
        game: the game, or its values for ``masks``: then nothing is evaluated.
        masks: bool ``(n_masks, n_players)``, preferably not used for the explanation.
        n_masks: how many masks are drawn; if there are no more, all are taken, and the score is exact.
        n_players: default: that of the explanation, the masks or the game.
        random_state: seed or generator.

    Returns:
        R², one for each output, and the number of distinct masks evaluated.

    Raises:
        ArgumentError: if an argument cannot be used, found before the first evaluation.
        GameError: if the game returns values that cannot be used.

    Example:
        >>> def game(masks):
        ...     return 3.0 * masks[:, 0] + masks[:, 1]
        >>> faithfulness({(0,): 3.0, (1,): 1.0}, game, n_players=2), float(faithfulness([3.0, 0.0], game))
        (Score(value=1.0, n_evaluations=4), 0.8)

    References:
        Kang et al., "SPEX", ICML 2025, section 5.
    """
    n = n_players_of(n_players, explained, game, masks)
    n_drawn, rng = checks.integer("n_masks", n_masks), checks.generator(random_state)
    if masks is not None:
        chosen = as_masks(masks, n)
    elif n < 63 and 2**n <= n_drawn:
        chosen = all_masks(n)
    else:
        chosen = rng.integers(0, 2, size=(n_drawn, n), dtype=np.uint8).astype(np.bool_)
    return _scored(r_squared, explained, game, chosen)


def data_modelling_score(
    explained: Explained,
    game: Game | ArrayLike,
    *,
    masks: ArrayLike | None = None,
    n_masks: int = 100,
    share: float = 0.5,
    n_players: int | None = None,
    random_state: RandomState = None,
) -> Score:
    r"""Return the linear data-modelling score (LDS): Spearman's correlation of predictions and values over subsets.

    .. math:: LDS = \rho\big(\{f(S_j)\}_j, \{\hat f(S_j)\}_j\big), \quad |S_j| = \alpha n

    Attributions predict their sum over the subset, as in the paper; a result predicts by its recovered game, with all
    interactions. Pass ``result.first_order()`` to measure its single players alone.

    ``n_masks`` subsets with a ``share`` :math:`\alpha` of the players each are drawn, unless masks are given; all other
    arguments are those of `faithfulness`.

    Returns:
        The correlation, one for each output (the paper reports their mean), NaN where the values or the predictions are
        all the same; and the number of distinct masks evaluated.

    Raises:
        ArgumentError: if an argument cannot be used, found before the first evaluation.
        GameError: if the game returns values that cannot be used.

    Example:
        >>> data_modelling_score([1.0, 2.0, 4.0, 8.0], lambda m: np.exp(m @ [1, 2, 4, 8]), random_state=0)
        Score(value=1.0, n_evaluations=6)

    References:
        Park et al., "TRAK: Attributing Model Behavior at Scale", ICML 2023, section 2.
    """
    n = n_players_of(n_players, explained, game, masks)
    n_drawn, rng = checks.integer("n_masks", n_masks), checks.generator(random_state)
    share = checks.number("share", share, "a number between 0 and 1", above=0, below=1)
    if masks is not None:
        return _scored(rank_correlation, explained, game, as_masks(masks, n))
    chosen = np.arange(n) < min(max(round(share * n), 1), max(n - 1, 1))
    return _scored(rank_correlation, explained, game, rng.permuted(np.tile(chosen, (n_drawn, 1)), axis=1))


def _scored(
    measure: Callable[[Floats, Floats], float], explained: Explained, game: Game | ArrayLike, masks: Masks
) -> Score:
    if len(masks) < 2:
        raise MaskError("masks", f"{len(masks)} masks", "at least 2 masks")
    predicted = predictions_of(explained, masks)  # before the game is evaluated, as this may be refused
    values, n_evaluations, single = evaluated(game, masks)
    if predicted.shape != values.shape:
        expected = f"predictions of {values.shape[1]} outputs, as the game has"
        raise ArgumentError("explained", f"predictions of {predicted.shape[1]}", expected)
    scores = np.array([measure(*pair) for pair in zip(values.T, predicted.T, strict=True)])
    return Score(float(scores[0]) if single else scores, n_evaluations)


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's correlation; values that differ by rounding errors only are tied."""
    largest = [max(float(np.abs(values).max(initial=0.0)), np.finfo(np.float64).tiny) for values in (one, other)]
    ranks = [rankdata(np.round(v / most, 12)) for v, most in zip((one, other), largest, strict=True)]
    if len(one) < 2 or min(np.ptp(rank) for rank in ranks) == 0:
        return float("nan")
    return float(np.clip(np.corrcoef(*ranks)[0, 1], -1.0, 1.0))

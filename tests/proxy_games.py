"""Games and measures of error that several tests of ProxySPEX share."""

from __future__ import annotations

import numpy as np
from games import Game, smooth_game

from captum_spex.approximators import ProxySpex
from captum_spex.interactions import Interactions
from captum_spex.masks import mask_keys
from captum_spex.model import Residuals
from captum_spex.statistics import r_squared

GAUSSIAN = ProxySpex(proxy="gaussian-process", rounds=1)

NOISY = ProxySpex(proxy="gaussian-process", rounds=1, noisy=True)


def error_of(result: Interactions, truth: Interactions, order: int | None = None) -> float:
    """RMS error over the sets of an order, relative to the RMS of the truth."""
    sets = [players for players in truth if order is None or len(players) == order]
    wrong = sum((result[players] - truth[players]) ** 2 for players in sets)
    return float(np.sqrt(wrong / sum(truth[players] ** 2 for players in sets)))


def r_squared_elsewhere(result: Interactions, game: Game) -> float:
    """R² on uniformly random masks that were not evaluated."""
    n = result.n_players
    masks = np.random.default_rng(99).random((3000, n)) < 0.5
    residuals = next(part for part in result.model.parts if isinstance(part, Residuals))
    masks = masks[~np.isin(mask_keys(masks), mask_keys(residuals.masks))]
    return r_squared(game(masks), result.model(masks))


def noisy_game(deviation: float, seed: int) -> Game:
    rng = np.random.default_rng(seed)
    return lambda masks: smooth_game(masks) + deviation * rng.normal(size=len(masks))


def easy_game(masks: np.ndarray) -> np.ndarray:
    return masks[:, 0] + 2.0 * masks[:, 3] * masks[:, 5] + masks @ np.linspace(0, 1, masks.shape[1])

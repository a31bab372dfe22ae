"""Proxies among the players that pass a screening, or a regression on all players."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from captum_spex.approximators.base import Estimate
from captum_spex.approximators.proxyspex.estimation import Estimator, Evaluations
from captum_spex.approximators.proxyspex.many_players.blocked_table import BlockedTable, trusted_slope
from captum_spex.approximators.proxyspex.many_players.regression import regressed
from captum_spex.approximators.proxyspex.many_players.screening import Screening, screen_players
from captum_spex.approximators.proxyspex.validation import held_out_quality
from captum_spex.arrays import Floats, Ints
from captum_spex.masks import Masks, first_rows, mask_keys
from captum_spex.model import AmongOthers, GameModel, RecoveredGame, Spectrum
from captum_spex.statistics import TWO_SIDED_95


def estimate_among_many(table: BlockedTable, estimator: Estimator | None, rng: np.random.Generator) -> list[Estimate]:
    """Estimate every output from masks of many players: by proxies among those that are screened, or by regression.

    Either way a tenth of the masks takes no part, not even in the screening: the faithfulness is measured on it.
    """
    if estimator is None:
        return regressed(table, rng)
    rows, held_out = table.split(rng)
    screenings = screen_players(rows)
    outputs = zip(rows.values.T, held_out.values.T, screenings, strict=True)
    return [
        _estimate(rows.with_values(column[:, None]), held_out.with_values(truth[:, None]), screening, estimator)
        for column, truth, screening in outputs
    ]


def averaged(table: BlockedTable, players: Ints) -> Evaluations:
    """Return distinct masks of some players, with the means of their values and the variances of these."""
    masks = table.columns(players) > 0
    first, rows = first_rows(mask_keys(masks))
    counts = np.bincount(rows).astype(np.float64)
    means = np.zeros((len(first), table.values.shape[1]))
    np.add.at(means, rows, table.values)
    means /= counts[:, None]
    degrees_of_freedom = len(rows) - len(first)
    variance = ((table.values - means[rows]) ** 2).sum(axis=0) / max(degrees_of_freedom, 1)
    return Evaluations(masks[first], means, counts / counts.sum(), variance / counts[:, None])


def _estimate(rows: BlockedTable, held_out: BlockedTable, screening: Screening, estimator: Estimator) -> Estimate:
    """Fit proxies of one output to the players that passed its screening."""
    n_players, players, truth = rows.n_players, screening.players, held_out.values[:, 0]
    (one,) = estimator(averaged(rows, players))
    model, predicted = _shrunk(one.model, held_out.columns(players) > 0, truth)
    quality = held_out_quality(truth, predicted)
    if len(players) < n_players:
        model = AmongOthers.of(model, players.tolist(), n_players, screening.bound / TWO_SIDED_95)
    facts = {**one.diagnostics, "lower": quality.lower, **screening.described(n_players)}
    return replace(one, model=model, faithfulness=quality.r_squared, diagnostics=facts)


def _shrunk(model: RecoveredGame, masks: Masks, truth: Floats) -> tuple[RecoveredGame, Floats]:
    """Return the model, shrunk to what held-out values bear out, and its predictions of them."""
    predicted = model(masks)
    slope, mean = trusted_slope(predicted, truth), float(predicted.sum()) / max(len(truth), 1)
    if slope == 1:
        return model, predicted
    constant = Spectrum.from_terms({(): (1 - slope) * mean}, model.n_players)
    parts = (constant, *(part.scaled(slope) for part in model.parts))
    return GameModel(parts, model.posterior), mean + slope * (predicted - mean)

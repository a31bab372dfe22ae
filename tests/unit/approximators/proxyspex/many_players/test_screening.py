"""Screening of very many players."""

from __future__ import annotations

import numpy as np

from captum_spex.approximators import FitLimits
from captum_spex.approximators.proxyspex.many_players.blocked_table import BlockedTable
from captum_spex.approximators.proxyspex.many_players.screening import Marginals, screen_players
from captum_spex.masks import PackedMasks


def test_screening_again_finds_players_that_did_not_show_at_first() -> None:
    """Two hundred effects hide each other; what the strongest leave shows the others."""
    rng = np.random.default_rng(0)
    masks = rng.random((2000, 4000)) < 0.5
    planted = rng.choice(4000, 200, replace=False)
    values = masks[:, planted] @ rng.choice([-1.0, 1.0], 200)
    table = BlockedTable(PackedMasks.of(masks), values[:, None], FitLimits())
    first = np.argsort(-np.abs(Marginals.of(table).correlations[:, 0]))[:512]
    [screening] = screen_players(table)
    assert np.isin(planted, first).mean() < 0.95
    assert np.isin(planted, screening.players).all()

"""One row of a results file: what one method made of one case at one budget with one seed."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

STATUSES = ("done", "refused", "failed", "missing")


@dataclass(frozen=True)
class Row:
    """A line of ``results.csv``; the columns are these attributes, in this order, an empty field is NaN.

    Attributes:
        case, family, n_players: of the game.
        method, package, version: of the explainer; the version of the package it comes from.
        budget, seed: what was asked for.
        status: ``"done"``, ``"refused"`` (it cannot answer: too many players, too small a budget), ``"failed"`` (it
            raised), ``"missing"`` (not installed).
        message: why, unless done.
        n_evaluations: distinct masks that it evaluated; every comparison is by these.
        n_calls: masks that it evaluated, repeated ones too.
        r2: R² of what it predicts for uniformly random masks it has not seen.
        r2_sized: the same for masks of uniformly random size.
        shapley_error: ``sum((estimate - exact)**2) / sum(exact**2)`` of the Shapley values.
        order2_error, order3_error: the same of all pairs and triples, in the index that the method estimates.
        precision: share of its ten largest interactions (order 2 and more) that are among the ten largest exact ones.
        removal_area: area under the values, 1 for all players and 0 for none, as players are removed, those that it
            ranks highest first; small is good.
        own_seconds: time on the clock without that spent in the game.
        peak_mib: memory that it needed at its peak beyond that before, in MiB.
    """

    case: str
    family: str
    n_players: int
    method: str
    package: str
    version: str
    budget: int
    seed: int
    status: str
    message: str = ""
    n_evaluations: float = nan
    n_calls: float = nan
    r2: float = nan
    r2_sized: float = nan
    shapley_error: float = nan
    order2_error: float = nan
    order3_error: float = nan
    precision: float = nan
    removal_area: float = nan
    own_seconds: float = nan
    peak_mib: float = nan

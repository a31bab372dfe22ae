"""Approximators of shapiq; values of an index also stand for the game of lowest degree that has them."""

from __future__ import annotations

from importlib import import_module
from math import comb
from typing import Any

from captum_spex.benchmark.methods.adapter import (
    Adapter,
    Explain,
    Limit,
    RowsGame,
    needs,
    needs_memory,
    of_groups,
    of_recovered,
    shapley_of,
)
from captum_spex.benchmark.methods.sparse_transform_method import no_bins
from captum_spex.benchmark.protocol import Answer, Request
from captum_spex.exports.shapiq import from_shapiq

_MODULE = "shapiq.approximator"
_LARGEST_RECOVERED = 10  # order of the sparse ones' terms: their trees have depth 5, their code corrects 5 errors
_MOST_STEPS = 10**8
_FEWEST_ROWS = 50  # of which four fifths have two leaves of 20
_MOST_BINOMIAL = 1029  # players, whose binomial coefficients are still below the largest double


def _values(name: str, game: RowsGame, request: Request, **settings: Any) -> Any:
    """Return the ``shapiq.InteractionValues`` of a class."""
    kind = getattr(import_module(_MODULE), name)
    approximator = kind(n=request.n_players, random_state=request.seed, **settings)
    return approximator.approximate(_n_rows(request), game)


def _n_rows(request: Request) -> int:
    return min(request.budget, 2 ** min(request.n_players, 62))


def _sparse(name: str) -> Explain:
    """Answer with the recovered game: all orders are asked for, whose faithful values are those of the game itself."""

    def explain(game: RowsGame, request: Request) -> Answer:
        max_order = min(_LARGEST_RECOVERED, request.n_players)
        _, model = from_shapiq(_values(name, game, request, index="FBII", max_order=max_order))
        return of_recovered(model, request)

    return explain


def _index(name: str, *, has_order: bool = True, has_shapley: bool = True, **settings: Any) -> Explain:
    """Answer with an index.

    The Shapley values of the game with these values are those of the index: its own first order for SII, and for FSII,
    whose approximation is projected further. Not for FBII, which approximates all masks alike.
    """

    def explain(game: RowsGame, request: Request) -> Answer:
        orders = {"max_order": request.order} if has_order else {}
        terms, model = from_shapiq(_values(name, game, request, **orders, **settings))
        groups = of_groups(terms)
        return Answer(model, shapley_of(model) if has_shapley else None, groups, terms.index if groups else "SII")

    return explain


def n_sets(request: Request) -> int:
    """Return the number of sets of players up to the order asked for, without the empty one."""
    return sum(comb(request.n_players, order) for order in range(1, request.order + 1))


def _regression_limit(request: Request) -> str | None:
    """Keep the regression's matrix in memory: a row for each evaluation, a column for each set; about six copies."""
    return needs_memory(6 * 8 * n_sets(request) * request.budget)


def _strata_limit(request: Request) -> str | None:
    """Each set takes a pass over all evaluations for each size of a coalition."""
    if n_sets(request) * request.n_players * request.budget > _MOST_STEPS:
        return f"takes more than a minute for {n_sets(request):,} sets of players"
    return None


def _proxy_spex_limit(request: Request) -> str | None:
    if request.n_players > _MOST_BINOMIAL:
        return f"its binomial coefficients overflow with more than {_MOST_BINOMIAL:,} players"
    return f"its trees need {_FEWEST_ROWS} evaluations to split" if _n_rows(request) < _FEWEST_ROWS else None


def _method(name: str, explain: Explain, limit: Limit = lambda request: None) -> Adapter:
    return Adapter(f"shapiq {name}", "shapiq", f"{_MODULE}.{name}", explain, limit)


METHODS = (
    _method("SPEX", _sparse("SPEX"), no_bins),
    _method("ProxySPEX", _sparse("ProxySPEX"), _proxy_spex_limit),
    _method("KernelSHAPIQ", _index("KernelSHAPIQ", index="SII"), _regression_limit),
    _method("SVARMIQ", _index("SVARMIQ", index="SII"), _strata_limit),
    _method("RegressionFSII", _index("RegressionFSII"), _regression_limit),
    _method("RegressionFBII", _index("RegressionFBII", has_shapley=False), _regression_limit),
    _method("ProxySHAP", _index("ProxySHAP", index="SII", adjustment=True)),
    _method("RegressionMSR", _index("RegressionMSR", has_order=False, index="SV")),
    _method("OddSHAP", _index("OddSHAP", has_order=False), lambda request: needs(10 * request.n_players, request)),
)

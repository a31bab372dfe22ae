"""Approximators of shapiq; values of an index also stand for the game of lowest degree that has them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from math import comb
from typing import Any

from captum_spex.benchmark._protocol import Answer, Request
from captum_spex.benchmark.methods._adapter import (
    Adapter,
    AskedGame,
    Explain,
    Limit,
    no_limit,
    of_groups,
    of_recovered,
    shapley_of,
)
from captum_spex.benchmark.methods._sparse_transform import no_bins
from captum_spex.exports.shapiq import from_shapiq

_MODULE = "shapiq.approximator"
_LARGEST_RECOVERED = 10  # order of the sparse ones' terms: their trees have depth 5, their code corrects 5 errors
_MOST_BYTES = 4 << 30
_MOST_STEPS = 10**8
_FEWEST_ROWS = 50  # of which four fifths have two leaves of 20
_MOST_BINOMIAL = 1029  # players, whose binomial coefficients are still below the largest double
Settings = Callable[[Request], dict[str, Any]]


def _order(request: Request) -> int:
    return min(request.max_order, request.n_players)


def _up_to_order(**settings: Any) -> Settings:
    return lambda request: {"max_order": _order(request), **settings}


def _fixed(**settings: Any) -> Settings:
    return lambda request: settings


def _recovered(request: Request) -> dict[str, Any]:
    """Ask for all orders: the faithful values then are those of the recovered game itself."""
    return {"index": "FBII", "max_order": min(_LARGEST_RECOVERED, request.n_players)}


def _values(name: str, game: AskedGame, request: Request, settings: Settings) -> Any:
    """Return the ``shapiq.InteractionValues`` of a class."""
    kind = getattr(import_module(_MODULE), name)
    approximator = kind(n=request.n_players, random_state=request.seed, **settings(request))
    return approximator.approximate(min(request.budget, 2 ** min(request.n_players, 62)), game)


def _sparse(name: str) -> Explain:
    """Answer with the recovered game."""

    def explain(game: AskedGame, request: Request) -> Answer:
        return of_recovered(from_shapiq(_values(name, game, request, _recovered))[1], request.max_order)

    return explain


def _index(name: str, settings: Settings, *, has_shapley: bool = True) -> Explain:
    """Answer with an index.

    The Shapley values of the game with these values are those of the index: its own first order for SII, and for FSII,
    whose approximation is projected further. Not for FBII, which approximates all masks alike.
    """

    def explain(game: AskedGame, request: Request) -> Answer:
        terms, model = from_shapiq(_values(name, game, request, settings))
        shapley = shapley_of(model) if has_shapley else None
        groups = of_groups(terms)
        return Answer(model, shapley, groups, terms.index if groups else "SII")

    return explain


def n_sets(request: Request) -> int:
    """Return how many sets of players there are up to the order asked for, without the empty one."""
    return sum(comb(request.n_players, order) for order in range(1, _order(request) + 1))


def _regression_limit(request: Request) -> str | None:
    """Keep the regression's matrix in memory: a row for each evaluation, a column for each set; about six copies."""
    needed = 6 * 8 * n_sets(request) * request.budget
    return f"needs {needed / 2**30:.1f} GiB" if needed > _MOST_BYTES else None


def _strata_limit(request: Request) -> str | None:
    """Each set takes a pass over all evaluations for each size of a coalition."""
    if n_sets(request) * request.n_players * request.budget > _MOST_STEPS:
        return f"takes more than a minute for {n_sets(request):,} sets of players"
    return None


def _proxy_spex_limit(request: Request) -> str | None:
    if request.n_players > _MOST_BINOMIAL:
        return f"its binomial coefficients overflow with more than {_MOST_BINOMIAL:,} players"
    n_rows = min(request.budget, 2 ** min(request.n_players, 62))
    return f"its trees need {_FEWEST_ROWS} evaluations to split" if n_rows < _FEWEST_ROWS else None


def _spex_limit(request: Request) -> str | None:
    return no_bins(request.n_players, min(request.budget, 2 ** min(request.n_players, 62)))


def _odd_limit(request: Request) -> str | None:
    needed = 10 * request.n_players
    return f"needs {needed:,} evaluations" if request.budget < needed else None


def _method(name: str, explain: Explain, limit: Limit) -> Adapter:
    return Adapter(f"shapiq {name}", "shapiq", f"{_MODULE}.{name}", explain, limit)


METHODS = (
    _method("SPEX", _sparse("SPEX"), _spex_limit),
    _method("ProxySPEX", _sparse("ProxySPEX"), _proxy_spex_limit),
    _method("KernelSHAPIQ", _index("KernelSHAPIQ", _up_to_order(index="SII")), _regression_limit),
    _method("SVARMIQ", _index("SVARMIQ", _up_to_order(index="SII")), _strata_limit),
    _method("RegressionFSII", _index("RegressionFSII", _up_to_order()), _regression_limit),
    _method("RegressionFBII", _index("RegressionFBII", _up_to_order(), has_shapley=False), _regression_limit),
    _method("ProxySHAP", _index("ProxySHAP", _up_to_order(index="SII", adjustment=True)), no_limit),
    _method("RegressionMSR", _index("RegressionMSR", _fixed(index="SV")), no_limit),
    _method("OddSHAP", _index("OddSHAP", _fixed()), _odd_limit),
)

"""Approximators of shapiq; values of an index also stand for the game of lowest degree that has them."""

from __future__ import annotations

from importlib import import_module
from math import comb
from typing import Any

from captum_spex.benchmark.methods import adapter
from captum_spex.benchmark.methods.adapter import Adapter, Explain, RowsGame
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
    return kind(n=request.n_players, random_state=request.seed, **settings).approximate(request.n_masks, game)


def _sparse(name: str) -> Explain:
    """Answer with the recovered game: all orders are asked for, whose faithful values are those of the game itself."""

    def explain(game: RowsGame, request: Request) -> Answer:
        max_order = min(_LARGEST_RECOVERED, request.n_players)
        _, model = from_shapiq(_values(name, game, request, index="FBII", max_order=max_order))
        return adapter.of_recovered(model, request)

    return explain


def _index(name: str, *, has_order: bool = True, has_shapley: bool = True, **settings: Any) -> Explain:
    """Answer with an index.

    The Shapley values of the game with these values are those of the index: its own first order for SII, and for FSII,
    whose approximation is projected further. Not for FBII, which approximates all masks alike.
    """

    def explain(game: RowsGame, request: Request) -> Answer:
        orders = {"max_order": request.order} if has_order else {}
        terms, model = from_shapiq(_values(name, game, request, **orders, **settings))
        groups, shapley = adapter.of_groups(terms), adapter.shapley_of(model) if has_shapley else None
        return Answer(model, shapley, groups, terms.index if groups else "SII")

    return explain


def _n_sets(request: Request) -> int:
    """Return the number of sets of players up to the order asked for, without the empty one."""
    return sum(comb(request.n_players, order) for order in range(1, request.order + 1))


def _regression_limit(request: Request) -> str | None:
    """Keep the regression's matrix in memory: a row for each evaluation, a column for each set; about six copies."""
    return adapter.needs_memory(6 * 8 * _n_sets(request) * request.budget)


def _strata_limit(request: Request) -> str | None:
    """Each set takes a pass over all evaluations for each size of a coalition."""
    is_slow = _n_sets(request) * request.n_players * request.budget > _MOST_STEPS
    return f"takes more than a minute for {_n_sets(request):,} sets of players" if is_slow else None


def _proxy_spex_limit(request: Request) -> str | None:
    if request.n_players > _MOST_BINOMIAL:
        return f"its binomial coefficients overflow with more than {_MOST_BINOMIAL:,} players"
    return f"its trees need {_FEWEST_ROWS} evaluations to split" if request.n_masks < _FEWEST_ROWS else None


METHODS = tuple(
    Adapter(f"shapiq {name}", "shapiq", f"{_MODULE}.{name}", explain, refusal)
    for name, explain, refusal in (
        ("SPEX", _sparse("SPEX"), no_bins),
        ("ProxySPEX", _sparse("ProxySPEX"), _proxy_spex_limit),
        ("KernelSHAPIQ", _index("KernelSHAPIQ", index="SII"), _regression_limit),
        ("SVARMIQ", _index("SVARMIQ", index="SII"), _strata_limit),
        ("RegressionFSII", _index("RegressionFSII"), _regression_limit),
        ("RegressionFBII", _index("RegressionFBII", has_shapley=False), _regression_limit),
        ("ProxySHAP", _index("ProxySHAP", index="SII", adjustment=True), lambda request: None),
        ("RegressionMSR", _index("RegressionMSR", has_order=False, index="SV"), lambda request: None),
        ("OddSHAP", _index("OddSHAP", has_order=False), lambda request: adapter.needs(10 * request.n_players, request)),
    )
)

"""Approximators of shapiq; values of an index also stand for the game of lowest degree that has them."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from math import comb
from typing import Any

from captum_spex.benchmark.methods import adapter
from captum_spex.benchmark.methods.adapter import Adapter, Explain, Limit, RowsGame
from captum_spex.benchmark.methods.sparse_transform_method import no_bins
from captum_spex.benchmark.protocol import Answer, Request
from captum_spex.exports.shapiq import from_shapiq

_MODULE = "shapiq.approximator"
_LARGEST_RECOVERED = 10  # order of the sparse ones' terms: their trees have depth 5, their code corrects 5 errors
_MOST_STEPS = 10**8
_FEWEST_ROWS = 50  # of which four fifths have two leaves of 20
_FEWEST_ODD = 10  # evaluations for one term, of which it has one at least
_ODD_BYTES = 512  # for each pair of players: 10,000 players asked for 51 GB, which ended the process
_MOST_DESIGNED = 64  # evaluations: one to three seconds for each
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
    """Keep the regression in memory: about six copies of its matrix, evaluations by sets, and two of sets by sets."""
    n_sets = _n_sets(request)
    return adapter.needs_memory(8 * n_sets * (6 * request.budget + 2 * n_sets))


def _strata_limit(request: Request) -> str | None:
    """Each set takes a pass over all evaluations for each size of a coalition."""
    is_slow = _n_sets(request) * request.n_players * request.budget > _MOST_STEPS
    return f"takes more than a minute for {_n_sets(request):,} sets of players" if is_slow else None


def _proxy_spex_limit(request: Request) -> str | None:
    if request.n_players > _MOST_BINOMIAL:
        return f"its binomial coefficients overflow with more than {_MOST_BINOMIAL:,} players"
    return f"its trees need {_FEWEST_ROWS} evaluations to split" if request.n_masks < _FEWEST_ROWS else None


def _polynomial(game: RowsGame, request: Request) -> Answer:
    """Answer with PolySHAP: pairs in its frontier, fewer terms than half the evaluations, in pairs of complements.

    On eight games at 5, 20 and 50 evaluations a player these settings had smaller errors than without complements, and
    smaller ones than terms up to order 3: 0.066, 0.0087, 0.0028 against 0.119, 0.019, 0.0031 and 0.066, 0.0097, 0.0079.
    """
    most = max(request.n_players + 1, request.n_masks // 2)
    return _index("PolySHAP", has_order=False, max_order=2, max_terms=most, pairing_trick=True)(game, request)


def _designed(game: RowsGame, request: Request) -> Answer:
    """Answer with ShaplEIG, whose candidates are more than the evaluations and whose kernel is learnt less often later.

    Both are what shapiq recommends for large budgets; for small ones neither changes anything.
    """
    settings: dict[str, Any] = {
        "max_candidates": max(1024, 4 * request.n_masks),
        "refit": "decaying",
        "show_progress": False,
    }
    return _index("ShaplEIG", has_order=False, **settings)(game, request)


def _designed_limit(request: Request) -> str | None:
    """Refuse where it would take long: each evaluation is chosen by a process on all those before."""
    if request.n_masks > _MOST_DESIGNED:
        return f"takes minutes beyond {_MOST_DESIGNED} evaluations"
    return adapter.needs(request.n_players + 2, request)


def _polynomial_limit(request: Request) -> str | None:
    """Keep the regression in memory: a row for each evaluation, a column for each term; about six copies."""
    n_terms = max(request.n_players + 1, request.n_masks // 2)
    return _least(request) or adapter.needs_memory(6 * 8 * n_terms * request.n_masks)


def _least(request: Request) -> str | None:
    return adapter.two_players(request) or adapter.needs(4, request)


def _adjusted_limit(request: Request) -> str | None:
    """Keep the matrix of evaluations by sets in memory; about six copies."""
    return _least(request) or adapter.needs_memory(6 * 8 * _n_sets(request) * request.budget)


def _odd_limit(request: Request) -> str | None:
    few = adapter.two_players(request) or adapter.needs(min(_FEWEST_ODD, 2**request.n_players), request)
    return few or adapter.needs_memory(_ODD_BYTES * request.n_players**2)


def _newer(name: str, since: str, explain: Explain, refusal: Limit, besides: str = "") -> Adapter:
    """Return a method that came after shapiq 1.4.1, the last version for Python 3.11."""
    since, kind = f"shapiq {since} or newer, on Python 3.12 or newer", name.removesuffix(" unadjusted")
    sparse = name.endswith("unadjusted")  # the index of its trees
    return Adapter(f"shapiq {name}", "shapiq", f"{_MODULE}.{kind}", explain, refusal, since, besides, sparse)


_proxy_shap = partial(_index, "ProxySHAP", index="SII")
METHODS = (
    *(
        Adapter(f"shapiq {name}", "shapiq", f"{_MODULE}.{name}", explain, refusal, sparse=name.endswith("SPEX"))
        for name, explain, refusal in (
            ("SPEX", _sparse("SPEX"), no_bins),
            ("ProxySPEX", _sparse("ProxySPEX"), _proxy_spex_limit),
            ("KernelSHAPIQ", _index("KernelSHAPIQ", index="SII"), _regression_limit),
            ("SVARMIQ", _index("SVARMIQ", index="SII"), _strata_limit),
            ("RegressionFSII", _index("RegressionFSII"), _regression_limit),
            ("RegressionFBII", _index("RegressionFBII", has_shapley=False), _regression_limit),
        )
    ),
    _newer("ProxySHAP", "1.5", _proxy_shap(adjustment=True), _adjusted_limit, "xgboost"),
    _newer("ProxySHAP unadjusted", "1.5", _proxy_shap(), _least, "xgboost"),
    _newer("RegressionMSR", "1.5", _index("RegressionMSR", has_order=False, index="SV"), _least, "xgboost"),
    _newer("OddSHAP", "1.6", _index("OddSHAP", has_order=False), _odd_limit),
    _newer("ShaplEIG", "1.6", _designed, _designed_limit),
    _newer("LeverageSHAP", "1.7", _index("LeverageSHAP", has_order=False), _least),
    _newer("PolySHAP", "1.8", _polynomial, _polynomial_limit),
)

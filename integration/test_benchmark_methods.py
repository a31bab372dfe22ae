"""The adapters of the benchmark: what they answer on games whose answer is known, what they cost, what they leave."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sampled import crossed, either

from captum_spex.benchmark.methods import all_methods
from captum_spex.benchmark.protocol import Request
from captum_spex.indices import NAMES, resolve_index
from captum_spex.masks import all_masks
from captum_spex.model import GameModel, Spectrum

N = 6
WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0, 0.25, -1.5])
PAIR = (1, 4)
SLOW = (
    *("shapiq SPEX", "sparse-transform SPEX"),  # they need more masks than six players have, and take long
    *("shapiq ShaplEIG",),  # about a second for each evaluation: integration/test_shapiqs_benchmark.py
)
SIZES = [(6, 31), (6, 64), (8, 51)]  # players, and evaluations
METHODS = {method.name: method for method in all_methods()}
NAMED = [name for name in METHODS if name not in SLOW]
# Single precision, or a large weight in place of a constraint, or trees that cut and shrink.
TOLERANCE = {"Captum KernelShap": 1e-4, "Captum ShapleyValueSampling": 1e-5, "shapiq ProxySPEX": 0.5}
TOLERANCE |= {"shapiq ProxySHAP unadjusted": 0.01}

every_method = pytest.mark.parametrize("name", NAMED)


class Counted:
    """A game that counts the distinct masks it is asked for."""

    def __init__(self, pair=0.0, n_players=N):
        self.pair = pair
        self.weights = np.resize(WEIGHTS, n_players)
        self.seen = set()

    def __call__(self, masks):
        assert masks.dtype == np.bool_
        self.seen.update(map(bytes, masks))
        return 0.75 + masks @ self.weights + self.pair * masks[:, list(PAIR)].all(axis=1)


def usable(name, request):
    method = METHODS[name]
    reason = method.missing() or method.refusal(request)
    if reason:
        pytest.skip(reason)
    return method


def answered(name, game, budget=2**N, seed=0, max_order=2):
    request = Request(N, budget, seed, max_order)
    return usable(name, request)(game, request)


@every_method
def test_an_additive_game_is_explained_exactly(name):
    answer = answered(name, Counted())
    if answer.shapley is not None:
        assert_allclose(answer.shapley, WEIGHTS, atol=TOLERANCE.get(name, 1e-6))
        assert answer.shapley.dtype == np.float64


@every_method
def test_predictions_of_an_additive_game(name):
    predicted = answered(name, Counted()).predict(all_masks(N))
    loose = {"Captum Lime": 0.3, "shapiq ProxySPEX": 1.5}  # a lasso that shrinks, trees
    loose |= {"LASSO on ablations": 0.2, "shapiq ProxySHAP unadjusted": 0.02}
    assert_allclose(predicted, Counted()(all_masks(N)), atol=loose.get(name, 1e-4))


@every_method
def test_shapley_values_of_a_pair_are_shared(name):
    answer = answered(name, Counted(pair=4.0))
    if answer.shapley is None:
        return
    loose = {"shapiq ProxySPEX": 0.75, "Captum KernelShap": 0.75, "Captum ShapleyValueSampling": 2.0}
    loose |= {"SHAP PartitionExplainer": 1e-6, "shapiq ProxySHAP unadjusted": 0.01}
    assert_allclose(answer.shapley, WEIGHTS + 2.0 * np.isin(range(N), PAIR), atol=loose.get(name, 1e-5))


@every_method
def test_a_planted_pair_is_the_largest_interaction(name):
    answer = answered(name, Counted(pair=8.0))
    loose = {"shapiq ProxySPEX": 2.5, "shapiq ProxySHAP unadjusted": 0.02}
    assert answer.index in NAMES
    if answer.interactions:
        assert max(answer.interactions, key=lambda players: abs(answer.interactions[players])) == PAIR
        assert min(map(len, answer.interactions)) == 2
        assert answer.interactions[PAIR] == pytest.approx(8.0, abs=loose.get(name, 1e-4))


def test_who_gives_interactions_and_of_which_index():
    found = {name: answered(name, Counted(pair=8.0)) for name in NAMED if not METHODS[name].missing()}
    indices = {name: answer.index for name, answer in found.items() if answer.interactions}
    ours = {method.name: "SII" for method in all_methods() if method.package == "captum-spex"}
    assert indices.items() >= ours.items()
    others = {name: index for name, index in indices.items() if name not in ours}
    others.pop("shapiq ProxySPEX", None)  # it cuts its terms: none may be left
    newer = {
        name: "SII" for name in ("shapiq ProxySHAP", "shapiq ProxySHAP unadjusted") if not METHODS[name].missing()
    }  # from shapiq 1.5 on
    assert others == {
        **newer,
        "SHAP ExactExplainer": "STII",
        "shapiq KernelSHAPIQ": "SII",
        "shapiq SVARMIQ": "SII",
        "shapiq RegressionFSII": "FSII",
        "shapiq RegressionFBII": "FBII",
    }


def test_shapiq_proxyspex_finds_a_pair_among_more_players():
    game, request = Counted(pair=8.0, n_players=8), Request(8, 256, 0)
    answer = usable("shapiq ProxySPEX", request)(game, request)
    assert max(answer.interactions, key=lambda players: abs(answer.interactions[players])) == PAIR


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("SHAP ExactExplainer", "STII"),
        ("shapiq KernelSHAPIQ", "SII"),
        ("shapiq SVARMIQ", "SII"),
        ("shapiq RegressionFSII", "FSII"),
        ("shapiq RegressionFBII", "FBII"),
        ("ProxySpex", "SII"),
    ],
)
def test_interactions_are_those_of_the_index_that_is_named(name, index):
    values = np.random.default_rng(1).normal(size=2**N)
    truth = GameModel((Spectrum.from_values(values, N),))
    answer = answered(name, truth)
    exact = truth.index_terms(resolve_index(index, 2, N))
    assert answer.index == index
    assert len(answer.interactions) == N * (N - 1) // 2
    assert_allclose(list(answer.interactions.values()), [exact[pair] for pair in answer.interactions], atol=1e-4)
    if answer.shapley is not None:
        shapley = truth.index_terms(resolve_index("SV", 1, N))
        assert_allclose(answer.shapley, [shapley[(player,)] for player in range(N)], atol=1e-4)


@every_method
def test_order_one_gives_no_interactions(name):
    answer = answered(name, Counted(), max_order=1)
    assert not answer.interactions or "SPEX" in name


@every_method
def test_the_same_seed_gives_the_same_answer(name):
    first, second = (answered(name, Counted(pair=4.0), budget=50, seed=5) for _ in range(2))
    masks = all_masks(N)
    assert_array_equal(first.predict(masks), second.predict(masks))
    assert first.interactions == second.interactions


@pytest.mark.parametrize("name", ["Captum KernelShap", "SHAP PermutationExplainer", "shapiq KernelSHAPIQ", "ProxySpex"])
def test_another_seed_asks_for_other_masks(name):
    games = Counted(n_players=12), Counted(n_players=12)
    for seed, game in enumerate(games):
        request = Request(12, 60, seed)
        usable(name, request)(game, request)
    assert games[0].seen != games[1].seen


@pytest.mark.parametrize(("name", "seed"), crossed(NAMED, [1, 2**40]))
def test_global_random_states_are_as_before(name, seed):
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    answered(name, Counted(), budget=50, seed=seed)
    assert random.getstate() == before[0]
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def test_global_random_states_are_put_back_after_a_failure():
    before = np.random.get_state()[1].copy()  # noqa: NPY002

    def failing(masks):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        METHODS["SHAP PermutationExplainer"](failing, Request(N, 40, 0))
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def named_sizes():
    """Every method with a size that it does not refuse, the next one each time, or with all of them."""
    for place, name in enumerate(NAMED):
        method = METHODS[name]
        sizes = [size for size in SIZES if method.missing() or not method.refusal(Request(*size, 0))]
        yield from ((name, size) for size in either([sizes[place % len(sizes)]], sizes))


@pytest.mark.parametrize(("name", "size"), list(named_sizes()))
def test_the_budget_is_kept(name, size):
    n_players, budget = size
    game, request = Counted(n_players=n_players), Request(n_players, budget, 0)
    usable(name, request)(game, request)
    assert 0 < len(game.seen) <= budget


def test_a_game_may_keep_the_array_that_it_returns():
    kept = {}

    def game(masks):
        return kept.setdefault(masks.tobytes(), masks @ WEIGHTS)

    answered("shapiq KernelSHAPIQ", game)
    for masks, values in kept.items():
        assert_array_equal(values, np.frombuffer(masks, dtype=np.bool_).reshape(-1, N) @ WEIGHTS)


def test_names_are_unique():
    assert len(METHODS) == len(all_methods())


@pytest.mark.parametrize(
    ("name", "module"),
    [("shapiq SPEX", "shapiq.approximator"), ("sparse-transform SPEX", "sparse_transform.qsft.qsft")],
)
def test_a_package_that_cannot_be_imported_is_missing(monkeypatch, name, module):
    for part in (module.split(".")[0], module):
        monkeypatch.setitem(sys.modules, part, None)
    assert METHODS[name].missing().startswith(name.split()[0])


def test_a_class_that_the_version_lacks_is_missing(monkeypatch):
    approximators = pytest.importorskip("shapiq.approximator")
    monkeypatch.delattr(approximators, "SPEX")
    assert METHODS["shapiq SPEX"].missing().startswith("not in shapiq 1")


def test_own_methods_are_never_missing():
    assert {method.missing() for method in all_methods() if method.package == "captum-spex"} == {None}


@pytest.mark.parametrize(
    ("name", "request_", "said"),
    [
        ("Spex", Request(60, 64, 0), "at least 193 for 60 players"),
        ("Captum FeatureAblation", Request(60, 60, 0), "needs 61 evaluations"),
        ("Captum ShapleyValueSampling", Request(60, 60, 0), "needs 61 evaluations"),
        ("Captum KernelShap", Request(1, 2, 0), "two players"),
        ("SHAP ExactExplainer", Request(16, 1024, 0), "needs 65,536 evaluations"),
        ("SHAP ExactExplainer", Request(10_000, 1024, 0), "needs 2**10000 evaluations"),
        ("SHAP PermutationExplainer", Request(60, 119, 0), "needs 120 evaluations"),
        ("SHAP KernelExplainer", Request(10_000, 1024, 0), "more than 2,000 players"),
        ("shapiq KernelSHAPIQ", Request(1000, 1024, 0), "GiB"),
        ("shapiq SVARMIQ", Request(1000, 1024, 0), "500,500 sets"),
        ("shapiq ProxySPEX", Request(2000, 1024, 0), "overflow"),
        ("shapiq ProxySPEX", Request(60, 49, 0), "50 evaluations"),
        ("shapiq OddSHAP", Request(60, 9, 0), "needs 10 evaluations"),
    ],
)
def test_a_refusal_says_why(name, request_, said):
    assert said in METHODS[name].refusal(request_)


def test_the_smallest_budget_of_each_method_is_enough():
    for name in ("Spex", "Captum FeatureAblation", "Captum ShapleyValueSampling", "SHAP PermutationExplainer"):
        method = METHODS[name]
        smallest = next(budget for budget in range(2, 2**10) if method.refusal(Request(10, budget, 0)) is None)
        game = Counted(n_players=10)
        method(game, Request(10, smallest, 0))
        assert len(game.seen) <= smallest

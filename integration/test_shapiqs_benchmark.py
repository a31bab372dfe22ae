"""The rivals of shapiq 1.5 to 1.8 in our benchmark, and this package in shapiq's own; with the real shapiq."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from captum_spex.benchmark import Case, from_folder, run_benchmark
from captum_spex.benchmark.factory import ProxySpexEstimator, make
from captum_spex.benchmark.methods import all_methods
from captum_spex.benchmark.protocol import Request
from captum_spex.masks import all_masks
from captum_spex.model import GameModel, Spectrum

shapiq = pytest.importorskip("shapiq")
pytestmark = pytest.mark.filterwarnings("ignore")  # shapiq's own

N = 10
WEIGHTS = np.linspace(-1.0, 2.0, N)
PAIR = WEIGHTS + 2.0 * np.isin(range(N), (1, 4))
METHODS = {method.name: method for method in all_methods()}
NEWER = ["ProxySHAP", "ProxySHAP unadjusted", "RegressionMSR", "OddSHAP", "LeverageSHAP", "PolySHAP", "ShaplEIG"]


def game(masks):
    rows = np.asarray(masks) > 0.5
    return 0.5 + rows @ WEIGHTS + 4.0 * (rows[:, 1] & rows[:, 4])


class Counted:
    """The game, and the masks it was asked for."""

    def __init__(self):
        self.seen = set()

    def __call__(self, masks):
        self.seen.update(map(bytes, np.asarray(masks) > 0.5))
        return game(masks)


def usable(name):
    method = METHODS[f"shapiq {name}"]
    if method.missing():
        pytest.skip(method.missing())
    return method


@pytest.mark.parametrize("name", NEWER)
def test_a_rival_answers_within_the_budget(name):
    budget = 16 if name == "ShaplEIG" else 200  # about a second for each evaluation
    counted = Counted()
    answer = usable(name)(counted, Request(N, budget, 0))
    assert 0 < len(counted.seen) <= budget
    error = ((answer.shapley - PAIR) ** 2).sum() / (PAIR**2).sum()
    assert error < (0.5 if budget < 20 else 0.1)
    assert bool(answer.interactions) == name.startswith("ProxySHAP")


@pytest.mark.parametrize("name", ["ProxySHAP", "RegressionMSR", "OddSHAP", "LeverageSHAP", "PolySHAP"])
def test_a_rival_with_all_masks_is_exact(name):
    answer = usable(name)(game, Request(N, 2**N, 0))
    assert_allclose(answer.shapley, PAIR, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NEWER if name != "ShaplEIG"])
def test_the_same_seed_gives_the_same_answer(name):
    first, second = (usable(name)(game, Request(N, 60, 2**40)) for _ in range(2))
    assert_allclose(first.shapley, second.shapley, rtol=1e-12)


def test_a_run_lists_who_is_missing_and_goes_on(tmp_path):
    names = [f"shapiq {name}" for name in NEWER if name != "ShaplEIG"]
    exact = GameModel((Spectrum.from_values(game(all_masks(N)), N),))
    case = Case("mine", "own", N, game, exact)
    rows = run_benchmark(tmp_path, cases=[case], methods=["ProxySpex", "LASSO*", *names], budgets=[60], seeds=1)
    by_name = {row.method: row for row in rows}
    assert set(by_name) == {"ProxySpex", "LASSO on ablations", *names}
    for name in names:
        reason = METHODS[name].missing()
        assert (by_name[name].status, by_name[name].message) == (("missing", reason) if reason else ("done", ""))
        if not reason:
            assert by_name[name].n_evaluations <= 60
            assert np.isfinite(by_name[name].shapley_error)
    assert by_name["LASSO on ablations"].r2 > 0.5


@pytest.mark.parametrize("index", ["SV", "SII", "k-SII", "STII", "FSII", "FBII"])
def test_the_estimator_has_the_values_of_shapiq(index):
    order = 1 if index == "SV" else 2
    found = make(N, index=index).approximate(2**N, game)
    exact = shapiq.ExactComputer(game, N)(index, order)
    keys = [players for players in exact.interactions if players]
    assert_allclose([found[key] for key in keys], [exact[key] for key in keys], atol=1e-8)


def test_shapiqs_own_benchmark_runs_the_estimator():
    benchmarks, games = pytest.importorskip("shapiq_benchmark"), pytest.importorskip("shapiq_games")
    soum = games.SOUM(n=9, n_basis_games=12, random_state=0)
    table = benchmarks.run(
        benchmarks.Benchmark(soum),
        {"ours": ProxySpexEstimator, "theirs": shapiq.KernelSHAPIQ},
        budgets=[100, 600],
        index="k-SII",
        order=2,
        seeds=[0],
    )
    assert list(table["status"]) == ["ok"] * 4
    ours = table[table["approximator"] == "ours"]
    assert ours["nmse"].iloc[0] < 0.5
    assert ours["nmse"].iloc[1] < 1e-12
    values = benchmarks.run(
        benchmarks.Benchmark(soum), [ProxySpexEstimator], budgets=[64], index="SV", order=1, seeds=[1]
    )
    assert list(values["status"]) == ["ok"]
    triples = benchmarks.run(
        benchmarks.Benchmark(soum), [ProxySpexEstimator], budgets=[300], index="SII", order=3, seeds=[1]
    )
    assert list(triples["status"]) == ["ok"]


def test_a_game_that_shapiq_saved_is_read_as_it_lies(tmp_path):
    class Own(shapiq.Game):
        def __init__(self):
            super().__init__(n_players=6, normalize=True, normalization_value=0.5)

        def value_function(self, coalitions):
            padded = np.pad(np.asarray(coalitions), ((0, 0), (0, N - 6)))
            return game(padded)

    own = Own()
    own.precompute()
    (tmp_path / "Own_Game" / "6").mkdir(parents=True)
    own.save_values(tmp_path / "Own_Game" / "6" / "1.npz", as_npz=True)
    (source,), problems = from_folder(tmp_path)
    assert (problems, source.family, source.n_players) == ([], "Own_Game", 6)
    masks = all_masks(6)
    assert_allclose(source.load().game(masks), game(np.pad(masks, ((0, 0), (0, N - 6)))))

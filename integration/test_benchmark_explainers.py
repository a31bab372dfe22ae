"""The benchmark of the SHAP explainers prints every line, and its true values are true; its times are no test."""

from __future__ import annotations

import numpy as np
import pytest

import captum_spex
from benchmarks import explainers as benchmark

N = 12
CLOSED_FORMS = ("forest", "boosting", "svm", "logistic", "network", "polynomial")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(benchmark, "PERMUTATIONS", {N: (2, 4)})
    monkeypatch.setattr(benchmark, "N_ROWS", {N: 1})
    monkeypatch.setattr(benchmark, "PATCHES", {N: (3, 4)})
    monkeypatch.setattr(benchmark, "N_PATCHES", 200)
    monkeypatch.setattr(benchmark, "SAMPLED", {"deep": 5000, "text": 2000})
    for cached in (benchmark.table, benchmark.trained):
        cached.cache_clear()


@pytest.fixture
def printed(capsys):
    def run(*arguments):
        benchmark.main([str(argument) for argument in arguments])
        return capsys.readouterr().out.splitlines()

    return run


def enumerated(case):
    """Shapley values from every mask."""

    def values(masks):
        return case.model(np.where(masks, case.row, case.background))

    return captum_spex.explain(values, N, budget=2**N, index="SV", max_order=1).first_order()


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name):
    case = benchmark.make(name, N, 1)
    assert case.error == 0
    expected = enumerated(case)
    np.testing.assert_allclose(case.shapley, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["deep", "text"])
def test_sampled_values_and_their_standard_error(name):
    case = benchmark.make(name, N, 0)
    expected = enumerated(case)
    assert 0 < case.error < 0.2
    assert np.linalg.norm(case.shapley - expected) <= 3 * case.error * np.linalg.norm(expected)


def test_a_control_changes_nothing_but_the_variance():
    case = benchmark.make("polynomial", N, 0)

    def values(masks):
        return case.model(masks * case.row)

    control = captum_spex.explain(values, N, budget=400, index="SV", max_order=1, random_state=0)
    error = [benchmark.sampled(values, N, 1000, control=known)[1] for known in (None, control)]
    shapley, _ = benchmark.sampled(values, N, 1000, control)
    assert error[1] < 0.5 * error[0]
    assert np.linalg.norm(shapley - case.shapley) <= 3 * error[1] * np.linalg.norm(case.shapley)


def test_wrong_true_values_are_noticed(monkeypatch):
    case = benchmark.make("svm", N, 0)
    wrong = benchmark.Case(case.model, case.background, case.row, 1.01 * case.shapley)
    monkeypatch.setitem(benchmark.CASES, "svm", lambda n_players, instance: wrong)
    with pytest.raises(AssertionError):
        benchmark.make("svm", N, 0)


def test_accuracy(printed):
    _, _, header, *lines, per_size, summary = printed("accuracy")
    assert len(lines) == 2 * len(benchmark.CASES)
    assert {line.count("|") for line in (header, *lines)} == {4}
    for line in lines:
        _, n, budget, rows = line.split("|")[0].split()
        *errors, truth = line.split("|")[1].split()
        ratio, reached = line.split("|")[2].split()
        ours, *rivals = map(float, errors)
        assert (n, rows) == (str(N), "1")
        if min(rivals) > 0.01:  # else too few digits are printed
            assert float(ratio) == pytest.approx(ours / min(rivals), rel=0.05)
        assert reached == ("yes" if float(ratio) <= 0.5 else "no")
        assert truth == "exact" or float(truth) > 0
        assert all(int(budget) - 1 <= int(counted) <= int(budget) + 2 for counted in line.split("|")[3].split())
    reached = sum(line.split("|")[2].split()[1] == "yes" for line in lines)
    assert f"at {reached} of {len(lines)} points" in per_size
    assert summary.startswith("all")


def test_too_many_rows_are_noticed():
    case = benchmark.make("polynomial", N, 0)

    def greedy(model, case, budget, seed):
        return benchmark.permutation(model, case, budget + 2 * N + 1, seed)

    with pytest.raises(ValueError, match="more than 50"):
        benchmark.measured(greedy, [case], 50, 0)


def test_overhead(printed, monkeypatch):
    monkeypatch.setattr(benchmark, "OVERHEAD_CASES", ((10, 1), (100, 1), (5, 3)))
    monkeypatch.setattr(benchmark, "OVERHEAD_MASKS", {1: 50, 3: 50})
    header, *lines = printed("overhead", "--repeats", 1)
    assert header.split() == ["measurement", "median", "target"]
    assert len(lines) == 3 * 4
    assert [line.endswith("reached") for line in lines] == [number == 4 for number in range(12)]


def test_rows(printed):
    header, *lines = printed("rows", "--rows", 2, "--trees", 3, "--wide", N)
    assert {line.count("|") for line in (header, *lines)} == {3}
    assert [line.split("|")[0].split()[-2:] for line in lines] == [
        ["2", "1025"],
        ["2", "257"],
        ["2", "590"],
        ["1", "102"],
    ]
    for line in lines:
        total, _ = map(float, line.split("|")[1].split())
        model, own, _ = map(float, line.split("|")[2].split())
        assert model + own == pytest.approx(total, abs=0.02)
        assert float(line.split("|")[3]) < 1e-9

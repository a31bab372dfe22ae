"""Which training points and which features a prediction hangs on: what must hold whatever the seed.

Smaller than the scripts' own runs; times are no test.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from sampled import either

from benchmarks import data_attribution, fairness, training
from benchmarks.data_attribution import KINDS, METHODS, OURS, leave_one_out, of, of_logistic, of_ridge, problem

SEEDS = (0, 1)  # of one alone, a few points do not tell the methods apart
SOME_SEEDS = either(SEEDS[:1], SEEDS)
SMALL = {"n_train": 80, "n_test": 4}


@pytest.fixture(scope="module", params=KINDS)
def fallen(request):
    found = []
    for seed in SEEDS:
        found += data_attribution.falls(problem(request.param, seed, **SMALL), seed, budget=500, sizes=(5, 10))[0]
    return request.param, found


def test_sets_of_proxyspex_lower_the_margin_more_than_those_of_leave_one_out_and_gradients(fallen):
    kind, found = fallen
    for rival in ("leave-one-out", "influence", "TracIn", "random"):
        for size in (5, 10):
            assert of(found, kind, OURS, size).mean() > of(found, kind, rival, size).mean(), (rival, size)


def test_sets_of_proxyspex_are_no_worse_than_first_order_ones(fallen):
    kind, found = fallen
    ours, theirs = (np.concatenate([of(found, kind, method, size) for size in (5, 10)]) for method in (OURS, "LASSO"))
    assert ours.mean() > 0.97 * theirs.mean()


def test_every_method_is_measured_on_every_test_point(fallen):
    kind, found = fallen
    for method in METHODS:
        assert len(of(found, kind, method, 5)) == SMALL["n_test"] * len(SEEDS)


@pytest.mark.parametrize("kind", KINDS)
def test_influence_is_nearly_what_leaving_out_changes(kind):
    drawn = problem(kind, 0, **SMALL)
    scores = (of_ridge if kind == "kernel ridge" else of_logistic)(drawn)["influence"]
    truth = leave_one_out(drawn.game)
    for ours, theirs in zip(scores.T, truth.T, strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_are_redundant(kind):
    found = [one for seed in SOME_SEEDS for one in data_attribution.duplicates(kind, seed, n_train=80, budget=500)]
    assert np.mean([data_attribution.is_against(one) for one in found]) >= 0.9
    assert np.mean([one.rank <= 3 for one in found]) >= 0.7
    assert data_attribution.precision(found) >= 0.5  # of three thousand pairs


def test_the_script_prints_a_table_and_writes_figures_and_a_plot(tmp_path, capsys):
    small = ["--seeds", "1", "--train", "60", "--test", "2", "--budget", "100", "--kinds", "kernel ridge"]
    data_attribution.main([*small, "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert all(f"  {method} " in printed for method in METHODS)
    written = json.loads((tmp_path / "data_attribution.json").read_text())
    assert len(written["falls"]) == len(METHODS) * 2 * len(data_attribution.REMOVED)
    assert (tmp_path / "data_attribution.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("seed", SOME_SEEDS)
def test_the_planted_unfairness_is_among_the_strongest_pairs(seed):
    found = fairness.audit(seed, 12)
    assert found.accuracy > 0.7
    assert found.rank_of_means <= fairness.STRONGEST
    assert fairness.share_found(found.ranks) >= 0.8
    assert found.strongest == fairness.GROUP_PAIR


def test_no_unfairness_where_none_is_planted(monkeypatch):
    monkeypatch.setattr(fairness, "UNFAIR", 0.0)
    assert fairness.audit(0, 12).rank_of_means > fairness.STRONGEST


def test_closed_forms_give_the_values_of_scikit_learn():
    for masks in training.mask_sets(120, 20).values():
        for name in training.MODELS:
            closed, fitted = training.games(name, 120, 10)
            assert closed.is_closed_form
            np.testing.assert_allclose(closed(masks), fitted(masks), atol=training.SAME)


def test_the_benchmark_prints_every_line(capsys):
    training.main(["--train", "60", "--masks", "8", "--turns", "1"])
    printed = capsys.readouterr().out
    for name in training.MODELS:
        for design in ("spread", "uniform"):
            assert f"{name}, {design} masks: times faster" in printed
            assert f"{name}, {design} masks: largest difference" in printed


def test_a_large_table_is_read_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    terms = {(3,): 1.0, (11, 12): 2.0, (100, 200, 299): -4.0}
    values = training.written_table(tmp_path / "masks.npy", 300, 5000, terms, rng)
    packed = np.load(tmp_path / "masks.npy", mmap_mode="r")
    masks = np.unpackbits(packed, axis=1, count=300, bitorder="little").astype(bool)
    wanted = sum(value * masks[:, list(players)].all(axis=1) for players, value in terms.items())
    np.testing.assert_allclose(values, wanted)
    assert not np.unpackbits(packed, axis=1, bitorder="little")[:, 300:].any()
    assert 0.45 < masks.mean() < 0.55


def test_planted_terms_of_a_table_are_found(capsys):
    training.main(["--large", "--points", "1203", "--subsets", "20000"])
    printed = capsys.readouterr().out
    assert f"{training.N_PAIRS} of {training.N_PAIRS}" in printed
    assert "the triple is the strongest" in printed
    assert "True" in printed

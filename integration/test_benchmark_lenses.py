"""Every lens of the benchmark runs, and its rivals are what they are said to be: held against slow ways to the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone

from benchmarks import lenses
from benchmarks.data_attribution import gradients, kernel_of, problem
from captum_spex.games.text import embedded_model

GROUPS = (
    "reviews, 64 evaluations: 2 games",
    "12 heads, zero ablation: 1 games",
    "12 heads, mean ablation: 1 games",
    "ridge, 40 points, 160 trainings: 2 games",
    "kernel ridge, 40 points, 160 trainings: 2 games",
    "logistic, 40 points, 160 trainings: 2 games",
)
RIVALS = ("LASSO on ablations", "leave-one-out", "COAR, a tenth ablated", "attribution patching", "TRAK, 1 model")


def test_all_lenses_are_printed(capsys):
    lenses.main(["--quick"])
    printed = capsys.readouterr().out
    assert all(f"{group}\n" in printed for group in GROUPS)
    assert all(printed.count(f"  {rival}  ") >= 2 for rival in RIVALS)  # its means, and the differences


def test_differences_are_of_the_same_games_and_smaller_distances_are_ahead():
    found = [
        lenses.Found("group", game, method, "1 evaluation", {"CPR": cpr, "CMD": cmd})
        for game, method, cpr, cmd in (
            ("one", lenses.OURS, 0.5, 0.2), ("two", lenses.OURS, 0.7, 0.4), ("two", "rival", 0.4, 0.5),
        )
    ]  # fmt: skip
    *_, line = lenses.table(found, {"CPR": lenses.OURS, "CMD": lenses.OURS})
    assert " ".join(line.split()) == "rival +0.300 ± nan ( 1/ 1) -0.100 ± nan ( 1/ 1)"


@pytest.mark.parametrize(("n_sets", "removed"), [(20_000, (1, 2)), (0, (0, 3))])
def test_of_few_sets_of_words_the_best_is_removed(n_sets, removed, monkeypatch):
    monkeypatch.setattr(lenses, "MOST_SETS", n_sets)

    def predict(masks):  # 1 and 2 stand in for each other, which no single step or swap finds
        return 1.0 * masks[:, 0] + 5.0 * (masks[:, 1] | masks[:, 2]) + 0.1 * masks[:, 3]

    assert tuple(np.flatnonzero(~lenses.lowest(predict, 4, 2))) == removed


# --- heads -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["zero", "mean"])
def classifier(request):
    return lenses.classifier_heads(0, request.param)[0]


def test_mixtures_of_whole_and_absent_heads_are_the_game(classifier):
    masks = np.random.default_rng(0).random((6, 12)) < 0.5
    mixed = [float(classifier.mixed(torch.from_numpy(mask).double()).detach()) for mask in masks]
    assert_allclose(mixed, classifier.game(masks), atol=1e-5)


def test_attribution_patching_is_the_effect_of_a_small_change(classifier):
    patched, step = classifier.patched(), 0.01

    def value(shares):
        return float(classifier.mixed(torch.from_numpy(shares)).detach())

    for head, change in enumerate(step * np.eye(12)):
        assert_allclose((value(1 + change) - value(1 - change)) / (2 * step), patched[head], atol=2e-3)


def test_integrated_gradients_add_up_to_the_difference_of_all_and_none(classifier):
    none, everything = classifier.game(np.array([[False] * 12, [True] * 12]))
    assert_allclose(classifier.patched(50).sum(), everything - none, rtol=0.02)


def test_patching_leaves_the_model_as_it_was(classifier):
    classifier.patched()
    model, _ = embedded_model()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("ablated", [0.1, 0.5])
def test_coar_finds_the_weights_of_a_linear_game(ablated):
    weights = np.random.default_rng(1).normal(size=15)
    seen = []

    def game(masks):
        seen.append(masks)
        return 3.0 + masks @ weights

    # of masks of one size only differences between players can be known
    found = lenses.coar(game, 15, 200, ablated, np.random.default_rng(0))
    assert_allclose(found - found.mean(), weights - weights.mean(), atol=1e-3)
    [masks] = seen
    assert masks.shape == (200, 15)
    assert set((~masks).sum(axis=1)) == {round(15 * ablated)}


def test_best_circuits_know_what_matters_together():
    def value(masks):
        return masks[:, 0] * 1.0 + 5.0 * (masks[:, 1] & masks[:, 2]) + 0.1 * masks[:, 3]

    found = lenses.best_circuits(value, np.array([1.0, 0.5, 0.5, 0.1]), [1, 2, 3])
    assert [tuple(np.flatnonzero(one)) for one in found] == [(0,), (1, 2), (0, 1, 2)]


# --- training points -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ridge", "kernel ridge"])
def test_influence_is_leaving_out_but_for_the_leverage(kind):
    """Of ridge regression: retrained without a point, a prediction moves by its influence over 1 - h."""
    drawn = problem(kind, 0, 30, 3)
    alpha, gram = drawn.model.alpha, kernel_of(drawn.model, drawn.rows, drawn.rows)
    leverage = np.diag(gram @ np.linalg.inv(gram + alpha * np.eye(30)))
    predicted = clone(drawn.model).fit(drawn.rows, drawn.targets).predict(drawn.test_rows)
    tests = np.arange(3)
    rival = np.where(drawn.test_targets > 0, -np.inf, predicted).argmax(axis=1)
    falls = []
    for point in range(30):
        others = np.arange(30) != point
        without = clone(drawn.model).fit(drawn.rows[others], drawn.targets[others]).predict(drawn.test_rows)
        moved = predicted - without
        falls.append(moved[tests, drawn.test_labels] - moved[tests, rival])
    influence = gradients(drawn)["influence"]
    assert_allclose(influence / (1 - leverage)[:, None], falls, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["ridge", "kernel ridge", "logistic"])
def test_features_are_those_that_the_model_is_linear_in(kind):
    drawn = problem(kind, 0, 30, 3)
    own, tests = lenses.features(drawn)
    if kind == "logistic":
        assert_allclose(own[:, :-1], drawn.rows)
    else:
        assert_allclose(tests @ own.T, kernel_of(drawn.model, drawn.test_rows, drawn.rows), atol=1e-9)


def test_pulls_are_derivatives_of_the_loss_by_the_margin():
    """Of logistic regression, by differences of the log-loss."""
    drawn = problem("logistic", 0, 30, 3)
    model = clone(drawn.model).fit(drawn.rows, drawn.targets)
    scores, signs = model.decision_function(drawn.rows), np.where(drawn.targets > 0, 1, -1)
    step = 1e-5
    slopes = (np.log1p(np.exp(-signs * (scores - step))) - np.log1p(np.exp(-signs * (scores + step)))) / (2 * step)
    towards = np.where(drawn.test_targets > 0, 1, -1)
    assert_allclose(lenses.pulls(drawn, np.arange(30)), slopes[:, None] * towards, atol=1e-6)


def test_trak_without_loss_by_projection_is_its_formula():
    """A square random map loses nothing: products whitened by the gradients, times the pulls."""
    drawn = problem("ridge", 0, 80, 3)
    used = np.ptp(drawn.rows, axis=0) > 0
    drawn = type(drawn)(
        drawn.kind, drawn.model, drawn.rows[:, used], drawn.labels, drawn.test_rows[:, used], drawn.test_labels
    )
    whitened = drawn.rows @ np.linalg.pinv(drawn.rows.T @ drawn.rows) @ drawn.test_rows.T
    expected = whitened * lenses.pulls(drawn, np.arange(80))
    found = lenses.trak(drawn, 1, len(drawn.rows) + 3, np.random.default_rng(0))
    assert_allclose(found, expected, rtol=1e-4, atol=1e-6)  # the pseudo-inverse drops the root's empty dimensions

"""SHAP explainers: sums that are checked strictly, values against all coalitions and SHAP's exact explainer, seeds."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import shap
import text_models
import torch
from numpy.testing import assert_allclose, assert_array_equal
from oracles import shapley_by_permutations
from shap.links import identity, logit
from shap.maskers import Composite, Fixed, Image, Independent, Partition, Text
from shap_cases import (
    ASKED_ALONE,
    COMPILED,
    IMAGES,
    ONE_HIDDEN,
    QUICK,
    SMALL_SPEX,
    TEXTS,
    Counted,
    assert_pairs,
    assert_sums,
    both,
    complementary,
    every_link,
    exact,
    frame,
    hashed,
    hidden_by_two,
    linearized,
    of_frame,
    of_image,
    of_table,
    of_two,
    plain,
    polynomial,
    quadratic,
    slow_games,
    slow_matrix,
    slow_values,
    squashed,
    table,
    with_outputs,
)
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

from captum_spex import approximators as algorithms
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer
from captum_spex.explainers.explainer import Limits


@dataclass(frozen=True)
class Case:
    """A masker, a model with outputs between 0 and 1, and rows."""

    masker: Callable[[int], Any]
    score: Callable[..., Any]
    rows: tuple[Any, ...]
    has_pairs: bool = True


def hidden_by_reversal(mask, x):
    """Two rows: the hidden places hold what stands at the mirrored place, or zero."""
    return np.stack([np.where(mask, x, x[::-1] + 2), np.where(mask, x, 0.0)])


CASES = {
    "array": Case(lambda b: table(b, 5, 1), of_table, (table(4, 5),)),
    "independent": Case(lambda b: Independent(table(b, 5, 1)), of_table, (table(4, 5),)),
    "frame": Case(lambda b: frame(b, 1), of_frame, (frame(4),)),
    "partition": Case(
        lambda b: Partition(table(b, 5, 1), clustering=shap.utils.hclust(table(9, 5, 2))), of_table, (table(4, 5),)
    ),
    "text, regex": Case(lambda b: Text(r"\W+"), hashed, (TEXTS,)),
    "text, tokenizer": Case(lambda b: Text(copy.deepcopy(text_models.word_tokenizer())), hashed, (TEXTS,)),
    "image, array": Case(lambda b: Image(np.full((2, 2, 1), 7.0)), of_image, (IMAGES.astype(float),)),
    "image, number": Case(lambda b: Image(128, (2, 2, 1)), of_image, (IMAGES,)),
    "composite, fixed": Case(
        lambda b: Composite(Independent(table(b, 5, 1)), Fixed()),
        lambda x, y: squashed(polynomial(np.asarray(x)) * np.asarray(y)),
        (table(3, 5), np.array([1.0, -2.0, 0.5])),
    ),
    "list": Case(
        lambda b: [Independent(table(b, 4, 1)), Independent(table(b, 3, 2))],
        of_two,
        (table(3, 4), table(3, 3, 3)),
        False,
    ),
    "list with texts": Case(
        lambda b: [Independent(table(b, 4, 1)), Text(r"\W+")],
        lambda x, t: squashed(polynomial(np.asarray(x)) * hashed(t)),
        (table(3, 4), TEXTS),
        False,
    ),
    "function": Case(lambda b: hidden_by_reversal, of_table, (table(3, 5),)),
    "function of two": Case(lambda b: hidden_by_two, of_two, (table(3, 4), table(3, 3, 3)), False),
    "sparse": Case(
        lambda b: scipy.sparse.csr_matrix(np.round(table(b, 5, 1))),
        lambda x: of_table(x.toarray()),
        (scipy.sparse.csr_matrix(np.round(table(4, 5))),),
    ),
    "sparse rows": Case(
        lambda b: table(b, 5, 1), lambda x: of_table(x.toarray()), (scipy.sparse.csr_array(table(3, 5)),)
    ),
    "sparse background": Case(lambda b: scipy.sparse.csr_array(table(b, 5, 1)), of_table, (table(3, 5),)),
    "mean": Case(lambda b: {"mean": table(1, 5, 1)[0], "cov": np.eye(5)}, of_table, (table(3, 5),)),
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.mark.sampled
@every_case
@every_link
@linearized
@pytest.mark.parametrize("n_hidden", ONE_HIDDEN.values(), ids=ONE_HIDDEN)
def test_sums_are_exact(case, link, linearize, n_hidden):
    for n_outputs in (0, 1, 3):
        model = with_outputs(case.score, n_outputs)
        explainer = ProxySpexExplainer(model, case.masker(n_hidden), link=link, linearize_link=linearize)
        values = explainer(*case.rows)
        assert_sums(values, plain(link)(model(*case.rows)))
        if case.has_pairs:
            pairs = explainer(*case.rows, interactions=True)
            first = (values, pairs) if not isinstance(values, list) else (values[0], pairs[0])
            assert_pairs(first[1], first[0])


@pytest.mark.sampled
@both
@every_link
@linearized
def test_sums_are_exact_where_values_are_estimated(kind, link, linearize):
    model = with_outputs(of_table, 3)
    chosen = QUICK if kind is ProxySpexExplainer else SMALL_SPEX
    explainer = kind(model, table(3, 20, 1), link=link, linearize_link=linearize, seed=0, approximator=chosen)
    x, budget = table(2, 20), 64 if kind is ProxySpexExplainer else 900
    values = explainer(x, max_evals=budget)
    assert_sums(values, plain(link)(model(x)))
    assert_pairs(explainer(x, max_evals=budget, interactions=True), values)


@pytest.mark.sampled
@every_case
@linearized
@pytest.mark.parametrize("n_hidden", ONE_HIDDEN.values(), ids=ONE_HIDDEN)
def test_the_base_value_is_the_linked_mean_over_the_background(case, linearize, n_hidden):
    """So it is with linearised links, too: that is what the weights are for."""
    model, masker = with_outputs(case.score, 3), case.masker(n_hidden)
    explainer = ProxySpexExplainer(model, masker, link=logit, linearize_link=linearize)
    found = explainer(*case.rows)
    found = found[0] if isinstance(found, list) else found
    for row, base in enumerate(found.base_values):
        hidden = hidden_row(case, masker, row)
        assert_allclose(base, plain(logit)(model(*hidden).mean(axis=0)), rtol=1e-9)


def hidden_row(case, masker, row):
    """What the model is asked when nothing is present, from the background itself where it is a table."""
    if isinstance(masker, pd.DataFrame | np.ndarray):
        as_rows = scipy.sparse.csr_matrix if scipy.sparse.issparse(case.rows[0]) else lambda rows: rows
        return (as_rows(masker),)
    if scipy.sparse.issparse(masker):
        return (masker if scipy.sparse.issparse(case.rows[0]) else masker.toarray(),)
    if isinstance(masker, dict):
        return (masker["mean"][None],)
    own = [column[row] for column in case.rows]
    if callable(masker) and not isinstance(masker, shap.maskers.Masker):
        masked = masker(np.zeros(sum(map(len, own)), dtype=bool), *own)
        return masked if isinstance(masked, tuple) else (masked,)
    joined = Composite(*masker) if isinstance(masker, list) else masker
    parts = zip(getattr(joined, "maskers", [joined]), own, strict=True)
    n_positions = sum((part.shape(one) if callable(part.shape) else part.shape)[1] for part, one in parts)
    return joined(np.zeros(n_positions, dtype=bool), *own)


SLOW = {
    "identity": (identity, False, 3),
    "logit": (logit, False, 3),
    "logit, linearized": (logit, True, 3),
    "custom": (complementary, False, 2),
    "custom, linearized": (complementary, True, 2),
    "one background row": (logit, False, 1),
}


@pytest.mark.sampled
@both
@pytest.mark.parametrize(("link", "linearize", "n_hidden"), SLOW.values(), ids=SLOW)
def test_values_and_pairs_against_all_coalitions(kind, link, linearize, n_hidden):
    """With features that equal the background, where SHAP's exact explainer is wrong about pairs."""
    model, background = with_outputs(of_table, 3), table(n_hidden, 5, 1)
    x = table(2, 5)
    x[0, [1, 3]] = background[:, [1, 3]] = 0.25
    explainer = kind(model, background, link=link, linearize_link=linearize)
    values, pairs = explainer(x), explainer(x, interactions=2)
    assert values.shape == (2, 5, 3)
    assert pairs.shape == (2, 5, 5, 3)
    for row in range(2):
        for output, game in enumerate(slow_games(model, background, x[row], link, linearize)):
            assert_allclose(values.values[row, :, output], shapley_by_permutations(game, 5), atol=1e-9)
            assert_allclose(pairs.values[row, :, :, output], slow_matrix(game, 5), atol=1e-9)
            assert_allclose(values.base_values[row, output], game[0], rtol=1e-9)


LABELS = (table(200, 6, 7) @ np.arange(6) > 0).astype(int) + (table(200, 6, 7)[:, 1] > 1)
LOGISTIC = LogisticRegression().fit(table(200, 6, 7), LABELS)
FOREST = RandomForestClassifier(3, random_state=0).fit(table(200, 6, 7), LABELS)
REGRESSOR = RandomForestRegressor(3, random_state=0).fit(table(200, 12, 7), table(200, 1, 8)[:, 0])


@both
@pytest.mark.parametrize("n_hidden", [1, 5])
@pytest.mark.parametrize("model", [LOGISTIC.predict_proba, FOREST.predict_proba], ids=["logistic", "forest"])
def test_values_of_classifiers(kind, model, n_hidden):
    background, x = table(n_hidden, 6, 1), table(4, 6)
    assert_allclose(kind(model, background)(x).values, exact(model, background, x).values, atol=1e-9)


@pytest.mark.parametrize("n", [4, 8, 12])
@pytest.mark.parametrize("n_hidden", [1, 3])
def test_values_of_up_to_twelve_features(n, n_hidden):
    background, x = table(n_hidden, n, 1), table(2, n)
    ours = ProxySpexExplainer(polynomial, background)(x, max_evals=2**n)
    theirs = exact(polynomial, background, x)
    assert_allclose(ours.values, theirs.values, atol=1e-9)
    assert_allclose(ours.base_values, theirs.base_values, atol=1e-9)


def test_values_of_a_forest_of_twelve_features():
    background, x = table(4, 12, 1), table(2, 12)
    ours = ProxySpexExplainer(REGRESSOR.predict, background)(x, max_evals=5000)
    assert_allclose(ours.values, exact(REGRESSOR.predict, background, x).values, atol=1e-9)


@pytest.mark.parametrize(
    ("link", "linearize", "n_hidden"),
    [
        (logit, False, 1),
        (logit, False, 4),
        (logit, True, 4),
        (COMPILED["compiled"], True, 4),
    ],  # which SHAP needs up to 0.51
)
def test_values_with_links(link, linearize, n_hidden):
    background, x = table(n_hidden, 6, 1), table(3, 6)
    model = with_outputs(of_table, 3)
    settings = {"link": link, "linearize_link": linearize}
    ours = ProxySpexExplainer(model, background, **settings)(x)
    assert_allclose(ours.values, exact(model, background, x, **settings).values, atol=1e-6)


@both
@pytest.mark.parametrize("n", [4, 7, 10])
def test_pairs_where_there_are_no_higher_orders(kind, n):
    background, x = table(3, n, 1), table(2, n)
    ours = kind(quadratic, background)(x, interactions=True, max_evals=2**n)
    assert_allclose(ours.values, exact(quadratic, background, x, interactions=2).values, atol=1e-9)


def test_pairs_of_several_outputs_which_shap_flattens():
    def model(x):
        return np.column_stack([quadratic(x), x[:, 0] * x[:, 3]])

    background, x = table(3, 5, 1), table(2, 5)
    theirs = exact(model, background, x, interactions=2).values.reshape(2, 5, 5, 2)
    assert_allclose(ProxySpexExplainer(model, background)(x, interactions=True).values, theirs, atol=1e-9)


def test_pairs_of_a_term_of_order_three():
    """Half of the Shapley interaction index, as in SHAP's tree explainer; its exact one says 1."""
    found = ProxySpexExplainer(lambda x: 6 * x.prod(axis=1), np.zeros((1, 3)))(np.ones((1, 3)), interactions=True)
    assert_allclose(found.values[0], [[-1, 1.5, 1.5], [1.5, -1, 1.5], [1.5, 1.5, -1]])


@both
def test_a_thousand_features(kind):
    x, background = np.ones((1, 1000)), np.zeros((1, 1000))

    def model(rows):
        return rows[:, 3] + 2 * rows[:, 10] * rows[:, 900]

    chosen = QUICK if kind is ProxySpexExplainer else algorithms.Spex(degree=2, bits=5)
    budget = 300 if kind is ProxySpexExplainer else 3000
    counted = Counted(model)
    found = kind(counted, background, seed=0, approximator=chosen)(x, max_evals=budget)
    assert_sums(found, model(x))
    assert sum(map(len, counted.calls)) - ASKED_ALONE <= budget
    if kind is SpexExplainer:
        expected = np.zeros(1000)
        expected[[3, 10, 900]] = 1
        assert_allclose(found.values[0], expected, atol=1e-6)


class AtOnce(ProxySpexExplainer):
    """An explainer that shows its progress bar at once."""

    limits = Limits(progress_delay=0)


def test_a_thousand_rows_with_a_progress_bar(capsys):
    x, background = table(1000, 4), table(2, 4, 1)
    explainer = AtOnce(polynomial, background)
    found = explainer(x)
    assert re.search(r"AtOnce explainer: 100%.*1000/1000 ", capsys.readouterr().err)
    explainer(x[:20], silent=True)
    assert capsys.readouterr().err == ""
    assert_sums(found, polynomial(x))
    assert_allclose(found.values[:5], slow_values(polynomial, background, x[:5]), atol=1e-9)


def estimates(kind, seed, x=None, **settings):
    """Values for which most masks are guessed."""
    chosen, budget = (QUICK, 50) if kind is ProxySpexExplainer else (SMALL_SPEX, 700)
    explainer = kind(of_table, table(2, 20, 1), seed=seed, approximator=chosen)
    return explainer(table(3, 20) if x is None else x, max_evals=budget, **settings).values


def states():
    return random.getstate(), [str(part) for part in np.random.get_state()], torch.get_rng_state().tolist()  # noqa: NPY002


@both
@pytest.mark.parametrize("pairs", [False, True])
def test_the_same_seed_gives_the_same(kind, pairs):
    first = estimates(kind, 3, interactions=pairs)
    assert_array_equal(first, estimates(kind, 3, interactions=pairs))
    assert (first != estimates(kind, 4, interactions=pairs)).any()


@both
def test_a_row_alone_gives_what_it_gives_among_others(kind):
    x = table(3, 20)
    x[1, :3] = table(2, 20, 1)[:, :3].mean()
    together = estimates(kind, 0, x)
    for row in range(3):
        assert_allclose(estimates(kind, 0, x[row : row + 1])[0], together[row], rtol=1e-12, atol=1e-14)
    assert_allclose(estimates(kind, 0, x[::-1])[::-1], together, rtol=1e-12, atol=1e-14)


@both
def test_the_global_random_state_is_not_touched(kind):
    """Neither written, nor read: other global seeds change nothing, and without a seed two runs differ."""
    found = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        before = states()
        found.append(estimates(kind, 7))
        assert states() == before
    assert_array_equal(*found)
    unseeded = []
    for _ in range(2):
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        before = states()
        unseeded.append(estimates(kind, None))
        assert states() == before
    assert (unseeded[0] != unseeded[1]).any()


@both
@pytest.mark.parametrize("masker", [table(3, 5, 1), frame(3, 1), Text(r"\W+")], ids=["array", "frame", "text"])
def test_a_call_changes_nothing(kind, masker):
    score, rows = (hashed, TEXTS) if isinstance(masker, Text) else (of_table, table(3, 5))
    if isinstance(masker, pd.DataFrame):
        score, rows = of_frame, frame(3)
    explainer = kind(score, masker, link=logit, seed=3)
    explainer(rows)  # texts: SHAP's masker keeps the last one
    explainer_before, rows_before = cloudpickle.dumps(vars(explainer)), copy.deepcopy(rows)
    values = explainer(rows).values
    explainer.interactions(rows)
    explainer(rows, max_evals=1000, error_bounds=True, main_effects=True, batch_size=3)
    explainer(rows, interactions=True)
    assert cloudpickle.dumps(vars(explainer)) == explainer_before
    assert all(map(np.array_equal, np.asarray(rows, dtype=object), np.asarray(rows_before, dtype=object)))
    assert all(map(np.array_equal, explainer(rows).values, values))


def test_the_values_alone():
    explainer = ProxySpexExplainer(polynomial, np.zeros((1, 4)))
    assert_allclose(explainer.shap_values(table(2, 4)), explainer(table(2, 4)).values)


@pytest.mark.parametrize(
    "of", [np.array, torch.tensor, lambda value: np.asarray(value)[()]], ids=["0-d", "torch", "numpy"]
)
def test_numbers_and_flags_may_be_scalars_of_numpy_and_torch(of):
    plain_seed, scalar_seed = (
        ProxySpexExplainer(of_table, table(1, 12, 1), seed=seed, approximator=QUICK) for seed in (3, of(3))
    )
    x = table(2, 12)
    expected = plain_seed(x, max_evals=64, main_effects=True, error_bounds=True, batch_size=8)
    found = scalar_seed(x, max_evals=of(64), main_effects=of(True), error_bounds=of(True), batch_size=of(8))
    for name in ("values", "main_effects", "error_std"):
        assert_array_equal(getattr(found, name), getattr(expected, name))
    pairs = plain_seed(x, max_evals=64, interactions=True).values
    for interactions in (of(True), of(2)):
        assert_array_equal(scalar_seed(x, max_evals=of(64), interactions=interactions).values, pairs)
    result = scalar_seed.interactions(x, max_order=of(3), max_terms=of(5), max_evals=of(64))[0]
    assert result.to_json() == plain_seed.interactions(x, max_order=3, max_terms=5, max_evals=64)[0].to_json()

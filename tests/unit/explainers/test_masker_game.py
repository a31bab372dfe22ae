"""The game of one row: batches, chosen outputs, models that fail."""

from __future__ import annotations

import numpy as np
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from shap.maskers import Text
from shap_cases import (
    ASKED_ALONE,
    BACKGROUND,
    NAMED,
    TEXTS,
    XS,
    Counted,
    assert_pairs,
    assert_sums,
    both,
    hashed,
    of_table,
    polynomial,
    slow_values,
    table,
    three,
    with_outputs,
)

from captum_spex.errors import ArgumentError, GameError
from captum_spex.explainers import ProxySpexExplainer


@pytest.mark.parametrize("n_hidden", [1, 3])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_batches_of_tables(n_hidden, size):
    model = Counted(polynomial)
    explainer = ProxySpexExplainer(model, table(n_hidden, 6, 1))
    found = explainer(table(2, 6), batch_size=size)
    sizes = [len(call) for call in model.calls]
    assert max(sizes) == min(size, 62) * n_hidden
    assert sum(sizes) == (1 + 2 * 63 + (ASKED_ALONE if size > 1 else 0)) * n_hidden
    assert_allclose(found.values, explainer(table(2, 6)).values, atol=1e-9)


@pytest.mark.parametrize("size", [1, 3])
def test_batches_of_texts(size):
    model = Counted(hashed)
    found = ProxySpexExplainer(model, Text(r"\W+"))(TEXTS, batch_size=size)
    assert max(len(call) for call in model.calls) == size
    assert len(model.rows) == 16 + 16 + 4 + (ASKED_ALONE if size > 1 else 0)
    assert_sums(found, hashed(TEXTS))


def test_few_calls_by_default():
    model = Counted(polynomial)
    ProxySpexExplainer(model, table(100, 10, 1))(table(1, 10), max_evals=1024)
    assert max(len(call) for call in model.calls) <= 2**14
    assert len(model.calls) <= 2 + ASKED_ALONE + 1 + 1022 * 100 // 2**14


CHOICES = {
    "number": (1, [1]),
    "numbers": ([2, 0], [2, 0]),
    "array": (np.array([1]), [1]),
    "negative": ([-1], [2]),
    "slice": (slice(1, None), [1, 2]),
    "range": (range(2), [0, 1]),
    "repeated": ([1, 1], [1, 1]),
    "none": (None, [0, 1, 2]),
}


def sorted_outputs(x):
    """The outputs are 1, 3 and 2 times the same."""
    p = polynomial(np.asarray(x))
    return np.column_stack([p, 3 * p, 2 * p])


@pytest.mark.sampled
@both
@pytest.mark.parametrize(("outputs", "numbers"), CHOICES.values(), ids=CHOICES)
def test_outputs(kind, outputs, numbers):
    explainer = kind(three, table(2, 4, 1), output_names=NAMED)
    x = table(2, 4)
    everything, found = explainer(x), explainer(x, outputs=outputs)
    assert_allclose(found.values, everything.values[:, :, numbers], atol=1e-12)
    assert_allclose(found.base_values, everything.base_values[:, numbers], atol=1e-12)
    assert found.output_names == [NAMED[number] for number in numbers]
    pairs = explainer(x, outputs=outputs, interactions=True)
    assert pairs.shape == (2, 4, 4, len(numbers))
    assert_pairs(pairs, found)
    results = explainer.interactions(x, outputs=outputs)
    assert [len(row) for row in results] == [len(numbers)] * 2


def test_outputs_chosen_by_an_operation():
    model, chosen = with_outputs(of_table, 3), shap.Explanation.argsort.flip[:2]
    x = table(6, 4) * 2
    order = np.argsort(model(x), axis=1)[:, ::-1][:, :2]
    assert len(np.unique(order, axis=0)) > 1
    explainer = ProxySpexExplainer(model, table(1, 4, 1), output_names=NAMED)
    found, everything = explainer(x, outputs=chosen), explainer(x)
    assert_allclose(found.values, np.take_along_axis(everything.values, order[:, None, :], axis=2), atol=1e-12)
    assert_array_equal(found.output_names, np.array(NAMED)[order])
    assert_sums(found, np.take_along_axis(model(x), order, axis=1))


@pytest.mark.parametrize(
    "outputs", [3, -4, [0, 3], True, [True, False, True], 1.0, "low", [], slice(5, 9), [[0]], {}], ids=str
)
def test_outputs_that_are_not_there(outputs):
    model = Counted(three)
    with pytest.raises(ArgumentError, match=r"`outputs`: expected numbers from 0 to 2, or an operation.*, got .*"):
        ProxySpexExplainer(model, np.zeros((1, 4)))(table(1, 4), outputs=outputs)
    assert len(model.rows) <= 2  # how many there are is not known before


def test_outputs_of_a_model_with_one():
    """It has output 0 only."""
    with pytest.raises(ArgumentError, match=r"`outputs`: expected .*, got "):
        ProxySpexExplainer(polynomial, np.zeros((1, 4)))(table(1, 4), outputs=[5])


def test_a_model_that_writes_into_its_input():
    def model(rows):
        total = polynomial(rows)
        rows[:] = np.nan
        return total

    background, x = table(3, 5, 1), table(2, 5)
    found = ProxySpexExplainer(model, background)(x)
    assert_allclose(found.values, slow_values(polynomial, table(3, 5, 1), table(2, 5)), atol=1e-9)
    assert_array_equal(x, table(2, 5))


def failing_after(n_calls, wrong):
    """The polynomial, until it is called once too often."""
    calls = []

    def model(x):
        calls.append(len(x))
        return polynomial(np.asarray(x)) if len(calls) <= n_calls else wrong(polynomial(np.asarray(x)))

    return model


FAILURES = {
    "fewer rows": (lambda p: p[:-1], r"`model`: returned shape \(\d+,\), float64, for \d+ rows; expected numbers"),
    "more rows": (
        lambda p: np.append(p, 0),
        r"`model`: returned shape \(\d+,\), float64, for \d+ rows; expected numbers",
    ),
    "one number": (lambda p: 3.0, r"`model`: returned shape \(\), float64, for \d+ rows"),
    "a cube": (lambda p: np.zeros((len(p), 2, 2)), r"`model`: returned shape \(\d+, 2, 2\), float64, for \d+ rows"),
    "nothing": (lambda p: None, r"`model`: returned shape \(\), object, for \d+ rows"),
    "texts": (lambda p: ["good"] * len(p), r"`model`: returned shape \(\d+,\), <U4, for \d+ rows"),
    "complex": (lambda p: p * 1j, r"`model`: returned shape \(\d+,\), complex128, for \d+ rows"),
    "not a number": (
        lambda p: np.where(np.arange(len(p)) == 0, np.nan, p),
        "`model`: returned nan; outputs must be finite",
    ),
    "infinite": (lambda p: p / 0.0, "`model`: returned -?inf; outputs must be finite"),
}


@pytest.mark.sampled
@pytest.mark.parametrize("n_calls", [0, 1, 2])
@pytest.mark.parametrize(("wrong", "message"), FAILURES.values(), ids=FAILURES)
def test_models_that_return_something_else(wrong, message, n_calls):
    """For the background, for the row, or for the first of the other masks."""
    explainer = ProxySpexExplainer(failing_after(n_calls, wrong), BACKGROUND)
    with np.errstate(divide="ignore"), pytest.raises(GameError, match=message):
        explainer(XS, batch_size=4)


@pytest.mark.parametrize("n_calls", [1, 2])
def test_models_that_change_their_number_of_outputs(n_calls):
    explainer = ProxySpexExplainer(failing_after(n_calls, lambda p: np.column_stack([p, p])), BACKGROUND)
    with pytest.raises(GameError, match=r"returned (shape \(\d+, 2\)|2 outputs)"):
        explainer(XS, batch_size=4)


def test_errors_of_the_model_come_through():
    class OwnError(Exception):
        pass

    def fail(p):
        raise OwnError("the model has no memory left")

    for n_calls in (0, 1, 2):
        with pytest.raises(OwnError, match="no memory left"):
            ProxySpexExplainer(failing_after(n_calls, fail), BACKGROUND)(XS)

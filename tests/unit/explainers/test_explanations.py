"""What a `shap.Explanation` holds: names, data, standard errors, main effects."""

from __future__ import annotations

import numpy as np
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from shap.maskers import Image, Text
from shap_cases import (
    IMAGES,
    NAMED,
    QUICK,
    SMALL_SPEX,
    TEXTS,
    both,
    hashed,
    of_image,
    of_table,
    polynomial,
    slow_games,
    table,
    three,
    with_outputs,
)

from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer


def test_names_of_outputs():
    x, background = table(1, 4), table(1, 4, 1)
    assert ProxySpexExplainer(three, background)(x).output_names == ["Output 0", "Output 1", "Output 2"]
    assert ProxySpexExplainer(polynomial, background)(x).output_names is None
    model = shap.models.Model(three)
    model.output_names = ["a", "b", "c"]
    assert ProxySpexExplainer(model, background)(x, outputs=[2]).output_names == ["c"]
    assert ProxySpexExplainer(model, background, output_names=NAMED)(x).output_names == NAMED
    with pytest.raises(
        ArgumentError,
        match=r"`output_names`: expected a name for every output, "
        r"got 2 names for a model whose output 2 is explained\.",
    ):
        ProxySpexExplainer(three, background, output_names=["a", "b"])(x)


def test_what_a_picture_shows_beside_the_values():
    x = table(2, 4)
    for form in (False, True):
        found = ProxySpexExplainer(polynomial, table(1, 4, 1))(x, interactions=form)
        assert_array_equal(found.data, x)
        assert isinstance(found, shap.Explanation)
        assert found.compute_time > 0
    texts = ProxySpexExplainer(hashed, Text(r"\W+"))(TEXTS[:2])
    assert ["".join(tokens) for tokens in texts.data] == TEXTS[:2]
    images = ProxySpexExplainer(of_image, Image(128, (2, 2, 1)))(IMAGES)
    assert images.values.shape == images.data.shape == (2, 2, 2, 1)
    pairs = ProxySpexExplainer(of_image, Image(128, (2, 2, 1)))(IMAGES, interactions=True)
    assert (pairs.values.shape, pairs.data.shape) == ((2, 4, 4), (2, 4))


@both
@pytest.mark.parametrize("n_outputs", [0, 1, 3])
def test_errors_are_zero_where_values_are_exact(kind, n_outputs):
    explainer = kind(with_outputs(of_table, n_outputs), table(2, 5, 1))
    x = table(3, 5)
    x[1, 2] = 5.0
    found = explainer(x, error_bounds=True)
    assert_array_equal(found.error_std, np.zeros(found.values.shape))
    assert explainer(x).error_std is None


@pytest.mark.parametrize("n_outputs", [0, 3])
def test_errors_are_positive_where_values_are_estimated(n_outputs):
    background, x = table(1, 16, 1), table(2, 16)
    background[0, 4] = x[0, 4]
    found = ProxySpexExplainer(with_outputs(of_table, n_outputs), background, seed=0, approximator=QUICK)(
        x, max_evals=64, error_bounds=True
    )
    assert found.error_std.shape == found.values.shape
    assert_array_equal(found.error_std[0, 4], 0.0)
    others = np.ones((2, 16), dtype=bool)
    others[0, 4] = False
    assert (found.error_std[others] > 0).all()


def test_spex_knows_no_errors():
    explainer = SpexExplainer(of_table, table(1, 16, 1), seed=0, approximator=SMALL_SPEX)
    x = table(2, 16)
    x[1, 3] = table(1, 16, 1)[0, 3]
    found = explainer(x, max_evals=700, error_bounds=True)
    is_fixed = np.arange(32).reshape(2, 16) == 16 + 3
    assert_array_equal(found.error_std, np.where(is_fixed, 0.0, np.nan))


def fives(x):
    return np.column_stack([of_table(x), np.full(len(x), 5.0)])


@pytest.mark.parametrize(
    ("kind", "new", "max_evals"),
    [
        (ProxySpexExplainer, {"approximator": QUICK}, 64),
        (ProxySpexExplainer, {"approximator": QUICK}, 16),
        (SpexExplainer, {"approximator": SMALL_SPEX}, 700),
    ],
)
def test_errors_of_a_constant_output_are_zero(kind, new, max_evals):
    background, x = table(1, 16, 1), table(2, 16)
    x[1] = background[0]
    found = kind(fives, background, seed=0, **new)(x, max_evals=max_evals, error_bounds=True)
    assert_array_equal(found.values[..., 1], 0.0)
    assert_array_equal(found.error_std[..., 1], 0.0)
    assert_array_equal(found.error_std[1], 0.0)  # nothing can vary
    assert (np.isnan(found.error_std[0, :, 0]) if kind is SpexExplainer else found.error_std[0, :, 0] > 0).all()


@both
@pytest.mark.parametrize("n_outputs", [0, 3])
def test_main_effects(kind, n_outputs):
    model, background, x = with_outputs(of_table, n_outputs), table(3, 5, 1), table(3, 5)
    x[0] = background[:] = background[0]
    x[0, 2] += 1
    explainer = kind(model, background)
    found = explainer(x, main_effects=True)
    assert explainer(x).main_effects is None
    assert found.main_effects.shape == found.values.shape
    for row in range(3):
        games = slow_games(model, background, x[row])
        expected = np.stack([[game[1 << player] - game[0] for player in range(5)] for game in games], axis=1)
        assert_allclose(found.main_effects[row].reshape(5, -1), expected, atol=1e-9)


@pytest.mark.parametrize("name", ["error_bounds", "main_effects"])
def test_what_pairs_do_not_come_with(name):
    with pytest.raises(ArgumentError, match=f"`{name}`: expected False with `interactions`, got True"):
        ProxySpexExplainer(polynomial, np.zeros((1, 4)))(table(1, 4), interactions=True, **{name: True})

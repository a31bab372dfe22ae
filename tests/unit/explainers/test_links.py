"""Links, linearised or not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from shap.links import logit
from shap_cases import (
    BACKGROUND,
    XS,
    linearized,
    of_table,
    quadratic,
    table,
)

from captum_spex.errors import GameError
from captum_spex.explainers import ProxySpexExplainer


def test_one_background_row_makes_a_linearized_link_an_ordinary_one():
    """There SHAP's weights are 0 / 0 and its values NaN."""
    x, background = table(3, 5), table(1, 5, 1)
    ours = [ProxySpexExplainer(of_table, background, logit, linearize_link=way)(x).values for way in (True, False)]
    assert_allclose(*ours, atol=1e-12)


def test_an_output_that_is_the_mean_is_weighted_like_its_neighbours():
    """One of three background rows has exactly the mean output."""
    for shift in (0.0, 1e-7):
        moved = np.array([[0.2], [0.4 + shift], [0.6]])
        found = ProxySpexExplainer(lambda x: x[:, 0], moved, logit)(np.array([[0.7]]))
        assert_allclose(found.values, [[np.log(7 / 3) - np.log(2 / 3)]], atol=1e-6)


def test_outputs_of_the_background_that_are_all_the_same():
    found = ProxySpexExplainer(lambda x: np.where(x[:, 0] > 5, 0.8, 0.3), table(4, 3), logit)(np.full((1, 3), 9.0))
    assert_allclose(found.values, [[np.log(4) - np.log(3 / 7), 0, 0]], atol=1e-9)


@linearized
@pytest.mark.parametrize("outputs", [1, 3])
def test_links_of_outputs_that_they_do_not_know(linearize, outputs):
    def model(x):
        return np.repeat(np.where(x[:, 0] > 0.5, 1.0, 0.5)[:, None], outputs, axis=1)

    explainer = ProxySpexExplainer(model, np.zeros((2, 4)), logit, linearize_link=linearize)
    message = r"`link`: is not finite for outputs between 1 and 1 of the model. `shap.links.logit` needs probabilities"
    with pytest.raises(GameError, match=message):
        explainer(np.ones((1, 4)))
    with pytest.raises(GameError, match="`link`: is not finite for outputs between"):
        ProxySpexExplainer(quadratic, BACKGROUND * 9, logit, linearize_link=linearize)(XS)


def test_maskers_that_change_their_number_of_rows():
    """Fine without a linearised link: every mask has its own mean."""

    def masker(mask, x):
        return np.repeat(np.where(mask, x, 0.0)[None], 1 + mask.sum(), axis=0)

    explainer = ProxySpexExplainer(of_table, masker, logit, linearize_link=False)
    assert_allclose(explainer(XS).values, ProxySpexExplainer(of_table, np.zeros((1, 4)), logit)(XS).values, atol=1e-9)
    with pytest.raises(GameError, match=r"`masker`: returned another number of rows than before.*=False`"):
        ProxySpexExplainer(of_table, masker, logit)(XS)

"""Rows under any masker: texts, images, functions, composite maskers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from shap.links import logit
from shap.maskers import Image, Independent, Text
from shap_cases import (
    Counted,
    hashed,
    of_table,
    slow_values,
    table,
)

from captum_spex.explainers import ProxySpexExplainer


def test_images_of_several_dtypes_in_one_call():
    """What hides a row has the row's dtype, so it is not the same for all rows."""

    def model(images):
        return images.reshape(len(images), -1).sum(axis=1).astype(float)

    images = [np.full((2, 1, 1), 9, dtype=np.uint8), np.full((2, 1, 1), 9.0)]
    explainer = ProxySpexExplainer(model, Image(0.5, (2, 1, 1)))
    assert_allclose(explainer(images).base_values, [explainer([image]).base_values[0] for image in images])


def test_texts_of_one_word():
    """A corpus may hold some."""
    found = ProxySpexExplainer(hashed, Text(r"\W+"))(["never", "never again"], interactions=True)
    assert [values.shape for values in found.values] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("table_of", [lambda rows: rows, lambda rows: pd.DataFrame(rows, columns=list("abcd"))])
def test_maskers_of_ones_own_give_the_same_as_those_of_shap(table_of):
    """Those are asked for every mask; of SHAP's own it is known what they do."""

    class Own(Independent):
        pass

    background, x = table_of(table(3, 4, 1)), table_of(table(2, 4))
    model = Counted(lambda rows: of_table(rows.to_numpy() if hasattr(rows, "columns") else rows))
    ours, fast = (ProxySpexExplainer(model, kind(background), logit)(x) for kind in (Own, Independent))
    assert_allclose(ours.values, fast.values, atol=1e-9)
    assert_allclose(ours.base_values, fast.base_values, rtol=1e-9)
    assert {type(call) for call in model.calls} == {type(background)}


def test_arguments_with_backgrounds_of_other_lengths():
    """One row hides the second argument, three the first: as three rows that hide both."""
    maskers = [Independent(table(3, 3, 1)), Independent(table(1, 2, 2))]
    found = ProxySpexExplainer(lambda x, y: np.tanh(np.asarray(x).sum(axis=1)) * np.asarray(y).prod(axis=1), maskers)(
        table(2, 3), table(2, 2)
    )
    background = np.hstack([table(3, 3, 1), np.repeat(table(1, 2, 2), 3, axis=0)])
    expected = slow_values(
        lambda x: np.tanh(x[:, :3].sum(axis=1)) * x[:, 3:].prod(axis=1),
        background,
        np.hstack([table(2, 3), table(2, 2)]),
    )
    assert_allclose(np.hstack([one.values for one in found]), expected, atol=1e-9)


def test_rows_of_numbers_for_a_function():
    explainer = ProxySpexExplainer(lambda x: 2 * x, lambda mask, x: (np.array([x * mask.reshape(())]),))
    assert_allclose(explainer([1.0, 2.0]).values, [2.0, 4.0])

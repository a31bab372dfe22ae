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

from captum_spex.errors import ArgumentError
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


FRAME = pd.DataFrame({"a": [0.0, 1, 2], "b": [0.5, 3, 4]})
OTHER = pd.DataFrame({"c": ["x", "y", "y"], "d": [1, 2, 3]})


def product(frame, other):
    return frame["a"].to_numpy() * (np.asarray(other)[:, 0] == "y") + np.asarray(other)[:, 1].astype(float)


ARGUMENTS = {
    "maskers": ([Independent(FRAME[:1]), Independent(OTHER[:1])], OTHER, ["c", "d"]),
    "tables": ([FRAME[:1], OTHER[:1]], OTHER, ["c", "d"]),
    "a frame and an array": ([FRAME[:1], OTHER[:1].to_numpy()], OTHER.to_numpy(), ["Feature 0", "Feature 1"]),
    "an array for a frame": ([FRAME[:1], OTHER[:1]], OTHER.to_numpy(), ["c", "d"]),
}


@pytest.mark.parametrize(("masker", "other", "names"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_with_frames(masker, other, names):
    """Values by hand: the product of 'a' and whether 'c' is 'y' is shared by both."""
    explainer = ProxySpexExplainer(product, masker)
    first, second = explainer(FRAME[1:], other[1:])
    assert_allclose(first.values, [[0.5, 0.0], [1.0, 0.0]], atol=1e-12)
    assert_allclose(second.values, [[0.5, 1.0], [1.0, 2.0]], atol=1e-12)
    assert_allclose(first.base_values, [1.0, 1.0])
    assert (first.feature_names, second.feature_names) == (["a", "b"], names)
    assert first.data.tolist() == FRAME[1:].to_numpy().tolist()
    assert second.data.tolist() == OTHER[1:].to_numpy().tolist()
    result = explainer.interactions(FRAME[1:], other[1:])[0]
    assert result.names == ("a", "b", *names)
    assert result[(0, 2)] == pytest.approx(1.0)


def test_names_of_arguments_that_the_caller_gives():
    explainer = ProxySpexExplainer(product, [FRAME[:1], OTHER[:1].to_numpy()], feature_names=[["u", "v"], ["w", "z"]])
    first, second = explainer(FRAME[1:], OTHER[1:].to_numpy())
    assert (first.feature_names, second.feature_names) == (["a", "b"], ["w", "z"])


def test_a_frame_of_one_row_beside_an_array_of_many():
    def sums(frame, array):
        return frame["a"].to_numpy() * array[:, 0]

    background = np.array([[1.0], [2.0], [6.0]])
    first, second = ProxySpexExplainer(sums, [FRAME[:1], background])(FRAME[1:2], np.array([[5.0]]))
    both_hidden = np.hstack([np.zeros((3, 1)), background])
    wanted = slow_values(lambda x: x[:, 0] * x[:, 1], both_hidden, np.array([[1.0, 5.0]]))[0]
    assert_allclose((first.values[0, 0], second.values[0, 0]), wanted)


def test_a_text_beside_a_table():
    def lengths(texts, rows):
        return np.array([len(text.split()) for text in texts]) * np.asarray(rows)[:, 0]

    first, second = ProxySpexExplainer(lengths, [Text(r"\W+"), np.array([[1.0], [3.0]])])(["never fails"], [[4.0]])
    assert_allclose(first.base_values + first.values[0].sum() + second.values.sum(), [8.0])


def test_backgrounds_of_other_lengths_are_refused():
    for maskers in ([table(3, 2), table(2, 2)], [Independent(table(3, 2)), table(2, 2)]):
        with pytest.raises(ArgumentError, match=r"`masker`: expected the same number in each.*, or one.*2 and 3"):
            ProxySpexExplainer(len, maskers)(table(1, 2, 1), table(1, 2, 1))
    weighted = [(table(3, 2), [1, 2, 3]), table(3, 2)]
    with pytest.raises(ArgumentError, match="`masker`: expected the same weights"):
        ProxySpexExplainer(len, weighted)(table(1, 2, 1), table(1, 2, 1))

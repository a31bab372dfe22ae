"""Maskers in all forms, and those that do not fit the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from shap.maskers import Text
from shap_cases import (
    polynomial,
    table,
)

from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer


def test_a_tensor_as_background():
    found = ProxySpexExplainer(polynomial, torch.zeros(1, 4, dtype=torch.float64))(table(2, 4))
    assert_allclose(found.values, ProxySpexExplainer(polynomial, np.zeros((1, 4)))(table(2, 4)).values)


def test_texts_need_a_masker_that_knows_them():
    with pytest.raises(
        ArgumentError,
        match=r"`masker`: expected a masker that has a `shape`, such as `shap\.maskers\.Text`, for texts, "
        r"got a function\.",
    ):
        ProxySpexExplainer(lambda texts: np.ones(len(texts)), lambda mask, text: (np.array([text]),))(["a text"])
    with pytest.raises(
        ArgumentError,
        match="`model`: expected a pipeline, or a function of texts, for a text masker, got a torch module",
    ):
        ProxySpexExplainer(torch.nn.Linear(2, 2).eval(), Text(r"\W+"))

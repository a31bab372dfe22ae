"""Rows to explain, in all forms in which they come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from shap.maskers import Text
from shap_cases import (
    TEXTS,
    assert_sums,
    hashed,
    polynomial,
    table,
)

from captum_spex.explainers import ProxySpexExplainer


@pytest.mark.parametrize("wrapped", [list, torch.from_numpy, np.asfortranarray], ids=["list", "tensor", "fortran"])
def test_kinds_of_rows(wrapped):
    expected = ProxySpexExplainer(polynomial, table(2, 4, 1))(table(3, 4)).values
    assert_allclose(ProxySpexExplainer(polynomial, table(2, 4, 1))(wrapped(table(3, 4))).values, expected, atol=1e-12)


@pytest.mark.parametrize(
    "texts", [TEXTS, np.array(TEXTS), pd.Series(TEXTS), {"text": TEXTS}, tuple(TEXTS)], ids=lambda x: type(x).__name__
)
def test_kinds_of_texts(texts):
    found = ProxySpexExplainer(hashed, Text(r"\W+"))(texts)
    assert_sums(found, hashed(TEXTS))
    assert [len(values) for values in found.values] == [4, 4, 2]

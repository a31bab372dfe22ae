"""Arguments that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from shap_forms import FORMS, SUMMING, TABLE, random_result, two_rows

from captum_spex.errors import ArgumentError
from captum_spex.explainers import to_shap
from captum_spex.indices import NAMES


@pytest.mark.parametrize("form", ["pairs", "Values", None, 2])
def test_unknown_forms(form):
    with pytest.raises(ArgumentError, match=r"`form`.*values.*matrix.*terms"):
        random_result().to_shap(form)
    with pytest.raises(ArgumentError, match=r"`form`.*values.*matrix.*terms"):
        to_shap([random_result()], form)


@pytest.mark.parametrize("results", [[], (), None, "abc", 3, [None], [random_result(), 3], {}], ids=repr)
def test_what_is_no_list_of_results(results):
    with pytest.raises(ArgumentError, match="`results`"):
        to_shap(results)


@pytest.mark.parametrize("form", FORMS)
def test_rows_with_several_outputs(form):
    with pytest.raises(ArgumentError, match=r"several outputs.*row\[0\] for row in results"):
        to_shap([two_rows(), two_rows()], form)


@pytest.mark.parametrize("form", ["values", "matrix"])
def test_rows_of_different_players(form):
    with pytest.raises(ArgumentError, match=r"'terms'.*for rows of 3 and 4 players\. With \"terms\" rows"):
        to_shap([random_result(3), random_result(4)], form)
    with pytest.raises(ArgumentError, match="for rows of 1, 2 and 3 players"):
        to_shap([random_result(n, order=1) for n in (3, 2, 1)], form)
    with pytest.raises(ArgumentError, match="for rows of 1 to 6 players"):
        to_shap([random_result(n, order=1) for n in (3, 2, 1, 6, 5, 4)], form)
    with pytest.raises(ArgumentError, match="whose players have different names, such as 'b' and 'c'"):
        to_shap([random_result(2, names=list("ab")), random_result(2, names=list("ac"))], form)
    with pytest.raises(ArgumentError, match="whose players have different names, or none"):
        to_shap([random_result(2, names=list("ab")), random_result(2)], form)


@pytest.mark.parametrize("index", [*sorted(set(NAMES) - set(SUMMING)), "BII(p=0.3)"])
def test_terms_of_an_index_that_does_not_add_up(index):
    with pytest.raises(ArgumentError, match=r"`form`.*add up.*k-SII"):
        random_result(index=index).to_shap("terms")


@pytest.mark.sampled
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "data",
    [TABLE[:1], TABLE[0], np.ones((3, 4)), np.ones((2, 3)), [[1, 2, 3, 4], [1, 2]], "word", 5, np.ones((2, 4, 1))],
)
def test_data_that_does_not_fit(form, data):
    with pytest.raises(ArgumentError, match="`data`"):
        to_shap(two_rows(), form, data=data)


@pytest.mark.parametrize("data", [TABLE, TABLE[0, :3], "word", 5])
def test_data_that_does_not_fit_one_row(data):
    with pytest.raises(ArgumentError, match="`data`"):
        random_result().to_shap("terms", data=data)


def test_terms_of_different_indices_do_not_share_a_column():
    with pytest.raises(ArgumentError, match="index"):
        to_shap([random_result(index="STII"), random_result(index="FSII")], "terms")


@pytest.mark.parametrize("max_terms", [0, -1, True, "5", 2.5, None])
def test_how_many_terms(max_terms):
    with pytest.raises(ArgumentError, match="`max_terms`"):
        random_result().to_shap("terms", max_terms=max_terms)

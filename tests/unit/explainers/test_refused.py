"""Arguments that are refused before the model is called."""

from __future__ import annotations

import copy
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import shap
from numpy.testing import assert_allclose
from shap.maskers import Fixed, Image, Independent, Text
from shap_cases import (
    BACKGROUND,
    TEXTS,
    XS,
    Counted,
    language_model,
    network,
    pipeline,
    polynomial,
)
from torch import nn

from captum_spex import approximators as algorithms
from captum_spex.errors import ArgumentError, BudgetError, MaskError, OrderError, UnknownNameError
from captum_spex.explainers import ProxySpexExplainer

FRAME = pd.DataFrame(BACKGROUND, columns=list("abcd"))


def share(x):
    return x / np.sum(x)


class Estimator:
    def predict(self, x):
        return x[:, 0]


def asked(masker=BACKGROUND, rows=(XS,), method="__call__", new=None, **settings):
    """Make an explainer and call it."""
    return lambda model: getattr(ProxySpexExplainer(model, masker, **(new or {})), method)(*rows, **settings)


def terms(**settings):
    return asked(method="interactions", **settings)


def made(**arguments):
    return lambda model: ProxySpexExplainer(**{"model": model, "masker": BACKGROUND, **arguments})


POSITIVE = "expected an integer of at least 1"
BAD = {
    "pairs of order 3": (
        asked(interactions=3),
        ArgumentError,
        r"`interactions`: expected False, True or 2, got 3\.",
    ),
    "pairs by name": (
        asked(interactions="SII"),
        ArgumentError,
        "`interactions`: expected False, True or 2.*, got 'SII'",
    ),
    "pairs as float": (asked(interactions=2.0), ArgumentError, "`interactions`: expected .*, got 2.0"),
    "pairs negative": (asked(interactions=-1), ArgumentError, "`interactions`: expected .*, got -1"),
    "pairs of arguments": (
        asked([Independent(BACKGROUND), Independent(BACKGROUND)], (XS, XS), interactions=True),
        ArgumentError,
        r"`interactions`: expected False for a model with several inputs, got True\.",
    ),
    "pairs of too many": (
        asked(np.zeros((1, 20_000)), (np.ones((1, 20_000)),), interactions=True),
        ArgumentError,
        r"`interactions`: expected False for matrices of more than 268,435,456 numbers, "
        r"got True for 1 rows of 20000 features\.",
    ),
    "one evaluation": (asked(max_evals=1), BudgetError, "`max_evals`: expected an integer of at least 2.*, got 1"),
    "evaluations as float": (asked(max_evals=100.0), BudgetError, "`max_evals`: expected .*, got 100.0"),
    "evaluations as text": (asked(max_evals="many"), BudgetError, "`max_evals`: expected .*, got 'many'"),
    "evaluations as bool": (asked(max_evals=True), BudgetError, "`max_evals`: expected .*, got True"),
    "evaluations in terms": (terms(max_evals=0), BudgetError, "`max_evals`: expected .*, got 0"),
    "too few for rounds": (
        asked(max_evals=10, new={"approximator": algorithms.ProxySpex(rounds=3)}),
        BudgetError,
        "`max_evals`: expected at least.*, got 10",
    ),
    "too few for exactness": (
        asked(max_evals=15, new={"approximator": algorithms.Exact()}),
        BudgetError,
        "`max_evals`: expected at least .* = 16.*, got 15",
    ),
    "too few for SPEX": (
        asked(np.zeros((1, 64)), (np.ones((1, 64)),), max_evals=100, new={"approximator": algorithms.Spex()}),
        BudgetError,
        "`max_evals`: expected at least .* for 64 players.*, got 100",
    ),
    "no batch": (asked(batch_size=0), ArgumentError, f"`batch_size`: {POSITIVE}, got 0"),
    "batch as text": (asked(batch_size="all"), ArgumentError, f"`batch_size`: {POSITIVE}, got 'all'"),
    "no terms": (terms(max_terms=0), ArgumentError, f"`max_terms`: {POSITIVE}, got 0"),
    "index": (terms(index="Shapley"), UnknownNameError, "`index`: expected .*, got 'Shapley'"),
    "order 0": (terms(max_order=0), OrderError, "`max_order`: expected an integer from 1.*, got 0"),
    "order as float": (terms(max_order=1.5), OrderError, "`max_order`: expected an integer from 1.*, got 1.5"),
    "order as text": (terms(max_order="2"), OrderError, "`max_order`: expected an integer from 1.*, got '2'"),
    "approximator": (asked(new={"approximator": "exact"}), ArgumentError, "`approximator`: expected .*, got 'exact'"),
    "link of single numbers": (
        made(link=math.log),
        ArgumentError,
        r"`link`: expected `shap.links.identity`.*, got 'log', which fails for an array of numbers \(TypeError: .*\)",
    ),
    "link that adds up": (
        made(link=np.sum),
        ArgumentError,
        r"`link`: expected `shap\.links\.identity`, `shap\.links\.logit`, or another function that acts on each number "
        r"by itself, "
        r"got 'sum', which returns shape \(\) for shape \(2, 3\)\.",
    ),
    "link over rows": (
        made(link=share),
        ArgumentError,
        "`link`: expected .*, got 'share', whose value for a number depends on the others in an array",
    ),
    "link by name": (
        made(link="logit"),
        ArgumentError,
        "`link`: expected `shap.links.identity`, `shap.links.logit`.*, got 'logit'",
    ),
    "no link": (made(link=None), ArgumentError, "`link`: expected .*, got None"),
    "seed": (made(seed=-1), ArgumentError, r"`seed`: expected an integer of at least 0, got -1\."),
    "seed as float": (made(seed=1.0), ArgumentError, "`seed`: expected .*, got 1.0"),
    "seed as bool": (made(seed=True), ArgumentError, "`seed`: expected .*, got True"),
    "estimator": (
        made(model=Estimator()),
        ArgumentError,
        r"`model`: expected a function of the masked rows, got an Estimator\.",
    ),
    "no model": (made(model=None), ArgumentError, r"`model`: expected a function of the masked rows, got None\."),
    "training mode": (
        made(model=nn.Sequential(network(4, 1), nn.Dropout()).train()),
        ArgumentError,
        r"`model`: expected a model in evaluation mode, got '1', a Dropout, in training mode\. Call `model\.eval\(\)`",
    ),
    "no masker": (made(masker=None), ArgumentError, "`masker`: expected a masker of `shap.maskers`.*, got None"),
    "masker as number": (
        made(masker=3),
        ArgumentError,
        r"`masker`: expected a masker of `shap\.maskers`, a table of background rows, a tokenizer, or a function "
        r"`masker\(mask, \*row\)`, "
        r"got an int\.",
    ),
    "masker as list": (made(masker=[[0.0] * 4]), ArgumentError, "`masker`: expected .*, got a list"),
    "masker without mean": (made(masker={"cov": np.eye(4)}), ArgumentError, "`masker`: expected .*, got a dict"),
    "one row as masker": (asked(BACKGROUND[0]), ArgumentError, "`masker`: expected .*, got .*"),
    "a cube as masker": (asked(np.zeros((1, 4, 2))), MaskError, r"`X`: expected \(rows, 4, 2\).*, got shape \(2, 4\)"),
    "a column as masker": (asked(FRAME["a"]), ArgumentError, "`masker`: expected .*, got .*"),
    "masked rows": (
        asked(rows=(np.ma.masked_array(XS, XS > 0),)),
        ArgumentError,
        r"`X`: expected one without a mask, got a masked array\. Fill it, such as by `\.filled\(np\.nan\)`\.",
    ),
    "masked background": (
        asked(np.ma.masked_array(BACKGROUND)),
        ArgumentError,
        "`masker`: expected one without a mask, got a masked array",
    ),
    "a lazy frame": (
        asked(pl.DataFrame({"a": [1.0]}).lazy()),
        ArgumentError,
        "`masker`: expected .*, got a LazyFrame",
    ),
    "rows of a lazy frame": (asked(rows=(pl.DataFrame({"a": [1.0]}).lazy(),)), ArgumentError, "`X`: expected .*Lazy"),
    "rows of another library": (
        asked(FRAME, (pl.DataFrame({name: [1.0] for name in "abcd"}),)),
        MaskError,
        "`X`: expected both of one library, got a data frame of polars for a background of pandas",
    ),
    "whole numbers that floats do not hold": (
        asked(FRAME.assign(a=0.5), (pd.DataFrame({"a": [2**60 + 1], "b": 0.0, "c": 0.0, "d": 0.0}),)),
        ArgumentError,
        "`X`: expected the same dtype in the rows and in the background, got a column 'a' of int64 where .* float64",
    ),
    "background that SHAP has rounded": (
        asked(Independent(FRAME.assign(a=2**60 + 1)), (pd.DataFrame({"a": [3], "b": 0.0, "c": 0.0, "d": 0.0}),)),
        MaskError,
        "`masker`: expected the data frame itself.*, got a masker that has rounded the whole numbers of column 'a'",
    ),
    "weights of too few rows": (
        asked((BACKGROUND, [1.0] * (len(BACKGROUND) + 1))),
        ArgumentError,
        r"`masker`: expected `\(background, weights\)` with .* weights of at least 0, one for each row, got weights of",
    ),
    "negative weights": (
        asked((BACKGROUND, [-1.0] * len(BACKGROUND))),
        ArgumentError,
        "`masker`: expected .* at least 0",
    ),
    "most rows": (asked(new={"max_samples": 0}), ArgumentError, f"`max_samples`: {POSITIVE}, got 0"),
    "no background rows": (asked(BACKGROUND[:0]), ArgumentError, "`masker`: expected at least one .*, got .* no rows"),
    "table for a pipeline": (
        lambda model: ProxySpexExplainer(pipeline(), BACKGROUND),
        ArgumentError,
        r"`masker`: expected a tokenizer, or a `shap\.maskers\.Text`, for a model of texts, "
        r"got background rows of a table\.",
    ),
    "imputing masker": (
        asked(shap.maskers.Impute(BACKGROUND)),
        ArgumentError,
        r"`masker`: expected a masker that can hide parts of such rows, "
        r"got an Impute that failed on a row \(TypeError: object of type 'NoneType' has no len\(\)\)\.",
    ),
    "failing masker": (
        asked(lambda mask, x: 1 / 0),
        ArgumentError,
        r"`masker`: expected a masker that can hide parts of such rows, "
        r"got a function that failed on a row \(ZeroDivisionError: division by zero\)\.",
    ),
    "masker without rows": (
        asked(lambda mask, x: x[None][:0]),
        ArgumentError,
        r"`masker`: expected a masker that can hide parts of such rows, got a function that returned no rows\.",
    ),
    "fewer columns": (
        asked(rows=(XS[:, :3],)),
        MaskError,
        r"`X`: expected \(rows, 4\), the columns of the background.*, got shape \(2, 3\)",
    ),
    "one row": (
        asked(rows=(XS[0],)),
        MaskError,
        r"`X`: expected \(rows, 4\), the columns of the background, got shape \(4,\)\.",
    ),
    "a cube": (asked(rows=(XS[None],)), MaskError, r"`X`: expected \(rows, 4\).*, got shape \(1, 2, 4\)"),
    "sparse of fewer": (
        asked(rows=(scipy.sparse.csr_matrix(XS[:, :3]),)),
        MaskError,
        r"`X`: expected .*, got shape \(2, 3\)",
    ),
    "ragged rows": (asked(rows=([XS[0], XS[0, :3]],)), ArgumentError, "`X`: expected .*, got "),
    "other columns": (
        asked(FRAME, (pd.DataFrame(XS, columns=list("abce")),)),
        MaskError,
        r"`X`: expected the columns of the background.*, got columns without \['d'\] and with \['e'\]",
    ),
    "columns in another order": (
        asked(FRAME, (pd.DataFrame(XS, columns=list("abdc")),)),
        MaskError,
        r"`X`: expected the columns of the background in the same order, got another order\.",
    ),
    "nothing": (asked(rows=()), ArgumentError, "`X`: expected 1, as the masker takes.*, got 0 arguments"),
    "nothing for a function": (
        asked(lambda mask, x: x[None], rows=()),
        ArgumentError,
        "`X`: expected at least one.*, got 0 arguments",
    ),
    "two for one": (asked(rows=(XS, XS)), ArgumentError, "`X`: expected 1, as the masker takes.*, got 2 arguments"),
    "one for two": (
        asked([Independent(BACKGROUND), Fixed()]),
        ArgumentError,
        "`X`: expected 2, as the masker takes.*, got 1 arguments",
    ),
    "other lengths": (
        asked([Independent(BACKGROUND), Fixed()], (XS, [1.0])),
        ArgumentError,
        r"`X`: expected the same number of rows in each argument, got 2 and 1\.",
    ),
    "no rows": (asked(rows=(XS[:0],)), ArgumentError, "`X`: expected at least one.*, got no rows"),
    "a number": (
        asked(rows=(3.0,)),
        ArgumentError,
        "`X`: expected rows: an array, a data frame, a list.*, got a float",
    ),
    "none": (
        asked(rows=(None,)),
        ArgumentError,
        r"`X`: expected rows: an array, a data frame, a list, " r"got None\. Put a single row into a list\.",
    ),
    "a text": (
        asked(Text(r"\W+"), ("never fails",)),
        ArgumentError,
        r"`X`: expected rows: an array, a data frame, a list, got 'never fails'\.",
    ),
    "an empty text": (asked(Text(r"\W+"), (["never", ""],)), ArgumentError, "`(X|masker)`: expected .*, got .*"),
    "numbers for texts": (
        asked(Text(r"\W+"), (["never", 3],)),
        MaskError,
        r"`X`: expected texts, as the masker is a `shap\.maskers\.Text`, " r"got an int in row 1\.",
    ),
    "tables for texts": (asked(Text(r"\W+"), (XS,)), MaskError, "`X`: expected texts.*, got an ndarray in row 0"),
    "other images": (
        asked(Image(0, (2, 2, 1)), (np.zeros((1, 3, 2, 1)),)),
        MaskError,
        r"`X`: expected images of shape \(2, 2, 1\), as the masker's, got shape \(3, 2, 1\)\.",
    ),
    "more answers than texts": (
        lambda model: ProxySpexExplainer(*language_model())(TEXTS[:1], ["good", "bad"]),
        ArgumentError,
        "`X`: expected an answer for each text.*, got 1 texts and 2 answers",
    ),
    "names of others": (
        asked(new={"feature_names": list("abcde")}),
        ArgumentError,
        "`feature_names`: expected .*, got ",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_told_before_the_model_is_called(call, kind, message):
    model = Counted(polynomial)
    with pytest.raises(kind, match=message):
        call(model)
    assert model.calls == []


def test_rows_are_not_explained_one_by_one():
    with pytest.raises(NotImplementedError, match=r"call the explainer with `\[row\]` instead"):
        ProxySpexExplainer(polynomial, BACKGROUND).explain_row(XS[0])


@pytest.mark.parametrize("method", ["__call__", "shap_values", "interactions"])
def test_unknown_arguments_are_refused(method):
    """SHAP's explainers swallow some."""
    model = Counted(polynomial)
    call = asked(method=method, max_eval=8)
    with pytest.raises(
        TypeError, match=r"`max_eval`: .*unexpected keyword argument 'max_eval'\. Did you mean `max_evals`\?"
    ):
        call(model)
    assert model.calls == []
    with pytest.raises(ArgumentError, match=r"`foo`: expected one of `max_evals`, .*`silent`"):
        ProxySpexExplainer(polynomial, BACKGROUND).shap_values(XS, foo=True)
    with pytest.raises(ArgumentError, match=r"`foo`: expected one of `index`, `max_order`, `max_evals`, .*`max_terms`"):
        ProxySpexExplainer(polynomial, BACKGROUND).interactions(XS, foo=True)


OLDER = {
    "nsamples": (100, "`max_evals` of a call in its place, the number of masks for each row"),
    "npermutations": (10, "`max_evals` of a call in its place"),
    "batch_evals": (True, "`batch_size` of a call in its place"),
    "l1_reg": ("num_features(10)", "no such argument, as no value is cut to 0"),
    "check_additivity": (False, "no such argument, as the values always add up to the prediction"),
    "approximate": (True, "no such argument, as the model is any function"),
    "tree_limit": (3, "no such argument"),
    "y": (np.zeros(2), r"no such argument; a loss is explained as a model of two inputs: `explainer\(X, y\)`"),
    "ranked_outputs": (2, r"`outputs=shap\.Explanation\.argsort\.flip\[:k\]` of a call in its place"),
    "output_rank_order": ("max", "`outputs="),
    "gc_collect": (True, "no such argument"),
    "keep_index": (True, "no such argument, as data frames always keep their index"),
    "random_state": (0, "the explainer's `seed` in its place"),
    "rseed": (0, "the explainer's `seed` in its place"),
    "fixed_context": (1, "no such argument, as these are Shapley values"),
}


@pytest.mark.parametrize("name", OLDER)
@pytest.mark.parametrize("method", ["__call__", "shap_values", "interactions"])
def test_arguments_of_the_older_interface_are_refused_with_what_stands_in_their_place(name, method):
    value, instead = OLDER[name]
    model = Counted(polynomial)
    with pytest.raises(ArgumentError, match=f"^`{name}`: expected {instead}.*, got .*") as caught:
        asked(method=method, **{name: value})(model)
    assert isinstance(caught.value, TypeError)
    assert model.calls == []


@pytest.mark.parametrize("name", [*OLDER, "data", "feature_perturbation", "model_output"])
def test_arguments_of_older_constructors_are_refused(name):
    with pytest.raises(TypeError, match=f"^`{name}`: expected .*(in its place|no such argument)"):
        ProxySpexExplainer(polynomial, BACKGROUND, **{name: OLDER.get(name, (1,))[0]})
    with pytest.raises(TypeError, match=r"`sead`: expected one of `model`, `masker`, .*Did you mean `seed`"):
        ProxySpexExplainer(polynomial, BACKGROUND, sead=0)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("expected_value", r"`explainer\(X\)\.base_values`"),
        ("shap_interaction_values", r"`explainer\(X, interactions=True\)\.values`"),
        ("explain", r"`explainer\(X\)`"),
        ("nothing", "'ProxySpexExplainer' object has no attribute 'nothing'"),
    ],
)
def test_attributes_of_the_older_interface(name, instead):
    explainer = ProxySpexExplainer(polynomial, BACKGROUND)
    assert not hasattr(explainer, name)
    with pytest.raises(AttributeError, match=instead):
        getattr(explainer, name)
    for copied in (copy.copy(explainer), copy.deepcopy(explainer)):
        assert copied.masker is not None


def test_what_stands_in_their_place_gives_the_same():
    """The loss of labels, as the message about ``y`` says."""
    y = np.array([1.0, -1.0])
    loss = ProxySpexExplainer(lambda x, y: (polynomial(x) - y) ** 2, [Independent(BACKGROUND), Fixed()])
    found = loss(XS, y)[0]
    background = np.array([[(polynomial(row[None])[0] - label) ** 2 for row in BACKGROUND] for label in y]).mean(axis=1)
    assert_allclose(found.base_values, background)
    assert_allclose(found.base_values + found.values.sum(axis=1), (polynomial(XS) - y) ** 2)

"""Data of any kind for pictures: the cells arrive as they were, in the order of the players."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import shap
import torch
from games import random_table
from numpy.testing import assert_allclose, assert_array_equal
from oracles import as_game
from scipy import sparse

import captum_spex
from captum_spex import plots
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, to_shap

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
NAMES = ["a", "b", "c"]
TABLE = np.array([[0.0, 2.0, 0.0], [1.5, 0.0, 4.0]])
RESULTS = [captum_spex.explain(as_game(random_table(3, seed)), 3, budget=8, names=NAMES) for seed in range(2)]
FRAME = pd.DataFrame(TABLE, columns=NAMES)
SPARSE = (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_array)
KINDS = {
    **{kind.__name__: lambda kind=kind: kind(TABLE) for kind in SPARSE},
    "np.matrix": lambda: np.asmatrix(TABLE),
    "frame": lambda: FRAME,
    "frame in another order": lambda: FRAME[["c", "a", "b"]],
    "sparse frame": lambda: FRAME.astype(pd.SparseDtype(float, 0.0)),
    "nullable frame": lambda: FRAME.astype("Float64"),
    "list of arrays": lambda: list(TABLE),
    "list of lists": TABLE.tolist,
    "list of series in another order": lambda: [FRAME[["c", "a", "b"]].iloc[row] for row in range(2)],
    "list of frames": lambda: [FRAME.iloc[[row]] for row in range(2)],
    "list of sparse rows": lambda: [sparse.csr_matrix(row[None]) for row in TABLE],
    "list of matrices": lambda: [np.asmatrix(row) for row in TABLE],
    "tensor": lambda: torch.from_numpy(TABLE),
    "tensor with a graph": lambda: torch.from_numpy(TABLE).requires_grad_(),
    "masked array without a mask": lambda: np.ma.array(TABLE),
}
of_all_kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@of_all_kinds
@pytest.mark.parametrize("form", ["values", "matrix", "terms"])
def test_cells_of_many_rows(kind, form):
    explanation = to_shap(RESULTS, form, data=KINDS[kind]())
    if form != "terms":
        assert_array_equal(explanation.data, TABLE)
        assert explanation.data.dtype == np.float64
        return
    product = {label: TABLE[:, [NAMES.index(name) for name in label.split(" × ")]].prod(axis=1)  # noqa: RUF001
               for label in explanation.feature_names}  # fmt: skip
    assert_array_equal(explanation.data, np.stack(list(product.values()), axis=1))


@of_all_kinds
def test_cells_of_one_row(kind):
    data = KINDS[kind]()
    row = data[1] if isinstance(data, list | np.ndarray | torch.Tensor) else None
    row = row if row is not None else data.iloc[1] if hasattr(data, "iloc") else sparse.csr_array(data)[[1]]
    assert_array_equal(RESULTS[1].to_shap(data=row).data, TABLE[1])
    assert_array_equal(RESULTS[1].to_shap("matrix", data=row).data, TABLE[[1]])
    found = RESULTS[1].to_shap("terms", data=row)
    shown = dict(zip(found.feature_names, found.display_data, strict=True))
    assert [shown[name] for name in NAMES] == ["1.5", "0", "4"]


@of_all_kinds
def test_positions_in_scatter_plots(kind):
    points = plots.scatter(RESULTS, "a", data=KINDS[kind]()).collections[0].get_offsets()
    assert_allclose(points[:, 0], TABLE[:, 0])


BIG = 2**60 + 1
EXACT = {
    "int64 and float64": {"a": np.array([BIG, BIG + 2]), "b": [0.5, 1.5], "c": [1.0, 2.0]},
    "uint64 and float64": {"a": np.array([2**64 - 1, BIG], np.uint64), "b": [0.5, 1.5], "c": [1.0, 2.0]},
    "uint64 and int64": {"a": np.array([2**64 - 1, BIG], np.uint64), "b": [-1, BIG], "c": [1.0, 2.0]},
    "nullable": {"a": pd.array([BIG, pd.NA], "Int64"), "b": [0.5, 1.5], "c": [1.0, 2.0]},
    "nullable and complete": {"a": pd.array([BIG, 3], "Int64"), "b": [0.5, 1.5], "c": [1.0, 2.0]},
    "beside texts": {"a": np.array([BIG, BIG + 2]), "b": ["x", "y"], "c": [1.0, 2.0]},
}


@pytest.mark.parametrize("cells", EXACT.values(), ids=EXACT)
def test_large_integers_are_not_rounded(cells):
    frame = pd.DataFrame(cells)
    for data in (
        frame,
        [frame.iloc[[row]] for row in range(2)],
        [list(row) for row in zip(*cells.values(), strict=True)],
    ):
        found = to_shap(RESULTS, data=data).data
        for place, name in enumerate(NAMES):
            for given, cell in zip(cells[name], found[:, place], strict=True):
                assert cell is given or (cell is not pd.NA and cell == given)
    one = RESULTS[0].to_shap(data=frame.iloc[[0]])
    assert [one.data[place] == cells[name][0] for place, name in enumerate(NAMES)] == [True] * 3


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_masked_cells_are_missing(dtype):
    data = np.ma.array(TABLE.astype(dtype), mask=[[False, True, False], [False] * 3])
    for given in (data, list(data)):
        found = to_shap(RESULTS, data=given).data
        assert pd.isna(found).tolist() == data.mask.tolist()
        assert found[1].tolist() == data[1].tolist()


def test_plain_numbers_keep_their_type():
    for dtype in ("int64", "float32", "uint8", "bool"):
        found = to_shap(RESULTS, data=(FRAME > 0).astype(dtype)).data
        assert found.dtype == dtype
    mixed = FRAME.assign(a=[1, 2])
    assert to_shap(RESULTS, data=mixed).data.dtype == np.float64


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (sparse.csr_matrix(TABLE[:, :2]), r"shape \(2,\) for row 0"),
        (sparse.csr_matrix(TABLE[:1]), "1 rows"),
        ("matrix", "3 rows"),
        ([sparse.csr_matrix(TABLE)] * 2, r"shape \(2, 3\) for row 0"),
        (3.0, "a float"),
    ],
)
@pytest.mark.parametrize("form", ["values", "matrix", "terms"])
def test_what_does_not_fit_is_refused(data, got, form):
    data = np.asmatrix(TABLE).T if isinstance(data, str) else data
    with pytest.raises(ArgumentError, match=f"`data`: expected .*, got {got}"):
        to_shap(RESULTS, form, data=data)


MIXED = {"c": [0.5, 2.0], "a": [BIG, BIG + 2], "b": ["x", "00"]}


@pytest.mark.parametrize("made", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
@pytest.mark.parametrize("form", ["values", "matrix", "terms"])
def test_frames_of_other_libraries(made, form):
    frame = made(MIXED)
    explanation = to_shap(RESULTS, form, data=frame)
    same = to_shap(RESULTS, form, data=pd.DataFrame(MIXED))
    assert explanation.data.tolist() == same.data.tolist()
    if form == "values":
        assert explanation.data.tolist() == [[BIG, "x", 0.5], [BIG + 2, "00", 2.0]]
    points = plots.scatter(RESULTS, "b", data=frame).collections[0].get_offsets()
    assert_allclose(points[:, 0], [1, 0])
    one = RESULTS[1].to_shap(data=frame.slice(1, 1))
    assert one.data.tolist() == [BIG + 2, "00", 2.0]


def test_ordered_categories_of_polars():
    levels = pl.Enum(["lo", "mid", "hi"])
    frame = pl.DataFrame({"a": pl.Series(["hi", None], dtype=levels), "b": [1, 2], "c": [0.5, 1.0]})
    points = plots.scatter(RESULTS, "a", data=frame).collections[0].get_offsets()
    assert points[0, 0] == 2
    plt.close("all")
    shap.plots.scatter(to_shap(RESULTS, data=frame)[:, "a"], show=False, hist=False, x_jitter=0)
    ax = plt.gca()
    names = dict(zip(ax.get_xticks(), [text.get_text() for text in ax.get_xticklabels()], strict=True))
    assert names == {2: "hi", 3: "missing"}
    explained = frame.with_columns(pl.Series("a", ["hi", "lo"], dtype=levels))
    background = explained.with_columns(pl.Series("a", ["mid", "mid"], dtype=levels), b=pl.lit(0), c=pl.lit(0.0))
    found = ProxySpexExplainer(lambda x: x["a"].to_physical().to_numpy() * 1.0, background)(explained)
    assert_array_equal(found.values, [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    assert_array_equal(found[:, "a"].data, ["hi", "lo"])

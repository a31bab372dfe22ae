"""Players that are groups of columns, steps, channels and windows."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import shap
import torch
from numpy.testing import assert_allclose
from shap.maskers import Image, Text
from shap_cases import table
from sklearn.ensemble import RandomForestRegressor

import captum_spex
from captum_spex import plots
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer, Windows, to_shap
from captum_spex.explainers.groups import Groups, groups_of


def frame(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    colours = pd.get_dummies(rng.choice(["red", "blue", "light_green"], n_rows)).reindex(
        columns=["red", "blue", "light_green"], fill_value=False
    )
    colours.columns = [f"colour_{name}" for name in colours]
    found = pd.concat([pd.DataFrame({"age": rng.normal(size=n_rows)}), colours.astype(int)], axis=1)
    found["size_small"] = rng.integers(0, 2, n_rows)
    found["size_large"] = 1 - found["size_small"]
    return found.assign(weight_kg=rng.normal(size=n_rows), weight_lb=rng.normal(size=n_rows))


def model(rows):
    colour = rows["colour_red"] + 2 * rows["colour_blue"] - rows["colour_light_green"]
    return (rows["age"] * colour + rows["size_large"] * rows["weight_kg"] * colour + rows["weight_lb"]).to_numpy(float)


ONE_HOT = ["age", "colour", "size", "weight_kg", "weight_lb"]
MEMBERS = [[0], [1, 2, 3], [4, 5], [6], [7]]


def oracle(x, background, members):
    """The value of every coalition of groups, by definition."""

    def value(mask):
        rows = background.copy()
        for on, columns in zip(mask, members, strict=True):
            for column in columns if on else ():
                rows.iloc[:, column] = x.iloc[0, column]
        return model(rows).mean()

    return captum_spex.explain(lambda masks: np.array(list(map(value, masks))), len(members), budget=2 ** len(members))


@pytest.mark.parametrize("kind", [ProxySpexExplainer, SpexExplainer])
def test_groups_against_all_coalitions(kind):
    x, background = frame(1, 5), frame(6)
    wanted = oracle(x, background, MEMBERS)
    explainer = kind(model, background, groups="one-hot")
    found, pairs, result = explainer(x), explainer(x, interactions=True), explainer.interactions(x)[0]
    assert_allclose(found.values[0], wanted.first_order(), atol=1e-9)
    assert_allclose(found.base_values, [model(background).mean()])
    assert_allclose(pairs.values[0].sum(axis=1), found.values[0], atol=1e-9)
    assert_allclose(2 * pairs.values[0][1, 2], wanted[(1, 2)], atol=1e-9)
    assert_allclose(result[("colour", "size")], wanted[(1, 2)], atol=1e-9)
    assert (found.feature_names, result.names) == (ONE_HOT, tuple(ONE_HOT))
    assert to_shap([result], "terms", data=found.data).shape[0] == 1


def test_what_groups_hold():
    x, background = frame(3, 5), frame(6)
    found = ProxySpexExplainer(model, background, groups="one-hot")(x)
    columns = ["red", "blue", "light_green"]
    for row, data in zip(range(3), found.data, strict=True):
        own = x.iloc[row]
        colour = columns[int(np.argmax(own[[f"colour_{name}" for name in columns]]))]
        assert data.tolist() == [own["age"], colour, "large" if own["size_large"] else "small", *own.iloc[6:]]


GIVEN = {
    "names": {"colour": ["colour_red", "colour_blue", "colour_light_green"], "size": ["size_small", "size_large"]},
    "positions": {"colour": [1, 2, 3], "size": range(4, 6)},
    "from the end": {"colour": [-7, -6, -5], "size": np.array([-4, -3])},
    "a pattern": {"colour": "colour_*", "size": "size_*"},
}


@pytest.mark.parametrize("groups", GIVEN.values(), ids=GIVEN)
def test_all_ways_of_naming_columns(groups):
    x, background = frame(2, 5), frame(6)
    found = ProxySpexExplainer(model, background, groups=groups)(x)
    assert found.feature_names == ["colour", "size", "age", "weight_kg", "weight_lb"]
    wanted = ProxySpexExplainer(model, background, groups="one-hot")(x)
    assert_allclose(found.values, wanted.values[:, [1, 2, 0, 3, 4]], atol=1e-12)
    assert found.data.tolist() == wanted.data[:, [1, 2, 0, 3, 4]].tolist()


def test_groups_without_names():
    x, background = frame(1, 5), frame(6)
    found = ProxySpexExplainer(model, background, groups=[["weight_kg", "weight_lb"], "age", [1, 2, 3, 4, 5]])(x)
    assert found.feature_names == [
        "weight_kg + weight_lb",
        "age",
        "colour_red + colour_blue + colour_light_green and 2 more",
    ]
    assert found.data[0, 0] == f"{x.weight_kg[0]:.4g}, {x.weight_lb[0]:.4g}"
    assert_allclose(found.values[0], oracle(x, background, [[6, 7], [0], [1, 2, 3, 4, 5]]).first_order(), atol=1e-9)
    labels = np.array([1, 2, 2, 2, 2, 2, 0, 0])
    again = ProxySpexExplainer(model, background, groups=labels)(x)
    assert_allclose(again.values, found.values, atol=1e-12)
    assert again.feature_names == found.feature_names


def test_one_hot_columns_of_which_the_first_was_dropped():
    names = ["a_x", "a_y_z", "a_y_w", "b", "c_1", "c_2"]
    rows = np.array([[1, 0, 0, 1, 0, 1], [0, 1, 0, 1, 0, 0], [0, 0, 0, 3, 1, 0]])
    found = groups_of("one-hot", (6,), names, [rows])
    assert (found.names, found.player_of.tolist()) == (["a", "b", "c"], [0, 0, 0, 1, 2, 2])
    assert found.shown(rows[1]).tolist() == ["y_z", 1, "none"]


def test_columns_with_a_prefix_that_are_no_categories():
    """Two measurements share a prefix, and so do flags that can both be 1."""
    names = ["mean_x", "mean_y", "is_new", "is_paid", "sex_f", "sex_m"]
    rows = np.array([[0.5, 1.0, 1, 1, 0, 1], [0.0, 1.0, 0, 1, 1, 0]])
    assert groups_of("one-hot", (6,), names, [rows]).names == ["mean_x", "mean_y", "is_new", "is_paid", "sex"]


def test_one_hot_columns_beside_a_column_of_their_name():
    found = groups_of("one-hot", (3,), ["size", "size_s", "size_m"], [np.array([[5, 0, 1], [3, 1, 0]])])
    assert (found.names, found.player_of.tolist()) == (["size", "size_*"], [0, 1, 1])


def test_groups_of_all_kinds_of_rows():
    x, background = table(2, 6), table(3, 6, 1)
    groups = [[0, 3], [1, 2]]

    def product(rows):
        rows = np.asarray(rows.todense()) if scipy.sparse.issparse(rows) else np.asarray(rows)
        return rows[:, 0] * rows[:, 1] * rows[:, 4] + rows[:, 5] * rows[:, 3]

    wanted = ProxySpexExplainer(product, background, groups=groups)(x)
    assert wanted.feature_names == ["Feature 0 + Feature 3", "Feature 1 + Feature 2", "Feature 4", "Feature 5"]
    for made in (scipy.sparse.csr_array, torch.from_numpy, pd.DataFrame, np.ndarray.tolist):
        found = ProxySpexExplainer(
            product, background if made is np.ndarray.tolist else made(background), groups=groups
        )
        assert_allclose(found(made(x)).values, wanted.values, atol=1e-12)
    single = ProxySpexExplainer(product, (background, [0, 0, 1]), groups=groups)(x)
    assert_allclose(single.values, ProxySpexExplainer(product, background[2:], groups=groups)(x).values, atol=1e-12)


def test_a_group_varies_if_one_of_its_columns_does():
    x, background = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[1.0, 0.0, 3.0, 4.0]])
    calls = []
    explainer = ProxySpexExplainer(
        lambda rows: calls.append(len(rows)) or rows[:, 0] * rows[:, 1], background, groups=[[0, 1], [2, 3]]
    )
    found = explainer(x)
    assert_allclose(found.values, [[2.0, 0.0]])
    assert sum(calls) == 2


def series_values(x, background, player_of, game):
    def value(mask):
        return game(np.where(mask[player_of], x, background)).mean()

    n = player_of.max() + 1
    found = captum_spex.explain(lambda masks: np.array(list(map(value, masks))), n, budget=2**n, index="SV")
    return found.first_order()


STEPS = np.repeat(np.arange(6)[:, None], 2, axis=1)
SERIES = {
    "steps": ("steps", STEPS, [f"step {k}" for k in range(6)]),
    "channels": ("channels", np.tile([0, 1], (6, 1)), ["channel 0", "channel 1"]),
    "windows": (Windows(4), STEPS // 4, ["steps 0 to 3", "steps 4 to 5"]),
    "windows of channels": (
        Windows(3, per_channel=True),
        STEPS // 3 + 2 * np.tile([0, 1], (6, 1)),
        ["channel 0: steps 0 to 2", "channel 0: steps 3 to 5", "channel 1: steps 0 to 2", "channel 1: steps 3 to 5"],
    ),
    "labels": (STEPS % 2, STEPS % 2, ["player 0", "player 1"]),
    "a tensor of labels": (torch.from_numpy(STEPS % 2), STEPS % 2, ["player 0", "player 1"]),
}


@pytest.mark.parametrize(("groups", "player_of", "names"), SERIES.values(), ids=SERIES)
def test_time_series_against_all_coalitions(groups, player_of, names):
    rng = np.random.default_rng(0)
    x, background = rng.normal(size=(2, 6, 2)), rng.normal(size=(3, 6, 2))

    def game(rows):
        return np.tanh(rows[:, :3, 0].sum(axis=1) * rows[:, 4, 1]) + rows[:, 5].prod(axis=1)

    explainer = ProxySpexExplainer(game, background, groups=groups)
    found = explainer(x)
    assert_allclose(found.values, [series_values(row, background, player_of, game) for row in x], atol=1e-9)
    assert found.feature_names == names
    means = [[row[player_of == player].mean() for player in range(len(names))] for row in x]
    assert_allclose(found.data, means)
    pairs = explainer(x, interactions=True)
    assert_allclose(pairs.values.sum(axis=2), found.values, atol=1e-9)
    assert explainer.interactions(x)[0].names == tuple(names)


def test_a_recurrent_network():
    torch.manual_seed(0)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = torch.nn.GRU(2, 3, batch_first=True)

        def forward(self, rows):
            return self.cell(rows)[0][:, -1]

    network = Network().eval()
    x = torch.randn(2, 5, 2)
    found = ProxySpexExplainer(network, torch.zeros(1, 5, 2), groups="steps")(x)
    assert found.shape == (2, 5, 3)
    assert_allclose(found.base_values + found.values.sum(axis=1), network(x).detach(), atol=1e-6)


def test_segments_of_an_image():
    segments = np.repeat(np.repeat([[0, 1], [2, 3]], 2, axis=0), 2, axis=1)[..., None]
    images = np.arange(16.0).reshape(1, 4, 4, 1)
    found = ProxySpexExplainer(lambda x: x.sum(axis=(1, 2, 3)), Image(0.0, (4, 4, 1)), groups=segments)(images)
    assert_allclose(found.values, [[images[0][segments == k].sum() for k in range(4)]])


def test_pictures_of_groups():
    x, background = frame(3, 5), frame(6)
    explainer = ProxySpexExplainer(model, background, groups="one-hot")
    found, results = explainer(x), explainer.interactions(x)
    shap.plots.bar(found, show=False)
    shap.plots.waterfall(found[0], show=False)
    plots.bar(results[0])
    plots.scatter(results, ("age", "colour"), data=found.data)
    assert to_shap(results, "matrix", data=found.data).data.shape == (3, 5)
    plt.close("all")


def test_groups_of_a_forest_against_shap():
    """A group of one column each is that column: SHAP's exact values for trees."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    forest = RandomForestRegressor(5, max_depth=3, random_state=0).fit(x, x[:, 0] * x[:, 1] + x[:, 2])
    exact = shap.TreeExplainer(forest, x[:9], feature_perturbation="interventional")(x[:3]).values
    found = ProxySpexExplainer(forest.predict, x[:9], groups=[[3], [0], [1], [2]])(x[:3])
    assert_allclose(found.values[:, [1, 2, 3, 0]], exact, atol=1e-6)


ROWS, BACKGROUND = table(1, 4), table(1, 4, 1)
CUBE = np.ones((1, 3, 2)), np.zeros((1, 3, 2))
FRAMES = pd.DataFrame({"u": [1]}), pd.DataFrame({"u": [0]})


def bad(groups, rows=ROWS, background=BACKGROUND, **settings):
    return lambda model: ProxySpexExplainer(model, background, groups=groups, **settings)(rows)


BAD = {
    "a name": (bad({"a": ["x"]}), "column 'x'"),
    "a name of a frame": (bad({"a": ["x"]}, *FRAMES), r"\['u'\].*column 'x'"),
    "a position": (bad([[0, 4]]), "positions 0 to 3, got column 4"),
    "a flag": (bad([[True]]), "column True"),
    "twice": (bad([[0, 1], [1]]), "column 'Feature 1' twice"),
    "twice in one": (bad([[0, 0]]), "column 'Feature 0' twice"),
    "nothing": (bad([[0], []]), "at least one column in each group"),
    "no match": (bad({"a": "z*"}, *FRAMES), "'z\\*', which is none"),
    "a word": (bad("columns"), "'columns'"),
    "a number": (bad(3), "an int"),
    "one-hot without names": (bad("one-hot"), "'one-hot' for columns without names"),
    "one-hot without any": (bad("one-hot", feature_names=list("abcd")), "'one-hot' for columns none of which are"),
    "labels of another shape": (bad(np.zeros(3, dtype=int)), r"integers of shape \(4,\)"),
    "labels with a gap": (bad(np.array([0, 0, 2, 2])), "that number the players"),
    "labels below 0": (bad(np.array([-1, 0, 1, 1])), "that number the players"),
    "labels that are floats": (bad(np.zeros(4)), "float64"),
    "columns of a cube": (bad({"a": [0]}, *CUBE), r"a dict for rows of shape \(3, 2\)"),
    "an axis": (bad(Windows(2, axis=2), *CUBE), r"an axis from 0 to 1, got axis 2 for rows of shape \(3, 2\)"),
    "no length": (lambda model: Windows(0), "`length`"),
    "texts": (bad([[0]], ["a text"], Text(r"\W+")), "groups for texts"),
    "arguments": (
        lambda model: ProxySpexExplainer(model, [BACKGROUND] * 2, groups=[[0]])(ROWS, ROWS),
        "groups for 2 arguments",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_groups(call, message):
    calls = []
    with pytest.raises(ArgumentError, match=message):
        call(lambda *rows: calls.append(rows) or np.zeros(len(rows[0])))
    assert not calls


def test_groups_are_saved(tmp_path):
    explainer = ProxySpexExplainer(model, frame(6), groups="one-hot", max_samples=9, seed=0)
    with (tmp_path / "e").open("wb") as stream:
        explainer.save(stream)
    with (tmp_path / "e").open("rb") as stream:
        again = ProxySpexExplainer.load(stream)
    assert (again.groups, again.max_samples) == ("one-hot", 9)
    assert_allclose(again(frame(1, 5)).values, explainer(frame(1, 5)).values)


def test_groups_are_numbered():
    groups = Groups(np.array([0, 1, 1]), ["a", "b"])
    assert len(groups) == 2
    assert groups.shown([1.0, 2.0, 4.0]).tolist() == [1.0, 3.0]

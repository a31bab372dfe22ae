"""What the README shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

import captum_spex
from captum_spex import Interactions
from captum_spex.games.text import embedded_model

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
CAPTUM, OURS, SHAP, TEXT, PARTS, LOOK, ANY_GAME, SPEX = range(8)


@pytest.fixture
def names():
    """The model, the input and the baseline that the first two examples talk about."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(10, 12), nn.ReLU(), nn.Linear(12, 3))
        return {"model": model, "x": torch.randn(1, 10), "b": torch.randn(1, 10)}


def run(block, names):
    exec(compile(BLOCKS[block], f"README.md, example {block}", "exec"), names)
    return names


def test_there_are_eight_examples():
    assert len(BLOCKS) == 8


def test_components_and_training_data():
    names = run(PARTS, {"captum_spex": captum_spex, "embedded_model": embedded_model})
    of_heads, of_first = names["of_heads"], names["of_first"]
    assert of_heads.name_of(next(iter(of_heads.top(1, order=2)))) == "L2H1 x L2H2"
    assert of_heads.faithfulness > 0.9
    whole, none = names["training"](np.array([[True] * 8, [False] * 8]))[:, 0]
    assert of_first.n_evaluations == 256
    assert_allclose(of_first.first_order().sum(), whole - none)


def test_the_explainer():
    mpl.use("Agg")
    rows = np.random.default_rng(0).normal(size=(4, 5))
    names = {"predict": lambda x: x[:, 0] + x[:, 1] * x[:, 2], "background": np.zeros((1, 5)), "X": rows}
    run(SHAP, names)
    assert_allclose(names["explanation"].values.sum(axis=1), names["predict"](rows))
    assert_allclose(names["pairs"].values.sum(axis=2), names["explanation"].values)
    assert names["results"][0].max_order == 3
    assert "Feature 1 × Feature 2" in [text.get_text() for text in plt.gca().get_yticklabels()]  # noqa: RUF001
    plt.close("all")


def test_the_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    result = run(TEXT, {})["result"]
    assert result.name_of(next(iter(result.top(1, order=2)))) == "never x fails"
    assert "never x fails" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["review.db"]


def test_the_pictures(tmp_path, monkeypatch):
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    result = captum_spex.explain(lambda m: 2.0 * (m[:, 0] & m[:, 1]), 2, budget=4, names=["never", "fails"])
    axes = run(LOOK, {"result": result})["axes"]
    assert {"never", "fails"} <= {text.get_text() for text in axes.texts}
    assert "never" in (tmp_path / "review.html").read_text(encoding="utf-8")
    plt.close("all")


def test_captums_own_example(names):
    with torch.random.fork_rng():
        assert run(CAPTUM, names)["attributions"].shape == (1, 10)


def test_the_same_with_interactions(names, capsys):
    run(OURS, names)
    assert isinstance(names["interactions"], Interactions)
    assert names["interactions"].coo(2).shape == (10, 10)
    assert str(names["interactions"]) in capsys.readouterr().out
    gap = (names["model"](names["x"]) - names["model"](names["b"]))[0, 1].item()
    assert_allclose(names["attributions"].sum().item(), gap, rtol=1e-5)


def test_the_two_are_interchangeable(names):
    ours = run(OURS, dict(names))["attributions"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = run(CAPTUM, dict(names))["attributions"]
    assert ours.dtype == theirs.dtype
    assert_allclose(ours, theirs, atol=0.05 * float(ours.abs().max()))


def test_any_game():
    names = run(ANY_GAME, {})
    result = names["result"]
    assert_allclose(result[(3, 8)], 2.0, atol=0.1)
    assert list(result.top(1, order=2)) == [(3, 8)]
    assert result.n_evaluations == 300
    assert result.faithfulness > 0.99
    assert_allclose(result.model([[True] * 20]), [3.0], atol=1e-9)


def test_a_parity_among_a_thousand_players():
    names = run(SPEX, run(ANY_GAME, {}))
    assert names["found"].top(1) == {(7, 501, 998): pytest.approx(-0.5)}

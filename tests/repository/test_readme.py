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

from captum_spex import Interactions

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
CAPTUM, OURS, SHAP, ANY_GAME = range(4)


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


def test_there_are_four_examples():
    assert len(BLOCKS) == 4


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

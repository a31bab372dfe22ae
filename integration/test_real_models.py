"""Models trained on real data: what is attributed adds up, and what is reported as faithfulness is true."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.ensemble import RandomForestRegressor
from torch import nn

import captum_spex
from captum_spex.attr import ProxySpex
from captum_spex.statistics import r_squared

N_HELD_OUT = 2000


@dataclass
class Rows:
    """A model as a game over the features of one row, which remembers the masks that it was asked for."""

    predict: object
    row: np.ndarray
    baseline: np.ndarray
    seen: set[bytes] = field(default_factory=set)

    def values(self, masks: np.ndarray) -> np.ndarray:
        return self.predict(np.where(masks, self.row, self.baseline))

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        self.seen.update(mask.tobytes() for mask in masks)
        return self.values(masks)

    def fresh_masks(self, seed: int) -> np.ndarray:
        masks = np.random.default_rng(seed).random((N_HELD_OUT, len(self.row))) < 0.5
        return masks[[mask.tobytes() not in self.seen for mask in masks]]


def linear_r_squared(game: Rows, n_masks: int, held_out: np.ndarray) -> float:
    """Return the R² of a linear surrogate fitted by least squares to ``n_masks`` uniform masks."""
    masks = np.random.default_rng(99).random((n_masks, len(game.row))) < 0.5
    design = np.column_stack([np.ones(len(masks)), masks])
    coefficients, *_ = np.linalg.lstsq(design, game.values(masks), rcond=None)
    return r_squared(game.values(held_out), np.column_stack([np.ones(len(held_out)), held_out]) @ coefficients)


def train_network(inputs: np.ndarray, labels: np.ndarray, hidden: int) -> nn.Module:
    n_classes = int(labels.max()) + 1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(inputs.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, n_classes))
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels)
        for _ in range(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()
    return network.eval()


def logit(network: nn.Module, target: int):
    def predict(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.tensor(rows, dtype=torch.float32))[:, target].double().numpy()

    return predict


def forest_game() -> Rows:
    data = load_diabetes()
    forest = RandomForestRegressor(100, min_samples_leaf=3, random_state=0).fit(data.data[1:], data.target[1:])
    return Rows(forest.predict, data.data[0], data.data[1:].mean(axis=0))


def network_game() -> Rows:
    data = load_wine()
    scaled = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    network = train_network(scaled[1:], data.target[1:], hidden=32)
    return Rows(logit(network, int(data.target[0])), scaled[0], np.zeros(scaled.shape[1]))


def check_quality(game: Rows, interactions: captum_spex.Interactions, n_evaluations: int) -> None:
    held_out = game.fresh_masks(seed=7)
    assert len(held_out) > 500
    true_quality = r_squared(game.values(held_out), interactions.model(held_out))
    assert interactions.faithfulness == pytest.approx(true_quality, abs=0.1)
    assert true_quality > linear_r_squared(game, n_evaluations, held_out)


@pytest.mark.parametrize(("make_game", "n_evaluations"), [(forest_game, 256), (network_game, 512)])
def test_a_model_as_a_plain_game(make_game, n_evaluations):
    game = make_game()
    n_players = len(game.row)
    result = captum_spex.explain(game, n_players, budget=n_evaluations, random_state=0)
    assert len(game.seen) == result.n_evaluations == n_evaluations
    ends = game.values(np.array([[True] * n_players, [False] * n_players]))
    assert result.first_order().sum() == pytest.approx(ends[0] - ends[1], abs=1e-4)
    check_quality(game, result, n_evaluations)


def test_two_images_of_digits_at_once():
    data = load_digits()
    pixels = data.data / 16
    network = train_network(pixels[2:], data.target[2:], hidden=64)
    images, targets = torch.tensor(pixels[:2], dtype=torch.float32), data.target[:2].tolist()
    attributions, interactions = ProxySpex(network).attribute(
        images, target=targets, n_samples=1000, perturbations_per_eval=100, random_state=0, return_interactions=True
    )
    assert attributions.shape == images.shape
    for image, target, values, one in zip(pixels[:2], targets, attributions, interactions, strict=True):
        game = Rows(logit(network, target), image, np.zeros(64))
        ends = game.values(np.array([[True] * 64, [False] * 64]))
        assert float(values.sum()) == pytest.approx(ends[0] - ends[1], abs=1e-4)
        check_quality(game, one, 1000)
    absent = images == 0  # a pixel that is 0 with and without its player
    assert attributions[absent].abs().max() < 0.05 * attributions.abs().max()

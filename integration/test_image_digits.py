"""What a small convolutional network sees in digits: patches, and strokes that are given as segments."""

from __future__ import annotations

from functools import cache

import matplotlib as mpl
import matplotlib.image as mpl_image
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sampled import either
from scipy.ndimage import label
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import captum_spex
from captum_spex.games.image import ImageGame
from captum_spex.masks import all_masks
from captum_spex.statistics import r_squared

INK = 0.25  # of a pixel that is all ink
BUDGET = 1000
N_REMOVED = 8


@cache
def trained():
    """Return a trained network, and the test images ``(rows, 1, 8, 8)`` with their classes."""
    split = train_test_split(*load_digits(return_X_y=True), test_size=0.25, random_state=0)
    train, test = (torch.tensor(part / 16, dtype=torch.float32).reshape(-1, 1, 8, 8) for part in split[:2])
    classes, wanted = (torch.tensor(part) for part in split[2:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()]
        network = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 10))
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(12):
            for rows in torch.randperm(len(train)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(train[rows]), classes[rows]).backward()
                optimizer.step()
    return network.eval(), test, wanted


def digit(number):
    """Return the first test image of a digit that the network gets right."""
    network, images, classes = trained()
    with torch.no_grad():
        right = (network(images).argmax(dim=1) == classes) & (classes == number)
    return images[int(right.nonzero()[0])]


def strokes(image):
    """Return bool segments: the connected ink of every cell of 2 x 4 pixels, and the connected places without ink."""
    ink = image[0].numpy() > INK
    parts = []
    for top in range(0, 8, 2):
        for left in range(0, 8, 4):
            cell = np.zeros((8, 8), dtype=bool)
            cell[top : top + 2, left : left + 4] = ink[top : top + 2, left : left + 4]
            parts.extend(pieces(cell))
    return [*parts, *pieces(~ink)]


def pieces(area):
    numbered, n_pieces = label(area, structure=np.ones((3, 3)))
    return [numbered == piece for piece in range(1, n_pieces + 1)]


@cache
def pixels_explained(number):
    game = ImageGame(trained()[0], digit(number), (8, 8), fill="zero")
    return game, captum_spex.explain(game, budget=BUDGET, random_state=0)


@cache
def strokes_explained(number):
    game = ImageGame(trained()[0], digit(number), strokes(digit(number)), fill="zero", output="margin")
    return game, captum_spex.explain(game, budget=2 ** (game.n_players - 2), random_state=0)


def ink_of(game, image):
    """Return the mean brightness of every player."""
    return np.array([float(image[0][torch.tensor(game.segments == player)].mean()) for player in range(game.n_players)])


def drops(game, removed):
    """Return by how much the value falls when players are removed, for every row of players."""
    masks = np.ones((len(removed) + 1, game.n_players), dtype=bool)
    for mask, players in zip(masks[1:], removed, strict=True):
        mask[list(players)] = False
    values = game(masks)
    return values[0] - values[1:]


def derivatives(game, pair, n_contexts):
    """Return what two players do together, in coalitions of the others of all sizes alike: their mean is the SII."""
    rng = np.random.default_rng(3)
    others = np.setdiff1d(np.arange(game.n_players), pair)
    masks = np.zeros((4, n_contexts, game.n_players), dtype=bool)
    for context in range(n_contexts):
        size = rng.integers(len(others) + 1)
        masks[:, context, rng.choice(others, size, replace=False)] = True
    masks[[0, 1], :, pair[0]] = True
    masks[[0, 2], :, pair[1]] = True
    both, first, second, none = game(masks.reshape(-1, game.n_players)).reshape(4, -1)
    return both - first - second + none


def show(axes, game, image, result, n_pairs=6):
    """Draw the image, its players' values, and the strongest pairs as lines between the players' centres."""
    values = result.first_order()[game.segments]
    axes[0].imshow(image[0].numpy(), cmap="gray_r", vmin=0, vmax=1)
    limit = abs(values).max()
    axes[1].imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes[2].imshow(image[0].numpy(), cmap="gray_r", vmin=0, vmax=2)
    for players, value in result.top(n_pairs, order=2).items():
        (y, x), (v, u) = (np.argwhere(game.segments == player).mean(axis=0) for player in players)
        axes[2].plot([x, u], [y, v], "o-", color="tab:red" if value > 0 else "tab:blue", linewidth=1 + abs(value))
    for one, title in zip(axes, (f"digit {game.labels[0]}", "Shapley values", "strongest pairs"), strict=True):
        one.set_title(title)
        one.set_axis_off()


def picture(path, explain, numbers):
    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(numbers), 3, figsize=(9, 3 * len(numbers)), squeeze=False)
    for row, number in zip(axes, numbers, strict=True):
        game, result = explain(number)
        show(row, game, digit(number), result)
    figure.tight_layout()
    figure.savefig(path, dpi=60)
    plt.close(figure)


some_digits = pytest.mark.parametrize("number", either([1, 4, 9], [0, 1, 3, 4, 8, 9]))  # those of the other tests


def test_the_network_knows_digits():
    network, images, classes = trained()
    with torch.no_grad():
        assert (network(images).argmax(dim=1) == classes).double().mean() > 0.97


@some_digits
def test_what_is_said_of_pixels_holds_on_fresh_masks(number):
    game, result = pixels_explained(number)
    masks = np.random.default_rng(1).random((1500, 64)) < 0.5
    fresh = r_squared(game(masks), result.model(masks))
    assert (game.labels, result.n_evaluations) == ((str(number),), BUDGET)
    assert fresh > 0.9
    assert_allclose(result.faithfulness, fresh, atol=0.04)


@some_digits
def test_the_strongest_pixels_are_ink_that_the_network_needs(number):
    game, result = pixels_explained(number)
    ink = ink_of(game, digit(number))
    strongest = np.argsort(result.first_order())[::-1][:N_REMOVED]
    assert ink[strongest].min() > 0
    assert ink[strongest].mean() > 3 * INK
    rng = np.random.default_rng(2)
    others = [rng.choice(np.flatnonzero(ink > INK), N_REMOVED, replace=False) for _ in range(300)]
    of_strongest, of_brightest = drops(game, [strongest, np.argsort(ink)[::-1][:N_REMOVED]])
    assert of_strongest > np.quantile(drops(game, others), 0.95)
    assert of_strongest > of_brightest


@some_digits
def test_pixels_without_ink_have_nothing_to_lose(number):
    game, result = pixels_explained(number)
    blank = ink_of(game, digit(number)) == 0
    values = abs(result.first_order())
    assert blank.sum() > 10
    assert values[blank].max() < 0.1 * values.max()
    assert_allclose(drops(game, [np.flatnonzero(blank)]), 0, atol=1e-5)


@pytest.mark.parametrize("number", [1, 4, 9])
def test_the_strongest_pair_does_together_what_is_said(number):
    game, result = pixels_explained(number)
    ((pair, value),) = result.top(1, order=2).items()
    seen = derivatives(game, pair, 1500)
    assert_allclose(value, seen.mean(), rtol=0.2, atol=4 * seen.std() / np.sqrt(len(seen)))
    assert abs(seen.mean()) > 10 * seen.std() / np.sqrt(len(seen))


@pytest.mark.parametrize("number", [0, 1, 3, 4, 8, 9])
def test_strokes_that_are_given_as_segments(number):
    game, result = strokes_explained(number)
    masks = all_masks(game.n_players)
    truth = game(masks)
    assert 6 <= game.n_players <= 16
    assert result.n_evaluations == len(masks) // 4
    assert r_squared(truth, result.model(masks)) > 0.9
    exact = captum_spex.explain(game, budget=len(masks))
    largest = abs(exact.values).max()
    assert_allclose(result.first_order(), exact.first_order(), atol=0.1 * largest)
    assert_allclose(result.coo(2).todense(), exact.coo(2).todense(), atol=0.1 * largest)
    assert ink_of(game, digit(number))[np.argmax(exact.first_order())] > INK


@pytest.mark.parametrize("explain", [pixels_explained, strokes_explained], ids=["pixels", "strokes"])
def test_pictures_of_what_was_found(explain, tmp_path):
    picture(tmp_path / "digits.png", explain, (1, 4, 9))
    shown = mpl_image.imread(tmp_path / "digits.png")
    assert len(np.unique(shown.reshape(-1, shown.shape[-1]), axis=0)) > 100

"""Images, networks, games over both, and slow twins."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

from captum_spex.games.image import ImageGame

HEIGHT, WIDTH, N_CLASSES = 6, 5, 4
EXACT = {"rtol": 0, "atol": 1e-5}


def an_image(channels=1, height=HEIGHT, width=WIDTH, dtype=torch.float32, seed=0):
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(
        dtype
    )


def a_network(channels=1, height=HEIGHT, width=WIDTH, classes=N_CLASSES, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(channels, 3, 3, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(3 * height * width, classes)]
        network = nn.Sequential(*layers).eval()
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.6)
    return network


def a_vit(**settings):
    names = {"id2label": {0: "cat", 1: "dog", 2: "Bird"}, "label2id": {"cat": 0, "dog": 1, "Bird": 2}}
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ViTConfig(**{**sizes, **names, "image_size": 8, "patch_size": 4, "initializer_range": 0.5, **settings})
        return ViTForImageClassification(config).eval()


def a_game(**changes):
    settings = {"model": a_network(), "image": an_image(), "segments": (2, 3), **changes}
    return ImageGame(settings.pop("model"), settings.pop("image"), settings.pop("segments"), **settings)


def some_masks(n_players, n_masks=12, seed=1):
    masks = np.random.default_rng(seed).random((n_masks, n_players)) < 0.5
    masks[0], masks[1] = False, True
    return masks


def slow_players(segments, height=HEIGHT, width=WIDTH):
    """The player of every pixel, by a search for each of them."""
    if isinstance(segments, tuple):
        rows, columns = (int(count) for count in segments)
        return [[y * rows // height * columns + x * columns // width for x in range(width)] for y in range(height)]
    parts = np.asarray(segments)
    if parts.ndim == 2:
        order = sorted(set(parts.ravel().tolist()))
        return [[order.index(parts[y][x]) for x in range(width)] for y in range(height)]
    return [[next(p for p in range(len(parts)) if parts[p][y][x]) for x in range(width)] for y in range(height)]


def mirrored(place, size):
    """``d c b a | a b c d | d c b a``."""
    while not 0 <= place < size:
        place = -1 - place if place < 0 else 2 * size - 1 - place
    return place


def slow_blur(image):
    """The mean of the pixels around, with the weights of a Gaussian of a tenth of the shorter side."""
    channels, height, width = image.shape
    sigma = 0.1 * min(height, width)
    reach = int(4 * sigma + 0.5)
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)]
    blurred = torch.zeros(image.shape, dtype=torch.float64)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                for dy, wy in zip(range(-reach, reach + 1), weights, strict=True):
                    for dx, wx in zip(range(-reach, reach + 1), weights, strict=True):
                        pixel = float(image[c, mirrored(y + dy, height), mirrored(x + dx, width)])
                        blurred[c, y, x] += wy * wx / sum(weights) ** 2 * pixel
    return blurred


def slow_fill(fill, image):
    if isinstance(fill, torch.Tensor):
        return fill.double()
    if fill == "blur":
        return slow_blur(image)
    filled = torch.zeros(image.shape, dtype=torch.float64)
    if fill == "mean":
        for c, channel in enumerate(image):
            filled[c] = sum(float(pixel) for pixel in channel.ravel()) / channel.numel()
    return filled


def slow_image(image, fill, players, mask):
    shown = torch.zeros(image.shape, dtype=torch.float64)
    for c, channel in enumerate(image):
        for y, row in enumerate(channel):
            for x, pixel in enumerate(row):
                shown[c, y, x] = pixel if mask[players[y][x]] else fill[c, y, x]
    return shown


def slow_images(image, fill, segments, masks):
    filled, players = slow_fill(fill, image), slow_players(segments, *image.shape[1:])
    return torch.stack([slow_image(image, filled, players, mask) for mask in masks])


def slow_value(logits, target, output):
    if output == "logit":
        return logits[target]
    if output == "margin":
        return logits[target] - max(logit for place, logit in enumerate(logits) if place != target)
    return logits[target] - math.log(sum(math.exp(logit) for logit in logits))


def slow_values(network, images, targets, output):
    """One image at a time."""
    with torch.no_grad():
        logits = [network(image[None].float())[0].tolist() for image in images]
    return np.array([[slow_value(row, target, output) for target in targets] for row in logits])

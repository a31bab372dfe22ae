"""Segments are tinted and linked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from pictures import PARTS, PICTURE, hue_of, links_of, made

from captum_spex import plots
from captum_spex.errors import ArgumentError


def test_segments_are_tinted_by_value():
    ax = plots.image(made(), PICTURE, PARTS)
    tints = ax.images[1].get_array()
    assert_allclose(tints[PARTS == 0, 3] / tints[0, 2, 3], 2.0)
    assert hue_of(tints[0, 0, :3]) == "red"
    assert hue_of(tints[0, 3, :3]) == "blue"
    assert_allclose(tints[PARTS == 3, 3], 0)


def test_links_join_segments_that_interact():
    ax = plots.image(made(), PICTURE, PARTS, order=2)
    links = links_of(ax)
    assert_allclose(np.array(links.get_linewidths()) / links.get_linewidths()[1], [0.5, 1.0])
    ends = [[PARTS[int(y), int(x)] for x, y in segment] for segment in links.get_segments()]
    assert ends == [[2, 3], [0, 1]]


def test_a_segment_in_pieces_is_linked_at_one_of_its_pixels():
    ring = np.zeros((5, 5), dtype=int)
    ring[1:4, 1:4] = 1
    ax = plots.image(made({(0, 1): 1.0}, 2), np.zeros((5, 5)), ring)
    (first, second) = links_of(ax).get_segments()[0]
    assert ring[int(first[1]), int(first[0])] == 0
    assert second.tolist() == [2, 2]


@pytest.mark.parametrize(
    "image",
    [PICTURE, np.moveaxis(PICTURE, 0, -1), torch.tensor(PICTURE), PICTURE.astype(np.uint8), PICTURE[1],
     torch.tensor(PICTURE, requires_grad=True), np.concatenate([PICTURE, np.ones((1, 4, 4))]), 7 * PICTURE - 100],
    ids=["channels first", "channels last", "tensor", "bytes", "grey", "gradient", "opacity", "any scale"],
)  # fmt: skip
def test_images_of_every_form_are_the_same_grey(image):
    shades = plots.image(made(), image, PARTS).images[0].get_array()
    assert_allclose((shades - shades.min()) / np.ptp(shades), PICTURE[0] / 15, atol=1e-12)
    assert shades.max() == pytest.approx(1)


def test_colours_become_grey_as_eyes_see_them_and_opacity_is_left_out():
    red, green, blue, opacity = np.random.default_rng(0).random((4, 4, 4))
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    shades = plots.image(made(), np.stack([red, green, blue, opacity]), PARTS).images[0].get_array()
    assert_allclose((shades - shades.min()) / np.ptp(shades), (expected - expected.min()) / np.ptp(expected))


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        (PARTS[:3, :3], "fit segments"),
        (PARTS.astype(float), "float64"),
        (PARTS[None], r"\(1, 4, 4\)"),
        (PARTS + 1, "from 1 to 4"),
        (PARTS - 1, "from -1 to 2"),
        (np.minimum(PARTS, 2), "none for player 3"),
    ],
)
def test_segments_that_do_not_fit(segments, said):
    with pytest.raises(ArgumentError, match=said):
        plots.image(made(), PICTURE, segments)


def test_an_image_of_a_batch_says_what_to_pass():
    with pytest.raises(ArgumentError, match=r"Pass `image\[0\]`"):
        plots.image(made(), PICTURE[None], PARTS)

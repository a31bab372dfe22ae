"""Games over images: every value equals that of a slow twin."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from image_games import (
    EXACT,
    HEIGHT,
    WIDTH,
    a_game,
    a_network,
    a_vit,
    an_image,
    slow_images,
    slow_players,
    slow_values,
    some_masks,
)
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, shapley_by_permutations, sii
from torch import nn

import captum_spex
from captum_spex.errors import ArgumentError, GameError, MaskError, StoreError, UnknownNameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.evaluation.store import Store
from captum_spex.games.image import ImageGame

STRIPES = np.array([[3] * WIDTH, [3] * WIDTH, [-1] * WIDTH, [7] * WIDTH, [7] * WIDTH, [-1] * WIDTH])
"""Labels in no order, with gaps; the players are -1, 3 and 7, and the first is in two pieces."""
SEGMENTS = {
    "grid": (3, 5),
    "a grid that does not divide": (4, 2),
    "pixels": (HEIGHT, WIDTH),
    "numpy grid": (np.int64(2), np.int32(3)),
    "labels": STRIPES,
    "labels as lists": STRIPES.tolist(),
    "labels as a tensor": torch.tensor(STRIPES),
    "small unsigned labels": (STRIPES + 1).astype(np.uint8),
    "bool": np.stack([label == STRIPES for label in (7, -1, 3)]),
    "bool tensor": torch.tensor(np.stack([label == STRIPES for label in (7, -1, 3)])),
    "list of bool": [STRIPES == 7, STRIPES != 7],
    "list of bool tensors": [torch.tensor(STRIPES == 7), torch.tensor(STRIPES != 7)],
    "zeros and ones": np.stack([STRIPES == 7, STRIPES != 7]).astype(np.uint8),
}

# --- models and games -------------------------------------------------------------------------------------------------


class Counting(nn.Module):
    """A network that remembers how many images each of its calls had, and stops when it is told to."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.network = a_network()
        self.seen = SimpleNamespace(rows=[], stop_after=stop_after)
        self.eval()

    def forward(self, images):
        if self.seen.stop_after is not None and len(self.seen.rows) >= self.seen.stop_after:
            raise KeyboardInterrupt
        self.seen.rows.append(len(images))
        return self.network(images)


# --- inputs of the model ----------------------------------------------------------------------------------------------

FILLS = {
    "blur": "blur",
    "mean": "mean",
    "zero": "zero",
    "own": an_image(2, seed=9),
    "integers": torch.ones(2, 6, 5).int(),
}


@pytest.mark.sampled
@pytest.mark.parametrize("segments", SEGMENTS.values(), ids=SEGMENTS)
@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_the_image_under_a_mask(segments, fill):
    image = an_image(2)
    game = a_game(model=a_network(2), image=image, segments=segments, fill=fill)
    masks = some_masks(game.n_players)
    images = game.under(masks)
    assert images.dtype == image.dtype
    assert_allclose(images, slow_images(image, fill, segments, masks), rtol=0, atol=1e-6)
    assert_array_equal(game.segments, slow_players(segments))
    assert game.segments.dtype == np.int64
    assert torch.equal(images[1], image)


def test_the_fills_differ():
    images = [a_game(fill=fill).under([[False] * 6])[0] for fill in ("blur", "mean", "zero")]
    assert min(float((one - other).abs().max()) for one, other in pairwise(images)) > 0.05
    assert_allclose(images[0].mean(), an_image().mean(), atol=0.05)


@given(height=st.integers(2, 12), width=st.integers(2, 12), data=st.data())
def test_patches_of_a_grid_are_rectangles_of_almost_one_size(height, width, data):
    rows, columns = data.draw(st.integers(2, height)), data.draw(st.integers(1, width))
    model = a_network(1, height, width)
    game = ImageGame(model, an_image(1, height, width), (rows, columns))
    assert game.n_players == rows * columns
    sides = []
    for player, name in enumerate(game.names):
        ys, xs = np.nonzero(game.segments == player)
        sides.append((np.ptp(ys) + 1, np.ptp(xs) + 1))
        assert len(ys) == sides[-1][0] * sides[-1][1]
        assert name == f"row {player // columns} column {player % columns}"
    assert (np.ptp(sides, axis=0) <= 1).all()


def test_segments_are_named_after_their_labels():
    assert a_game(segments=STRIPES).names == ("segment -1", "segment 3", "segment 7")
    assert a_game(segments=SEGMENTS["bool"]).names == ("segment 0", "segment 1", "segment 2")


@pytest.mark.sampled
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("fill", ["blur", "mean", "zero", "own"])
def test_images_of_other_precision_reach_the_model_as_they_are(dtype, fill):
    seen = set()

    def model(images):
        seen.add(images.dtype)
        return network(images.float())

    network, image = a_network(3), an_image(3, dtype=dtype)
    fill = an_image(3, seed=9) if fill == "own" else fill
    game = ImageGame(model, image, (2, 2), fill=fill, target=0)
    masks = every_mask(4)
    step = 4 * torch.finfo(dtype).eps if dtype == torch.float64 else torch.finfo(dtype).eps
    assert_allclose(game.under(masks).double(), slow_images(image, fill, (2, 2), masks), rtol=step, atol=step)
    values = game(masks)
    assert_allclose(values, slow_values(network, game.under(masks), [0], "logit")[:, 0], **EXACT)
    assert (seen, values.dtype) == ({dtype}, np.float64)


def test_a_module_of_double_precision_gives_its_digits():
    network, image = a_network().double(), an_image(dtype=torch.float64)
    game = ImageGame(network, image, (2, 2), target=1, fill="zero")
    masks = every_mask(4)
    with torch.no_grad():
        wanted = network(slow_images(image, "zero", (2, 2), masks))[:, 1]
    assert_allclose(game(masks), wanted, rtol=1e-12)


def test_what_is_done_to_the_image_later_does_not_change_the_game():
    image, fill = an_image().requires_grad_(), an_image(seed=9).requires_grad_()
    game = a_game(image=image, fill=fill)
    before = game(some_masks(6))
    with torch.no_grad():
        image.zero_()
        fill.zero_()
    assert_array_equal(game(some_masks(6)), before)


# --- outputs of the model ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 5, 12, np.int64(13), 1000])
def test_batches_do_not_change_the_values(batch_size):
    model = Counting()
    game = ImageGame(model, an_image(), (2, 3), batch_size=batch_size, target=1)
    assert model.seen.rows == [1]
    masks = some_masks(6, 13)
    values = game(masks)
    assert_allclose(values, a_game(target=1, batch_size=64)(masks), **EXACT)
    assert sum(model.seen.rows[1:]) == 13
    assert max(model.seen.rows[1:]) == min(batch_size, 13)
    assert len(model.seen.rows[1:]) == -(-13 // batch_size)
    assert_array_equal(np.concatenate(game.plan_batches(masks)), np.arange(13))


def test_the_batches_of_an_explanation_are_those_of_the_game():
    model = Counting()
    captum_spex.explain(ImageGame(model, an_image(), (2, 3), batch_size=10), budget=64)
    assert (sum(model.seen.rows), max(model.seen.rows)) == (1 + 64 + 2, 10)


def test_no_masks_have_no_values():
    assert a_game()(np.zeros((0, 6), dtype=bool)).shape == (0,)
    assert a_game(target=[0, 1])(np.zeros((0, 6), dtype=bool)).shape == (0, 2)


def test_masks_may_be_zeros_and_ones():
    masks = some_masks(6)
    assert_array_equal(a_game()(masks.astype(int).tolist()), a_game()(masks))


# --- transformers models ----------------------------------------------------------------------------------------------


def test_an_image_classifier_of_transformers():
    model, image = a_vit(), an_image(3, 8, 8)
    game = ImageGame(model, image, (2, 2), target=["dog", "bird", 0], output="log_prob", fill="zero")
    masks = every_mask(4)
    with torch.no_grad():
        rows = [model(pixel_values=one[None].float()) for one in slow_images(image, "zero", (2, 2), masks)]
    wanted = np.stack([row.logits[0].log_softmax(dim=0)[[1, 2, 0]].numpy() for row in rows])
    assert_allclose(game(masks), wanted, **EXACT)
    assert (game.targets, game.labels) == ((1, 2, 0), ("dog", "Bird", "cat"))
    assert wanted.std(axis=0).min() > 0.01


# --- explanations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["logit", "margin", "log_prob"])
def test_shapley_interactions_of_a_small_game_are_exact(output):
    network, image = a_network(), an_image()
    game = ImageGame(network, image, (2, 3), target=[1, 2], output=output, fill="zero")
    results = captum_spex.explain(game, budget=64, max_order=3)
    tables = slow_values(network, slow_images(image, "zero", (2, 3), every_mask(6)), [1, 2], output)
    for result, table in zip(results, tables.T, strict=True):
        for players, value in sii(table, 6, 3).items():
            assert_allclose(result[players], value, err_msg=str(players), **EXACT)
        assert_allclose(result.first_order(), shapley_by_permutations(table, 6), **EXACT)
        assert (result.n_evaluations, result.faithfulness, result.names) == (64, 1.0, game.names)
        assert abs(result.coo(2).data).max() > 0.01


def test_a_sum_of_pixels_gives_every_segment_its_own():
    image = an_image(3)
    game = ImageGame(lambda images: images.sum((1, 2, 3))[:, None], image, STRIPES, fill="zero")
    own = [float(image[:, torch.tensor(label == STRIPES)].sum()) for label in (-1, 3, 7)]
    result = captum_spex.explain(game)
    assert_allclose(result.first_order(), own, rtol=1e-5)
    assert_allclose(result.coo(2).data, 0, atol=1e-5)
    assert "segment 7" in str(result)


# --- stores -----------------------------------------------------------------------------------------------------------


def changed(image):
    image = image.clone()
    image[0, 5, 4] += 1e-3
    return image


def otherwise_activated():
    network = a_network()
    network[1] = nn.SiLU()
    return network


def with_other_weights():
    network = a_network()
    with torch.no_grad():
        network[3].bias[0] += 1e-3
    return network


OTHER_GAMES = {
    "weight": {"model": with_other_weights()},
    "activation": {"model": otherwise_activated()},
    "pixel": {"image": changed(an_image())},
    "precision": {"image": an_image(dtype=torch.float64), "model": a_network().double()},
    "grid": {"segments": (3, 2)},
    "segments": {"segments": STRIPES},
    "target": {"target": 1},
    "other target": {"target": 2},
    "targets": {"target": [1, 2]},
    "order of targets": {"target": [2, 1]},
    "margin": {"target": 0, "output": "margin"},
    "log_prob": {"target": 0, "output": "log_prob"},
    "zero": {"fill": "zero"},
    "mean": {"fill": "mean"},
    "own": {"fill": an_image(seed=9)},
    "own pixel": {"fill": changed(an_image(seed=9))},
}


def test_the_fingerprint_changes_with_everything_that_changes_the_answer():
    games = [a_game(target=0), *(a_game(**{"target": 0, **changes}) for changes in OTHER_GAMES.values())]
    assert len({str(game.fingerprint) for game in games}) == len(games)
    assert all(isinstance(value, str) for value in games[0].fingerprint.values())


def test_the_fingerprint_stays_where_the_answer_does():
    same = [
        a_game(),
        a_game(batch_size=7),
        a_game(segments=np.array(slow_players((2, 3)))),
        a_game(target=a_game().targets),
        a_game(fill=torch.tensor(a_game().under([[False] * 6])[0].numpy())),
        a_game(image=an_image().requires_grad_()),
    ]
    assert len({str(game.fingerprint) for game in same}) == 1


def test_every_pixel_of_a_large_image_counts():
    def model(images):
        return images.mean((1, 2, 3))[:, None]

    class Mean(nn.Module):
        def forward(self, images):
            return model(images)

    network, labels = Mean().eval(), np.arange(600)[:, None] // 300 * np.ones((1, 600), dtype=int)
    images, segments = torch.zeros(5, 1, 600, 600), np.stack([labels] * 5)
    for row in range(1, 5):
        images[row, 0, 299, row] = 1.0
        segments[row, 299, row] = 1
    of_images = {str(ImageGame(network, image, (2, 2), fill="zero").fingerprint) for image in images}
    of_fills = {str(ImageGame(network, images[0], (2, 2), fill=image).fingerprint) for image in images}
    of_segments = {str(ImageGame(network, images[0], one, fill="zero").fingerprint) for one in segments}
    assert [len(of_images), len(of_fills), len(of_segments)] == [5, 5, 5]


@pytest.mark.parametrize(
    "settings", [{"num_attention_heads": 4}, {"hidden_act": "relu"}, {"layer_norm_eps": 0.1}], ids=str
)
def test_settings_of_a_transformer_count(settings):
    one, other = (ImageGame(model, an_image(3, 8, 8), (2, 2), target=0) for model in (a_vit(), a_vit(**settings)))
    assert one.fingerprint != other.fingerprint
    assert abs(one(every_mask(4)) - other(every_mask(4))).max() > 1e-4


def test_a_function_has_no_fingerprint_and_its_store_needs_one(tmp_path):
    game = a_game(model=a_network().forward)
    assert game.fingerprint is None
    with pytest.raises(
        StoreError, match=r"expected a game with an attribute `fingerprint`, .*Store\(path, fingerprint="
    ):
        captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    result = captum_spex.explain(game, budget=64, store=Store(tmp_path / "masks.db", fingerprint="a function"))
    assert result.n_evaluations == 64


def test_a_stopped_run_resumes_from_its_store(tmp_path):
    model = Counting()
    game = ImageGame(model, an_image(), (2, 3), batch_size=10, target=1)
    model.seen.stop_after = 6
    with pytest.raises(KeyboardInterrupt):
        captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert model.seen.rows == [1, 10, 10, 1, 1, 10]  # two masks alone, after those that they shared a call with
    model.seen.stop_after = None
    resumed = captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert sum(model.seen.rows) == 1 + 64 + 2 + 2
    assert_array_equal(resumed.values, captum_spex.explain(game, budget=64).values)
    store = Store(tmp_path / "masks.db")
    captum_spex.explain(game, budget=64, store=store)
    assert (store.n_found, store.n_added) == (64, 0)


def test_the_store_of_another_image_is_refused(tmp_path):
    captum_spex.explain(a_game(fill="zero"), budget=64, store=tmp_path / "masks.db")
    with pytest.raises(StoreError, match="They differ in image: "):
        captum_spex.explain(a_game(image=changed(an_image()), fill="zero"), budget=64, store=tmp_path / "masks.db")


# --- unchanged models and states --------------------------------------------------------------------------------------


def state_of(*things):
    legacy = np.random.get_state()[1]  # noqa: NPY002  # the global state is what is looked at
    return digest(*things, torch.get_rng_state(), legacy, list(random.getstate()[1]))


def test_the_model_and_the_global_random_state_are_untouched():
    network, image = a_network(), an_image().requires_grad_()
    normal = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), network).eval()
    labels = STRIPES.copy()
    flags = [module.training for module in normal.modules()] + [one.requires_grad for one in normal.parameters()]
    before = state_of(normal, image, labels)
    captum_spex.explain(ImageGame(normal, image, labels, fill=an_image(seed=9)), budget=8, random_state=0)
    assert state_of(normal, image, labels) == before
    assert [module.training for module in normal.modules()] + [
        one.requires_grad for one in normal.parameters()
    ] == flags
    assert [one.grad for one in [*normal.parameters(), image]] == [None] * (len(list(normal.parameters())) + 1)


def test_masks_are_not_changed():
    masks = some_masks(6)
    masks.setflags(write=False)
    assert_array_equal(a_game()(masks), a_game()(masks.copy()))
    assert_array_equal(masks, some_masks(6))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_game_on_a_gpu():
    there = {"model": a_network().cuda(), "image": an_image().cuda(), "segments": torch.tensor(STRIPES).cuda()}
    game, here = a_game(**there, target=1), a_game(segments=STRIPES, target=1)
    assert game.under(every_mask(3)).is_cuda
    assert_allclose(game(every_mask(3)), here(every_mask(3)), rtol=0, atol=1e-3)
    assert game.fingerprint == here.fingerprint


# --- bad input --------------------------------------------------------------------------------------------------------

UPPER, LOWER = np.arange(HEIGHT)[:, None] < np.full(WIDTH, 3), np.arange(HEIGHT)[:, None] >= np.full(WIDTH, 3)
NOTHING = np.zeros((HEIGHT, WIDTH), dtype=bool)
ONE_GRID = "the image's shape (6, 5), or a grid (rows, columns)"
ONCE = "segments that cover every pixel exactly once"
BAD_SEGMENTS = [
    ([UPPER, LOWER & (STRIPES != -1)], f"expected {ONCE}, got 5 pixels that no segment covers, the first at (5, 0)."),
    (
        [UPPER, LOWER, UPPER & (STRIPES == -1)],
        f"expected {ONCE}, got 5 pixels that several segments cover, the first at (2, 0).",
    ),
    ([UPPER, NOTHING, LOWER], "expected segments of at least one pixel, got segment 1 without a pixel."),
    ([UPPER, LOWER[:3]], "expected bool (n_players, 6, 5), got segments of different shapes."),
    ([[0, 1], [1]], "expected bool (n_players, 6, 5), got segments of different shapes."),
    (np.ones((2, 5, 6), dtype=bool), "expected bool (n_players, 6, 5), got shape (2, 5, 6), bool."),
    (2 * np.stack([UPPER, LOWER]), "expected bool (n_players, 6, 5), got shape (2, 6, 5), int64."),
    (STRIPES.T, f"expected {ONE_GRID}, got shape (5, 6)."),
    (STRIPES[None, None], f"expected {ONE_GRID}, got shape (1, 1, 6, 5)."),
    (None, f"expected {ONE_GRID}, got shape ()."),
    (4, f"expected {ONE_GRID}, got shape ()."),
    ("grid", f"expected {ONE_GRID}, got shape ()."),
    ([2, 3], f"expected {ONE_GRID}, got shape (2,)."),
    ((2.0, 3.0), f"expected {ONE_GRID}, got shape (2,)."),
    ((2, 3, 1), f"expected {ONE_GRID}, got shape (3,)."),
    (1.0 * STRIPES, "expected integer labels, or a bool array (n_players, height, width), got dtype float64."),
    (UPPER, "expected integer labels, or a bool array (n_players, height, width), got dtype bool."),
    ((7, 5), "expected 1 x 1 to 6 x 5, the pixels, got a grid of 7 x 5."),
    ((6, 6), "expected 1 x 1 to 6 x 5, the pixels, got a grid of 6 x 6."),
    ((0, 5), "expected 1 x 1 to 6 x 5, the pixels, got a grid of 0 x 5."),
    ((2, -1), "expected 1 x 1 to 6 x 5, the pixels, got a grid of 2 x -1."),
]  # fmt: skip


@pytest.mark.parametrize(("segments", "message"), BAD_SEGMENTS)
def test_segments_that_cannot_be_used(segments, message):
    with pytest.raises(MaskError) as raised:
        a_game(segments=segments)
    assert str(raised.value) == f"`segments`: {message}"


@pytest.mark.parametrize("segments", [(1, 1), np.zeros((HEIGHT, WIDTH), dtype=int), np.ones((1, HEIGHT, WIDTH), bool)])
def test_one_segment_is_refused(segments):
    with pytest.raises(ArgumentError, match=r"`segments`: expected at least two segments, got 1\."):
        a_game(segments=segments)


BAD_IMAGES = [
    (an_image()[None], "shape (1, 1, 6, 5), torch.float32", " Pass `image[0]`."),
    (an_image()[None].expand(2, -1, -1, -1), "shape (2, 1, 6, 5), torch.float32", ""),
    (an_image()[0], "shape (6, 5), torch.float32", ""),
    ((255 * an_image()).to(torch.uint8), "shape (1, 6, 5), torch.uint8", ""),
    (an_image().numpy(), "an ndarray", ""),
    ("cat.png", "a str", ""),
]  # fmt: skip


@pytest.mark.parametrize(("image", "got", "hint"), BAD_IMAGES)
def test_images_that_cannot_be_used(image, got, hint):
    with pytest.raises(ArgumentError) as raised:
        a_game(image=image)
    assert str(raised.value) == f"`image`: expected a float tensor (channels, height, width), got {got}.{hint}"


FILL_NAMES = "'blur', 'mean', 'zero', or an image as a tensor"
CLASSES = "'0', '1', '2', '3', or a number from 0 to 3"
BAD_SETTINGS = [
    ({"fill": "noise"}, UnknownNameError, f"`fill`: expected {FILL_NAMES}, got 'noise'."),
    ({"fill": None}, UnknownNameError, f"`fill`: expected {FILL_NAMES}, got None."),
    ({"fill": 0.5}, UnknownNameError, f"`fill`: expected {FILL_NAMES}, got a float."),
    ({"fill": an_image().numpy()}, UnknownNameError, f"`fill`: expected {FILL_NAMES}, got an ndarray."),
    ({"fill": an_image(3)}, ArgumentError, "`fill`: expected the image's shape (1, 6, 5), got shape (3, 6, 5)."),
    ({"output": "prob"}, UnknownNameError, "`output`: expected 'logit', 'margin', 'log_prob', got 'prob'."),
    ({"output": None}, UnknownNameError, "`output`: expected 'logit', 'margin', 'log_prob', got None."),
    ({"target": 4}, UnknownNameError, f"`target`: expected {CLASSES}, got 4."),
    ({"target": -1}, UnknownNameError, f"`target`: expected {CLASSES}, got -1."),
    ({"target": [0, 9]}, UnknownNameError, f"`target`: expected {CLASSES}, got 9."),
    ({"target": torch.tensor([0, 9])}, UnknownNameError, f"`target`: expected {CLASSES}, got 9."),
    ({"target": True}, UnknownNameError, f"`target`: expected {CLASSES}, got True."),
    ({"target": 1.0}, UnknownNameError, f"`target`: expected {CLASSES}, got 1.0."),
    ({"target": "cat"}, UnknownNameError, f"`target`: expected {CLASSES}, got 'cat'."),
    ({"target": []}, ArgumentError, "`target`: expected a label or number, or several, got no class."),
    ({"batch_size": 0}, ArgumentError, "`batch_size`: expected an integer of at least 1, got 0."),
    ({"batch_size": 2.0}, ArgumentError, "`batch_size`: expected an integer of at least 1, got 2.0."),
    ({"batch_size": None}, ArgumentError, "`batch_size`: expected an integer of at least 1, got None."),
    ({"model": "resnet18"}, ArgumentError, "`model`: expected a module or a function, got a str."),
    (
        {"model": nn.Sequential(a_network(), nn.Dropout()).train()}, ArgumentError,
        "`model`: expected a model in evaluation mode, got '1', a Dropout, in training mode. Call `model.eval()`; "
        "`allow_training=True` explains the model as it is.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "kind", "message"), BAD_SETTINGS)
def test_settings_that_cannot_be_used(settings, kind, message):
    with pytest.raises(kind) as raised:
        a_game(**settings)
    assert str(raised.value) == message


BAD_ANSWERS = [
    (lambda images: images.mean((1, 2, 3)), "shape (1,)"),
    (lambda images: images, "shape (1, 1, 6, 5)"),
    (lambda images: images[0, 0], "shape (6, 5)"),
    (lambda images: images.mean(), "shape ()"),
    (lambda images: (images[:, 0, 0],), "a tuple"),
    (lambda images: {"logits": images[:, 0, 0]}, "a dict"),
    (lambda images: images[:, 0, 0].numpy(), "an ndarray"),
    (lambda images: None, "None"),
    (lambda images: SimpleNamespace(logits=None), "None"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "got"), BAD_ANSWERS)
def test_models_that_return_something_else(model, got):
    with pytest.raises(ArgumentError) as raised:
        a_game(model=model)
    message = f"`model`: expected a model that returns scores (rows, classes), got {got} for 1 images."
    assert str(raised.value) == message


def test_a_model_that_answers_for_fewer_images_later():
    with pytest.raises(
        ArgumentError, match=r"`model`: expected a model that returns scores .*, got shape \(1, 5\) for 12 images"
    ):
        a_game(model=lambda images: images[:1, 0, 0])(some_masks(6))


@pytest.mark.parametrize("masks", [np.ones(6, dtype=bool), np.ones((2, 5), dtype=bool), np.ones((2, 7), dtype=bool)])
def test_masks_of_another_shape(masks):
    for method in (a_game(), a_game().under):
        with pytest.raises(MaskError, match=r"expected \(n_masks, 6\): one column per player"):
            method(masks)


def test_values_that_are_not_numbers_are_refused():
    image = an_image()
    image[0, 0, 0] = math.nan
    with pytest.raises(GameError, match="`game`: expected finite values, got nan for the mask with all players"):
        captum_spex.explain(a_game(image=image, fill="zero"), budget=64)


def test_errors_of_the_model_are_raised_unchanged():
    with pytest.raises(RuntimeError, match=r"expected input.*to have 3 channels, but got 1 channels"):
        a_game(model=a_network(3))

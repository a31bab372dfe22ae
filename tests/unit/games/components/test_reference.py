"""What replaces an absent component: zeros, means, activations of other inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from component_games import (
    CLOSE,
    EXACT,
    PROJECTIONS,
    a_conv_net,
    a_game,
    a_reader,
    called,
    images,
    named_like,
    parts_of_a_reader,
    recorded,
    replaced,
    row_of,
    slow_values,
    some_masks,
    tokens,
    without_heads,
)
from numpy.testing import assert_allclose
from oracles import every_mask
from small_transformers import a_batch, scores_of, small
from torch import nn

from captum_spex.games.components import (
    Place,
    heads,
    modules,
    neurons,
)

# --- slow twins -------------------------------------------------------------------------------------------------------


def mean_of(tensors, attended, channel_dim, by_position):
    """The mean of rows ``(1, positions, channels)``, of images ``(1, channels, height, width)``, number by number."""
    result = torch.zeros_like(tensors[0])
    for place in np.ndindex(*tensors[0].shape):
        total, count = 0.0, 0
        for tensor, row in zip(tensors, attended, strict=True):
            for other in np.ndindex(*tensor.shape):
                same = other[channel_dim] == place[channel_dim] and (not by_position or other == place)
                if same and (row is None or row[other[1]]):
                    total, count = total + float(tensor[other]), count + 1
        result[place] = total / max(count, 1)
    return result


def slow_replacement(model, reference, ablation):
    """What stands in at a place, for an example."""
    n_examples = len(next(iter(reference.values())))
    rows = [row_of(reference, example, n_examples) for example in range(n_examples)]

    def instead(place, example):
        seen = [recorded(model, place, lambda row=row: model(**row)) for row in rows]
        if ablation == "resample":
            return seen[example if n_examples > 1 else 0]
        attended = [row["attention_mask"][0] if "attention_mask" in row else None for row in rows]
        image = isinstance(model.get_submodule(place.module), nn.Conv2d | nn.BatchNorm2d)
        return mean_of(seen, attended, 1 if image else -1, ablation == "mean by position")

    return instead


# --- replacements of absent components --------------------------------------------------------------------------------

REFERENCES = {
    "several": {"input_ids": tokens(4, seed=5)},
    "one": {"input_ids": tokens(1, seed=5)},
    "padded": {
        "input_ids": tokens(4, seed=5),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]),
    },
    "padded at a position in all": {"input_ids": tokens(2, seed=5), "attention_mask": torch.tensor([[1, 1, 1, 0]] * 2)},
}


@pytest.mark.sampled
@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
@pytest.mark.parametrize("ablation", ["mean", "mean by position"])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_means(reference, ablation, batch_size):
    model = a_reader()
    parts = parts_of_a_reader(model)
    masks = some_masks(len(parts), 6)
    game = a_game(model, ablation=ablation, reference=reference, batch_size=batch_size)
    instead = slow_replacement(model, reference, ablation)
    assert_allclose(game(masks), slow_values(model, {"input_ids": tokens()}, parts, masks, instead), **EXACT)


@pytest.mark.parametrize("n_reference", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_resampling(n_reference, batch_size):
    model, reference = a_reader(), {"input_ids": tokens(n_reference, seed=5)}
    parts = parts_of_a_reader(model)
    masks = some_masks(len(parts), 6)
    game = a_game(model, ablation="resample", reference=reference, batch_size=batch_size)
    instead = slow_replacement(model, reference, "resample")
    assert_allclose(game(masks), slow_values(model, {"input_ids": tokens()}, parts, masks, instead), **EXACT)


@pytest.mark.parametrize("ablation", ["mean", "mean by position", "resample"])
def test_channels_of_images_are_replaced(ablation):
    model, reference = a_conv_net(), {"input": images(2, seed=5)}
    parts = [*neurons(model, "0"), *neurons(model, "3", [1], side="input"), *modules(model, "5")]
    masks = some_masks(len(parts), 8)
    game = a_game(model, {"input": images()}, parts, ablation=ablation, reference=reference)
    instead = slow_replacement(model, reference, ablation)
    assert_allclose(game(masks), slow_values(model, {"input": images()}, parts, masks, instead), **EXACT)


def test_a_mean_over_positions_may_be_of_texts_of_another_length():
    model, reference = a_reader(), {"input_ids": tokens(3, 6, seed=5)}
    game = a_game(model, ablation="mean", reference=reference, parts=modules(model, "mix"))
    seen = recorded(model, Place("mix"), lambda: model(**reference)).mean(dim=(0, 1))
    wanted = slow_values(model, {"input_ids": tokens()}, game.components, [[False]], lambda *_: seen.expand(1, 4, 6))
    assert_allclose(game([[False]]), wanted, **EXACT)


def test_resampling_from_the_input_itself_changes_nothing():
    for settings in ({"batch_size": 2}, {"batch_size": 64}):
        game = a_game(ablation="resample", reference=tokens(), **settings)
        assert_allclose(np.ptp(game(some_masks(game.n_players)), axis=0), 0, atol=1e-12)


def test_everything_that_a_network_reads_resampled_is_the_other_input():
    model = a_reader()
    game = a_game(model, parts=modules(model, "embed"), ablation="resample", reference=tokens(seed=5))
    with torch.no_grad():
        wanted = [model(tokens(seed=5)).flatten().numpy(), model(tokens()).flatten().numpy()]
    assert_allclose(game([[False], [True]]), np.array(wanted), **EXACT)


def test_a_module_that_is_called_several_times_is_resampled_call_by_call():
    model, batch, other = small("albert"), a_batch("albert"), a_batch("albert", seed=5)
    game = a_game(model, batch, modules(model, "*.embedding_hidden_mapping_in"), ablation="resample", reference=other)
    assert_allclose(game([[False]])[0], called(model, other).ravel(), **CLOSE)
    shared = modules(model, "*.ffn_output")
    seen = []
    handle = model.get_submodule(shared[0].name).register_forward_hook(lambda _m, _g, output: seen.append(output))
    called(model, other)
    handle.remove()
    assert len(seen) == 2
    calls = iter(seen)
    handle = model.get_submodule(shared[0].name).register_forward_hook(lambda *_: next(calls))
    wanted = called(model, batch).ravel()
    handle.remove()
    game = a_game(model, batch, shared, ablation="resample", reference=other)
    assert_allclose(game([[False], [True]]), np.array([wanted, called(model, batch).ravel()]), **CLOSE)


@pytest.mark.parametrize("family", ["gpt2", "llama", "vit", "bart"])
def test_heads_resampled_are_the_channels_of_another_input(family):
    model, batch, other = small(family), a_batch(family, 2), a_batch(family, 2, seed=5)
    parts = heads(model)
    masks = some_masks(len(parts), 4)
    seen = {part.places[0].module: recorded(model, part.places[0], lambda: model(**other)) for part in parts}
    wanted = [
        scores_of(replaced(model, parts, mask, lambda place: seen[place.module], lambda: model(**batch)))
        .flatten()
        .numpy()
        for mask in masks
    ]
    assert_allclose(a_game(model, batch, parts, ablation="resample", reference=other)(masks), np.array(wanted), **CLOSE)


def test_means_of_heads_leave_out_padding():
    model, batch = small("bert"), a_batch("bert", 2)
    reference = {**a_batch("bert", 2, seed=5), "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])}
    parts = heads(model, 0)
    seen = recorded(model, parts[0].places[0], lambda: model(**reference))
    mean = torch.cat([seen[0], seen[1, :2]]).mean(dim=0).expand(1, 5, 16)
    masks = every_mask(4)
    wanted = [
        scores_of(replaced(model, parts, mask, lambda _: mean, lambda: model(**batch))).flatten().numpy()
        for mask in masks
    ]
    assert_allclose(a_game(model, batch, parts, ablation="mean", reference=reference)(masks), np.array(wanted), **CLOSE)


def test_rescaled_heads():
    """What the output projections read is multiplied by players over present players: as if their weights were."""
    model, batch = small("gpt2"), a_batch("gpt2")
    masks = some_masks(8, 7)
    wanted = []
    for mask in masks:
        copy = without_heads(model, "gpt2", mask)
        for name in named_like(model, PROJECTIONS["gpt2"]):
            copy.get_submodule(name).weight.data *= 8 / max(mask.sum(), 1)
        wanted.append(called(copy, batch).ravel())
    assert_allclose(a_game(model, batch, heads(model), rescale=True)(masks), np.array(wanted), **CLOSE)


def test_only_kept_components_are_rescaled_not_what_stands_in_for_others():
    model, reference = a_reader(), tokens(1, seed=5)
    parts = neurons(model, "first", range(5))
    game = a_game(model, tokens(1), parts, ablation="resample", reference=reference, rescale=True)
    mask = np.array([True, False, True, True, False])
    other = recorded(model, Place("first"), lambda: model(reference))
    handle = model.first.register_forward_hook(
        lambda _m, _g, output: torch.where(torch.tensor(mask), output * 5 / 3, other)
    )
    with torch.no_grad():
        wanted = model(tokens(1)).flatten().numpy()
    handle.remove()
    assert_allclose(game([mask])[0], wanted, **EXACT)

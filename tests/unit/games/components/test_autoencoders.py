"""Features of sparse autoencoders as players, against encoding and decoding by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from component_games import CLOSE, a_game, called, message_of
from numpy.testing import assert_allclose, assert_array_equal
from small_transformers import a_batch, small
from torch import nn

from captum_spex.errors import ArgumentError, GameError, UnknownNameError
from captum_spex.games.components import heads, layers, neurons, with_autoencoder

WIDTH = 12


class Autoencoder(nn.Module):
    def __init__(self, n_channels=16):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.down = nn.Parameter(torch.randn(n_channels, WIDTH, generator=generator))
        self.up = nn.Parameter(torch.randn(WIDTH, n_channels, generator=generator))
        self.bias = nn.Parameter(torch.randn(n_channels, generator=generator))

    def encode(self, states):
        return ((states - self.bias) @ self.down).relu()

    def decode(self, features):
        return features @ self.up + self.bias


def a_sparse(family="llama", module="model.layers.0.mlp", autoencoder=None):
    model = small(family)
    return model, with_autoencoder(model, module, (autoencoder or Autoencoder()).eval())


def by_hand(model, module, batch, mask):
    """The scores with the directions of absent features subtracted from a module's output."""
    autoencoder = Autoencoder()

    def subtract(_module, _given, output):
        states = output[0] if isinstance(output, tuple) else output
        absent = autoencoder.encode(states) * torch.from_numpy(~mask)
        changed = states - absent @ autoencoder.up
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = model.get_submodule(module).register_forward_hook(subtract)
    scores = called(model, batch)
    handle.remove()
    return scores.ravel()


@pytest.mark.parametrize(
    ("family", "module"),
    [
        ("llama", "model.layers.0.mlp"),
        ("llama", "model.layers.1"),
        ("gpt2", "transformer.h.0"),
        ("gpt2", "transformer.h.1.attn"),
        ("bert", "bert.encoder.layer.0"),
        ("vit", "vit.layers.0"),
    ],
)
def test_absent_features_are_subtracted_and_the_error_stays(family, module):
    model, batch = small(family), a_batch(family, 2)
    if module not in dict(model.named_modules()):
        module = next(
            name for name, part in model.named_modules() if name.endswith(".0") and "ayer" in type(part).__name__
        )
    sparse = with_autoencoder(model, module, Autoencoder().eval())
    masks = np.random.default_rng(0).random((6, WIDTH)) < 0.5
    game = a_game(sparse, batch, neurons(sparse, f"{module}.features", width=WIDTH))
    wanted = np.array([by_hand(model, module, batch, mask) for mask in masks])
    assert_allclose(game(masks), wanted, **CLOSE)
    assert abs(wanted[0] - wanted[1]).max() > 1e-3


def test_with_all_features_the_model_is_unchanged():
    model, sparse = a_sparse()
    assert_array_equal(called(sparse, a_batch("llama")), called(model, a_batch("llama")))
    assert not any("features" in name for name, _ in model.named_modules())
    assert sparse.model.layers[1] is model.model.layers[1]
    assert sparse.model.layers[0].mlp.module is model.model.layers[0].mlp


def test_features_beside_heads_and_layers():
    _, sparse = a_sparse(module="model.layers.0")
    parts = heads(sparse, 1) + neurons(sparse, "model.layers.0.features", [3, 5], width=WIDTH)
    game = a_game(sparse, a_batch("llama"), parts)
    assert game.names[-2:] == ("model.layers.0.features[3]", "model.layers.0.features[5]")
    assert a_game(sparse, a_batch("llama"), layers(sparse)).n_players == 2


def test_two_autoencoders():
    _, once = a_sparse()
    twice = with_autoencoder(once, "model.layers.1.mlp", Autoencoder().eval())
    names = [name for name, _ in twice.named_modules() if name.endswith(".features")]
    assert names == ["model.layers.0.mlp.features", "model.layers.1.mlp.features"]
    assert [name for name, _ in once.named_modules() if name.endswith(".features")] == names[:1]


def test_an_autoencoder_in_training_mode_is_refused_by_the_game():
    model = small("llama")
    sparse = with_autoencoder(model, "model.layers.0.mlp", Autoencoder())
    message = message_of(
        ArgumentError,
        lambda: a_game(sparse, a_batch("llama"), neurons(sparse, "model.layers.0.mlp.features", width=WIDTH)),
    )
    assert "in training mode" in message
    assert not any(part.training for part in model.modules())


def test_what_is_no_autoencoder():
    model = small("llama")
    for wrong in (nn.Linear(2, 2), None, "sae"):
        message = message_of(ArgumentError, lambda wrong=wrong: with_autoencoder(model, "model.layers.0.mlp", wrong))
        assert message.startswith("`autoencoder`: expected a torch module with the methods `encode` and `decode`, got")
    with pytest.raises(UnknownNameError, match=r"model\.layers\.0\.mlp"):
        with_autoencoder(model, "model.layers.0.mpl", Autoencoder())
    with pytest.raises(ArgumentError, match="the whole model"):
        with_autoencoder(model, "", Autoencoder())


def test_a_reconstruction_of_another_shape():
    class Wrong(Autoencoder):
        def decode(self, features):
            return super().decode(features)[..., :3]

    _, sparse = a_sparse(autoencoder=Wrong())
    with pytest.raises(
        GameError, match=r"expected a reconstruction of the shape of 'model\.layers\.0\.mlp', got \(1, 5, 3"
    ):
        called(sparse, a_batch("llama"))

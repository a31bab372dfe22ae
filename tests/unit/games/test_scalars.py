"""NumPy scalars, 0-d arrays and 0-d torch tensors are accepted wherever a plain number or flag is."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn

from captum_spex.games.components import Component, ComponentGame, Place, accuracy, heads, neurons
from captum_spex.games.image import ImageGame
from captum_spex.games.text import AnswerGame, ClassificationGame, embedded_model
from captum_spex.games.text.units import spans_of
from captum_spex.games.training import OnTest, TrainingGame, from_table

KINDS = {"numpy": lambda value: np.asarray(value)[()], "0-d": np.array, "torch": torch.tensor}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@each_kind
def test_components(kind):
    assert Place("a", start=kind(2), stop=kind(5)) == Place("a", start=2, stop=5)
    model = nn.Sequential(nn.Linear(2, 3)).eval()
    assert neurons(model, "0", [kind(1)], width=kind(3)) == neurons(model, "0", 1)
    bert = embedded_model()[0]
    assert heads(bert, kind(1), n_heads=kind(4)) == heads(bert, 1)
    settings = {"rescale": kind(True), "batch_size": kind(4)}
    game = ComponentGame(model, torch.ones(1, 2), [Component("a", (Place("0"),))], accuracy([0]), **settings)
    assert game.fingerprint["ablation"].startswith("zero, rescaled")
    assert accuracy(torch.tensor([[0, 1]]), position=kind(-1)).position == -1


@each_kind
def test_images(kind):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
    game = ImageGame(model, torch.ones(1, 2, 2), (kind(2), kind(1)), target=[kind(2), kind(0)], batch_size=kind(3))
    assert (game.n_players, game.targets) == (2, (2, 0))
    assert ImageGame(model, torch.ones(1, 2, 2), (2, 1), target=kind(1)).targets == (1,)


@each_kind
def test_texts(kind):
    game = ClassificationGame(*embedded_model(), "a good film", target=kind(1), tokens_per_batch=kind(64))
    assert (game.targets, game.tokens_per_batch) == ((1,), 64)
    assert spans_of("abcdef", [(kind(0), kind(2)), (kind(3), kind(4))]) == [(0, 2), (3, 4)]


@each_kind
def test_training(kind):
    points, y = np.arange(8.0).reshape(4, 2), np.arange(4.0)
    settings = {"seeds": [kind(0), kind(1)], "untrainable": kind(0.5), "batch_size": kind(2)}
    game = TrainingGame(Ridge(), OnTest(points), (points, y), **settings)
    plain = TrainingGame(Ridge(), OnTest(points), (points, y), seeds=[0, 1], untrainable=0.5)
    assert game.fingerprint == plain.fingerprint
    packed = np.packbits(np.eye(9, dtype=bool), axis=1)
    assert from_table(packed, np.arange(9.0), n_players=kind(9)).n_players == 9


@each_kind
def test_answers(kind):
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = embedded_model()[1]
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=16, n_layer=1, n_head=2)
    model = GPT2LMHeadModel(config).eval()
    model.generation_config.eos_token_id = None
    game = AnswerGame(model, tokenizer, "a good film", suffix=" :", max_new_tokens=kind(2), prefix_cache=kind(True))
    assert len(game.answer_ids) == 2

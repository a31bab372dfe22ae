"""Fingerprints that stores of earlier versions hold: a game that changes one loses its stored runs.

The model's digest is left out, as it varies with the versions of torch, transformers and scikit-learn.
"""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn

from captum_spex.games.components import ComponentGame, accuracy, neurons
from captum_spex.games.image import ImageGame
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.remote.client import Client
from captum_spex.games.text import ClassificationGame, SimilarityGame, embedded_model
from captum_spex.games.training import OnTest, TrainingGame


def linear(n_in, n_out):
    layer = nn.Linear(n_in, n_out)
    layer.weight.data = torch.arange(n_in * n_out, dtype=torch.float32).reshape(n_out, n_in) / 8
    layer.bias.data = torch.ones(n_out)
    return layer


def image_game():
    model = nn.Sequential(nn.Flatten(), linear(16, 3)).eval()
    image = torch.arange(16.0).reshape(1, 4, 4)
    return ImageGame(model, image, (2, 2), target=[0, 2], output="margin", fill="mean")


def component_game(**settings):
    model = nn.Sequential(linear(2, 3), nn.ReLU(), linear(3, 2)).eval()
    inputs = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    return ComponentGame(model, inputs, neurons(model, "2", side="input"), accuracy([1, 0]), **settings)


def mean_component_game():
    return component_game(ablation="mean", reference=torch.ones(3, 2), rescale=True)


def classification_game():
    return ClassificationGame(*embedded_model(), "Never a dull film", target="positive", output="margin", suffix=" !")


def similarity_game():
    classifier, tokenizer = embedded_model()
    query = torch.arange(classifier.config.hidden_size, dtype=torch.float32)
    return SimilarityGame(classifier.base_model, tokenizer, "a good film", query, ablation="hide", output="dot")


def training_game():
    points, y = np.arange(12.0).reshape(6, 2), np.arange(6.0) ** 2
    groups = ["a", "b", "a", "c", "c", "b"]
    return TrainingGame(Ridge(), OnTest(points[:2] + 0.5, y[:2], "score"), (points, y), groups=groups, seeds=range(2))


GOLDEN = {
    image_game: {
        "game": "ImageGame",
        "image": "71d6c8d314f7f5baa08c2f02279485eb",
        "segments": "0b297d9484155f7de2c08505488704f1",
        "fill": "563d27ae7fa0ebb71135504699e12d82",
        "question": "margin of (0, 2)",
    },
    component_game: {
        "game": "ComponentGame",
        "inputs": "399b2e405a71d6d17db287c9d6241829",
        "components": "224d4610c68065416c8b04f49ca92997",
        "ablation": "zero 99b4013147bb6af8a2124f605ef96944",
        "value": "accuracy at None of bb4609c2bdd48a66591ab940be47d0d5",
    },
    mean_component_game: {
        "game": "ComponentGame",
        "inputs": "399b2e405a71d6d17db287c9d6241829",
        "components": "224d4610c68065416c8b04f49ca92997",
        "ablation": "mean, rescaled fcd860ba1ca34e989ae76198ff941405",
        "value": "accuracy at None of bb4609c2bdd48a66591ab940be47d0d5",
    },
    classification_game: {
        "game": "ClassificationGame",
        "text": "Never a dull film",
        "around it": "\n !\n",
        "ablation": "mask",
        "tokens": "ad0472c85823d327575441218b0a6dac",
        "target": "1",
        "output": "margin",
    },
    similarity_game: {
        "game": "SimilarityGame",
        "text": "a good film",
        "around it": "\n\n",
        "ablation": "hide",
        "tokens": "6e0294d53b3d592b8571bfdeff0b8d38",
        "query": "b49460062d01f9179faebcc57f3dad1f",
        "output": "dot",
        "pooling": "mean",
    },
    training_game: {
        "game": "TrainingGame",
        "data": "3fe158de7db6601bec216ebdb73b5087",
        "groups": "eeb113a0c7c855f45f38b3e044600958",
        "seeds": "(0, 1)",
        "untrainable": "'prior'",
        "value": "score f38d0c0f50c94e7159f9dfd341b88d6f",
    },
}


@pytest.mark.parametrize("build", GOLDEN, ids=lambda build: build.__name__)
def test_a_fingerprint_is_that_of_earlier_versions(build):
    fingerprint = {key: text for key, text in build().fingerprint.items() if key not in ("captum_spex", "model")}
    assert fingerprint == GOLDEN[build]


@pytest.mark.parametrize(
    ("settings", "question"),
    [
        ({}, "Echoed mean"),
        ({"log_probs": "prompt", "output": "sum"}, "FromPrompt sum"),
        ({"endpoint": "chat", "system": "Be brief."}, "FromChatPrompt mean"),
        ({"endpoint": "chat", "log_probs": "top"}, "Top mean"),
    ],
)
def test_a_remote_fingerprint_is_that_of_earlier_versions(settings, question, monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.setattr(Client, "models", lambda _: ["m"])
    game = RemoteAnswerGame("A key  is here", " yes", base_url="http://me:secret@host/v1/", prefix="Q: ", **settings)
    fingerprint = {key: text for key, text in game.fingerprint.items() if key != "captum_spex"}
    assert fingerprint == {
        "game": "RemoteAnswerGame",
        "server": "http://host/v1",
        "question": question,
        "model": "m",
        "system": repr(settings.get("system")),
        "text": "A key  is here",
        "around it": "('Q: ', '')",
        "players": "((0, 1), (2, 5), (7, 9), (10, 14))",
        "replacement": "None",
        "answer": " yes",
    }

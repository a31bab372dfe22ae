"""Classes by number or name, and the values that are read from their scores."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from image_games import EXACT, a_game, a_network, a_vit, an_image, slow_images, slow_values, some_masks
from numpy.testing import assert_allclose
from oracles import every_mask

from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.image import ImageGame

# --- outputs of the model ---------------------------------------------------------------------------------------------


def with_logits(network):
    return lambda images: SimpleNamespace(logits=network(images))


MODELS = {"module": lambda network: network, "function": lambda network: network.forward, "logits": with_logits}


@pytest.mark.sampled
@pytest.mark.parametrize("wrap", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("output", ["logit", "margin", "log_prob"])
@pytest.mark.parametrize("target", [2, [3, 0, 3]], ids=["one", "several"])
@pytest.mark.parametrize("channels", [1, 3])
def test_values_of_classes(wrap, output, target, channels):
    network, image = a_network(channels), an_image(channels)
    game = ImageGame(wrap(network), image, (3, 2), target=target, output=output, fill="mean", batch_size=5)
    masks = some_masks(6)
    targets = np.ravel(target)
    wanted = slow_values(network, slow_images(image, "mean", (3, 2), masks), targets, output)
    values = game(masks)
    assert_allclose(values, wanted[:, 0] if len(targets) == 1 else wanted, **EXACT)
    assert (values.dtype, game.targets, game.output) == (np.float64, tuple(targets), output)
    assert wanted.std(axis=0).min() > 0.1


class Labels(torch.nn.Module):
    """A network whose labels each may be true."""

    def __init__(self, problem):
        super().__init__()
        self.network = a_network()
        self.config = SimpleNamespace(problem_type=problem)

    def forward(self, images):
        return self.network(images)


@pytest.mark.parametrize(
    ("problem", "given"), [("multi_label_classification", None), (None, "sigmoid"), ("regression", "sigmoid")]
)
def test_labels_that_are_not_exclusive_have_probabilities_of_their_own(problem, given):
    network = Labels(problem).eval()
    game = ImageGame(network, an_image(), (2, 2), target=[2, 0], output="log_prob", function_to_apply=given)
    logits = network(game.under(every_mask(4))).detach().double()[:, [2, 0]].numpy()
    assert_allclose(game(every_mask(4)), -np.log1p(np.exp(-logits)), **EXACT)
    softmax = ImageGame(network, an_image(), (2, 2), target=[2, 0], output="log_prob", function_to_apply="softmax")
    assert np.abs(softmax(every_mask(4)) - game(every_mask(4))).max() > 0.1
    assert softmax.fingerprint != game.fingerprint


@pytest.mark.parametrize(("problem", "given"), [("regression", None), (None, "none")])
def test_scores_without_probabilities_are_refused(problem, given):
    with pytest.raises(ArgumentError, match=r"`output`: expected 'logit' or 'margin' for scores without probabilities"):
        ImageGame(Labels(problem).eval(), an_image(), (2, 2), output="log_prob", function_to_apply=given)


@pytest.mark.parametrize("n_classes", [1, 2])
def test_few_classes(n_classes):
    network = a_network(classes=n_classes)
    game = ImageGame(network, an_image(), (2, 2), target=0)
    assert_allclose(game(every_mask(4)), network(game.under(every_mask(4))).detach()[:, 0], **EXACT)
    outputs = ["margin", "log_prob"]
    if n_classes == 2:
        images = game.under(every_mask(4))
        for output in outputs:
            values = ImageGame(network, an_image(), (2, 2), target=0, output=output)(every_mask(4))
            assert_allclose(values, slow_values(network, images, [0], output)[:, 0], **EXACT)
        return
    for output in outputs:
        with pytest.raises(
            ArgumentError, match=f"`output`: expected 'logit' for a model with a single output, got '{output}'"
        ):
            ImageGame(network, an_image(), (2, 2), output=output)


@pytest.mark.parametrize("seed", range(4))
def test_the_class_is_the_one_that_the_model_predicts(seed):
    network, image = a_network(seed=seed), an_image(seed=seed)
    logits = network(image[None])[0].tolist()
    game = ImageGame(network, image, (2, 2))
    assert game.targets == (logits.index(max(logits)),)
    assert game.labels == (str(game.targets[0]),)


def test_the_predicted_classes_of_the_test_above_differ():
    assert len({ImageGame(a_network(seed=s), an_image(seed=s), (2, 2)).targets for s in range(4)}) > 1


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (np.int64(2), (2,)), (torch.tensor(2), (2,)), (torch.tensor([2]), (2,)), (torch.tensor([2, 0]), (2, 0)),
        (np.array(1), (1,)), (np.array([1, 3]), (1, 3)), ((1, 3), (1, 3)), (range(2), (0, 1)), ("3", (3,)),
    ],
)  # fmt: skip
def test_targets_as_they_come(target, wanted):
    assert a_game(target=target).targets == wanted


# --- transformers models ----------------------------------------------------------------------------------------------


def test_labels_of_a_classifier_of_transformers():
    model, image = a_vit(), an_image(3, 8, 8)
    predicted = int(model(image[None]).logits.argmax())
    assert ImageGame(model, image, (2, 2)).labels == (model.config.id2label[predicted],)
    message = "`target`: expected 'cat', 'dog', 'Bird', or a number from 0 to 2, got 'fish'."
    with pytest.raises(UnknownNameError, match=re.escape(message)):
        ImageGame(model, image, (2, 2), target="fish")


def test_an_unknown_class_among_a_thousand_does_not_fill_the_screen():
    with pytest.raises(
        UnknownNameError, match=r"`target`: expected '0', .*, or a number from 0 to 999, got 1000"
    ) as raised:
        a_game(model=a_network(classes=1000), target=1000)
    assert len(str(raised.value)) < 400

"""Models whose rows influence each other are refused where masks share a call; one mask per call gives exact values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum_cases import AtEntrance, tensor
from numpy.testing import assert_allclose
from oracles import every_mask, shapley_by_permutations
from torch import nn

import captum_spex
from captum_spex.approximators import Exact
from captum_spex.approximators import ProxySpex as ProxySpexApproximator
from captum_spex.attr import ProxySpex, Spex
from captum_spex.errors import ArgumentError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer
from captum_spex.games.components import ComponentGame, modules
from captum_spex.games.image import ImageGame

X = tensor(1, 6).double() + 0.2
WEIGHTS = torch.linspace(0.5, 1.5, 6, dtype=torch.float64)
EDGES = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]])


def independent(x):
    return torch.tanh(x * WEIGHTS).sum(dim=1) + x[:, 0] * x[:, 3]


def with_statistics(x):
    """Rows relative to the mean of the call."""
    return independent(x) - 0.01 * independent(x).mean()


def by_length(x):
    """Sorts rows by the number of their words, as packed sequences, and forgets to sort its outputs back."""
    return independent(x[(x != 0).sum(dim=1).argsort(stable=True)])


def by_length_downwards(x):
    return independent(x[(x != 0).sum(dim=1).argsort(stable=True, descending=True)])


def with_edges(x):
    """A graph whose edges, between the nodes of the first row, do not grow with the rows."""
    nodes = x.reshape(-1)
    received = torch.zeros_like(nodes).index_add(0, EDGES[1], nodes[EDGES[0]])
    return torch.tanh(nodes + 0.5 * received).reshape(x.shape).sum(dim=1)


def of_the_last(x):
    """All rows but the last add something of the next one."""
    return independent(x) + torch.cat([0.1 * x[1:, 0], torch.zeros(1, dtype=x.dtype)])


INFLUENCED = {
    "statistics": with_statistics,
    "sorted by length": by_length,
    "sorted by length, downwards": by_length_downwards,
    "edges": with_edges,
    "of the next row": of_the_last,
}


def slow_values(model):
    """Shapley values, with one call of the model for each mask."""
    table = np.array([model(X * torch.tensor(mask)).item() for mask in every_mask(6)])
    return shapley_by_permutations(table, 6)


def as_image(model):
    return lambda images: torch.stack([model(images[:, 0, 0]), torch.zeros(len(images), dtype=images.dtype)], dim=1)


def of_image(model, size, approximator=None):
    game = ImageGame(as_image(model), X[None], (1, 6), target=0, fill="zero", batch_size=size)
    return captum_spex.explain(game, budget=64, index="SV", max_order=1, approximator=approximator).first_order()


class Column(nn.Module):
    """A part that passes on one input: without it, the input is 0."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x):
        return x[:, self.number, None]


class OfColumns(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.columns = nn.ModuleList(map(Column, range(6)))
        self.model = model

    def forward(self, x):
        return self.model(torch.cat([column(x) for column in self.columns], dim=1))[:, None]


def of_components(model, size):
    net = OfColumns(model).eval()
    game = ComponentGame(net, X, modules(net, "columns.*"), batch_size=size)
    return captum_spex.explain(game, budget=64, index="SV", max_order=1).first_order()


def of_shap(kind, model, size):
    explainer = kind(lambda rows: model(torch.from_numpy(rows)).numpy(), np.zeros((1, 6)))
    return explainer(X.numpy(), max_evals=64, batch_size=size).values[0]


DOORS = {
    "ProxySpex": (
        "perturbations_per_eval",
        lambda model, size: ProxySpex(model).attribute(X, perturbations_per_eval=size)[0].numpy(),
    ),
    "Spex": (
        "perturbations_per_eval",
        lambda model, size: Spex(model).attribute(X, perturbations_per_eval=size)[0].numpy(),
    ),
    "LayerProxySpex": (
        "perturbations_per_eval",
        lambda model, size: AtEntrance(model).attribute(X, perturbations_per_eval=size)[0].numpy(),
    ),
    "ProxySpexExplainer": ("batch_size", lambda model, size: of_shap(ProxySpexExplainer, model, size)),
    "SpexExplainer": ("batch_size", lambda model, size: of_shap(SpexExplainer, model, size)),
    "ImageGame": ("batch_size", of_image),
    "ComponentGame": ("batch_size", of_components),
}
doors = pytest.mark.parametrize(("argument", "door"), DOORS.values(), ids=DOORS)
influenced = pytest.mark.parametrize("model", INFLUENCED.values(), ids=INFLUENCED)


@doors
@influenced
@pytest.mark.parametrize("size", [2, 3, 8, 64])
def test_rows_that_influence_each_other_are_refused(argument, door, model, size):
    said = rf"`{argument}`: expected 1 for a model whose rows influence each other, got several.*`{argument}=1`"
    with pytest.raises(ArgumentError, match=said):
        door(model, size)


@doors
@influenced
def test_one_mask_per_call_gives_exact_values(argument, door, model):
    assert_allclose(door(model, 1), slow_values(model), atol=1e-9)


@doors
@pytest.mark.parametrize("size", [1, 2, 8, 64])
def test_independent_rows_are_explained(argument, door, size):
    assert_allclose(door(independent, size), slow_values(independent), atol=1e-9)


@pytest.mark.parametrize("repeated", [False, True])
def test_edges_among_the_further_arguments(repeated):
    """Captum repeats a tensor among them for every mask of a call; what is no tensor comes as it is."""

    def forward(x, edges):
        nodes = x.reshape(-1)
        edges = edges[:2] if repeated else edges[0]
        received = torch.zeros_like(nodes).index_add(0, edges[1], nodes[edges[0]])
        return torch.tanh(nodes + 0.5 * received).reshape(x.shape).sum(dim=1)

    arguments = {"additional_forward_args": (EDGES if repeated else [EDGES],)}
    with pytest.raises(ArgumentError, match=r"`perturbations_per_eval`: expected 1 for a model whose rows"):
        ProxySpex(forward).attribute(X, perturbations_per_eval=8, **arguments)
    assert_allclose(ProxySpex(forward).attribute(X, **arguments)[0], slow_values(with_edges), atol=1e-9)


@doors
def test_batch_norm_in_training_mode_is_refused(argument, door):
    norm = nn.BatchNorm1d(6, dtype=torch.float64).train()

    def forward(x):
        return independent(norm(torch.cat([x, X, -X])))[: len(x)]

    before = norm.running_mean.clone()
    with pytest.raises(ArgumentError, match=r"expected a model in evaluation mode, got a BatchNorm1d in training mode"):
        door(forward, 1)
    assert torch.equal(norm.running_mean, before)
    assert norm.num_batches_tracked == 0


@pytest.mark.parametrize("size", [2, 8])
def test_two_masks_more_are_evaluated(size):
    calls = []

    def model(x):
        calls.append(len(x))
        return independent(x)

    ProxySpex(model).attribute(X, perturbations_per_eval=size)
    assert sum(calls) == 64 + 2
    assert calls.count(1) == 2
    calls.clear()
    of_shap(ProxySpexExplainer, model, size)
    assert sum(calls) == 64 + 2
    calls.clear()
    of_image(model, size)
    assert sum(calls) == 1 + 64 + 2  # the image, when the game is made


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("returns", [None, torch.float32])
def test_rounding_is_no_influence(dtype, returns):
    """Numbers of few digits that differ with the size of the batch, as kernels of the hardware round them."""
    net = nn.Linear(6, 1).to(dtype)

    def model(x):
        relative = 1 + (len(x) > 1) * 2 * torch.finfo(dtype).eps
        values = independent(x) * relative + 0 * net(x.to(dtype))[:, 0].double()
        return values if returns is None else values.to(returns)

    found = ProxySpex(model).attribute(X, perturbations_per_eval=8)
    assert_allclose(found[0], slow_values(independent), rtol=0.05, atol=0.05)


def test_random_models_are_declared():
    generator = torch.Generator().manual_seed(0)

    def model(x):
        return independent(x) + 0.1 * torch.randn(len(x), generator=generator, dtype=x.dtype)

    with pytest.raises(ArgumentError, match=r"`perturbations_per_eval`: .*`ProxySpex\(noisy=True\)`"):
        ProxySpex(model).attribute(X, perturbations_per_eval=8)
    noisy = ProxySpex(model, ProxySpexApproximator(noisy=True))
    found = noisy.attribute(X, perturbations_per_eval=8, n_samples=200, random_state=0)
    assert_allclose(found[0], slow_values(independent), atol=0.2)


def test_nothing_is_stored_of_a_model_that_is_refused(tmp_path):
    store = captum_spex.evaluation.Store(tmp_path / "masks.db", fingerprint="a model")
    with pytest.raises(ArgumentError, match="whose rows influence each other"):
        ProxySpex(with_statistics).attribute(X, perturbations_per_eval=8, store=store)
    found = ProxySpex(with_statistics).attribute(X, store=store)
    assert (store.n_found, store.n_added) == (0, 64)
    assert_allclose(found[0], slow_values(with_statistics), atol=1e-9)


def test_a_game_of_ones_own_may_ask_for_it():
    class Ranks:
        n_players = 5
        batch_argument = "batch_size"

        def __call__(self, masks):
            return masks.sum(axis=1) + 0.1 * np.arange(len(masks))

    with pytest.raises(ArgumentError, match="`batch_size`: expected 1 for a model whose rows influence each other"):
        captum_spex.explain(Ranks(), budget=32, approximator=Exact())
    assert captum_spex.explain(Ranks(), budget=32, batch_size=1).first_order() == pytest.approx(np.ones(5))

"""The Captum adapter: Captum's conventions, Captum's answers."""

from __future__ import annotations

import copy
import functools
import inspect
import re
import warnings

import numpy as np
import pytest
import torch
from captum.attr import KernelShap, NoiseTunnel, ShapleyValues
from games import smooth_game
from numpy.testing import assert_allclose
from torch import nn
from torch.testing import assert_close

from captum_spex import Interactions
from captum_spex import approximators as algorithms
from captum_spex.attr import ProxySpex, Spex
from captum_spex.errors import StoreError
from captum_spex.evaluation.store import Store
from captum_spex.explaining import default_budget

QUICK = algorithms.ProxySpex(algorithms.GaussianProcess(n_steps=10, links=False))


def network(n_inputs, n_outputs, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(n_inputs, 8), nn.Tanh(), nn.Linear(8, n_outputs)).eval()


def tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


MODEL = network(5, 3)
X = tensor(4, 5)


def two_inputs(x, y):
    return torch.tanh(x).sum(dim=1) * y[:, 0, 1] + y.prod(dim=2).sum(dim=1)


def scaled(x, scale, shift=0.0):
    return (MODEL(x) * scale).sum(dim=1) + shift


class Recorded:
    """A model that remembers the number of rows of its calls."""

    def __init__(self, model):
        self.model = model
        self.rows = []

    def __call__(self, x):
        self.rows.append(len(x))
        return self.model(x)


def exact_captum(forward, inputs, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its feature groups are many
        return ShapleyValues(forward).attribute(inputs, **arguments)


def assert_agrees(forward, inputs, **arguments):
    ours = ProxySpex(forward).attribute(inputs, perturbations_per_eval=16, **arguments)
    theirs = exact_captum(forward, inputs, **arguments)
    assert type(ours) is type(theirs)
    assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


# --- agreement with Captum's exact Shapley values ---------------------------------------------------------------------


@pytest.mark.parametrize("n_examples", [1, 2, 4, 5])
def test_batches(n_examples):
    assert_agrees(MODEL, tensor(n_examples, 5), target=1)


@pytest.mark.parametrize(
    "baselines",
    [None, 0, 0.5, tensor(1, 5, seed=1), tensor(4, 5, seed=1), tensor(5, seed=1), tensor(1, 1, seed=1)],
    ids=["none", "int", "float", "one row", "row per example", "no batch dimension", "broadcast"],
)
def test_baselines(baselines):
    ours = ProxySpex(MODEL).attribute(X, baselines=baselines, target=0, perturbations_per_eval=32)
    full = baselines if baselines is None or isinstance(baselines, int | float) else baselines.expand(4, 5).clone()
    assert_close(ours, exact_captum(MODEL, X, baselines=full, target=0), atol=1e-5, rtol=1e-5)


def test_several_inputs():
    assert_agrees(two_inputs, (tensor(3, 2), tensor(3, 2, 2)))


@pytest.mark.parametrize(
    "baselines",
    [(0.5, -1), (tensor(1, 2, seed=1), tensor(1, 2, 2, seed=2)), (tensor(3, 2, seed=1), 0)],
    ids=["numbers", "tensors", "mixed"],
)
def test_baselines_of_several_inputs(baselines):
    assert_agrees(two_inputs, (tensor(3, 2), tensor(3, 2, 2)), baselines=baselines)


@pytest.mark.parametrize(
    "target",
    [2, [0, 1, 2, 1], torch.tensor([0, 1, 2, 1]), torch.tensor(1), (2,)],
    ids=["int", "list", "tensor", "0-d tensor", "tuple"],
)
def test_targets(target):
    assert_agrees(MODEL, X, target=target)


@pytest.mark.parametrize("target", [(1, 0), [(0, 1), (1, 0), (2, 1), (0, 0)]], ids=["tuple", "list of tuples"])
def test_targets_of_outputs_with_two_dimensions(target):
    net = network(5, 6)
    assert_agrees(lambda x: net(x).reshape(-1, 3, 2), X, target=target)


@pytest.mark.parametrize(
    "mask",
    [
        torch.tensor([[0, 0, 1, 2, 1]]),
        torch.tensor([0, 0, 1, 2, 1]),
        torch.tensor([[0, 0, 1, 2, 1], [2, 2, 1, 0, 0], [0, 1, 1, 1, 2], [1, 2, 0, 0, 0]]),
        torch.tensor([[0, 0, 1, 2, 1]], dtype=torch.int32),
    ],
    ids=["shared", "no batch dimension", "per example", "int32"],
)
def test_feature_masks(mask):
    assert_agrees(MODEL, X, target=1, feature_mask=mask)


def test_feature_masks_across_inputs():
    masks = (torch.tensor([[0, 1]]), torch.tensor([[[1, 2], [2, 0]]]))
    assert_agrees(two_inputs, (tensor(3, 2), tensor(3, 2, 2)), feature_mask=masks)


def test_feature_masks_with_gaps_in_their_ids():
    dense, gaps = torch.tensor([[0, 0, 1, 2, 1]]), torch.tensor([[3, 3, 70, 900, 70]])
    ours, interactions = ProxySpex(MODEL).attribute(X, target=1, feature_mask=gaps, return_interactions=True)
    assert_close(ours, exact_captum(MODEL, X, target=1, feature_mask=dense), atol=1e-5, rtol=1e-5)
    assert [one.n_players for one in interactions] == [3] * 4
    assert [one.n_evaluations for one in interactions] == [8] * 4


@pytest.mark.parametrize(
    "arguments",
    [tensor(4, 3, seed=3), (tensor(4, 3, seed=3),), (tensor(4, 3, seed=3), 1.5), (torch.tensor(2.0), 0.5), (2.0,), 2.0],
    ids=["bare tensor", "tuple", "tensor and number", "0-d tensor", "number in a tuple", "bare number"],
)
def test_additional_forward_args(arguments):
    assert_agrees(scaled, X, additional_forward_args=arguments)


def test_outputs_in_a_column():
    net = network(5, 1)
    ours = ProxySpex(net).attribute(X, perturbations_per_eval=8)
    assert_close(ours, exact_captum(lambda x: net(x)[:, 0], X), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "reduce",
    [torch.sum, lambda out: out.sum().reshape(1), lambda out: out.sum().item(), lambda out: out.sum().reshape(1, 1)],
    ids=["0-d", "one element", "number", "1 x 1"],
)
def test_one_value_for_the_whole_batch(reduce):
    def forward(x):
        return reduce(MODEL(x))

    ours = ProxySpex(forward).attribute(X)
    assert ours.shape == (1, 5)
    assert_close(ours, exact_captum(lambda x: MODEL(x).sum().reshape(1), X).to(ours.dtype), atol=1e-5, rtol=1e-5)
    with pytest.raises(
        ValueError,
        match=r"`perturbations_per_eval`: expected 1 for a model that returns one value per batch, "
        r"got 4 masks in a call for which the model returned a single value\.",
    ):
        ProxySpex(forward).attribute(X, perturbations_per_eval=4)


def test_estimates_are_close_when_features_are_many():
    net = network(11, 1)
    x = tensor(2, 11)
    ours = ProxySpex(net, QUICK).attribute(x, n_samples=500, perturbations_per_eval=500, random_state=0)
    truth = ProxySpex(net).attribute(x, n_samples=2**11, perturbations_per_eval=2**11)
    assert_close(ours, truth, atol=0.02, rtol=0.0)
    gap = (net(x) - net(torch.zeros(2, 11)))[:, 0].detach()
    assert_close(ours.sum(dim=1), gap, atol=1e-5, rtol=1e-5)


# --- the interface of KernelShap --------------------------------------------------------------------------------------


def test_arguments_stand_where_kernel_shap_has_them():
    theirs = list(inspect.signature(KernelShap.attribute).parameters.values())
    ours = list(inspect.signature(ProxySpex.attribute).parameters.values())
    assert [one.name for one in ours[: len(theirs)]] == [one.name for one in theirs]
    assert [one.kind for one in ours[: len(theirs)]] == [one.kind for one in theirs]
    same = {one.name: one.default for one in theirs if one.name != "n_samples"}
    assert {one.name: one.default for one in ours if one.name in same} == same
    assert {one.kind for one in ours[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("return_input_shape", [True, False])
@pytest.mark.parametrize("n_examples", [1, 3])
@pytest.mark.parametrize("mask", [None, torch.tensor([[0, 0, 1, 2, 1]])], ids=["elements", "groups"])
def test_shapes_and_dtypes_of_kernel_shap(return_input_shape, n_examples, mask):
    arguments = {"target": 1, "feature_mask": mask, "n_samples": 20, "return_input_shape": return_input_shape}
    x = tensor(n_examples, 5)
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        theirs = KernelShap(MODEL).attribute(x, **arguments)
    ours = ProxySpex(MODEL).attribute(x, **arguments)
    assert (ours.shape, ours.dtype, ours.device) == (theirs.shape, theirs.dtype, theirs.device)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("return_input_shape", [True, False])
def test_dtypes_of_floating_inputs_stay(dtype, return_input_shape):
    x = X.to(dtype)
    ours = ProxySpex(lambda x: x.double().prod(dim=1)).attribute(x, return_input_shape=return_input_shape)
    assert ours.dtype == dtype
    assert_close(ours.sum(dim=1).double(), x.double().prod(dim=1), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_other_inputs_get_the_default_floating_dtype(dtype):
    x = torch.tensor([[0, 1, 1], [1, 1, 0]]).to(dtype)
    ours = ProxySpex(lambda x: x.float() @ torch.tensor([1.0, 2.0, 4.0])).attribute(x)
    assert ours.dtype == torch.get_default_dtype()
    assert_close(ours, torch.tensor([[0.0, 2.0, 4.0], [1.0, 2.0, 0.0]]))


def test_dtypes_of_several_inputs():
    x, y = tensor(2, 2).double(), torch.ones(2, 2, 2, dtype=torch.int64)
    one, two = ProxySpex(two_inputs).attribute((x, y))
    assert (one.dtype, two.dtype) == (torch.float64, torch.get_default_dtype())


def test_coefficients_of_groups():
    mask = torch.tensor([[0, 0, 1, 2, 1]])
    wide, short = (
        ProxySpex(MODEL).attribute(X, target=1, feature_mask=mask, return_input_shape=shape) for shape in (True, False)
    )
    assert short.shape == (4, 3)
    assert_close(wide, short[:, mask[0]])


def test_coefficients_of_several_inputs_are_one_tensor():
    coefficients = ProxySpex(two_inputs).attribute((tensor(3, 2), tensor(3, 2, 2)), return_input_shape=False)
    assert coefficients.shape == (3, 6)


@pytest.mark.parametrize("size", [3, 64])
def test_batch_sizes_do_not_change_the_answer(size):
    net = network(10, 2)
    x = tensor(2, 10)

    def run(perturbations):
        arguments = {"target": 1, "n_samples": 60, "perturbations_per_eval": perturbations, "random_state": 4}
        return ProxySpex(lambda x: net(x).double().round(decimals=4), QUICK).attribute(x, **arguments)

    assert_close(run(size), run(1), atol=0.0, rtol=0.0)


def test_rows_of_the_model_are_counted_per_example():
    model = Recorded(network(12, 1))
    ProxySpex(model, QUICK).attribute(tensor(3, 12), n_samples=50, perturbations_per_eval=8)
    assert sum(model.rows) == 3 * 50
    assert max(model.rows) == 3 * 8
    model.rows.clear()
    ProxySpex(model).attribute(tensor(3, 12), feature_mask=torch.arange(12)[None] // 4, n_samples=50)
    assert sum(model.rows) == 3 * 8


def test_a_label_that_reads_well():
    assert ProxySpex.get_name() == "Proxy Spex"


def test_progress_is_shown_on_standard_error(capsys):
    ProxySpex(MODEL).attribute(X, target=0, show_progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "32/32" in shown.err


def test_there_is_no_asynchronous_attribution():
    with pytest.raises(NotImplementedError, match="attribute_future is not implemented for Proxy Spex"):
        ProxySpex(MODEL).attribute_future()


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="n_sample"):
        ProxySpex(MODEL).attribute(X, target=0, n_sample=30)


# --- where KernelShap goes wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_examples", [4, 5])
def test_one_dimensional_masks_as_long_as_the_batch(n_examples):
    """Captum's KernelShap slices any argument whose length is the batch size, here the mask of five features."""
    x = torch.ones(n_examples, 5)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    ours = ProxySpex(lambda x: x @ weights).attribute(x, feature_mask=torch.arange(5))
    assert_close(ours, weights.expand(n_examples, 5))


def test_one_dimensional_baselines_as_long_as_the_batch():
    baselines = torch.arange(5.0)
    ours = ProxySpex(lambda x: x.sum(dim=1)).attribute(torch.full((5, 5), 7.0), baselines=baselines)
    assert_close(ours, (7.0 - baselines).expand(5, 5))


def test_a_single_feature():
    assert_close(
        ProxySpex(lambda x: 3 * x[:, 0] + 1).attribute(torch.tensor([[2.0], [5.0]])), torch.tensor([[6.0], [15.0]])
    )


# --- interplay --------------------------------------------------------------------------------------------------------


def test_the_model_is_read_when_it_is_needed():
    method = ProxySpex(lambda x: x[:, 0])
    twin = copy.copy(method)
    twin.forward_func = lambda x: 2 * x[:, 1]
    assert_close(twin.attribute(torch.ones(1, 3)), torch.tensor([[0.0, 2.0, 0.0]]))
    assert_close(method.attribute(torch.ones(1, 3)), torch.tensor([[1.0, 0.0, 0.0]]))


def test_noise_tunnel():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        smoothed = NoiseTunnel(ProxySpex(lambda x: 3 * x[:, 0] + x[:, 1])).attribute(
            torch.ones(2, 3), nt_type="smoothgrad", nt_samples=3, stdevs=0.0
        )
    assert_close(smoothed, torch.tensor([[3.0, 1.0, 0.0]] * 2))


def test_no_gradients_are_recorded():
    x = X.clone().requires_grad_()
    seen = []

    def forward(x):
        seen.append(torch.is_grad_enabled() or x.requires_grad)
        return MODEL(x)

    assert not ProxySpex(forward).attribute(x, target=0).requires_grad
    assert not any(seen)
    assert torch.is_grad_enabled()
    assert x.grad is None


def test_inputs_and_baselines_stay_as_they_were():
    x, baselines = X.clone(), tensor(4, 5, seed=1)
    kept = baselines.clone()

    def rude(x):
        return x.mul_(2).sum(dim=1)

    ProxySpex(rude).attribute(x, baselines=baselines)
    assert_close(x, X, atol=0.0, rtol=0.0)
    assert_close(baselines, kept, atol=0.0, rtol=0.0)


def test_modes_of_the_model_stay_as_they_were():
    net = network(5, 1).train()
    ProxySpex(net).attribute(X)
    assert net.training


# --- interactions -----------------------------------------------------------------------------------------------------


def test_interactions_of_a_single_example():
    def forward(x):
        return x[:, 0] + 2 * x[:, 1] * x[:, 2]

    attributions, found = ProxySpex(forward).attribute(
        torch.ones(1, 3), return_interactions=True, feature_names=["a", "b", "c"]
    )
    assert isinstance(found, Interactions)
    assert_allclose([found["b", "c"], found["a", "b"]], [2.0, 0.0], atol=1e-12)
    assert_allclose(attributions[0], found.first_order())


@pytest.mark.parametrize(("n_examples", "multi_output"), [(1, False), (3, False), (1, True), (3, True)])
def test_nesting_of_interactions(n_examples, multi_output):
    def depth(found):
        return [len(found), *depth(found[0])] if isinstance(found, list) else []

    x = tensor(n_examples, 5)
    attributions, found = ProxySpex(MODEL).attribute(
        x, target=None if multi_output else 1, multi_output=multi_output, return_interactions=True
    )
    outputs = [3] if multi_output else []
    assert attributions.shape == (n_examples, *outputs, 5)
    assert depth(found) == ([n_examples] if n_examples > 1 else []) + outputs


def test_interactions_belong_to_their_example_and_output():
    attributions, found = ProxySpex(MODEL).attribute(X, multi_output=True, return_interactions=True)
    for example in range(4):
        for output in range(3):
            assert_allclose(found[example][output].first_order(), attributions[example, output], atol=1e-6)


@pytest.mark.parametrize("index", ["BII", "FSII", "Moebius", "SV"])
def test_attributions_are_shapley_values_whatever_index_is_asked_for(index):
    plain = ProxySpex(MODEL).attribute(X, target=0)
    attributions, found = ProxySpex(MODEL).attribute(X, target=0, return_interactions=True, interaction_index=index)
    assert_close(attributions, plain)
    assert {one.index for one in found} == {index}


def test_orders():
    _, found = ProxySpex(MODEL).attribute(X[:1], target=0, return_interactions=True, max_order=3)
    assert found.max_order == 3
    _, found = ProxySpex(lambda x: x[:, 0]).attribute(torch.ones(1, 1), return_interactions=True)
    assert found.max_order == 1


def test_every_output_at_once():
    together = ProxySpex(MODEL).attribute(X, multi_output=True, perturbations_per_eval=8)
    assert together.shape == (4, 3, 5)
    for target in range(3):
        assert_close(together[:, target], exact_captum(MODEL, X, target=target), atol=1e-5, rtol=1e-5)


def test_every_output_of_several_inputs_and_dimensions():
    net = network(6, 6)

    def forward(x, y):
        return net(torch.cat([x, y.flatten(1)], dim=1)).reshape(-1, 2, 3)

    one, two = ProxySpex(forward).attribute((tensor(3, 2), tensor(3, 2, 2)), multi_output=True)
    assert (one.shape, two.shape) == ((3, 2, 3, 2), (3, 2, 3, 2, 2))
    truth = exact_captum(forward, (tensor(3, 2), tensor(3, 2, 2)), target=(1, 2))
    assert_close((one[:, 1, 2], two[:, 1, 2]), truth, atol=1e-5, rtol=1e-5)


def test_every_output_with_one_per_batch():
    def forward(x):
        return MODEL(x).sum(dim=0, keepdim=True)

    ours = ProxySpex(forward).attribute(X, multi_output=True)
    assert ours.shape == (1, 3, 5)
    assert_close(ours[:, 1], exact_captum(lambda x: MODEL(x).sum(dim=0)[1].reshape(1), X), atol=1e-5, rtol=1e-5)


def test_per_example_groups_with_one_value_per_batch():
    mask = torch.tensor([[0, 0, 1, 2, 1], [2, 2, 1, 0, 0], [0, 1, 1, 1, 2], [1, 2, 0, 0, 0]])

    def forward(x):
        return MODEL(x)[:, 0].sum()

    ours = ProxySpex(forward).attribute(X, feature_mask=mask)
    short = ProxySpex(forward).attribute(X, feature_mask=mask, return_input_shape=False)
    assert_close(ours, short[0][mask])


def test_a_single_output_has_no_axis_even_when_all_are_asked_for():
    assert ProxySpex(network(5, 1)).attribute(X, multi_output=True).shape == (4, 5)


def test_the_algorithm_may_be_chosen():
    net = network(4, 1)
    ours = ProxySpex(net, approximator=algorithms.Exact()).attribute(tensor(2, 4))
    assert_close(ours, ProxySpex(net).attribute(tensor(2, 4)))
    with pytest.raises(
        ValueError, match=r"`n_samples`: expected at least 2\*\*4 = 16, as `Exact` evaluates every coalition, got 15\."
    ):
        ProxySpex(net, approximator=algorithms.Exact()).attribute(tensor(2, 4), n_samples=15)


def test_the_same_model_as_a_game():
    """Features that are 1 against baselines that are 0 are the mask itself."""
    _, found = ProxySpex(lambda x: torch.from_numpy(smooth_game(x.numpy()))).attribute(
        torch.ones(1, 8, dtype=torch.float64), return_interactions=True, perturbations_per_eval=64
    )
    masks = np.eye(8, dtype=bool)
    assert_allclose(found.model(masks), smooth_game(masks), atol=1e-9)


@pytest.mark.parametrize(
    ("n_players", "expected"), [(1, 2), (3, 8), (9, 512), (10, 512), (30, 589), (100, 2658), (10**6, 79726275)]
)
def test_the_default_number_of_samples(n_players, expected):
    assert default_budget(n_players) == expected


def test_the_default_number_of_samples_is_used():
    model = Recorded(lambda x: x[:, 0] * x[:, 7])
    ProxySpex(model, QUICK).attribute(torch.ones(1, 12), perturbations_per_eval=100)
    assert sum(model.rows) == default_budget(12) == 512


# --- Spex -------------------------------------------------------------------------------------------------------------


def test_spex_has_the_arguments_of_proxyspex():
    assert inspect.signature(Spex.attribute) == inspect.signature(ProxySpex.attribute)
    assert inspect.signature(Spex) == inspect.signature(ProxySpex)
    assert isinstance(Spex(MODEL).approximator, algorithms.Spex)
    assert Spex.get_name() == "Spex"


@pytest.mark.parametrize("mask", [None, torch.tensor([[0, 0, 1, 2, 1]])], ids=["elements", "groups"])
def test_spex_agrees_where_every_mask_is_evaluated(mask):
    ours = Spex(MODEL).attribute(X, target=1, feature_mask=mask, perturbations_per_eval=16)
    assert_close(ours, exact_captum(MODEL, X, target=1, feature_mask=mask), atol=1e-5, rtol=1e-5)


def test_spex_finds_an_interaction_among_many_features():
    def forward(x):
        return 0.5 * x[:, 2] + 3 * x[:, 7] * x[:, 40] - x[:, 11] * x[:, 30] * x[:, 63]

    model = Recorded(forward)
    x = torch.tensor([1.0, 2.0])[:, None].expand(2, 64)
    arguments = {"n_samples": 2000, "perturbations_per_eval": 128, "random_state": 0}
    attributions, found = Spex(model).attribute(x, return_interactions=True, max_order=3, **arguments)
    assert sum(model.rows) == 2 * 2000
    expected = torch.zeros(2, 64)
    for row, scale in enumerate((1.0, 2.0)):
        expected[row, 2] = 0.5 * scale
        expected[row, [7, 40]] = 1.5 * scale**2
        expected[row, [11, 30, 63]] = -(scale**3) / 3
        assert_allclose([found[row][(7, 40)], found[row][(11, 30, 63)]], [3 * scale**2, -(scale**3)], atol=1e-5)
    assert_close(attributions, expected, atol=1e-5, rtol=1e-5)


def test_spex_explains_a_network_of_many_features():
    net = network(64, 1)
    x = tensor(2, 64)
    ours = Spex(net).attribute(x, n_samples=3000, perturbations_per_eval=512, random_state=0)
    gap = (net(x) - net(torch.zeros(2, 64)))[:, 0].detach()
    assert_close(ours.sum(dim=1), gap, atol=1e-4, rtol=1e-4)


def test_spex_says_what_it_needs():
    model = Recorded(MODEL)
    with pytest.raises(ValueError, match=r"expected at least \d+ for 64 players.*, got 100"):
        Spex(model).attribute(torch.ones(1, 64), n_samples=100)
    assert model.rows == []


def test_spex_with_settings():
    net = network(20, 1)
    method = Spex(net, approximator=algorithms.Spex(degree=2, bits=4))
    _, found = method.attribute(
        tensor(1, 20), n_samples=1000, perturbations_per_eval=512, random_state=0, return_interactions=True
    )
    assert (found.diagnostics["degree"], found.diagnostics["bits"]) == (2, 4)


@pytest.mark.parametrize(
    ("inputs", "baseline"),
    [
        (torch.tensor([[3, 4]]), 0.5),
        (torch.tensor([[True, True]]), 0.5),
        (torch.tensor([[3, 4]], dtype=torch.uint8), -1),
    ],
)
def test_a_baseline_that_the_inputs_dtype_cannot_hold_is_kept(inputs, baseline):
    attributions = ProxySpex(lambda x: x.float().sum(dim=1)).attribute(inputs, baselines=baseline)
    assert_close(attributions, inputs.float() - baseline)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"feature_names": ["a"]}, "`feature_names`: expected one for each of the 4 players, got 1 names."),
        (
            {"interaction_index": "foo"},
            "`interaction_index`: expected ",
        ),
        (
            {"feature_mask": [[0, 1, 2, 3]]},
            "`feature_mask`: expected a tensor of integer ids, or a tuple of them, got a list.",
        ),
        ({"baselines": (None,)}, "`baselines`: expected a tensor or a number for each input, got None."),
        (
            {"random_state": -1},
            "`random_state`: expected None, an integer of at least 0, or a NumPy `Generator` or `SeedSequence`, "
            "got -1.",
        ),
    ],
)
def test_errors_use_captums_words(keywords, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        ProxySpex(network(4, 1)).attribute(tensor(1, 4), **keywords)


@pytest.mark.parametrize("output", [None, "text", {"logits": 1}, torch.ones(2) * 1j])
def test_a_model_must_return_numbers(output):
    with pytest.raises(ValueError, match="`forward_func`: returned"):
        ProxySpex(lambda x: output).attribute(tensor(2, 4))


# --- stores -----------------------------------------------------------------------------------------------------------

ROWS: list[int] = []


class Asked(nn.Module):
    """A network that says how many rows it was asked for."""

    def __init__(self, n_outputs=3, seed=0, reduce=False, shape=(-1,)):
        super().__init__()
        self.layers = nn.Sequential(network(5, n_outputs, seed), nn.Unflatten(1, shape))
        self.reduce = reduce

    def forward(self, x, scale=1.0):
        ROWS.append(len(x))
        output = self.layers(x) * scale
        return output.sum() if self.reduce else output

    def doubled(self, x):
        return 2 * self(x)


class Failing(Asked):
    """The same network, until it is called once too often."""

    def forward(self, x, scale=1.0):
        if len(ROWS) == 5:
            raise ConnectionError
        return super().forward(x, scale)


@pytest.fixture(autouse=True)
def no_rows():
    ROWS.clear()


def rows_asked():
    n_rows = sum(ROWS)
    ROWS.clear()
    return n_rows


def texts_of(interactions):
    return [texts_of(one) for one in interactions] if isinstance(interactions, list) else interactions.to_json()


STORED = {
    "one example": (Asked(), X[:1], {"target": 1}),
    "four examples": (Asked(), X, {"target": 1}),
    "targets of their own": (Asked(), X, {"target": torch.tensor([0, 2, 1, 1])}),
    "groups": (Asked(), X, {"target": 1, "feature_mask": torch.tensor([[0, 0, 1, 2, 1]])}),
    "every output": (Asked(), X[:1], {"multi_output": True}),
    "every output of four examples": (Asked(), X, {"multi_output": True}),
    "every output, in two dimensions": (Asked(n_outputs=6, shape=(2, 3)), X, {"multi_output": True}),
    "one value per batch": (Asked(reduce=True), X, {}),
    "a column": (Asked(n_outputs=1), X, {}),
    "a method": (Asked().doubled, X, {"target": 2}),
    "further arguments": (Asked(), X, {"target": 0, "additional_forward_args": (torch.tensor(2.0),)}),
}
stored = pytest.mark.parametrize(("model", "inputs", "arguments"), STORED.values(), ids=STORED)


@pytest.mark.sampled
@stored
@pytest.mark.parametrize("attribution", [ProxySpex, Spex])
def test_what_is_in_the_store_is_not_asked_of_the_model(tmp_path, attribution, model, inputs, arguments):
    method, options = attribution(model), {"return_interactions": True, **arguments}
    plain, plain_interactions = method.attribute(inputs, **options)
    asked = rows_asked()
    first, _ = method.attribute(inputs, store=tmp_path / "masks.db", **options)
    assert rows_asked() == asked > 0
    found, interactions = method.attribute(inputs, store=str(tmp_path / "masks.db"), **options)
    assert rows_asked() == 0
    assert_close(first, plain, rtol=0, atol=0)
    assert_close(found, plain, rtol=0, atol=0)
    assert texts_of(interactions) == texts_of(plain_interactions)


@pytest.mark.parametrize(
    ("method", "n_samples"),
    [(ProxySpex(network(40, 2), QUICK), 60), (Spex(network(40, 2), algorithms.Spex(degree=2, bits=3)), 1000)],
    ids=["proxyspex", "spex"],
)
def test_estimates_are_the_same_with_a_store(tmp_path, method, n_samples):
    options = {"target": 0, "n_samples": n_samples, "perturbations_per_eval": 100, "random_state": 0}
    plain = method.attribute(tensor(2, 40), **options)
    for n_found, n_added in ((0, "all"), ("all", 0)):
        store = Store(tmp_path / "masks.db")
        assert_close(method.attribute(tensor(2, 40), store=store, **options), plain, rtol=0, atol=0)
        n_asked = store.n_found + store.n_added
        assert n_samples / 2 < n_asked <= n_samples
        assert (store.n_found, store.n_added) == tuple(n_asked if n == "all" else n for n in (n_found, n_added))


@pytest.mark.parametrize("arguments", [{"target": 1}, {"multi_output": True}], ids=["target", "every output"])
@pytest.mark.parametrize("size", [1, 3, 32])
def test_an_attribution_that_was_stopped_goes_on(tmp_path, arguments, size):
    plain = ProxySpex(Asked()).attribute(X, perturbations_per_eval=8, **arguments)
    store = Store(tmp_path / "masks.db", fingerprint="a network")
    rows_asked()
    with pytest.raises(ConnectionError):
        ProxySpex(Failing()).attribute(X, perturbations_per_eval=4, store=store, **arguments)
    assert rows_asked() == 5 * 4 * len(X)
    resumed = ProxySpex(Asked()).attribute(X, perturbations_per_eval=size, store=store, **arguments)
    assert rows_asked() == (32 - 20) * len(X)
    assert_close(resumed, plain)


BASE = {"target": 1, "baselines": 0.5, "feature_mask": torch.tensor([[0, 0, 1, 2, 1]])}


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"inputs": X + 1e-3}, "inputs"),
        ({"inputs": X.double(), "model": Asked().double()}, "baselines.*inputs.*model"),
        ({"model": Asked(seed=1)}, "model"),
        ({"model": Asked().doubled}, "model"),
        ({"model": network(5, 3)}, "model"),
        ({"baselines": 0.6}, "baselines"),
        ({"target": 2}, "target"),
        ({"target": torch.tensor([1, 1, 1, 2])}, "target"),
        ({"feature_mask": torch.tensor([[0, 1, 1, 2, 0]])}, "feature_mask"),
        ({"feature_mask": torch.tensor([[0, 0, 1, 1, 1]])}, "feature_mask.*players: '3' there, '2' here"),
        ({"additional_forward_args": 2.0}, "additional_forward_args"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_store_of_another_attribution_is_refused(tmp_path, change, differs):
    arguments = {"inputs": X, **BASE}
    ProxySpex(Asked()).attribute(store=tmp_path / "masks.db", **arguments)
    rows_asked()
    changed = {"model": Asked(), "inputs": X, **BASE, **change}
    method = ProxySpex(changed.pop("model"))
    with pytest.raises(StoreError, match=rf"which holds evaluations of game .* differ in {differs}"):
        method.attribute(store=tmp_path / "masks.db", **changed)
    assert rows_asked() == 0


@pytest.mark.parametrize(
    "same",
    [
        {"perturbations_per_eval": 3},
        {"feature_mask": torch.tensor([[7, 7, 8, 30, 8]])},
        {"interaction_index": "BII", "max_order": 1},
        {"random_state": 5},
        {"inputs": X.clone()},
    ],
    ids=" ".join,
)
def test_what_does_not_change_the_game_does_not_change_its_store(tmp_path, same):
    ProxySpex(Asked()).attribute(X, store=tmp_path / "masks.db", **BASE)
    rows_asked()
    ProxySpex(Asked()).attribute(store=tmp_path / "masks.db", **{"inputs": X, **BASE, **same})
    assert rows_asked() == 0


@pytest.mark.parametrize(
    ("forward", "arguments"),
    [
        (lambda x: x.sum(dim=1), {}),
        (scaled, {"additional_forward_args": (2.0,)}),
        (functools.partial(MODEL), {"target": 0}),
    ],
    ids=["a lambda", "a function", "a partial function"],
)
def test_functions_need_a_fingerprint(tmp_path, forward, arguments):
    with pytest.raises(
        StoreError,
        match=r"`store`: expected a game with an attribute `fingerprint`, got a game without a fingerprint\.",
    ):
        ProxySpex(forward).attribute(X, store=tmp_path / "masks.db", **arguments)
    expected = ProxySpex(forward).attribute(X, **arguments)
    store = Store(tmp_path / "masks.db", fingerprint="written by hand")
    for counts in ((0, 32), (32, 0)):
        assert_close(ProxySpex(forward).attribute(X, store=store, **arguments), expected, rtol=0, atol=0)
        assert (store.n_found, store.n_added) == counts


def language_attribution(text, target="good", **options):
    from captum.attr import LLMAttribution
    from text_models import byte_tokenizer, causal_model

    method = LLMAttribution(ProxySpex(causal_model("gpt2")), byte_tokenizer())
    takes = inspect.signature(method.attribute).parameters  # up to 0.8 Captum asks for one token after the other only
    options |= {"forward_in_tokens": False} if "forward_in_tokens" in takes else {"use_cached_outputs": False}
    result = method.attribute(text, target=target, **options)
    return torch.cat([result.seq_attr[None], result.token_attr])


def segments(mask=None, words=("The", "film", "is", "never"), template="{} {} {} {}", baselines=None):
    from captum.attr import TextTemplateInput

    return TextTemplateInput(template, list(words), baselines=baselines, mask=mask)


def test_an_attribution_of_a_language_model_goes_on(tmp_path):
    plain = language_attribution(segments())
    for _ in range(2):
        assert_close(language_attribution(segments(), store=tmp_path / "masks.db"), plain, rtol=0, atol=0)


@pytest.mark.parametrize(
    "other",
    [
        {"words": ("The", "film", "was", "never")},
        {"template": "{} {} {} {}."},
        {"baselines": ["A", "plot", "is", "never"]},
        {"mask": [0, 1, 0, 2]},
        {"mask": [0, 1, 1, 2]},
    ],
    ids=str,
)
def test_another_text_for_a_language_model_is_another_game(tmp_path, other):
    language_attribution(segments(mask=[0, 0, 1, 2]), store=tmp_path / "masks.db")
    with pytest.raises(StoreError, match="which holds evaluations of game"):
        language_attribution(segments(**{"mask": [0, 0, 1, 2], **other}), store=tmp_path / "masks.db")


def test_another_answer_of_a_language_model_is_another_game(tmp_path):
    language_attribution(segments(), store=tmp_path / "masks.db")
    with pytest.raises(StoreError, match="which holds evaluations of game"):
        language_attribution(segments(), target="bad", store=tmp_path / "masks.db")

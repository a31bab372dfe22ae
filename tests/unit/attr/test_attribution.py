"""The Captum adapters of inputs: the interface of `KernelShap`, defaults, and `Spex`."""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
import pytest
import torch
from captum.attr import KernelShap, NoiseTunnel
from captum_cases import MODEL, QUICK, Recorded, X, exact_captum, network, tensor, two_inputs
from games import smooth_game
from numpy.testing import assert_allclose
from torch.testing import assert_close

from captum_spex import approximators as algorithms
from captum_spex.attr import LayerProxySpex, ProxySpex, Spex
from captum_spex.errors import ArgumentError
from captum_spex.explaining import default_budget


def test_estimates_are_close_when_features_are_many():
    net = network(11, 1)
    x = tensor(2, 11)
    ours = ProxySpex(net, QUICK).attribute(x, n_samples=500, perturbations_per_eval=500, random_state=0)
    truth = ProxySpex(net).attribute(x, n_samples=2**11, perturbations_per_eval=2**11)
    assert_close(ours, truth, atol=0.02, rtol=0.0)
    gap = (net(x) - net(torch.zeros(2, 11)))[:, 0].detach()
    assert_close(ours.sum(dim=1), gap, atol=1e-5, rtol=1e-5)


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


def test_rows_of_the_model_are_counted_per_example():
    model = Recorded(network(12, 1))
    ProxySpex(model, QUICK).attribute(tensor(3, 12), n_samples=50, perturbations_per_eval=8)
    assert sum(model.rows) == 3 * (50 + 2)  # two masks are also asked alone
    assert max(model.rows) == 3 * 8
    model.rows.clear()
    ProxySpex(model).attribute(tensor(3, 12), feature_mask=torch.arange(12)[None] // 4, n_samples=50)
    assert sum(model.rows) == 3 * 8


def test_a_label_that_reads_well():
    assert ProxySpex.get_name() == "Proxy Spex"


@pytest.mark.parametrize(
    ("method", "title"),
    [
        (ProxySpex(MODEL), "Proxy Spex"),
        (Spex(MODEL), "Spex"),
        (LayerProxySpex(MODEL, MODEL[0]), "Layer Proxy Spex"),
        (type("KernelShap", (ProxySpex,), {})(MODEL), "Kernel Shap"),
    ],
)
@pytest.mark.parametrize("size", [1, 3])
def test_progress_is_shown_on_standard_error(capsys, method, title, size):
    arguments = {"layer_mask": torch.arange(8)[None] % 5} if isinstance(method, LayerProxySpex) else {}
    method.attribute(X, target=0, show_progress=True, perturbations_per_eval=size, **arguments)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{title} attribution: 100%" in shown.err
    assert "32/32" in shown.err
    method.attribute(X, target=0, perturbations_per_eval=size, **arguments)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("empty_first", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", [1, 7])
def test_an_empty_tensor_beside_a_full_one(empty_first, masked, size):
    """As `KernelShap` takes it: it has no players, and attributions of its own shape."""
    full, empty = X[:2], torch.zeros(2, 0)
    order = (lambda *pair: pair[::-1]) if empty_first else (lambda *pair: pair)

    def forward(*inputs):
        x, nothing = order(*inputs)
        assert nothing.shape == (len(x), 0)
        return MODEL(torch.cat([x, nothing], dim=1))

    groups, none = torch.tensor([[0, 0, 3, 5, 3]]), torch.zeros(1, 0, dtype=torch.int64)
    arguments = {"feature_mask": order(groups, none)} if masked else {}
    method = ProxySpex(forward)
    found = order(*method.attribute(order(full, empty), target=1, perturbations_per_eval=size, **arguments))
    assert found[1].shape == (2, 0)
    assert_close(found[0], exact_captum(MODEL, full, target=1, **({"feature_mask": groups} if masked else {})))
    flat = method.attribute(order(full, empty), target=1, return_input_shape=False, **arguments)
    assert flat.shape == (2, 3 if masked else 5)


def test_empty_inputs_alone_are_refused():
    for inputs in (torch.zeros(2, 0), (torch.zeros(2, 0), torch.zeros(2, 0, 3)), torch.zeros(0, 5)):
        with pytest.raises(ArgumentError, match="`inputs`: expected at least one example with one feature, got shape"):
            ProxySpex(MODEL).attribute(inputs)


def test_names_of_several_inputs_say_which():
    def forward(x, y):
        return x[:, 0] * y[:, 1, 0] + x[:, 1]

    inputs = torch.ones(1, 2), torch.ones(1, 2, 1)
    _, found = ProxySpex(forward).attribute(inputs, return_interactions=True)
    assert found.names == ("input 0[0]", "input 0[1]", "input 1[0, 0]", "input 1[1, 0]")
    assert found["input 0[0]", "input 1[1, 0]"] == pytest.approx(1.0)
    masks = torch.tensor([[4, 7]]), torch.tensor([[[9], [4]]])
    _, groups = ProxySpex(forward).attribute(inputs, feature_mask=masks, return_interactions=True)
    assert groups.names == ("group 4 of input 0 and input 1", "group 7 of input 0", "group 9 of input 1")
    assert groups[("group 4 of input 0 and input 1",)] == pytest.approx(1.0)
    _, own = ProxySpex(forward).attribute(inputs, return_interactions=True, feature_names=list("abcd"))
    assert own.names == tuple("abcd")
    _, single = ProxySpex(lambda x: x[:, 0]).attribute(inputs[0], return_interactions=True)
    assert single.names is None
    _, beside = ProxySpex(lambda x, y: x[:, 0]).attribute((inputs[0], torch.ones(1, 0)), return_interactions=True)
    assert beside.names is None


def test_there_is_no_asynchronous_attribution():
    with pytest.raises(NotImplementedError, match="attribute_future is not implemented for Proxy Spex"):
        ProxySpex(MODEL).attribute_future()


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


def test_per_example_groups_with_one_value_per_batch():
    mask = torch.tensor([[0, 0, 1, 2, 1], [2, 2, 1, 0, 0], [0, 1, 1, 1, 2], [1, 2, 0, 0, 0]])

    def forward(x):
        return MODEL(x)[:, 0].sum()

    ours = ProxySpex(forward).attribute(X, feature_mask=mask)
    short = ProxySpex(forward).attribute(X, feature_mask=mask, return_input_shape=False)
    assert_close(ours, short[0][mask])


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
    assert sum(model.rows) - 2 == default_budget(12) == 512


def test_without_a_number_all_samples_of_a_fast_model_are_used():
    model = Recorded(network(13, 1))
    x = tensor(2, 13)
    found, (first, _) = ProxySpex(model).attribute(x, perturbations_per_eval=1024, return_interactions=True)
    assert sum(model.rows) == 2 * (2**13 + 2 + 2)  # two are also evaluated alone, and two again
    assert first.n_evaluations == 2**13
    assert_close(found, ProxySpex(model).attribute(x, n_samples=2**13, perturbations_per_eval=1024))
    counted = Recorded(network(10, 1))
    attributions = ProxySpex(counted).attribute(x[:, :10])
    assert sum(counted.rows) == 2 * (2**10 + 2)
    assert_close(attributions, ProxySpex(counted).attribute(x[:, :10], n_samples=2**10))


def test_a_given_number_of_samples_is_never_exceeded():
    model = Recorded(lambda x: x[:, 0] * x[:, 7])
    method = ProxySpex(model)
    method.attribute(torch.ones(1, 12), n_samples=method.default_n_samples(12))
    assert sum(model.rows) == 512


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
    assert sum(model.rows) == 2 * (2000 + 2)
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

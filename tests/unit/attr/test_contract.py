"""What all Captum adapters of tensors promise: Captum's conventions, exact Shapley values, the same errors."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
import torch
from captum_cases import MODEL, QUICK, AtEntrance, X, assert_agrees, exact_captum, network, scaled, tensor, two_inputs
from numpy.testing import assert_allclose
from torch.testing import assert_close

from captum_spex import Interactions
from captum_spex import approximators as algorithms
from captum_spex.attr import ProxySpex, Spex
from captum_spex.errors import ArgumentError, OrderError, StoreError
from captum_spex.evaluation.store import Store


@pytest.fixture(params=[ProxySpex, Spex, AtEntrance])
def method(request):
    """The adapter, made from a model and optionally an algorithm."""
    return request.param


# --- Captum's exact Shapley values, of all shapes ---------------------------------------------------------------------


@pytest.mark.parametrize("n_examples", [1, 2, 4, 5])
def test_batches(method, n_examples):
    assert_agrees(MODEL, tensor(n_examples, 5), target=1, method=method)


@pytest.mark.parametrize(
    "baselines",
    [None, 0, 0.5, tensor(1, 5, seed=1), tensor(4, 5, seed=1), tensor(5, seed=1), tensor(1, 1, seed=1)],
    ids=["none", "int", "float", "one row", "row per example", "no batch dimension", "broadcast"],
)
def test_baselines(method, baselines):
    ours = method(MODEL).attribute(X, baselines=baselines, target=0, perturbations_per_eval=32)
    full = baselines if baselines is None or isinstance(baselines, int | float) else baselines.expand(4, 5).clone()
    assert_close(ours, exact_captum(MODEL, X, baselines=full, target=0), atol=1e-5, rtol=1e-5)


def test_several_inputs(method):
    assert_agrees(two_inputs, (tensor(3, 2), tensor(3, 2, 2)), method=method)


@pytest.mark.parametrize(
    "baselines",
    [(0.5, -1), (tensor(1, 2, seed=1), tensor(1, 2, 2, seed=2)), (tensor(3, 2, seed=1), 0)],
    ids=["numbers", "tensors", "mixed"],
)
def test_baselines_of_several_inputs(method, baselines):
    assert_agrees(two_inputs, (tensor(3, 2), tensor(3, 2, 2)), baselines=baselines, method=method)


@pytest.mark.parametrize(
    "target",
    [2, [0, 1, 2, 1], torch.tensor([0, 1, 2, 1]), torch.tensor(1), (2,)],
    ids=["int", "list", "tensor", "0-d tensor", "tuple"],
)
def test_targets(method, target):
    assert_agrees(MODEL, X, target=target, method=method)


@pytest.mark.parametrize("target", [(1, 0), [(0, 1), (1, 0), (2, 1), (0, 0)]], ids=["tuple", "list of tuples"])
def test_targets_of_outputs_with_two_dimensions(method, target):
    net = network(5, 6)
    assert_agrees(lambda x: net(x).reshape(-1, 3, 2), X, target=target, method=method)


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
def test_feature_masks(method, mask):
    assert_agrees(MODEL, X, target=1, feature_mask=mask, method=method)


def test_feature_masks_across_inputs(method):
    masks = (torch.tensor([[0, 1]]), torch.tensor([[[1, 2], [2, 0]]]))
    assert_agrees(two_inputs, (tensor(3, 2), tensor(3, 2, 2)), feature_mask=masks, method=method)


def test_feature_masks_with_gaps_in_their_ids(method):
    dense, gaps = torch.tensor([[0, 0, 1, 2, 1]]), torch.tensor([[3, 3, 70, 900, 70]])
    ours, interactions = method(MODEL).attribute(X, target=1, feature_mask=gaps, return_interactions=True)
    assert_close(ours, exact_captum(MODEL, X, target=1, feature_mask=dense), atol=1e-5, rtol=1e-5)
    assert [one.n_players for one in interactions] == [3] * 4
    assert [one.n_evaluations for one in interactions] == [8] * 4


@pytest.mark.parametrize(
    "arguments",
    [tensor(4, 3, seed=3), (tensor(4, 3, seed=3),), (tensor(4, 3, seed=3), 1.5), (torch.tensor(2.0), 0.5), (2.0,), 2.0],
    ids=["bare tensor", "tuple", "tensor and number", "0-d tensor", "number in a tuple", "bare number"],
)
def test_additional_forward_args(method, arguments):
    assert_agrees(scaled, X, additional_forward_args=arguments, method=method)


def test_outputs_in_a_column(method):
    net = network(5, 1)
    ours = method(net).attribute(X, perturbations_per_eval=8)
    assert_close(ours, exact_captum(lambda x: net(x)[:, 0], X), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "reduce",
    [torch.sum, lambda out: out.sum().reshape(1), lambda out: out.sum().item(), lambda out: out.sum().reshape(1, 1)],
    ids=["0-d", "one element", "number", "1 x 1"],
)
def test_one_value_for_the_whole_batch(method, reduce):
    def forward(x):
        return reduce(MODEL(x))

    ours = method(forward).attribute(X)
    assert ours.shape == (1, 5)
    assert_close(ours, exact_captum(lambda x: MODEL(x).sum().reshape(1), X).to(ours.dtype), atol=1e-5, rtol=1e-5)
    with pytest.raises(
        ValueError,
        match=r"`perturbations_per_eval`: expected 1 for a model that returns one value per batch, "
        r"got 4 masks in a call for which the model returned a single value\.",
    ):
        method(forward).attribute(X, perturbations_per_eval=4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_dtypes_of_floating_inputs_stay(method, dtype):
    x = X.to(dtype)
    ours = method(lambda x: x.double().prod(dim=1)).attribute(x)
    assert ours.dtype == dtype
    assert_close(ours.sum(dim=1).double(), x.double().prod(dim=1), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("size", [3, 64])
def test_batch_sizes_do_not_change_the_answer(method, size):
    net = network(10, 2)
    x = tensor(2, 10)

    def run(perturbations):
        arguments = {"target": 1, "n_samples": 60, "perturbations_per_eval": perturbations, "random_state": 4}
        return method(lambda x: net(x).double().round(decimals=4), QUICK).attribute(x, **arguments)

    assert_close(run(size), run(1), atol=0.0, rtol=0.0)


def test_unknown_arguments_are_refused(method):
    with pytest.raises(TypeError, match="n_sample"):
        method(MODEL).attribute(X, target=0, n_sample=30)


@pytest.mark.parametrize("n_examples", [4, 5])
def test_one_dimensional_masks_as_long_as_the_batch(method, n_examples):
    """Captum's KernelShap slices any argument whose length is the batch size, here the mask of five features."""
    x = torch.ones(n_examples, 5)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    ours = method(lambda x: x @ weights).attribute(x, feature_mask=torch.arange(5))
    assert_close(ours, weights.expand(n_examples, 5))


def test_one_dimensional_baselines_as_long_as_the_batch(method):
    baselines = torch.arange(5.0)
    ours = method(lambda x: x.sum(dim=1)).attribute(torch.full((5, 5), 7.0), baselines=baselines)
    assert_close(ours, (7.0 - baselines).expand(5, 5))


def test_a_single_feature(method):
    assert_close(
        method(lambda x: 3 * x[:, 0] + 1).attribute(torch.tensor([[2.0], [5.0]])), torch.tensor([[6.0], [15.0]])
    )


def test_no_gradients_are_recorded(method):
    x = X.clone().requires_grad_()
    seen = []

    def forward(x):
        seen.append(torch.is_grad_enabled() or x.requires_grad)
        return MODEL(x)

    assert not method(forward).attribute(x, target=0).requires_grad
    assert not any(seen)
    assert torch.is_grad_enabled()
    assert x.grad is None


def test_inputs_and_baselines_stay_as_they_were(method):
    x, baselines = X.clone(), tensor(4, 5, seed=1)
    copied = baselines.clone()

    def rude(x):
        return x.mul_(2).sum(dim=1)

    method(rude).attribute(x, baselines=baselines)
    assert_close(x, X, atol=0.0, rtol=0.0)
    assert_close(baselines, copied, atol=0.0, rtol=0.0)


def test_modes_of_the_model_stay_as_they_were(method):
    net = network(5, 1).train()
    method(net).attribute(X)
    assert net.training


def test_interactions_of_a_single_example(method):
    def forward(x):
        return x[:, 0] + 2 * x[:, 1] * x[:, 2]

    attributions, found = method(forward).attribute(
        torch.ones(1, 3), return_interactions=True, feature_names=["a", "b", "c"]
    )
    assert isinstance(found, Interactions)
    assert_allclose([found["b", "c"], found["a", "b"]], [2.0, 0.0], atol=1e-12)
    assert_allclose(attributions[0], found.first_order())


@pytest.mark.parametrize(("n_examples", "multi_output"), [(1, False), (3, False), (1, True), (3, True)])
def test_nesting_of_interactions(method, n_examples, multi_output):
    def depth(found):
        return [len(found), *depth(found[0])] if isinstance(found, list) else []

    x = tensor(n_examples, 5)
    attributions, found = method(MODEL).attribute(
        x, target=None if multi_output else 1, multi_output=multi_output, return_interactions=True
    )
    outputs = [3] if multi_output else []
    assert attributions.shape == (n_examples, *outputs, 5)
    assert depth(found) == ([n_examples] if n_examples > 1 else []) + outputs


def test_interactions_belong_to_their_example_and_output(method):
    attributions, found = method(MODEL).attribute(X, multi_output=True, return_interactions=True)
    for example in range(4):
        for output in range(3):
            assert_allclose(found[example][output].first_order(), attributions[example, output], atol=1e-6)


@pytest.mark.parametrize("index", ["BII", "FSII", "Moebius", "SV"])
def test_attributions_are_shapley_values_whatever_index_is_asked_for(method, index):
    plain = method(MODEL).attribute(X, target=0)
    attributions, found = method(MODEL).attribute(X, target=0, return_interactions=True, interaction_index=index)
    assert_close(attributions, plain)
    assert {one.index for one in found} == {index}


def test_orders(method):
    _, found = method(MODEL).attribute(X[:1], target=0, return_interactions=True, max_order=3)
    assert found.max_order == 3
    _, found = method(MODEL).attribute(X[:1], target=0, return_interactions=True)
    assert found.max_order == 2
    one_player = method(lambda x: x[:, 0])
    _, found = one_player.attribute(torch.ones(1, 1), return_interactions=True)
    assert found.max_order == 1
    with pytest.raises(OrderError, match="`max_order`: expected an integer from 1 to the number of players, 1, got 2"):
        one_player.attribute(torch.ones(1, 1), max_order=2)


def test_every_output_at_once(method):
    together = method(MODEL).attribute(X, multi_output=True, perturbations_per_eval=8)
    assert together.shape == (4, 3, 5)
    for target in range(3):
        assert_close(together[:, target], exact_captum(MODEL, X, target=target), atol=1e-5, rtol=1e-5)


def test_every_output_of_several_inputs_and_dimensions(method):
    net = network(6, 6)

    def forward(x, y):
        return net(torch.cat([x, y.flatten(1)], dim=1)).reshape(-1, 2, 3)

    one, two = method(forward).attribute((tensor(3, 2), tensor(3, 2, 2)), multi_output=True)
    assert (one.shape, two.shape) == ((3, 2, 3, 2), (3, 2, 3, 2, 2))
    truth = exact_captum(forward, (tensor(3, 2), tensor(3, 2, 2)), target=(1, 2))
    assert_close((one[:, 1, 2], two[:, 1, 2]), truth, atol=1e-5, rtol=1e-5)


def test_every_output_with_one_per_batch(method):
    def forward(x):
        return MODEL(x).sum(dim=0, keepdim=True)

    ours = method(forward).attribute(X, multi_output=True)
    assert ours.shape == (1, 3, 5)
    assert_close(ours[:, 1], exact_captum(lambda x: MODEL(x).sum(dim=0)[1].reshape(1), X), atol=1e-5, rtol=1e-5)


def test_a_single_output_has_no_axis_even_when_all_are_asked_for(method):
    assert method(network(5, 1)).attribute(X, multi_output=True).shape == (4, 5)


def test_the_algorithm_may_be_chosen(method):
    net = network(4, 1)
    ours = method(net, approximator=algorithms.Exact()).attribute(tensor(2, 4))
    assert_close(ours, method(net).attribute(tensor(2, 4)))
    with pytest.raises(
        ValueError, match=r"`n_samples`: expected at least 2\*\*4 = 16, as `Exact` evaluates every coalition, got 15\."
    ):
        method(net, approximator=algorithms.Exact()).attribute(tensor(2, 4), n_samples=15)


MASK = torch.tensor([[0, 0, 1, 2, 1]])
REFUSED = {
    "shape of the mask": (
        {"feature_mask": torch.tensor([[0, 1]])},
        "`feature_mask`: expected (1, 5) or (4, 5), or a shape that broadcasts to it, got shape (1, 2).",
    ),
    "floating mask": (
        {"feature_mask": torch.zeros(1, 5)},
        "`feature_mask`: expected a tensor of integer group ids, got dtype torch.float32.",
    ),
    "mask in a list": (
        {"feature_mask": [[0, 1, 2, 3, 4]]},
        "`feature_mask`: expected a tensor of integer ids, or a tuple of them, got a list.",
    ),
    "several masks": (
        {"feature_mask": (MASK, MASK)},
        "`feature_mask`: expected one tensor for each of the 1 inputs, got 2.",
    ),
    "shape of the baseline": (
        {"baselines": tensor(2)},
        "`baselines`: expected a shape that broadcasts to the input's (4, 5), got shape (2,).",
    ),
    "several baselines": ({"baselines": (0, 1)}, "`baselines`: expected one baseline for each of the 1 inputs, got 2."),
    "text as baseline": (
        {"baselines": "zero"},
        "`baselines`: expected a tensor or a number for each input, got a str.",
    ),
    "no baseline": ({"baselines": (None,)}, "`baselines`: expected a tensor or a number for each input, got None."),
    "samples": ({"n_samples": 1}, "`n_samples`: expected an integer of at least 2, got 1."),
    "size": ({"perturbations_per_eval": 0}, "`perturbations_per_eval`: expected an integer of at least 1, got 0."),
    "progress": ({"show_progress": "yes"}, "`show_progress`: expected True or False, got 'yes'."),
    "index": ({"interaction_index": "foo"}, "`interaction_index`: expected "),
    "order": ({"max_order": 6}, "`max_order`: expected an integer from 1 to the number of players, 5, got 6."),
    "names": ({"feature_names": ["a"]}, "`feature_names`: expected one for each of the 5 players, got 1 names."),
    "seed": ({"random_state": -1}, "`random_state`: expected None, an integer of at least 0, or a NumPy `Generator`"),
    "target": ({"target": None}, "`target`: expected the output to explain, for instance 0 to 2, got None for a model"),
    "no tensor": ({"inputs": [1.0, 2.0]}, "`inputs`: expected a tensor or a tuple of tensors, got a list."),
    "nothing": ({"inputs": ()}, "`inputs`: expected a tensor or a tuple of tensors, got an empty tuple."),
    "0-d": ({"inputs": torch.tensor(1.0)}, "`inputs`: expected at least one example with one feature, got shape ()."),
}


@pytest.mark.parametrize(("keywords", "said"), REFUSED.values(), ids=REFUSED)
def test_errors_use_the_words_of_the_adapter(method, keywords, said):
    if method is AtEntrance:
        said = said.replace("`feature_mask`", "`layer_mask`").replace("`baselines`", "`layer_baselines`")
    with pytest.raises(ArgumentError, match=re.escape(said)):
        method(MODEL).attribute(**{"inputs": X, "target": 0, **keywords})


@pytest.mark.parametrize("of", [np.array, torch.tensor, np.float64], ids=["0-d", "torch", "numpy"])
def test_numbers_and_flags_may_be_scalars_of_numpy_and_torch(method, of):
    integer, flag = (np.int64, np.bool_) if of is np.float64 else (of, of)
    net = network(12, 1)
    given = {"n_samples": 64, "perturbations_per_eval": 16, "max_order": 3, "random_state": 5}
    flags = {"show_progress": False, "return_interactions": True, "multi_output": False}
    scalars = {name: integer(value) for name, value in given.items()} | {name: flag(on) for name, on in flags.items()}
    plain, expected = method(net, QUICK).attribute(tensor(1, 12), baselines=0.5, **given, **flags)
    ours, found = method(net, QUICK).attribute(tensor(1, 12), baselines=of(0.5), **scalars)
    assert_close(ours, plain, rtol=0, atol=0)
    assert found.to_json() == expected.to_json()


@pytest.mark.parametrize("output", [None, "text", {"logits": 1}, torch.ones(2) * 1j])
def test_a_model_must_return_numbers(method, output):
    with pytest.raises(ValueError, match="`forward_func`: returned"):
        method(lambda x: output).attribute(tensor(2, 4))


@pytest.mark.parametrize(
    ("forward", "arguments"),
    [
        (lambda x: x.sum(dim=1), {}),
        (scaled, {"additional_forward_args": (2.0,)}),
        (functools.partial(MODEL), {"target": 0}),
    ],
    ids=["a lambda", "a function", "a partial function"],
)
def test_functions_need_a_fingerprint(method, tmp_path, forward, arguments):
    with pytest.raises(StoreError, match="`store`: expected a game with an attribute `fingerprint`, got "):
        method(forward).attribute(X, store=tmp_path / "masks.db", **arguments)
    expected = method(forward).attribute(X, **arguments)
    store = Store(tmp_path / "masks.db", fingerprint="written by hand")
    for counts in ((0, 32), (32, 0)):
        assert_close(method(forward).attribute(X, store=store, **arguments), expected, rtol=0, atol=0)
        assert (store.n_found, store.n_added) == counts

"""Games over components: explained, stored, refused."""

from __future__ import annotations

import math
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from captum.attr import KernelShap, ShapleyValues
from component_games import (
    CLOSE,
    EXACT,
    a_conv_net,
    a_game,
    a_reader,
    called,
    everything,
    images,
    message_of,
    parts_of_a_reader,
    random_weights,
    recorded,
    replaced,
    slow_value,
    slow_values,
    some_masks,
    some_scores,
    tokens,
    without_heads,
)
from numpy.testing import assert_allclose, assert_array_equal
from oracles import every_mask, shapley_by_permutations, sii
from small_transformers import a_batch, scores_of, small
from torch import nn

import captum_spex
from captum_spex.attr import ProxySpex
from captum_spex.errors import ArgumentError, GameError, MaskError, StoreError, UnknownNameError
from captum_spex.evaluation.store import Store
from captum_spex.games.components import (
    Component,
    Place,
    accuracy,
    heads,
    log_prob,
    logit_difference,
    loss,
    modules,
    neurons,
)

# --- explanations -----------------------------------------------------------------------------------------------------


def test_heads_of_a_model_explained_exactly():
    model, batch = small("gpt2"), a_batch("gpt2", 2)
    game = a_game(model, batch, heads(model), log_prob([3, 7], position=-1))
    table = []
    for mask in every_mask(8):
        scores = torch.tensor(called(without_heads(model, "gpt2", mask), batch))
        table.append(slow_value("log_prob", scores[:, -1], [3, 7]))
    result = captum_spex.explain(game, budget=256, index="SII", max_order=2)
    assert (result.n_evaluations, result.names) == (256, game.names)
    wanted = sii(np.array(table), 8, 2)
    assert_allclose([result[players] for players in wanted], list(wanted.values()), **CLOSE)
    assert max(abs(value) for value in wanted.values()) > 0.1
    shapley = captum_spex.explain(game, budget=256, index="SV").first_order()
    assert_allclose(shapley, [value for players, value in sii(np.array(table), 8, 1).items()], **CLOSE)


def test_several_outputs_are_explained_one_by_one():
    model = a_reader()
    game = a_game(model, tokens(1), modules(model, ["first", "mix"]), lambda scores: scores[:, 0, -1])
    results = captum_spex.explain(game, budget=4, index="SV")
    values = game(every_mask(2))
    wanted = [shapley_by_permutations(values[:, output], 2) for output in range(3)]
    assert_allclose([result.first_order() for result in results], wanted, **EXACT)


def a_single_valued_game():
    model = a_reader()
    return a_game(model, value=loss([2, 0, 1], position=-1), parts=parts_of_a_reader(model)[:5])


def test_captums_shapley_values():
    game = a_single_valued_game()
    wanted = shapley_by_permutations(game(every_mask(5)), 5)
    shares = ShapleyValues(game.forward).attribute(torch.ones(1, 5), perturbations_per_eval=4)
    assert_allclose(shares[0], wanted, **CLOSE)


def test_captums_kernel_shap():
    game = a_single_valued_game()
    torch.manual_seed(0)
    shares = KernelShap(game.forward).attribute(torch.ones(1, 5), n_samples=300, perturbations_per_eval=50)
    assert_allclose(shares[0], shapley_by_permutations(game(every_mask(5)), 5), atol=0.02)


def test_proxy_spex_through_forward():
    game = a_single_valued_game()
    shares, interactions = ProxySpex(game.forward).attribute(
        torch.ones(1, 5), n_samples=32, perturbations_per_eval=8, return_interactions=True
    )
    assert_allclose(shares[0], shapley_by_permutations(game(every_mask(5)), 5), **CLOSE)
    direct = captum_spex.explain(game, budget=32)
    assert_allclose(interactions[(0, 1)], direct[(0, 1)], **CLOSE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_forward_takes_numbers(dtype):
    game = a_single_valued_game()
    masks = every_mask(5)
    assert_array_equal(game.forward(torch.tensor(masks).to(dtype)).numpy(), game(masks))


def test_forward_rounds_to_present_or_absent():
    game = a_single_valued_game()
    mask = torch.tensor([[0.5, 0.51, -3.0, 7.0, 0.0]], requires_grad=True)
    assert_array_equal(game.forward(mask).numpy(), game([[False, True, False, True, False]]))


# --- fingerprints and stores ------------------------------------------------------------------------------------------


def kept_game(**changes):
    """A game with a fingerprint."""
    settings = {
        "model": a_reader(),
        "inputs": {"input_ids": tokens()},
        "value": loss([0, 1, 2], position=-1),
        **changes,
    }
    return a_game(**settings)


def other_games():
    relabelled = loss([0, 1, 1], position=-1)
    means = {"ablation": "mean", "reference": tokens(seed=5)}
    model = a_reader()
    return {
        "same": {},
        "model": {"model": a_reader(1)},
        "inputs": {"inputs": {"input_ids": tokens(seed=1)}},
        "arguments": {"inputs": {"input_ids": tokens(), "scale": 2.0}},
        "components": {"parts": parts_of_a_reader(model)[:-1]},
        "order of components": {"parts": parts_of_a_reader(model)[::-1]},
        "channels": {"parts": [*parts_of_a_reader(model)[:-1], Component("both", (Place("mix", "output", 2, None),))]},
        "side": {"parts": [*parts_of_a_reader(model)[:-1], Component("both", (Place("mix", "input", 2, None),))]},
        "names": {"parts": [*parts_of_a_reader(model)[:-1], Component("two", (Place("mix", "output", 2, None),))]},
        "mean": means,
        "reference": {**means, "reference": tokens(seed=6)},
        "mean by position": {**means, "ablation": "mean by position"},
        "resample": {**means, "ablation": "resample"},
        "rescale": {"rescale": True},
        "rescaled mean": {**means, "rescale": True},
        "labels": {"value": relabelled},
        "position": {"value": loss([0, 1, 2], position=0)},
        "kind": {"value": log_prob([0, 1, 2], position=-1)},
        "accuracy": {"value": accuracy([0, 1, 2], position=-1)},
        "difference": {"value": logit_difference([0, 1, 2], [1, 2, 0], position=-1)},
        "other classes": {"value": logit_difference([0, 1, 2], [1, 2, 1], position=-1)},
        "default": {"value": None},
    }


def test_the_fingerprint_changes_with_everything_that_changes_the_values():
    marks = {name: kept_game(**changes).fingerprint for name, changes in other_games().items()}
    assert len({str(mark) for mark in marks.values()}) == len(marks)
    assert all(isinstance(part, str) for mark in marks.values() for part in mark.values())


def test_the_fingerprint_stays_where_the_values_do():
    means = {"ablation": "mean", "reference": tokens(seed=5)}
    assert kept_game().fingerprint == kept_game(batch_size=3).fingerprint
    assert kept_game(**means).fingerprint == kept_game(**means).fingerprint
    hooked = a_reader()
    hooked.mix.register_forward_hook(lambda *_: None)
    assert kept_game(model=hooked).fingerprint == kept_game().fingerprint


@pytest.mark.parametrize("name", ["value", "forward"])
def test_own_functions_have_no_fingerprint(name, tmp_path):
    model = a_reader()
    game = kept_game(model=model, **{name: everything if name == "value" else model.forward})
    assert game.fingerprint is None
    with pytest.raises(StoreError, match="expected a game with an attribute `fingerprint`, got a game without one"):
        captum_spex.explain(game, budget=16, store=tmp_path / "masks.db")


def test_a_stopped_run_resumes_from_its_store(tmp_path):
    model = a_reader()
    game = kept_game(model=model, batch_size=48, parts=parts_of_a_reader(model)[:6])
    model.seen.rows.clear()
    model.seen.fail_at, model.seen.error = 6, KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert model.seen.rows == [48, 48, 3, 3, 48, 48]  # two masks alone
    model.seen.fail_at = None
    resumed = captum_spex.explain(game, budget=64, store=tmp_path / "masks.db")
    assert sum(model.seen.rows) == 48 + 64 * 3 + 2 * 6  # the batch that failed, every mask once, two alone in each run
    assert_array_equal(resumed.values, captum_spex.explain(game, budget=64).values)
    store = Store(tmp_path / "masks.db")
    captum_spex.explain(game, budget=64, store=store)
    assert (store.n_found, store.n_added) == (64, 0)


def test_the_store_of_another_game_is_refused(tmp_path):
    captum_spex.explain(kept_game(), budget=128, store=tmp_path / "masks.db")
    with pytest.raises(StoreError, match="They differ in inputs: "):
        captum_spex.explain(kept_game(inputs={"input_ids": tokens(seed=1)}), budget=128, store=tmp_path / "masks.db")


# --- bad input: the game ----------------------------------------------------------------------------------------------

ONE = [Component("mix", (Place("mix"),))]
FORMS = "a tensor, a tuple of arguments, or a mapping of keyword arguments, examples first"
CONTENTS = "a list of `Component`, such as `heads(model)`"
OF_SCORES = "a function of the scores, such as `accuracy(labels)`"
BAD_SETTINGS = [
    ({"parts": []}, ArgumentError, "`components`: expected at least one component, got none."),
    ({"parts": ONE[0]}, ArgumentError, f"`components`: expected {CONTENTS}, got a Component."),
    ({"parts": "mix"}, ArgumentError, f"`components`: expected {CONTENTS}, got a str."),
    ({"parts": 3}, ArgumentError, f"`components`: expected {CONTENTS}, got an int."),
    ({"parts": ["mix"]}, ArgumentError, "`components`: expected `Component` objects only, got a str among them."),
    ({"parts": [ONE]}, ArgumentError, "`components`: expected `Component` objects only, got a list among them."),
    ({"inputs": "text"}, ArgumentError, f"`inputs`: expected {FORMS}, got a str without a tensor of examples."),
    ({"inputs": ()}, ArgumentError, f"`inputs`: expected {FORMS}, got a tuple without a tensor of examples."),
    (
        {"inputs": {"input_ids": [[1, 2]]}}, ArgumentError,
        f"`inputs`: expected {FORMS}, got a dict without a tensor of examples.",
    ),
    (
        {"inputs": torch.tensor(1)}, ArgumentError,
        f"`inputs`: expected {FORMS}, got a Tensor without a tensor of examples.",
    ),
    ({"inputs": tokens(0)}, ArgumentError, f"`inputs`: expected {FORMS}, got no example."),
    (
        {"ablation": "noise"}, UnknownNameError,
        "`ablation`: expected 'zero', 'mean', 'mean by position', 'resample', got 'noise'.",
    ),
    (
        {"ablation": None}, UnknownNameError,
        "`ablation`: expected 'zero', 'mean', 'mean by position', 'resample', got None.",
    ),
    (
        {"reference": tokens()}, ArgumentError,
        "`reference`: expected None for the ablation 'zero', got a Tensor. "
        "Or choose one of the ablations 'mean', 'mean by position', 'resample'.",
    ),
    *(
        (
            {"ablation": name}, ArgumentError,
            f"`reference`: expected inputs of the model, for the ablation {name!r}, got None.",
        )
        for name in ("mean", "mean by position", "resample")
    ),
    (
        {"ablation": "mean", "reference": 3}, ArgumentError,
        f"`reference`: expected {FORMS}, got an int without a tensor of examples.",
    ),
    ({"ablation": "mean", "reference": tokens(0)}, ArgumentError, f"`reference`: expected {FORMS}, got no example."),
    (
        {"ablation": "resample", "reference": tokens(2)}, ArgumentError,
        "`reference`: expected one example, or 3, one for each of `inputs`, got 2 examples.",
    ),
    (
        {"inputs": tokens(1), "ablation": "resample", "reference": tokens(3)}, ArgumentError,
        "`reference`: expected one example, got 3 examples.",
    ),
    ({"value": 3}, ArgumentError, f"`value`: expected {OF_SCORES}, got an int."),
    ({"value": "loss"}, ArgumentError, f"`value`: expected {OF_SCORES}, got a str."),
    ({"rescale": "yes"}, ArgumentError, "`rescale`: expected True or False, got 'yes'."),
    ({"rescale": 1}, ArgumentError, "`rescale`: expected True or False, got 1."),
    ({"forward": "logits"}, ArgumentError, "`forward`: expected a function of the inputs, got a str."),
    ({"batch_size": 0}, ArgumentError, "`batch_size`: expected an integer of at least 1, got 0."),
    ({"batch_size": 2.0}, ArgumentError, "`batch_size`: expected an integer of at least 1, got 2.0."),
    ({"batch_size": None}, ArgumentError, "`batch_size`: expected an integer of at least 1, got None."),
    ({"model": lambda ids: ids}, ArgumentError, "`model`: expected a torch module, got a function."),
    (
        {"model": a_reader().train()}, ArgumentError,
        "`model`: expected a model in evaluation mode, got one in training mode. Call `model.eval()`.",
    ),
    (
        {"parts": [Component("unused", (Place("unused"),))]}, ArgumentError,
        "`components`: expected modules that the model calls, got 'unused', which the model does not call. "
        "Its parts may be fused or compiled; use a module around it.",
    ),
    (
        {"parts": [Component("far", (Place("mix", "output", 4, 7),))]}, ArgumentError,
        "`components`: expected channels 0 to 5, got channel 6 of the output of 'mix'.",
    ),
    (
        {"parts": [Component("far", (Place("second", "input", 8),))]}, ArgumentError,
        "`components`: expected channels 0 to 4, got channel 8 of the input of 'second'.",
    ),
    (
        {"forward": lambda ids: None}, ArgumentError,
        "`forward`: expected a function that returns a tensor, examples first, got None.",
    ),
    (
        {"forward": lambda ids: ids.sum()}, ArgumentError,
        "`forward`: expected a function that returns a tensor, examples first, got a Tensor.",
    ),
    (
        {"forward": lambda ids: {"logits": ids}}, ArgumentError,
        "`forward`: expected a function that returns a tensor, examples first, got a dict.",
    ),
    (
        {"forward": lambda ids: SimpleNamespace(logits=None)}, ArgumentError,
        "`forward`: expected a function that returns a tensor, examples first, got None.",
    ),
    (
        {"forward": lambda ids: ()}, ArgumentError,
        "`forward`: expected a function that returns a tensor, examples first, got a tuple.",
    ),
    (
        {"forward": lambda ids: torch.zeros(5, 2)}, ArgumentError,
        "`forward`: expected a function that returns scores with examples first, got shape (5, 2) for 2 examples.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "kind", "message"), BAD_SETTINGS)
def test_settings_that_cannot_be_used(settings, kind, message):
    settings = {"model": a_reader(), "inputs": tokens(), "parts": ONE, **settings}
    assert message_of(kind, lambda: a_game(**settings)) == message


class Turned(nn.Module):
    """A module inside which positions come first, or in which all rows are one."""

    def __init__(self, turn, back):
        super().__init__()
        self.inner, self.turn, self.back = nn.Linear(6, 6), turn, back

    def forward(self, states):
        return self.back(self.inner(self.turn(states)), states)


TURNED = {
    "positions first": (lambda x: x.transpose(0, 1), lambda y, x: y.transpose(0, 1)),
    "rows in the middle": (lambda x: x[None], lambda y, x: y[0]),
    "all rows at once": (lambda x: x.mean(dim=(0, 1)), lambda y, x: x + y),
    "same for all": (lambda x: torch.ones(1, 6, dtype=x.dtype), lambda y, x: x + y),
    "positions first, joined": (lambda x: x.transpose(0, 1).reshape(-1, 6), lambda y, x: x + y.sum()),
    "windows": (lambda x: x.reshape(-1, 1, 6), lambda y, x: y.reshape(x.shape)),
    "reversed": (lambda x: x.flip(0), lambda y, x: x + y.flip(0)),
}


def is_turned(name, n_examples, length):
    """Whether it is another order than rows first at all, and whether two rows of the same example show it."""
    return length > 1 if name in ("positions first, joined", "windows") else n_examples > 1 or name != "reversed"


SIZES = [(3, 1), (3, 2), (3, 4), (1, 2), (1, 4)]
CASES = [(name, *size) for name in TURNED for size in SIZES if is_turned(name, *size)]


@pytest.mark.parametrize(("name", "n_examples", "length"), CASES)
def test_tensors_whose_rows_do_not_come_first(name, n_examples, length):
    model = a_reader()
    model.mix = random_weights(Turned(*TURNED[name]), 3)
    with pytest.raises((ArgumentError, GameError), match=r"^`components`: .*'mix.inner'.*rows"):
        a_game(model, tokens(n_examples, length), modules(model, "mix.inner"))


def test_modules_called_by_keyword_have_an_output_side_only():
    class Caller(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 3)

        def forward(self, *, states):
            return self.inner(input=states)

    model = random_weights(Caller())
    states = torch.randn(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(
        GameError, match=r"`components`: expected a tensor, or several items .* at 'inner', got keyword arguments only"
    ):
        a_game(model, {"states": states}, neurons(model, "inner", side="input"))
    parts = neurons(model, "inner")
    wanted = slow_values(model, {"states": states}, parts, every_mask(3))
    assert_allclose(a_game(model, {"states": states}, parts)(every_mask(3)), wanted, **EXACT)


def test_modules_without_a_tensor_output():
    model = a_reader()
    model.mix = Turned(lambda x: x, lambda y, x: {"states": y}).double().eval()

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.head = model.mix, nn.Linear(6, 2).double()

        def forward(self, states):
            return self.head(self.mix(states)["states"])

    outer = Outer().eval()
    with pytest.raises(
        GameError, match="`components`: expected a tensor, or several items with a tensor first, at 'mix', got a dict"
    ):
        a_game(outer, torch.ones(1, 6, dtype=torch.float64), modules(outer, "mix"))


@pytest.mark.parametrize("ablation", ["mean by position", "resample"])
def test_a_reference_of_another_length(ablation):
    game = a_game(parts=ONE, ablation=ablation, reference=tokens(3, 6))
    message = (
        "`reference`: expected inputs of the same length, "
        r"got shape \(6, 6\) at the output of 'mix', where `inputs` have \(4, 6\)\."
    )
    with pytest.raises(GameError, match=message):
        game([[False]])


BAD_VALUES = [
    (lambda scores: 1.0, "()"),
    (lambda scores: scores.mean(), "()"),
    (lambda scores: scores, "(4, 3, 4, 3)"),
    (lambda scores: scores.flatten(1).T, "(36, 4)"),
    (lambda scores: scores[:1, 0, 0, 0], "(1,)"),
    (lambda scores: [], "(0,)"),
]


@pytest.mark.parametrize(("value", "shape"), BAD_VALUES)
def test_values_of_another_shape(value, shape):
    game = a_game(parts=ONE, value=value)
    with pytest.raises(GameError) as raised:
        game([[True]] * 4)
    expected = "shape (4,) or (4, n_outputs) for 4 masks"
    assert str(raised.value) == f"`value`: expected it to return {expected}, got {shape}."


def test_a_forward_that_gives_fewer_rows_later():
    model = a_reader()
    game = a_game(model, tokens(1), ONE, forward=lambda ids: model(ids)[:2])
    with pytest.raises(GameError, match=r"`forward`: expected it to return 5 rows, got shape \(2, 4, 3\)\."):
        game([[True]] * 5)


@pytest.mark.parametrize("masks", [np.ones(7, dtype=bool), np.ones((2, 6), dtype=bool), np.ones((2, 8), dtype=bool)])
def test_masks_of_another_shape(masks):
    with pytest.raises(MaskError, match=r"expected \(n_masks, 7\): one column per player"):
        a_game()(masks)


def test_values_that_are_not_numbers_are_refused():
    model = a_reader()
    game = a_game(model, parts=ONE, value=lambda scores: scores[:, 0, 0, 0] * math.nan)
    with pytest.raises(GameError, match="expected finite values, got nan"):
        captum_spex.explain(game, budget=2)


# --- corner cases -----------------------------------------------------------------------------------------------------


def test_channels_without_an_owner_are_not_rescaled():
    model = a_reader()
    game = a_game(model, tokens(1), neurons(model, "first", [1, 3]), rescale=True)
    scale = torch.ones(5, dtype=torch.float64)
    scale[1], scale[3] = 2.0, 0.0
    handle = model.first.register_forward_hook(lambda _m, _g, output: output * scale)
    with torch.no_grad():
        wanted = model(tokens(1)).flatten().numpy()
    handle.remove()
    assert_allclose(game([[True, False]])[0], wanted, **EXACT)


def test_a_model_that_writes_into_its_input_gets_a_copy():
    model = random_weights(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3)))
    inputs = torch.tensor([[-1.0, 2.0, -3.0, 4.0]], dtype=torch.float64)
    before = inputs.clone()
    values = a_game(model, inputs, neurons(model, "1"))(every_mask(3))
    assert_array_equal(inputs, before)
    assert_allclose(values, slow_values(model, {"input": before}, neurons(model, "1"), every_mask(3)), **EXACT)


def test_models_with_one_score_for_each_example():
    model = a_reader()
    game = a_game(model, value=None, forward=lambda ids: model(ids)[:, -1, 0])
    masks = some_masks(7)
    assert_allclose(game(masks), a_game(model, value=None)(masks)[:, 9], **EXACT)


def test_a_value_of_ones_own_may_be_in_half_precision():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).eval().to(torch.bfloat16)
    inputs = torch.ones(1, 4, dtype=torch.bfloat16)
    game = a_game(model, inputs, modules(model, "0"), lambda scores: scores[:, 0, 0])
    assert_array_equal(game([[True]])[0], model(inputs)[0, 0].item())


def test_a_place_without_a_channel_is_refused():
    with pytest.raises(
        ArgumentError, match="`components`: expected channels 0 to 5, got channel 6 of the output of 'mix'"
    ):
        a_game(parts=[Component("nothing", (Place("mix", "output", 6),))])


def test_channels_of_instance_norms_are_the_second_dimension():
    model = a_conv_net(lambda n: nn.InstanceNorm2d(n, affine=True))
    parts = neurons(model, "1")
    assert len(parts) == 4
    with torch.no_grad():
        states = model[1](model[0](images()))
        states[:, 2] = 0
        wanted = model[2:](states).flatten().numpy()
    assert_allclose(a_game(model, images(), parts)([[True, True, False, True]])[0], wanted, **EXACT)


def test_modules_that_give_a_named_tuple():
    pair = namedtuple("Pair", ["states", "weights"])

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.head = Turned(lambda x: x, pair), nn.Linear(6, 2)

        def forward(self, states):
            return self.head(self.mix(states).states)

    model = random_weights(Outer())
    game = a_game(model, torch.ones(1, 6, dtype=torch.float64), modules(model, "mix"))
    assert_allclose(game([[False]])[0], model.head.bias.detach(), **EXACT)


def test_a_part_in_training_mode_is_noticed():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2)).eval()
    model[1].train()
    with pytest.raises(ArgumentError, match=r"`model`: expected a model in evaluation mode, got .*training mode"):
        a_game(model, torch.ones(1, 4), modules(model, "0"))


def test_no_masks_are_no_values():
    for inputs in (tokens(1), tokens(3)):
        assert len(a_game(inputs=inputs, value=loss([0] * len(inputs), position=-1))(np.zeros((0, 7), dtype=bool))) == 0


def test_arguments_without_an_identity_have_no_fingerprint():
    model = a_reader()
    inputs = {"input_ids": tokens(), "scale": SimpleNamespace(real=2.0)}
    forward_scale = model.forward
    model.forward = lambda input_ids, scale: forward_scale(input_ids, scale=scale.real)
    assert kept_game(model=model, inputs=inputs).fingerprint is None


def test_an_attention_mask_of_the_encoder_says_nothing_of_the_decoder():
    model = small("t5")
    reference = {
        "input_ids": a_batch("t5", 2, 4, seed=5)["input_ids"],
        "attention_mask": torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0]]),
        "decoder_input_ids": a_batch("t5", 2, 4, seed=6)["input_ids"],
    }
    batch = {key: value for key, value in reference.items() if key != "attention_mask"}
    part = next(part for part in heads(model) if part.name.startswith("decoder.block.0.layer.0"))
    seen = recorded(model, part.places[0], lambda: model(**reference)).mean(dim=(0, 1)).expand(2, 4, 16)
    wanted = scores_of(replaced(model, [part], [False], lambda _: seen, lambda: model(**batch))).flatten().numpy()
    game = a_game(model, batch, [part], ablation="mean", reference=reference)
    assert_allclose(game([[False]])[0], wanted, **CLOSE)


BAD_KINDS = [
    lambda: heads(small("gpt2"), 1.5),
    lambda: heads(small("gpt2"), {"a": 1}),
    lambda: neurons(a_reader(), "mix", [1.5]),
    lambda: neurons(a_reader(), "mix", ["a"]),
    lambda: neurons(a_reader(), "mix", side="left"),
    lambda: neurons(a_reader(), 3),
    lambda: modules(a_reader(), 3),
    lambda: modules(a_reader(), []),
    lambda: modules(a_reader(), [None]),
    lambda: Component("a", Place("mix")),
    lambda: a_game(parts=[Component("a", ["mix"])]),
    lambda: a_game(parts=[Component("a", (Place(3),))]),
    lambda: Place("mix", "output", 0.5),
    lambda: Place("mix", "output", 0, 2.0),
    lambda: loss(None),
    lambda: loss(["cat"]),
    lambda: loss([0, 1], position=1.5),
    lambda: loss([0, 1], position=9)(some_scores(3, 2, 4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("function", BAD_KINDS)
def test_things_of_another_kind(function):
    with pytest.raises(ArgumentError):
        function()


@pytest.mark.parametrize("value", [lambda scores: "x", lambda scores: {}, lambda scores: ["a"] * len(scores)])
def test_values_that_are_not_numbers(value):
    with pytest.raises(GameError, match="`value`"):
        a_game(parts=ONE, value=value)([[True]])


def test_layers_may_be_given_as_numpys_numbers():
    model = small("gpt2")
    assert heads(model, np.int64(1)) == heads(model, 1)
    assert heads(model, np.arange(2)) == heads(model)

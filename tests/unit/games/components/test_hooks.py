"""Hooks: a mask for every row, and a model that is not changed."""

from __future__ import annotations

import random
from collections import UserDict
from copy import deepcopy

import numpy as np
import pytest
import torch
from component_games import EXACT, a_game, a_reader, random_weights, slow_values, some_masks, tokens
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from small_transformers import a_batch, small
from torch import nn

import captum_spex
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.components import (
    Component,
    Place,
    heads,
    loss,
    neurons,
)

# --- a mask for every row ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize("n_examples", [1, 3, 10])
def test_batches_equal_one_by_one(batch_size, n_examples):
    model, inputs = a_reader(), tokens(n_examples)
    game = a_game(model, inputs, batch_size=batch_size)
    masks = some_masks(game.n_players, 70)
    singly = a_game(model, inputs, batch_size=1)
    assert_allclose(game(masks), np.concatenate([singly(mask[None]) for mask in masks]), **EXACT)


CALLS = [
    (64, 1, 130, [64, 64, 2]),
    (7, 1, 15, [7, 7, 1]),
    (1, 1, 3, [1, 1, 1]),
    (64, 3, 22, [63, 3]),
    (7, 10, 2, [7, 3, 7, 3]),
    (1, 2, 2, [1, 1, 1, 1]),
    (10, 10, 2, [10, 10]),
]  # fmt: skip


@pytest.mark.parametrize(("batch_size", "n_examples", "n_masks", "rows"), CALLS)
def test_rows_of_the_calls(batch_size, n_examples, n_masks, rows):
    model = a_reader()
    game = a_game(model, tokens(n_examples), batch_size=batch_size)
    model.seen.rows.clear()
    game(some_masks(game.n_players, n_masks))
    assert model.seen.rows == rows


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=12), st.data())
def test_any_masks_in_any_batches(rows, data):
    masks = np.array(rows)
    n_examples, batch_size = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 20))
    ablation = data.draw(st.sampled_from(["zero", "mean", "mean by position", "resample"]))
    reference = None if ablation == "zero" else tokens(n_examples, seed=5)
    settings = {"ablation": ablation, "reference": reference, "rescale": data.draw(st.booleans())}
    game, alone = (a_game(inputs=tokens(n_examples), batch_size=size, **settings) for size in (batch_size, 1))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(masks) - 1)), max_size=3)))
    parts = [part for part in np.split(masks, cuts) if len(part)]
    assert_allclose(
        np.concatenate([game(part) for part in parts]), np.vstack([alone([mask]) for mask in masks]), **EXACT
    )


def test_examples_and_masks_are_not_mixed_up():
    """The value sees ``(n_masks, n_examples, ...)``: every mask's examples in their order."""
    model, seen = a_reader(), []

    def keep(scores):
        seen.append(scores)
        return scores.flatten(1)[:, 0]

    game = a_game(model, tokens(3), value=keep)
    game(some_masks(game.n_players, 5))
    assert seen[0].shape == (5, 3, 4, 3)
    with torch.no_grad():
        assert_allclose(seen[0][1].numpy(), model(tokens(3)).numpy(), **EXACT)


def test_examples_beyond_a_batch_reach_the_value_at_once():
    shapes = []

    def keep(scores):
        shapes.append(tuple(scores.shape))
        return scores.flatten(1)[:, 0]

    game = a_game(inputs=tokens(10), value=keep, batch_size=4)
    game(some_masks(game.n_players, 3))
    assert shapes == [(1, 10, 4, 3)] * 3


INPUTS = {
    "tensor": lambda ids, mask: ids,
    "tuple": lambda ids, mask: (ids, mask),
    "list": lambda ids, mask: [ids, mask],
    "mapping": lambda ids, mask: {"input_ids": ids, "attention_mask": mask},
    "user's mapping": lambda ids, mask: UserDict({"attention_mask": mask, "input_ids": ids}),
    "other arguments": lambda ids, mask: {"input_ids": ids, "scale": 2.0, "attention_mask": None},
    "tensors for all": lambda ids, mask: {"input_ids": ids, "scale": torch.tensor(2.0)},
    "one row for all": lambda ids, mask: (ids, torch.tensor([[1, 1, 1, 0]])),
}


@pytest.mark.sampled
@pytest.mark.parametrize("form", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("batch_size", [2, 64])
def test_forms_of_the_inputs(form, batch_size):
    model, ids = a_reader(), tokens()
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]])
    inputs = form(ids, mask)
    named = {"input_ids": inputs} if isinstance(inputs, torch.Tensor) else inputs
    named = dict(zip(("input_ids", "attention_mask"), named, strict=True)) if isinstance(named, tuple | list) else named
    game = a_game(model, inputs, batch_size=batch_size)
    masks = some_masks(game.n_players)
    slow = {"input_ids": ids, **named}
    assert_allclose(game(masks), slow_values(model, slow, game.components, masks), **EXACT)


def test_a_forward_of_ones_own():
    model = a_reader()
    game = a_game(model, forward=lambda ids: model(ids)[:, -1])
    whole = a_game(model, value=lambda scores: scores[:, :, -1].flatten(1))
    masks = some_masks(game.n_players)
    assert_allclose(game(masks), whole(masks), **EXACT)
    by_keyword = a_game(model, {"input_ids": tokens()}, forward=lambda *, input_ids: (model(input_ids)[:, -1], None))
    assert_allclose(by_keyword(masks), whole(masks), **EXACT)


def test_tensors_that_join_rows_and_positions():
    """Such as the inside of a mixture of experts' block: what comes in is rows times positions."""

    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 6)

        def forward(self, states):
            return self.inner(states.reshape(-1, 6)).tanh().reshape(states.shape)

    model = a_reader()
    model.mix = random_weights(Joined(), 3)
    parts, reference = neurons(model, "mix.inner"), tokens(2, seed=5)
    masks = some_masks(6)
    apart = deepcopy(model)
    apart.mix = nn.Sequential(model.mix.inner, nn.Tanh()).eval()
    for settings in (
        {},
        {"ablation": "mean", "reference": reference},
        {"ablation": "resample", "reference": tokens(1)},
    ):
        wanted = a_game(apart, parts=neurons(apart, "mix.0"), **settings)(masks)
        assert_allclose(a_game(model, parts=parts, **settings)(masks), wanted, **EXACT)


def test_half_precision():
    model, batch = deepcopy(small("gpt2")).to(torch.bfloat16), a_batch("gpt2", 2)
    masks = some_masks(8)
    game = a_game(model, batch, heads(model), loss([1, 2], position=-1))
    assert_allclose(game(masks), a_game(model, batch, heads(model), game._value, batch_size=2)(masks), atol=0.05)
    for settings in ({"ablation": "mean", "reference": batch}, {"rescale": True}):
        assert np.isfinite(a_game(model, batch, heads(model), loss([1, 2], position=-1), **settings)(masks)).all()


# --- unchanged models and states --------------------------------------------------------------------------------------


def hooks_of(model):
    return [
        (
            list(part._forward_hooks.values()),
            list(part._forward_pre_hooks.values()),
            list(part._backward_hooks.values()),
        )
        for part in model.modules()
    ]


def state_of(*things):
    legacy = np.random.get_state()[1]  # noqa: NPY002  # the global state is what is looked at
    return digest(*things, torch.get_rng_state(), legacy, list(random.getstate()[1]))


def test_the_model_the_inputs_and_the_global_random_state_are_untouched():
    model, inputs, reference = a_reader(), tokens(), tokens(seed=5)
    calls = []
    model.mix.register_forward_hook(lambda *_: calls.append("hook"))
    model.first.register_forward_pre_hook(lambda *_: calls.append("pre-hook"))
    model.head.bias.requires_grad_(False)
    grads = [one.requires_grad for one in model.parameters()]
    hooks, before = hooks_of(model), state_of(dict(model.state_dict()), inputs, reference)
    game = a_game(model, inputs, ablation="mean", reference=reference, value=loss([0, 1, 2], position=-1))
    captum_spex.explain(game, budget=40, random_state=0)
    assert state_of(dict(model.state_dict()), inputs, reference) == before
    assert hooks_of(model) == hooks
    assert not any(part.training for part in model.modules())
    assert [one.requires_grad for one in model.parameters()] == grads
    assert [one.grad for one in model.parameters()] == [None] * len(grads)
    assert torch.is_grad_enabled()
    assert len(calls) == 2 * len(model.seen.rows)  # they were called as ever


def test_user_hooks_still_act():
    model = a_reader()
    model.first.register_forward_hook(lambda _m, _g, output: output * 0.5)
    other = a_reader()
    other.first.weight.data *= 0.5
    other.first.bias.data *= 0.5
    masks = some_masks(7)
    assert_allclose(a_game(model)(masks), a_game(other)(masks), **EXACT)


def test_scores_carry_no_gradient():
    seen = []
    a_game(value=lambda scores: seen.append(scores) or scores[:, 0, 0])(some_masks(7))
    assert [one.requires_grad for one in seen] == [False]
    assert not seen[0].is_inference()


ERRORS = [RuntimeError("broken"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()]


@pytest.mark.sampled
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_hooks_are_removed_if_the_model_raises(error, fail_at):
    """At the calls that try it, at the reference, and at the first masks."""
    model = a_reader()
    model.mix.register_forward_hook(lambda *_: None)
    hooks = hooks_of(model)
    model.seen.fail_at, model.seen.error = fail_at, error
    with pytest.raises(type(error)):
        a_game(model, ablation="mean", reference=tokens())(some_masks(7))
    assert len(model.seen.rows) == fail_at
    assert hooks_of(model) == hooks
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["value", "forward"])
def test_hooks_are_removed_if_a_users_function_raises(error, where):
    model, calls = a_reader(), []

    def raising(scores):
        calls.append(scores)
        if where == "value" or len(calls) > 2:
            raise error
        return model(scores)

    game = a_game(model, **{where: raising})
    with pytest.raises(type(error)):
        game(some_masks(7))
    assert hooks_of(model) == hooks_of(a_reader())
    assert_allclose(a_game(model)(some_masks(7)), a_game()(some_masks(7)), **EXACT)


def test_hooks_are_removed_if_a_site_does_not_fit():
    model = a_reader()
    with pytest.raises(ArgumentError):
        a_game(model, parts=[Component("far", (Place("mix", "output", 6, 9),))])
    with pytest.raises(GameError):
        a_game(model, ablation="resample", reference=tokens(3, 6))(some_masks(7))
    assert hooks_of(model) == hooks_of(a_reader())


def test_masks_and_inputs_are_not_changed():
    masks = some_masks(7)
    masks.setflags(write=False)
    game = a_game()
    assert_array_equal(game(masks), game(masks.copy()))
    assert_array_equal(masks, some_masks(7))

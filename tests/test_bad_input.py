"""Arguments that cannot be used: the message names the argument, what came and what is allowed, before any call."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from games import Counting, smooth_game

import captum_spex
from captum_spex.approximators import ProxySpex as ProxySpexApproximator
from captum_spex.approximators import Spex
from captum_spex.attr import ProxySpex
from captum_spex.errors import (
    ArgumentError,
    BudgetError,
    GameError,
    MaskError,
    OrderError,
    StoreError,
    UnknownNameError,
)
from captum_spex.store import Store

RANGE = "an integer of at least"


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"budget": 1}, BudgetError, rf"`budget`: got 1; allowed is {RANGE} 2"),
        ({"budget": 0}, BudgetError, rf"`budget`: got 0; allowed is {RANGE} 2"),
        ({"budget": -5}, BudgetError, rf"`budget`: got -5; allowed is {RANGE} 2"),
        ({"budget": 100.0}, BudgetError, rf"`budget`: got 100.0; allowed is {RANGE} 2"),
        ({"budget": True}, BudgetError, rf"`budget`: got True; allowed is {RANGE} 2"),
        ({"budget": "100"}, BudgetError, rf"`budget`: got '100'; allowed is {RANGE} 2"),
        (
            {"index": "Shapley"},
            UnknownNameError,
            r'`index`: got \'Shapley\'; allowed is "SV", "BV", "SII", .*"Fourier"',
        ),
        ({"index": None}, UnknownNameError, r'`index`: got None; allowed is "SV"'),
        ({"max_order": 0}, OrderError, "`max_order`: got 0; allowed is an integer from 1 to the number of players, 9"),
        ({"max_order": -2}, OrderError, "`max_order`: got -2; allowed is an integer from 1"),
        ({"max_order": 10}, OrderError, "`max_order`: got 10; allowed is .* 9"),
        ({"max_order": 1.5}, OrderError, "`max_order`: got 1.5; allowed is an integer"),
        ({"max_order": True}, OrderError, "`max_order`: got True; allowed is an integer"),
        ({"store": 3}, StoreError, "`store`: got a int; allowed is a path or a `captum_spex.store.Store`"),
        ({"store": "masks.db"}, StoreError, "`store`: got a game without a fingerprint; .*Store\\(path, fingerprint"),
        (
            {"store": Store("missing/masks.db", "a")},
            StoreError,
            "`store`: got missing.*a path where a file can be made",
        ),
        ({"max_terms": 0}, ArgumentError, rf"`max_terms`: got 0; allowed is {RANGE} 1"),
        ({"batch_size": 0}, ArgumentError, rf"`batch_size`: got 0; allowed is {RANGE} 1"),
        ({"batch_size": 2.5}, ArgumentError, rf"`batch_size`: got 2.5; allowed is {RANGE} 1"),
        ({"names": ["a"]}, ArgumentError, "`names`: got 1 names; allowed is one for each of the 9 players"),
        ({"budget": "all"}, BudgetError, rf"`budget`: got 'all'; allowed is {RANGE} 2"),
        ({"max_budget": 90}, ArgumentError, '`max_budget`: got 90; allowed is None, unless `budget="auto"`'),
        ({"budget": "auto", "max_budget": 1}, BudgetError, rf"`max_budget`: got 1; allowed is {RANGE} 2"),
        (
            {"budget": "auto", "max_budget": 63},
            BudgetError,
            "`max_budget`: got 63; allowed is at least 64, the size of",
        ),
        *[
            ({"budget": "auto", "target_faithfulness": wrong}, ArgumentError, "`target_faithfulness`: got .* between 0")
            for wrong in (0, 1.0, -0.5, 2, float("nan"), True, "0.9", None)
        ],
        (
            {"budget": "auto", "approximator": Spex(), "max_budget": 100},
            ArgumentError,
            '`budget`: got "auto"; allowed is a number of evaluations, unless the approximator is `ProxySpex`',
        ),
        (
            {"approximator": ProxySpexApproximator(rounds=3)},
            BudgetError,
            "`budget`: got 50; allowed is at least 96, 32",
        ),
        (
            {"approximator": "proxyspex"},
            ArgumentError,
            r"`approximator`: got 'proxyspex'; allowed is .*`ProxySpex\(\)`",
        ),
    ],
)
def test_arguments_of_explain(arguments, kind, message):
    game = Counting(smooth_game)
    with pytest.raises(kind, match=message) as caught:
        captum_spex.explain(game, 9, **{"budget": 50, **arguments})
    assert isinstance(caught.value, ValueError)
    assert game.n_rows == 0


@pytest.mark.parametrize("n_players", [0, -1, 3.0, True, "3", None])
def test_numbers_of_players(n_players):
    with pytest.raises(ArgumentError, match=rf"`n_players`: got {n_players!r}; allowed is {RANGE} 1"):
        captum_spex.explain(smooth_game, n_players, budget=50)


def test_things_that_are_no_game():
    with pytest.raises(ArgumentError, match="`game`: got a list; allowed is a callable from masks to values"):
        captum_spex.explain([1, 2], 9, budget=50)


@pytest.mark.parametrize(
    ("game", "message"),
    [
        (
            lambda masks: np.zeros(3),
            r"`game`: returned shape \(3,\) for 50 masks; allowed is \(50,\) or \(50, n_outputs\)",
        ),
        (lambda masks: np.zeros((2, 2, 2)), r"`game`: returned shape \(2, 2, 2\) for 50 masks"),
        (
            lambda masks: np.where(masks.all(axis=1), np.nan, 0.0),
            "`game`: returned nan for the mask with all players pres",
        ),
        (
            lambda masks: np.where(masks.any(axis=1), 0.0, np.inf),
            "`game`: returned inf for the mask with no player pres",
        ),
        (lambda masks: ["a"] * len(masks), "`game`: returned a list that is no array of numbers"),
    ],
)
def test_games_whose_values_cannot_be_used(game, message):
    counting = Counting(game)
    with pytest.raises(GameError, match=message) as caught:
        captum_spex.explain(counting, 9, budget=50)
    assert isinstance(caught.value, ValueError)
    assert len(counting.batches) == 1


def test_games_that_change_their_number_of_outputs():
    def game(masks):
        return np.zeros((len(masks), 2 if masks.all(axis=1).any() else 3))

    with pytest.raises(GameError, match=r"returned 3 outputs per mask after 2 .* must keep its number of outputs"):
        captum_spex.explain(game, 9, budget=50, batch_size=10)


def test_games_that_become_scalar():
    def game(masks):
        return np.zeros((len(masks), 2)) if masks.all(axis=1).any() else np.zeros(len(masks))

    with pytest.raises(GameError, match="returned 1 outputs per mask after 2"):
        captum_spex.explain(game, 9, budget=50, batch_size=10)


@pytest.mark.parametrize("masks", [np.ones((2, 8), dtype=bool), np.ones(9, dtype=bool), [[True] * 10]])
def test_masks_of_another_width(masks):
    model = captum_spex.explain(smooth_game, 9, budget=5).model
    with pytest.raises(MaskError, match=r"`masks`: got shape .*; allowed is \(n_masks, 9\): one column per player"):
        model(masks)


# --- Captum -----------------------------------------------------------------------------------------------------------

X = torch.ones(2, 4)


class Model:
    """A model that counts its calls."""

    def __init__(self, n_outputs=None):
        self.n_outputs = n_outputs
        self.calls = 0

    def __call__(self, x, *more):
        self.calls += 1
        return x.sum(dim=1) if self.n_outputs is None else x.sum(dim=1, keepdim=True).expand(-1, self.n_outputs)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"n_samples": 1}, BudgetError, rf"`n_samples`: got 1; allowed is {RANGE} 2"),
        ({"n_samples": 10.0}, BudgetError, rf"`n_samples`: got 10.0; allowed is {RANGE} 2"),
        ({"n_samples": True}, BudgetError, rf"`n_samples`: got True; allowed is {RANGE} 2"),
        ({"n_samples": "10"}, BudgetError, rf"`n_samples`: got '10'; allowed is {RANGE} 2"),
        ({"perturbations_per_eval": 0}, ArgumentError, rf"`perturbations_per_eval`: got 0; allowed is {RANGE} 1"),
        ({"perturbations_per_eval": 1.0}, ArgumentError, rf"`perturbations_per_eval`: got 1.0; allowed is {RANGE} 1"),
        ({"interaction_index": "XII"}, UnknownNameError, r'got \'XII\'; allowed is "SV", "BV", "SII"'),
        ({"max_order": 0}, OrderError, "`max_order`: got 0; allowed is an integer from 1 to the number of players, 4"),
        ({"max_order": 5}, OrderError, "`max_order`: got 5; allowed is an integer from 1 to the number of players, 4"),
        ({"store": 3}, StoreError, "`store`: got a int; allowed is a path or a `captum_spex.store.Store`"),
        ({"store": "masks.db"}, StoreError, "`store`: got a game without a fingerprint; .*Store\\(path, fingerprint"),
        ({"feature_names": ["a", "b"]}, ArgumentError, "got 2 names; allowed is one for each of the 4 players"),
        (
            {"feature_mask": torch.zeros(1, 3, dtype=torch.long)},
            MaskError,
            r"`feature_mask`: got shape \(1, 3\); .*\(1, 4\)",
        ),
        (
            {"feature_mask": torch.zeros(3, 4, dtype=torch.long)},
            MaskError,
            r"`feature_mask`: got shape \(3, 4\); .*\(2, 4\)",
        ),
        (
            {"feature_mask": torch.zeros(1, 4)},
            MaskError,
            "`feature_mask`: got dtype torch.float32; allowed is .*integer",
        ),
        (
            {"feature_mask": torch.ones(1, 4, dtype=torch.bool)},
            MaskError,
            "`feature_mask`: got dtype torch.bool; allowed",
        ),
        (
            {"feature_mask": (torch.arange(4), torch.arange(4))},
            MaskError,
            "`feature_mask`: got 2 tensors; .* the 1 inputs",
        ),
        ({"baselines": torch.zeros(3)}, ArgumentError, r"`baselines`: got shape \(3,\); allowed is .*\(2, 4\)"),
        ({"baselines": torch.zeros(3, 4)}, ArgumentError, r"`baselines`: got shape \(3, 4\); allowed is .*\(2, 4\)"),
        ({"baselines": torch.zeros(5, 2, 4)}, ArgumentError, r"`baselines`: got shape \(5, 2, 4\); allowed is"),
        ({"baselines": (0, 1)}, ArgumentError, "`baselines`: got 2 baselines; allowed is one for each of the 1 inputs"),
        ({"baselines": "zero"}, ArgumentError, "`baselines`: got a str; allowed is a tensor or a number"),
    ],
)
def test_arguments_of_attribute(arguments, kind, message):
    model = Model()
    with pytest.raises(kind, match=message) as caught:
        ProxySpex(model).attribute(X, **arguments)
    assert isinstance(caught.value, ValueError)
    assert model.calls == 0


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(0, 4), r"`inputs`: got shape \(0, 4\); allowed is at least one example with one feature"),
        (torch.zeros(2, 0), r"`inputs`: got shape \(2, 0\); allowed is at least one example with one feature"),
        (torch.tensor(1.0), r"`inputs`: got shape \(\); allowed is at least one example"),
        ([X], "`inputs`: got a list; allowed is a tensor or a tuple of tensors"),
        (np.ones((2, 4)), "`inputs`: got a ndarray; allowed is a tensor or a tuple of tensors"),
        ((X, 3), "`inputs`: got a tuple; allowed is a tensor or a tuple of tensors"),
        ((), "`inputs`: got an empty tuple; allowed is a tensor or a tuple of tensors"),
        ((X, torch.ones(3, 4)), "`inputs`: got 3 and 2 examples; allowed is the same number in each"),
    ],
)
def test_inputs(inputs, message):
    model = Model()
    with pytest.raises(ArgumentError, match=message):
        ProxySpex(model).attribute(inputs)
    assert model.calls == 0


def test_masks_of_several_inputs_are_named_by_position():
    masks = (torch.arange(4)[None], torch.arange(3)[None])
    with pytest.raises(MaskError, match=r"`feature_mask\[1\]`: got shape \(1, 3\)"):
        ProxySpex(Model()).attribute((X, X), feature_mask=masks)


def test_a_target_is_missing():
    model = Model(n_outputs=3)
    with pytest.raises(
        ArgumentError, match=r"`target`: got None for a model with 3 outputs; .* 0 to 2.*`multi_output=True`"
    ):
        ProxySpex(model).attribute(X)
    assert model.calls == 1


def test_models_that_lose_rows():
    with pytest.raises(
        GameError, match=r"`forward_func`: returned shape \(3,\) for 2 rows; its first dimension must be"
    ):
        ProxySpex(lambda x: torch.zeros(len(x) + 1)).attribute(X)


def test_models_that_return_nan():
    with pytest.raises(GameError, match="returned nan for the mask with all players present"):
        ProxySpex(lambda x: torch.full((len(x),), float("nan"))).attribute(X)

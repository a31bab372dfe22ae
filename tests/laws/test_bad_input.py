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
from captum_spex.evaluation.store import Store

RANGE = "an integer of at least"


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"budget": 1}, BudgetError, rf"`budget`: expected {RANGE} 2.*, got 1"),
        ({"budget": 0}, BudgetError, rf"`budget`: expected {RANGE} 2.*, got 0"),
        ({"budget": -5}, BudgetError, rf"`budget`: expected {RANGE} 2.*, got -5"),
        ({"budget": 100.0}, BudgetError, rf"`budget`: expected {RANGE} 2.*, got 100.0"),
        ({"budget": True}, BudgetError, rf"`budget`: expected {RANGE} 2.*, got True"),
        ({"budget": "100"}, BudgetError, rf"`budget`: expected {RANGE} 2.*, got '100'"),
        (
            {"index": "Shapley"},
            UnknownNameError,
            r'`index`: expected "SV.*, got \'Shapley\'", "BV", "SII", .*"Fourier"',
        ),
        ({"index": None}, UnknownNameError, r'`index`: expected "SV".*, got None'),
        ({"max_order": 0}, OrderError, "`max_order`: expected an integer from 1 to the number of players, 9.*, got 0"),
        ({"max_order": -2}, OrderError, "`max_order`: expected an integer from 1.*, got -2"),
        ({"max_order": 10}, OrderError, "`max_order`: expected .* 9.*, got 10"),
        ({"max_order": 1.5}, OrderError, "`max_order`: expected an integer.*, got 1.5"),
        ({"max_order": True}, OrderError, "`max_order`: expected an integer.*, got True"),
        ({"store": 3}, StoreError, "`store`: expected a path or a `captum_spex.evaluation.Store`, got an int"),
        (
            {"store": "masks.db"},
            StoreError,
            "`store`: expected .*, got a game without a fingerprint; .*Store\\(path, fingerprint",
        ),
        (
            {"store": Store("missing/masks.db", "a")},
            StoreError,
            "`store`: expected .*, got missing.*a path where a file can be made",
        ),
        ({"max_terms": 0}, ArgumentError, rf"`max_terms`: expected {RANGE} 1.*, got 0"),
        ({"batch_size": 0}, ArgumentError, rf"`batch_size`: expected {RANGE} 1.*, got 0"),
        ({"batch_size": 2.5}, ArgumentError, rf"`batch_size`: expected {RANGE} 1.*, got 2.5"),
        ({"names": ["a"]}, ArgumentError, "`names`: expected one for each of the 9 players.*, got 1 names"),
        ({"budget": "all"}, BudgetError, rf"`budget`: expected {RANGE} 2.*, got 'all'"),
        ({"max_budget": 90}, ArgumentError, '`max_budget`: expected None, unless `budget="auto"`.*, got 90'),
        ({"budget": "auto", "max_budget": 1}, BudgetError, rf"`max_budget`: expected {RANGE} 2.*, got 1"),
        (
            {"budget": "auto", "max_budget": 63},
            BudgetError,
            "`max_budget`: expected at least 64, the size of.*, got 63",
        ),
        *[
            (
                {"budget": "auto", "target_faithfulness": wrong},
                ArgumentError,
                "`target_faithfulness`: expected .*, got .* between 0",
            )
            for wrong in (0, 1.0, -0.5, 2, float("nan"), True, "0.9", None)
        ],
        (
            {"budget": "auto", "approximator": Spex(), "max_budget": 100},
            ArgumentError,
            '`budget`: expected a number of evaluations, unless the approximator is `ProxySpex`.*, got "auto"',
        ),
        (
            {"approximator": ProxySpexApproximator(rounds=3)},
            BudgetError,
            "`budget`: expected at least 96, 32.*, got 50",
        ),
        (
            {"approximator": "proxyspex"},
            ArgumentError,
            r"`approximator`: expected .*`ProxySpex\(\)`.*, got 'proxyspex'",
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
    with pytest.raises(ArgumentError, match=rf"`n_players`: expected {RANGE} 1.*, got {n_players!r}"):
        captum_spex.explain(smooth_game, n_players, budget=50)


def test_things_that_are_no_game():
    with pytest.raises(ArgumentError, match="`game`: expected a callable from masks to values, got a list"):
        captum_spex.explain([1, 2], 9, budget=50)


@pytest.mark.parametrize(
    ("game", "message"),
    [
        (
            lambda masks: np.zeros(3),
            r"`game`: expected \(50,\) or \(50, n_outputs\).*, got shape \(3,\) for 50 masks",
        ),
        (lambda masks: np.zeros((2, 2, 2)), r"`game`: returned shape \(2, 2, 2\) for 50 masks"),
        (
            lambda masks: np.where(masks.all(axis=1), np.nan, 0.0),
            "`game`: expected finite values, got nan for the mask with all players pres",
        ),
        (
            lambda masks: np.where(masks.any(axis=1), 0.0, np.inf),
            "`game`: expected finite values, got inf for the mask with no player pres",
        ),
        (lambda masks: ["a"] * len(masks), "`game`: expected real numbers, got a list"),
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

    with pytest.raises(GameError, match=r"expected 2 outputs per mask, as in the batches before, got 3"):
        captum_spex.explain(game, 9, budget=50, batch_size=10)


def test_games_that_become_scalar():
    def game(masks):
        return np.zeros((len(masks), 2)) if masks.all(axis=1).any() else np.zeros(len(masks))

    with pytest.raises(GameError, match="expected 2 outputs per mask, as in the batches before, got 1"):
        captum_spex.explain(game, 9, budget=50, batch_size=10)


@pytest.mark.parametrize("masks", [np.ones((2, 8), dtype=bool), np.ones(9, dtype=bool), [[True] * 10]])
def test_masks_of_another_width(masks):
    model = captum_spex.explain(smooth_game, 9, budget=5).model
    with pytest.raises(MaskError, match=r"`masks`: expected \(n_masks, 9\): one column per player.*, got shape .*"):
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
        ({"n_samples": 1}, BudgetError, rf"`n_samples`: expected {RANGE} 2.*, got 1"),
        ({"n_samples": 10.0}, BudgetError, rf"`n_samples`: expected {RANGE} 2.*, got 10.0"),
        ({"n_samples": True}, BudgetError, rf"`n_samples`: expected {RANGE} 2.*, got True"),
        ({"n_samples": "10"}, BudgetError, rf"`n_samples`: expected {RANGE} 2.*, got '10'"),
        ({"perturbations_per_eval": 0}, ArgumentError, rf"`perturbations_per_eval`: expected {RANGE} 1.*, got 0"),
        ({"perturbations_per_eval": 1.0}, ArgumentError, rf"`perturbations_per_eval`: expected {RANGE} 1.*, got 1.0"),
        ({"interaction_index": "XII"}, UnknownNameError, r'expected "SV.*, got \'XII\'", "BV", "SII"'),
        ({"max_order": 0}, OrderError, "`max_order`: expected an integer from 1 to the number of players, 4.*, got 0"),
        ({"max_order": 5}, OrderError, "`max_order`: expected an integer from 1 to the number of players, 4.*, got 5"),
        ({"store": 3}, StoreError, "`store`: expected a path or a `captum_spex.evaluation.Store`, got an int"),
        (
            {"store": "masks.db"},
            StoreError,
            "`store`: expected .*, got a game without a fingerprint; .*Store\\(path, fingerprint",
        ),
        ({"feature_names": ["a", "b"]}, ArgumentError, "expected one for each of the 4 players.*, got 2 names"),
        (
            {"feature_mask": torch.zeros(1, 3, dtype=torch.long)},
            MaskError,
            r"`feature_mask`: expected .*, got shape \(1, 3\); .*\(1, 4\)",
        ),
        (
            {"feature_mask": torch.zeros(3, 4, dtype=torch.long)},
            MaskError,
            r"`feature_mask`: expected .*, got shape \(3, 4\); .*\(2, 4\)",
        ),
        (
            {"feature_mask": torch.zeros(1, 4)},
            MaskError,
            "`feature_mask`: expected .*integer.*, got dtype torch.float32",
        ),
        (
            {"feature_mask": torch.ones(1, 4, dtype=torch.bool)},
            MaskError,
            "`feature_mask`: expected .*, got dtype torch.bool; allowed",
        ),
        (
            {"feature_mask": (torch.arange(4), torch.arange(4))},
            MaskError,
            "`feature_mask`: expected .*, got 2 tensors; .* the 1 inputs",
        ),
        ({"baselines": torch.zeros(3)}, ArgumentError, r"`baselines`: expected .*\(2, 4\).*, got shape \(3,\)"),
        ({"baselines": torch.zeros(3, 4)}, ArgumentError, r"`baselines`: expected .*\(2, 4\).*, got shape \(3, 4\)"),
        ({"baselines": torch.zeros(5, 2, 4)}, ArgumentError, r"`baselines`: expected .*, got shape \(5, 2, 4\)"),
        ({"baselines": (0, 1)}, ArgumentError, "`baselines`: expected one for each of the 1 inputs.*, got 2 baselines"),
        ({"baselines": "zero"}, ArgumentError, "`baselines`: expected a tensor or a number.*, got a str"),
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
        (torch.zeros(0, 4), r"`inputs`: expected at least one example with one feature.*, got shape \(0, 4\)"),
        (torch.zeros(2, 0), r"`inputs`: expected at least one example with one feature.*, got shape \(2, 0\)"),
        (torch.tensor(1.0), r"`inputs`: expected at least one example.*, got shape \(\)"),
        ([X], "`inputs`: expected a tensor or a tuple of tensors.*, got a list"),
        (np.ones((2, 4)), "`inputs`: expected a tensor or a tuple of tensors.*, got a ndarray"),
        ((X, 3), "`inputs`: expected a tensor or a tuple of tensors.*, got a tuple"),
        ((), "`inputs`: expected a tensor or a tuple of tensors.*, got an empty tuple"),
        ((X, torch.ones(3, 4)), "`inputs`: expected the same number in each.*, got 3 and 2 examples"),
    ],
)
def test_inputs(inputs, message):
    model = Model()
    with pytest.raises(ArgumentError, match=message):
        ProxySpex(model).attribute(inputs)
    assert model.calls == 0


def test_masks_of_several_inputs_are_named_by_position():
    masks = (torch.arange(4)[None], torch.arange(3)[None])
    with pytest.raises(MaskError, match=r"`feature_mask\[1\]`: expected .*, got shape \(1, 3\)"):
        ProxySpex(Model()).attribute((X, X), feature_mask=masks)


def test_a_target_is_missing():
    model = Model(n_outputs=3)
    with pytest.raises(
        ArgumentError,
        match=r"`target`: expected .*, got None for a model with 3 outputs; .* 0 to 2.*`multi_output=True`",
    ):
        ProxySpex(model).attribute(X)
    assert model.calls == 1


def test_models_that_lose_rows():
    with pytest.raises(
        GameError, match=r"`forward_func`: returned shape \(3,\) for 2 rows; its first dimension must be"
    ):
        ProxySpex(lambda x: torch.zeros(len(x) + 1)).attribute(X)


def test_models_that_return_nan():
    with pytest.raises(GameError, match="got nan for the mask with all players present"):
        ProxySpex(lambda x: torch.full((len(x),), float("nan"))).attribute(X)

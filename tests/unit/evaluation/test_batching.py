"""Games that plan their batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from games import Blocks, Counting, codes
from numpy.testing import assert_array_equal

from captum_spex.errors import GameError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.masks import all_masks


def size_of(masks):
    return masks.sum(axis=1)


class Planning(Counting):
    """A game that keeps the masks that it planned for."""

    def __init__(self, plan):
        super().__init__(size_of)
        self.plan = plan
        self.planned = []

    def plan_batches(self, masks):
        self.planned.append(masks.copy())
        return self.plan(masks)


def by_size(masks):
    sizes = masks.sum(axis=1)
    return [np.flatnonzero(sizes == size) for size in np.unique(sizes)]


def test_a_game_is_called_in_the_batches_that_it_planned():
    game = Planning(by_size)
    assert_array_equal(Evaluator(game, 3, budget=8)(all_masks(3)).ravel(), size_of(all_masks(3)))
    assert [codes(batch) for batch in game.batches] == [[0], [1, 2, 4], [3, 5, 6], [7]]
    assert_array_equal(game.planned, [all_masks(3)])


def test_plans_are_made_for_new_masks_only():
    game = Planning(by_size)
    evaluate = Evaluator(game, 3, budget=8)
    evaluate(all_masks(3)[[7, 2, 7]])
    assert_array_equal(evaluate(all_masks(3)).ravel(), size_of(all_masks(3)))
    assert [codes(masks) for masks in game.planned] == [[7, 2], [0, 1, 3, 4, 5, 6]]
    assert game.n_rows == evaluate.n_evaluations == 8


def test_a_batch_size_comes_before_a_plan():
    game = Planning(by_size)
    Evaluator(game, 3, budget=8, batch_size=5)(all_masks(3))
    assert [len(batch) for batch in game.batches] == [5, 3]
    assert game.planned == []


def test_blocks_are_unpacked_for_a_plan():
    game = Planning(by_size)
    assert_array_equal(Evaluator(game, 3, budget=8)(Blocks()).ravel(), size_of(all_masks(3)))
    assert_array_equal(game.planned, [all_masks(3)])


def test_evaluations_of_masks_once_more_are_planned_too():
    game = Planning(by_size)
    evaluate = Evaluator(game, 3, budget=16)
    evaluate(all_masks(3))
    masks = all_masks(3)[[5, 0, 6, 7]]
    values = evaluate.again(masks)
    assert_array_equal(sorted(values.ravel()), [0, 2, 2, 3])
    assert [codes(batch) for batch in game.batches[4:]] == [[0], [5, 6], [7]]
    assert evaluate.n_evaluations == 12


def test_values_of_masks_once_more_come_in_the_order_asked_for():
    masks = all_masks(3)[[5, 0, 6, 7, 1]]
    for plan in (by_size, lambda rows: [np.arange(len(rows))[::-1]]):
        assert_array_equal(Evaluator(Planning(plan), 3, budget=16).again(masks).ravel(), size_of(masks))


@pytest.mark.parametrize(
    "plan",
    [
        lambda masks: [list(range(len(masks)))],
        lambda masks: (np.array([row]) for row in range(len(masks))),
        lambda masks: torch.arange(len(masks)).split(3),
        lambda masks: [[], np.arange(len(masks)), np.array([], dtype=int)],
    ],
    ids=["lists", "a generator", "tensors", "empty batches"],
)
@pytest.mark.parametrize("stored", [False, True])
def test_plans_may_come_in_any_form(tmp_path, plan, stored):
    game = Planning(plan)
    with Store(tmp_path / "masks.db", fingerprint="sizes").open(None, 3) as store:
        evaluate = Evaluator(game, 3, budget=8, store=store if stored else None)
        assert_array_equal(evaluate(all_masks(3)).ravel(), size_of(all_masks(3)))
    assert min(len(batch) for batch in game.batches) > 0


@pytest.mark.parametrize(
    "plan",
    [
        lambda masks: [np.arange(len(masks) - 1)],
        lambda masks: [np.arange(len(masks)), np.array([0])],
        lambda masks: [np.arange(1, len(masks)), np.array([1])],
        lambda masks: [np.arange(len(masks)) + 1],
        lambda masks: [np.arange(len(masks)) - 1],
        lambda masks: [],
        lambda masks: [np.ones(len(masks), dtype=bool)],
        lambda masks: [np.arange(len(masks)) + 0.5],
        lambda masks: [masks],
        lambda masks: None,
        lambda masks: list(range(len(masks))),
    ],
    ids=["lost", "more", "repeated", "too high", "negative", "none", "bool", "float", "masks", "None", "flat"],
)
def test_plans_that_lose_or_repeat_rows_are_refused(plan):
    game = Planning(plan)
    with pytest.raises(
        GameError, match=r"`game.plan_batches`: expected arrays of row numbers that hold every row once"
    ):
        Evaluator(game, 3, budget=8)(all_masks(3))
    assert game.n_rows == 0

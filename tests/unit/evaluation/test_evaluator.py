"""The one place where a game is called."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from games import Blocks, Counting, codes
from numpy.testing import assert_allclose, assert_array_equal
from tqdm import tqdm

from captum_spex import checks
from captum_spex.errors import ArgumentError, BudgetError, GameError, MaskError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.masks import all_masks, describe_mask


def size_of(masks):
    return masks.sum(axis=1)


def test_every_distinct_mask_is_evaluated_once():
    game = Counting(size_of)
    evaluate = Evaluator(game, 3, budget=8)
    masks = all_masks(3)[[7, 0, 7, 3, 0]]
    assert_allclose(evaluate(masks).ravel(), [3, 0, 3, 2, 0])
    assert_allclose(evaluate(masks[::-1]).ravel(), [0, 2, 3, 0, 3])
    assert evaluate.n_evaluations == game.n_rows == 3
    assert_allclose(evaluate(all_masks(3)).ravel(), [0, 1, 1, 2, 1, 2, 2, 3])
    assert game.n_rows == game.n_distinct == 8


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 10), (4, [4, 4, 2]), (10, [10]), (99, [10]), (None, [10])])
def test_batches_have_the_size_asked_for(batch_size, sizes):
    game = Counting(size_of)
    values = Evaluator(game, 4, budget=16, batch_size=batch_size)(all_masks(4)[:10])
    assert [len(batch) for batch in game.batches] == sizes
    assert_allclose(values.ravel(), size_of(all_masks(4)[:10]))
    assert codes(game.masks) == list(range(10))


def test_the_budget_is_never_exceeded():
    game = Counting(size_of)
    evaluate = Evaluator(game, 3, budget=5)
    evaluate(all_masks(3)[:4])
    with pytest.raises(BudgetError, match="`masks`: expected at most 1, the rest of the budget of 5, got 2 new masks"):
        evaluate(all_masks(3)[2:6])
    assert game.n_rows == evaluate.n_evaluations == 4
    evaluate(all_masks(3)[:5])
    assert game.n_rows == 5


def test_no_masks_no_call():
    game = Counting(size_of)
    assert Evaluator(game, 3, budget=5)(np.zeros((0, 3), dtype=bool)).size == 0
    assert game.n_rows == 0


@pytest.mark.parametrize(
    "convert",
    [
        lambda values: values.tolist(),
        lambda values: values.astype(np.float32),
        lambda values: values.astype(int),
        lambda values: values[:, None],
        torch.tensor,
        lambda values: torch.tensor(values, dtype=torch.bfloat16),
        lambda values: torch.tensor(values, dtype=torch.float16, requires_grad=True),
        lambda values: torch.tensor(values)[:, None],
        lambda values: [torch.tensor(value) for value in values],
    ],
    ids=["list", "float32", "int", "column", "torch", "bfloat16", "grad", "torch column", "list of tensors"],
)
def test_values_may_come_as_any_array(convert):
    evaluate = Evaluator(lambda masks: convert(size_of(masks).astype(float)), 3, budget=8)
    values = evaluate(all_masks(3))
    assert values.dtype == np.float64
    assert_array_equal(values.ravel(), size_of(all_masks(3)))
    assert not evaluate.has_outputs


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, np.ndarray.tolist])
def test_several_outputs(convert):
    evaluate = Evaluator(lambda masks: convert(np.stack([size_of(masks), -size_of(masks)], axis=1)), 3, budget=8)
    assert_array_equal(evaluate(all_masks(3)[[7, 1, 7]]), [[3, -3], [1, -1], [3, -3]])
    assert evaluate.has_outputs


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_name_their_mask(wrong):
    def game(masks):
        return np.where(masks[:, 1] & ~masks[:, 0] & ~masks[:, 2], wrong, 0.0)

    message = rf"`game`: expected finite values, got {wrong} for the mask with players \[1\] present. 2 "
    with pytest.raises(GameError, match=message):
        Evaluator(game, 3, budget=8, batch_size=2)(all_masks(3))


def test_one_output_that_is_not_finite():
    with pytest.raises(GameError, match="got nan for the mask with no player present"):
        Evaluator(lambda masks: np.where(masks[:, :2] | [True, False], 1.0, np.nan), 3, budget=8)(all_masks(3))


def test_masks_are_described_by_the_shorter_side():
    assert describe_mask(np.ones(5, dtype=bool)) == "all players present"
    assert describe_mask(np.zeros(5, dtype=bool)) == "no player present"
    assert describe_mask(np.array([True, False, False])) == "players [0] present"
    assert describe_mask(np.array([True, False, True])) == "players [1] absent"
    assert describe_mask(np.arange(100) < 30) == f"players {list(range(20))} and 10 more present"


@pytest.mark.parametrize(
    ("game", "shape"),
    [
        (lambda masks: np.zeros(len(masks) + 1), r"\(9,\)"),
        (lambda masks: 1.0, r"\(\)"),
        (lambda masks: np.zeros((len(masks), 2, 2)), r"\(8, 2, 2\)"),
        (lambda masks: np.zeros((len(masks), 0)), r"\(8, 0\)"),
        (lambda masks: [], r"\(0,\)"),
    ],
)
def test_values_of_a_wrong_shape(game, shape):
    with pytest.raises(GameError, match=rf"`game`: expected values of shape \(8,\) or .*, got {shape} for 8 masks"):
        Evaluator(game, 3, budget=8)(all_masks(3))


@pytest.mark.parametrize("value", ["words", None, {"a": 1}])
def test_values_that_are_no_numbers(value):
    with pytest.raises(GameError, match=r"`game`: expected real numbers, got a list"):
        Evaluator(lambda masks: [value] * len(masks), 3, budget=8)(all_masks(3))


def test_the_number_of_outputs_must_stay():
    game = Counting(lambda masks: np.zeros((len(masks), 2 if masks[0, 2] else 3)))
    with pytest.raises(GameError, match="expected 3 outputs per mask, as in the batches before, got 2"):
        Evaluator(game, 3, budget=8, batch_size=4)(all_masks(3))


def test_an_exception_of_the_game_passes_through_with_a_note():
    def game(masks):
        if masks[0, 2]:
            raise ConnectionError("out of memory")
        return size_of(masks)

    evaluate = Evaluator(game, 3, budget=8, batch_size=2)
    with pytest.raises(ConnectionError, match="out of memory") as caught:
        evaluate(all_masks(3))
    [note] = caught.value.__notes__
    assert note == "captum_spex: the game failed on a batch of 2 masks, after 4 of at most 8 evaluations."
    assert evaluate.n_evaluations == 4


def test_after_a_failure_only_what_is_missing_is_evaluated():
    failing = [True]

    def game(masks):
        if masks[0, 2] and failing:
            raise ConnectionError(failing.pop())
        return size_of(masks)

    counting = Counting(game)
    evaluate = Evaluator(counting, 3, budget=8, batch_size=2)
    with pytest.raises(ConnectionError):
        evaluate(all_masks(3))
    assert_allclose(evaluate(all_masks(3)).ravel(), size_of(all_masks(3)))
    assert [codes(batch) for batch in counting.batches] == [[0, 1], [2, 3], [4, 5], [4, 5], [6, 7]]


def test_the_progress_bar_goes_to_standard_error(capsys):
    Evaluator(size_of, 3, budget=8, show_progress=True)(all_masks(3))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "evaluating: 100%" in shown.err
    assert "8/8" in shown.err
    Evaluator(size_of, 3, budget=8)(all_masks(3))
    assert capsys.readouterr().err == ""


def test_a_run_without_a_bar_does_not_wait_for_the_lock_of_bars():
    evaluator_made = threading.Event()

    def make():
        Evaluator(lambda masks: masks.sum(axis=1), 2, budget=4)
        evaluator_made.set()

    with tqdm.get_lock():  # as a forked process leaves it that was killed there
        threading.Thread(target=make, daemon=True).start()
        assert evaluator_made.wait(600)


def test_a_game_must_be_callable():
    with pytest.raises(ArgumentError, match="`game`: expected a callable from masks to values, got an ndarray"):
        Evaluator(np.zeros(8), 3, budget=8)


def test_masks_of_another_width():
    game = Counting(size_of)
    with pytest.raises(MaskError, match=r"`masks`: expected \(n_masks, 3\): one column per player, got shape \(4, 2\)"):
        Evaluator(game, 3, budget=8)(all_masks(2))
    assert game.n_rows == 0


@pytest.mark.parametrize("value", [0, -3, 1.0, True, "5", None])
def test_counts_are_positive_integers(value):
    with pytest.raises(ArgumentError, match=f"`batch_size`: expected an integer of at least 1, got {value!r}"):
        checks.integer("batch_size", value)
    with pytest.raises(BudgetError, match=f"`budget`: expected an integer of at least 2, got {value!r}. The game"):
        checks.budget("budget", value)


def test_numpy_integers_are_integers():
    assert checks.integer("batch_size", np.int32(3)) == checks.budget("budget", np.int64(3)) == 3


# --- masks that are laid out block by block ---------------------------------------------------------------------------


class PackedGame:
    """A game that prefers its masks packed."""

    def __init__(self):
        self.sizes = []

    def __call__(self, masks):
        raise TypeError("asked for unpacked masks")

    def evaluate_packed(self, block):
        self.sizes.append(len(block))
        return size_of(block.unpack())


def test_blocks_are_unpacked_for_a_plain_game():
    game = Counting(size_of)
    evaluate = Evaluator(game, 3, budget=8, batch_size=3)
    assert_allclose(evaluate(Blocks()).ravel(), size_of(all_masks(3)))
    assert [len(batch) for batch in game.batches] == [3, 3, 2]
    assert_array_equal(game.masks, all_masks(3))


def test_blocks_stay_packed_for_a_game_that_takes_them_so():
    game = PackedGame()
    evaluate = Evaluator(game, 3, budget=8, batch_size=3)
    assert_allclose(evaluate(Blocks()).ravel(), size_of(all_masks(3)))
    assert game.sizes == [3, 3, 2]
    assert evaluate.n_evaluations == 8


def test_blocks_and_arrays_share_what_was_evaluated():
    game = Counting(size_of)
    evaluate = Evaluator(game, 3, budget=8)
    evaluate(all_masks(3)[[7, 2]])
    assert_allclose(evaluate(Blocks()).ravel(), size_of(all_masks(3)))
    assert game.n_rows == game.n_distinct == 8


@pytest.mark.parametrize(
    ("values", "came"),
    [(None, "expected real numbers, got None"), (np.ones(8) * 1j, "complex"), (torch.ones(8) * 1j, "complex")],
)
def test_values_are_real_numbers(values, came):
    with pytest.raises(GameError, match=came):
        Evaluator(lambda masks: values, 3, budget=8)(all_masks(3))


def test_many_small_batches_are_kept_in_order():
    evaluator = Evaluator(size_of, 10, budget=1024, batch_size=1)
    assert_allclose(evaluator(all_masks(10)).ravel(), all_masks(10).sum(axis=1))
    assert evaluator.n_evaluations == 1024


# --- stores -----------------------------------------------------------------------------------------------------------


def opened(path, n_players=3):
    return Store(path, fingerprint="sizes").open(None, n_players)


def test_a_store_is_asked_before_and_told_after_every_batch(tmp_path):
    held = []

    def game(masks):
        held.append(store.n_added)
        return size_of(masks)

    with opened(tmp_path / "masks.db") as store:
        Evaluator(game, 3, budget=8, batch_size=3, store=store)(all_masks(3))
    assert held == [0, 3, 6]
    assert (store.n_found, store.n_added) == (0, 8)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_batch_of_which_some_is_stored_evaluates_the_rest(tmp_path, n_outputs):
    def outputs(masks):
        return np.stack([size_of(masks), masks[:, 0] * 5.0][:n_outputs], axis=1)

    known, order = all_masks(3)[[6, 1, 3]], [7, 1, 0, 6, 2, 3]
    with opened(tmp_path / "masks.db") as store:
        Evaluator(outputs, 3, budget=8, store=store)(known)
    game = Counting(outputs)
    with opened(tmp_path / "masks.db") as store:
        evaluate = Evaluator(game, 3, budget=8, store=store)
        assert_array_equal(evaluate(all_masks(3)[order]), outputs(all_masks(3)[order]))
    assert codes(game.masks) == [7, 0, 2]
    assert (store.n_found, store.n_added, evaluate.n_evaluations) == (3, 3, 6)
    assert evaluate.has_outputs == (n_outputs > 1)


def test_several_outputs_are_known_from_the_store_alone(tmp_path):
    for times in range(2):
        game = Counting(lambda masks: np.stack([size_of(masks), -size_of(masks)], axis=1))
        with opened(tmp_path / "masks.db") as store:
            evaluate = Evaluator(game, 3, budget=8, store=store)
            evaluate(all_masks(3))
        assert evaluate.has_outputs
        assert game.n_rows == (8 if times == 0 else 0)


def test_evaluations_of_masks_once_more_are_stored_as_such(tmp_path):
    """Their values are neither those of the first time, nor found instead of them."""
    noise = np.random.default_rng(0)
    runs = []
    for _ in range(2):
        game = Counting(lambda masks: noise.normal(size=len(masks)))
        with opened(tmp_path / "masks.db") as store:
            evaluate = Evaluator(game, 3, budget=20, batch_size=3, store=store)
            runs.append([evaluate(all_masks(3)), *(evaluate.again(all_masks(3)[[4, 1, 0, 2]]) for _ in range(3))])
            assert evaluate.n_evaluations == 20
        runs[-1] = np.concatenate(runs[-1]).ravel()
    assert game.n_rows == 0
    assert_array_equal(runs[0], runs[1])
    assert len(set(runs[0])) == 20


def test_after_a_failure_the_store_holds_the_batches_before(tmp_path):
    def game(masks):
        if masks[0, 2]:
            raise ConnectionError("out of memory")
        return size_of(masks)

    with opened(tmp_path / "masks.db") as store:
        with pytest.raises(ConnectionError):
            Evaluator(game, 3, budget=8, batch_size=2, store=store)(all_masks(3))
        assert store.n_added == 4
    counting = Counting(size_of)
    with opened(tmp_path / "masks.db") as store:
        Evaluator(counting, 3, budget=8, batch_size=2, store=store)(all_masks(3))
    assert codes(counting.masks) == [4, 5, 6, 7]


def test_the_bar_ends_when_the_evaluator_is_closed(capsys):
    with Evaluator(size_of, 3, budget=8, show_progress=True, batch_size=2) as evaluate:
        evaluate(all_masks(3)[:4])
        evaluate(all_masks(3))
    shown = capsys.readouterr().err
    assert "8/8" in shown
    assert shown.endswith("\n")
    evaluate.close()
    assert capsys.readouterr().err == ""


def test_evaluating_again_counts_and_keeps_what_was_known():
    game = Counting(lambda masks: np.full(len(masks), float(len(game.batches))))
    evaluator = Evaluator(game, 4, budget=10, batch_size=2)
    masks = all_masks(4)[:6]
    assert_array_equal(evaluator(masks).ravel(), [1, 1, 2, 2, 3, 3])
    assert_array_equal(evaluator.again(masks[:3]).ravel(), [4, 4, 5])
    assert evaluator.n_evaluations == 9
    assert_array_equal(evaluator(masks).ravel(), [1, 1, 2, 2, 3, 3])
    with pytest.raises(BudgetError, match="`masks`: expected at most 1, the rest of the budget of 10, got 2 masks"):
        evaluator.again(masks[:2])

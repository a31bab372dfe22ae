"""Arguments of metrics that cannot be used are refused before the first evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from games import planted_spectrum
from oracles import every_mask
from slow_metrics import two_outputs

from captum_spex import metrics
from captum_spex.errors import ArgumentError, GameError, MaskError, UnknownNameError
from captum_spex.model import GameModel


def never(masks):
    raise AssertionError("evaluated")


BAD_CALLS = {
    "nobody tells": (lambda: metrics.faithfulness({(0,): 1.0}, never), ArgumentError,
        "`n_players`: expected the number of players, which no other argument gives, got None."),
    "two widths": (lambda: metrics.faithfulness([1.0, 2.0], never, n_players=3), MaskError,
        "`explained`: expected 3 players, as in `n_players`, got 2 players."),
    "masks of another width": (lambda: metrics.faithfulness([1.0, 2.0], never, masks=every_mask(3)), MaskError,
        "`explained`: expected 3 players, as in `masks`, got 2 players."),
    "one mask, flat": (lambda: metrics.faithfulness([1.0, 2.0], never, masks=[True, False]), MaskError,
        "`masks`: expected shape (n_masks, n_players), got shape (2,)."),
    "too few masks": (lambda: metrics.faithfulness([1.0, 2.0], never, masks=[[True, False]]), MaskError,
        "`masks`: expected at least 2 masks, got 1 masks."),
    "values without masks": (lambda: metrics.faithfulness([1.0, 2.0], [1.0, 2.0]), ArgumentError,
        "`game`: expected a callable, or the values of given `masks`, got a list."),
    "values too few": (lambda: metrics.faithfulness([1.0, 2.0], [1.0], masks=every_mask(2)), ArgumentError,
        "`game`: expected finite values (4,) or (4, n_outputs), got values of shape (1,)."),
    "values nan": (lambda: metrics.faithfulness([1.0], [1.0, np.nan], masks=every_mask(1)), ArgumentError,
        "`game`: expected finite values (2,) or (2, n_outputs), got values that are not finite."),
    "values of words": (lambda: metrics.faithfulness([1.0], ["a", "b"], masks=every_mask(1)), ArgumentError,
        "`game`: expected real numbers, got a list (dtype <U1)."),
    "complex values": (lambda: metrics.faithfulness([1.0], [1j, 0.0], masks=every_mask(1)), ArgumentError,
        "`game`: expected real numbers, got a list (dtype complex128)."),
    "a word for a value": (lambda: metrics.faithfulness({(0,): "a"}, never, n_players=2), ArgumentError,
        "`explained`: expected real numbers, got a list (dtype <U1)."),
    "predicted words": (lambda: metrics.faithfulness(lambda m: ["a"] * len(m), never, n_players=2), ArgumentError,
        "`explained`: expected real numbers, got a list (dtype <U1)."),
    "no masks": (lambda: metrics.faithfulness([1.0, 2.0], never, n_masks=0), ArgumentError,
        "`n_masks`: expected an integer of at least 1, got 0."),
    "seed": (lambda: metrics.faithfulness([1.0, 2.0], never, random_state="a"), ArgumentError,
        "`random_state`: expected None, an integer of at least 0, or a NumPy `Generator` or `SeedSequence`, got 'a'."),
    "share": (lambda: metrics.data_modelling_score([1.0, 2.0], never, share=1.0), ArgumentError,
        "`share`: expected a number between 0 and 1, got 1.0."),
    "text": (lambda: metrics.faithfulness("model", never, n_players=2), ArgumentError,
        "`explained`: expected a result, a mapping {players: value}, or attributions (n_players,), got a str."),
    "nothing": (lambda: metrics.faithfulness(None, never, n_players=2), ArgumentError,
        "`explained`: expected a result, a mapping {players: value}, or attributions (n_players,), got None."),
    "attribution nan": (lambda: metrics.ranking([1.0, np.nan]), ArgumentError,
        "`explained`: expected finite values, got nan."),
    "named players": (lambda: metrics.faithfulness({("never",): 1.0}, never, n_players=2), ArgumentError,
        "`explained`: expected players by their numbers, got ('never',)."),
    "player out of range": (lambda: metrics.faithfulness({(0, 5): 1.0}, never, n_players=3), MaskError,
        "`explained`: expected 0 to 2, as there are 3 players, got player 5."),
    "negative player": (lambda: metrics.faithfulness({(-1,): 1.0}, never, n_players=3), MaskError,
        "`explained`: expected players from 0 on, got player -1."),
    "a set twice": (lambda: metrics.agreement({(0, 1): 1.0, (1, 0): 2.0}, {(0,): 1.0}), ArgumentError,
        "`explained`: expected one finite number for each set, got a set of players twice."),
    "predictions of another length": (lambda: metrics.faithfulness(lambda m: [1.0], never, n_players=3), ArgumentError,
        "`explained`: expected finite predictions (8,) or (8, n_outputs), got predictions of shape (1,)."),
    "predictions nan": (lambda: metrics.faithfulness(lambda m: m[:, 0] * np.nan, never, n_players=2), ArgumentError,
        "`explained`: expected finite predictions (4,) or (4, n_outputs), got predictions that are not finite."),
    "kind": (lambda: metrics.greedy_ranking([1.0, 2.0], "deletion"), UnknownNameError,
        "`kind`: expected 'insertion', 'removal', got 'deletion'."),
    "several outputs": (lambda: metrics.greedy_ranking(two_outputs, n_players=10), ArgumentError,
        "`explained`: expected one output, got 2 outputs. Choose one, such as `results[0]`."),
    "no single player": (lambda: metrics.ranking({(0, 1): 1.0}, 2), ArgumentError,
        "`explained`: expected first-order values, got no value of a single player."),
    "size": (lambda: metrics.most_influential([1.0, 2.0], [3]), ArgumentError,
        "`sizes`: expected 1 to 2, the number of players, got 3."),
    "size 0": (lambda: metrics.most_influential([1.0, 2.0], [0]), ArgumentError,
        "`sizes`: expected an integer of at least 1, got 0."),
    "a player twice": (lambda: metrics.insertion_curve([0, 1, 1], never), ArgumentError,
        "`ranked`: expected all players, 0 to 2, once each, got [0, 1, 1]. "
        "Integers are an order; attributions, which are ranked, must be floats."),
    "steps": (lambda: metrics.removal_curve([0, 1], never, n_steps=0), ArgumentError,
        "`n_steps`: expected an integer of at least 1, got 0."),
    "no game": (lambda: metrics.removal_curve([0, 1], [1.0, 2.0]), ArgumentError,
        "`game`: expected a callable, or the values of given `masks`, got a list."),
    "removed": (lambda: metrics.removal([[4]], never, n_players=3), MaskError,
        "`removed`: expected 0 to 2, as there are 3 players, got player 4."),
    "nothing known": (lambda: metrics.recovery({(0, 1): 1.0}, []), ArgumentError,
        "`known`: expected one or more sets of at least `min_order` = 2 players, got no set."),
    "a known player": (lambda: metrics.recovery({(0, 1): 1.0}, [(0,)]), ArgumentError,
        "`known`: expected one or more sets of at least `min_order` = 2 players, got (0,)."),
    "counted": (lambda: metrics.recovery({(0, 1): 1.0}, [(0, 1)], counted="words"), UnknownNameError,
        "`counted`: expected 'interactions', 'players', got 'words'."),
    "k": (lambda: metrics.agreement([1.0], [1.0], 0), ArgumentError,
        "`k`: expected an integer of at least 1, got 0."),
    "annotated": (lambda: metrics.recovery_rate({(0, 1): 1.0}, []), ArgumentError,
        "`annotated`: expected one or more players, got no player."),
    "a model has no terms": (lambda: metrics.recovery(GameModel((planted_spectrum(4, 2, 2, 0),)), [(0, 1)]),
        ArgumentError, "`explained`: expected a result, a mapping {players: value}, or attributions (n_players,), got "
        "a GameModel. Use `model.spectrum(k)`."),
    "terms that do not add up": (
        lambda: metrics.faithfulness(planted_spectrum(4, 2, 2, 0).to_index("Fourier"), never), ArgumentError,
        "`explained`: expected a result, whose model predicts, got terms of the index 'Fourier'. "
        "Terms of this index do not add up."),
}  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_input_is_found_before_the_first_evaluation(call, kind, message):
    with pytest.raises(kind) as raised:
        call()
    assert str(raised.value) == message


def test_tensors_and_numbers_of_numpy_are_numbers():
    values = torch.tensor([0.0, 1.0, 2.0, 3.0], requires_grad=True)
    explained = torch.nn.Linear(2, 1)
    masks = every_mask(2)
    found = metrics.faithfulness(lambda m: explained(torch.tensor(m, dtype=torch.float32)), values, masks=masks)
    assert np.isfinite(float(found))
    metrics.data_modelling_score([1.0, 2.0], lambda m: m[:, 0], share=np.float32(0.5), random_state=0)


def test_another_number_of_outputs():
    with pytest.raises(ArgumentError, match=r"predictions of 2 outputs, as the game has, got predictions of 1\."):
        metrics.faithfulness(np.ones(10), two_outputs)


def test_values_of_the_game_are_checked():
    with pytest.raises(GameError, match="got nan for the mask"):
        metrics.insertion_curve([0, 1], lambda m: m[:, 0] * np.nan)


@pytest.mark.parametrize("record", [metrics.insertion_curve([0], lambda m: 1.0 * m[:, 0]), metrics.Score(1.0, 2)])
def test_records_are_frozen(record):
    with pytest.raises(AttributeError):
        record.n_evaluations = 0

"""The averaged process, against conditioning and leaving out written from the definitions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from games import smooth_game
from numpy.testing import assert_allclose

import captum_spex
from captum_spex.approximators import ProxySpex
from captum_spex.approximators.proxyspex.averaged_process import AveragedProcess
from captum_spex.approximators.proxyspex.proxy import FittedProxy, ProxyData
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.designs import enumerate_and_spread
from captum_spex.model import GameModel
from captum_spex.statistics import Standardised


def data_of(n: int, n_masks: int, *, paired: bool = False, noise: float = 0.0) -> ProxyData:
    rng = np.random.default_rng(0)
    masks = enumerate_and_spread(n, n_masks, rng, level=0, paired=paired).masks
    values = np.column_stack([smooth_game(masks), rng.normal(size=n_masks)])
    spread = np.full(n_masks, noise)
    return ProxyData(masks, Standardised.of(values).values, spread, rng, torch.device("cpu"))


def slow_kernel(masks: np.ndarray, others: np.ndarray, amplitudes: tuple[float, ...]) -> np.ndarray:
    """The kernel without what is different in every mask."""
    sizes, main_effects, interactions, _, _ = amplitudes
    n = masks.shape[1]
    found = np.empty((len(masks), len(others)))
    for (i, one), (j, other) in product(enumerate(masks), enumerate(others)):
        share, mine = one.sum() / n, other.sum() / n
        curve = np.exp(-share - mine) + np.exp(-(1 - share) - (1 - mine))
        same = np.where(one == other, 1.0, -1.0).mean()
        decay = np.exp(-SETTINGS.averaged_decay * (one != other).mean())
        found[i, j] = SETTINGS.averaged_mean + sizes * curve + main_effects * same + interactions * decay
    return found


def slow_fit(
    data: ProxyData, rows: np.ndarray, amplitudes: tuple[float, ...], asked: np.ndarray, column: int
) -> tuple[float, np.ndarray]:
    """Log-evidence of some rows, and the prediction of masks."""
    masks, values = data.masks[rows], data.values[rows, column]
    is_end = masks.all(axis=1) | ~masks.any(axis=1)
    total = slow_kernel(masks, masks, amplitudes) + np.diag(amplitudes[3] + amplitudes[4] * is_end + data.noise[rows])
    solved = np.linalg.solve(total, values)
    evidence = -np.linalg.slogdet(total)[1] / 2 - len(rows) / 2 * np.log(values @ solved / len(rows))
    return evidence, slow_kernel(asked, masks, amplitudes) @ solved


def slow_mixture(data: ProxyData, rows: np.ndarray, asked: np.ndarray, column: int) -> np.ndarray:
    fits = [slow_fit(data, rows, one, asked, column) for one in product(*SETTINGS.averaged_amplitudes)]
    shares = np.exp([evidence for evidence, _ in fits] - max(evidence for evidence, _ in fits))
    return shares / shares.sum() @ np.array([predicted for _, predicted in fits])


def fitted(data: ProxyData) -> FittedProxy:
    (found,) = AveragedProcess().surrogates(data, ())
    return found


def test_predictions_are_those_of_the_mixture() -> None:
    data = data_of(7, 12, noise=0.1)
    asked = np.random.default_rng(1).random((20, 7)) < 0.5
    for column, parts in enumerate(fitted(data).parts):
        expected = slow_mixture(data, np.arange(12), asked, column)
        assert_allclose(GameModel(parts)(asked), expected, atol=1e-5)  # what is different at an end fades to 3e-7


@pytest.mark.parametrize("paired", [True, False])
def test_left_out_is_learnt_without_the_mask_and_its_complement(paired: bool) -> None:
    data = data_of(7, 12, paired=paired)
    found = fitted(data)
    for row, mask in enumerate(data.masks):
        is_partner = (data.masks == ~mask).all(axis=1) & (0 < mask.sum() < 7)
        others = np.flatnonzero(~((data.masks == mask).all(axis=1) | is_partner))
        for column in range(2):
            assert_allclose(
                found.left_out[row, column], slow_mixture(data, others, mask[None], column)[0], atol=1e-5, rtol=1e-5
            )


def test_reused_shares_the_weights_of_the_kernels() -> None:
    found = fitted(data_of(7, 12))
    assert found.reused.shape == found.left_out.shape
    assert not np.allclose(found.reused, found.left_out, atol=1e-4)
    assert_allclose(found.reused, found.left_out, atol=1.0)


def test_it_takes_no_part_where_single_players_can_be_enumerated() -> None:
    assert not AveragedProcess().surrogates(data_of(7, 24), ())
    assert AveragedProcess().surrogates(data_of(7, 18), ())


def test_it_takes_no_part_where_there_are_too_many_masks() -> None:
    rng = np.random.default_rng(0)
    masks = rng.random((SETTINGS.averaged_masks + 1, 300)) < 0.5
    data = ProxyData(masks, rng.normal(size=(len(masks), 1)), np.zeros(len(masks)), rng, torch.device("cpu"))
    assert not AveragedProcess().surrogates(data, ())


@pytest.mark.parametrize("budget", [4, 5, 9, 15, 20])
def test_few_masks_are_learnt_from(budget: int) -> None:
    weights = np.linspace(1, 3, 12)

    def game(masks: np.ndarray) -> np.ndarray:
        return masks @ weights

    result = captum_spex.explain(game, 12, budget=budget, random_state=0)
    assert np.isnan(result.faithfulness) == (budget < 16)
    values = result.first_order()
    assert_allclose(values.sum(), weights.sum())
    assert ((values - weights) ** 2).sum() <= 1.01 * ((weights.mean() - weights) ** 2).sum()
    assert result.std_errors is not None
    assert (result.std_errors > 0).all()


def test_a_sum_is_found_with_one_mask_more_than_players() -> None:
    weights = np.random.default_rng(3).normal(size=30)
    result = captum_spex.explain(lambda masks: masks @ weights, 30, budget=32, random_state=0)
    assert ((result.first_order() - weights) ** 2).sum() < 0.05 * (weights**2).sum()


def test_errors_shrink_with_masks() -> None:
    few, more = (captum_spex.explain(smooth_game, 20, budget=budget, random_state=0).std_errors for budget in (8, 30))
    assert few is not None
    assert more is not None
    assert more.mean() < few.mean()


def test_noise_is_not_interpolated() -> None:
    result = captum_spex.explain(smooth_game, 20, budget=24, approximator=ProxySpex(noisy=True), random_state=0)
    assert np.isfinite(result.values).all()


@pytest.mark.parametrize("n_masks", [13, 14, 15])
def test_four_players_are_learnt_until_other_proxies_can(n_masks: int) -> None:
    found = captum_spex.explain(lambda masks: masks @ np.arange(4.0), 4, budget=n_masks, random_state=0)
    assert "averaged process" in found.diagnostics["proxy"]
    assert_allclose(found.top(4, order=1)[(3,)], 3.0, atol=0.1)

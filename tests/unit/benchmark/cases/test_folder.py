"""Exact games in a folder: damaged files are named, and the others load."""

from __future__ import annotations

import json
import os
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from games import random_table
from numpy.testing import assert_allclose, assert_array_equal

from captum_spex.benchmark.cases import catalogue, from_folder
from captum_spex.errors import ArgumentError
from captum_spex.indices import resolve_index
from captum_spex.masks import all_masks


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
    assert set(found).isdisjoint(source.name for source in catalogue())


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


def powerset(n_players):
    """The masks of n players in the order of shapiq: by size, then by their players."""
    sets = [players for size in range(n_players + 1) for players in combinations(range(n_players), size)]
    return np.array([np.isin(range(n_players), players) for players in sets])


def save_shapiqs(path, size=4, **content):
    """A table as the precomputed games of shapiq hold them."""
    masks = powerset(size)
    values = random_table(size, 1)[masks @ (1 << np.arange(size))]
    whole = {"values": values, "coalitions": masks, "n_players": np.asarray(size), "normalization_value": values[0]}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **(whole | content))


@pytest.mark.parametrize("kind", [bool, np.int64, np.float32])
def test_tables_of_shapiq_say_of_which_mask_a_value_is(tmp_path, kind):
    folder = tmp_path / "precomputed_games"
    save_shapiqs(folder / "ImageClassifier_Game" / "4" / "model_name=vit_1.npz", coalitions=powerset(4).astype(kind))
    save_shapiqs(folder / "SOUM_Game" / "3" / "1.npz", 3)
    sources, problems = from_folder(folder)
    assert problems == []
    found = {source.name: (source.family, source.n_players) for source in sources}
    assert found == {
        "ImageClassifier_Game/4/model_name=vit_1": ("ImageClassifier_Game", 4),
        "SOUM_Game/3/1": ("SOUM_Game", 3),
    }
    case = sources[0].load()
    assert_array_equal(case.game(all_masks(4)), random_table(4, 1)[all_masks(4) @ (1 << np.arange(4))])
    assert_allclose(case.truth(all_masks(4)), case.game(all_masks(4)), rtol=1e-9)
    deeper, _ = from_folder(folder / "ImageClassifier_Game" / "4")
    assert deeper[0].family == "ImageClassifier_Game"


# --- Möbius coefficients ----------------------------------------------------------------------------------------------


def moebius_values(coefficients, masks):
    return [sum(v for players, v in coefficients.items() if mask[list(players)].all()) for mask in masks]


COEFFICIENTS = {(): 0.5, (1,): 1.0, (0, 3): -2.0, (0, 1, 4): 0.25}


def save_shapiqs_moebius(path, facts=(), **content):
    """A file as `shapiq.InteractionValues.save` writes it."""
    names = {players: ",".join(map(str, players)) or "Empty" for players in COEFFICIENTS}
    metadata = {"n_players": 5, "index": "Moebius", "max_order": 3, "min_order": 0, "baseline_value": 0.5}
    data = {names[players]: value for players, value in COEFFICIENTS.items()}
    whole = {"object_name": "InteractionValues", "version": "1.8.0", "metadata": metadata | dict(facts), "data": data}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole | content))


def test_moebius_coefficients_are_exact_games(tmp_path):
    terms = [[list(players), value] for players, value in COEFFICIENTS.items()]
    save_spectrum(tmp_path / "some" / "ours.json", n_players=5, index="Moebius", terms=terms)
    save_shapiqs_moebius(tmp_path / "graphs" / "32" / "shapiqs.json")
    sources, problems = from_folder(tmp_path)
    assert problems == []
    assert {(one.name, one.family) for one in sources} == {("some/ours", "spectra"), ("graphs/32/shapiqs", "graphs")}
    for source in sources:
        assert source.about.startswith("Möbius coefficients of 5 players")
        case = source.load()
        assert_allclose(case.game(all_masks(5)), moebius_values(COEFFICIENTS, all_masks(5)))
        assert dict(case.truth.index_terms(resolve_index("Moebius", 3, 5))) == {
            players: value for players, value in COEFFICIENTS.items() if players
        }
        shapley = case.truth.index_terms(resolve_index("SV", 1, 5)).first_order()
        assert_allclose(shapley, [-1.0 + 0.25 / 3, 1.0 + 0.25 / 3, 0.0, -1.0, 0.25 / 3])


def test_the_empty_coefficient_of_shapiqs_may_be_the_baseline_alone(tmp_path):
    save_shapiqs_moebius(tmp_path / "a.json", data={"1": 2.0})
    (source,), _ = from_folder(tmp_path)
    assert_allclose(source.load().game(all_masks(5)[:3]), [0.5, 0.5, 2.5])


DAMAGED_MOEBIUS = {
    "another index": ({"facts": {"index": "SII"}}, "index 'SII', must be 'Fourier' or 'Moebius'"),
    "no index": ({"facts": {"index": None}}, "index 'None', must be"),
    "no player": ({"facts": {"n_players": 0}}, "n_players 0"),
    "other players": ({"data": {"1,5": 1.0}}, "the term [[1, 5], 1.0], must be players 0 to 4"),
    "names": ({"data": {"a,b": 1.0}}, "the term 'a,b', must be players' numbers"),
    "not a number": ({"data": {"1": float("nan")}}, "the coefficient nan"),
    "text": ({"data": {"1": "x"}}, "must be [players, coefficient]"),
    "no data": ({"data": [1, 2]}, "no metadata or no data in it"),
    "no facts": ({"metadata": None}, "no metadata or no data in it"),
    "no players": ({"metadata": {"index": "Moebius"}}, "no 'n_players' in it"),
    "constant": ({"data": {"Empty": 1.0}}, "nothing to explain"),
    "large": (
        {"facts": {"n_players": 80}, "data": {",".join(map(str, range(70))): 1.0}},
        "a Möbius coefficient of 70 players, must be 64 at most",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED_MOEBIUS)
def test_damaged_moebius_coefficients_are_named_and_the_others_load(folder, kind):
    content, reason = DAMAGED_MOEBIUS[kind]
    save_shapiqs_moebius(folder / "some" / "bad.json", **content)
    check_one_damaged(folder, "some/bad.json", reason)


def test_what_shapiq_saves_is_read(tmp_path):
    shapiq = pytest.importorskip("shapiq")
    lookup = {players: row for row, players in enumerate(COEFFICIENTS)}
    saved = shapiq.InteractionValues(
        np.array(list(COEFFICIENTS.values())), index="Moebius", max_order=3, n_players=5, min_order=0,
        interaction_lookup=lookup, baseline_value=0.5,
    )  # fmt: skip
    saved.save(tmp_path / "saved.json")
    (source,), problems = from_folder(tmp_path)
    assert problems == []
    assert_allclose(source.load().game(all_masks(5)), moebius_values(COEFFICIENTS, all_masks(5)))


def twice():
    masks = powerset(4)
    masks[5] = masks[9]
    return masks


DAMAGED_COALITIONS = {
    "a row is missing": (powerset(4)[:-1], "coalitions of shape (15, 4)"),
    "other players": (powerset(5)[:16], "coalitions of shape (16, 5)"),
    "texts": (powerset(4).astype(str), "must be (16, 4) truth values"),
    "a two": (powerset(4) + 1, "other numbers than 0 and 1"),
    "not a number": (np.where(powerset(4), np.nan, 0.0), "other numbers than 0 and 1"),
    "twice": (twice(), "without that of the players [0, 1], and with another one twice"),
}


@pytest.mark.parametrize("kind", DAMAGED_COALITIONS)
def test_damaged_coalitions_are_named_and_the_others_load(folder, kind):
    masks, reason = DAMAGED_COALITIONS[kind]
    save_shapiqs(folder / "some" / "bad.npz", coalitions=masks)
    check_one_damaged(folder, "some/bad.npz", reason)


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
    "another index": ({"index": "SII"}, "index 'SII', must be 'Fourier' or 'Moebius'"),
    "list of indices": ({"index": ["Moebius"]}, "must be 'Fourier' or 'Moebius'"),
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

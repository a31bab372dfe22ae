"""The file of a store: which game it belongs to, and what is refused."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from games import Counting, smooth_game
from hypothesis import given
from hypothesis import strategies as st
from sampled import examples
from stored_games import (
    NOT_TOUCHED,
    Kept,
    StoppedError,
    as_text,
    assert_stopped,
    batch,
    explain,
    two_outputs,
    uninterrupted,
)

from captum_spex.errors import GameError, StoreError
from captum_spex.evaluation.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "masks.db"


# --- another game -----------------------------------------------------------------------------------------------------


def test_a_store_of_another_game_is_refused(path):
    ours, theirs = {"model": "a", "text": "never fails", "more": "x" * 500}, {"model": "b", "text": "never fails"}
    explain(Kept(fingerprint=theirs), store=path)
    before = path.read_bytes()
    game = Kept(fingerprint=ours)
    with pytest.raises(StoreError) as caught:
        explain(game, store=path)
    message = str(caught.value)
    expected = rf"`store`: expected a store of game \w+, got {re.escape(str(path))}, which holds evaluations of game "
    assert re.match(expected, message)
    assert len(set(re.findall(r"\b[0-9a-f]{32}\b", message))) == 2
    assert "model: 'b' in the store, 'a' here" in message
    assert re.search(r"more: nothing in the store, 'x{60}\.\.\.' here", message)
    assert "never fails" not in message
    assert "players" not in message
    assert "Give another file for this game" in message
    assert game.n_rows == 0
    assert path.read_bytes() == before


def test_another_number_of_players_is_another_game(path):
    explain(Kept(), store=path)
    game = Kept()
    with pytest.raises(StoreError, match=r"They differ in players: '9' in the store, '10' here\."):
        explain(game, n=10, store=path)
    assert game.n_rows == 0


def test_the_order_of_a_fingerprints_parts_does_not_matter(path):
    explain(Kept(fingerprint={"model": "a", "text": "b"}), store=path)
    game = Kept(fingerprint={"text": "b", "model": "a"})
    explain(game, store=path)
    assert game.n_rows == 0


@pytest.mark.parametrize(
    ("one", "two"),
    [("a", "b"), ("a", ""), ({"a": "b, c: d"}, {"a": "b", "c": "d"}), ("a", {"game": "a"}), ("é", "e\u0301")],
)
def test_fingerprints_that_look_alike_are_different(path, one, two):
    explain(Kept(fingerprint=one), store=path)
    with pytest.raises(StoreError, match="which holds evaluations of game"):
        explain(Kept(fingerprint=two), store=path)


def test_a_function_needs_a_fingerprint_given(path):
    game = Counting(smooth_game)
    advice = r"got a game without one\. Give `store=captum_spex.evaluation.Store\(path, fingerprint=...\)`"
    with pytest.raises(StoreError, match=advice):
        explain(game, store=path)
    assert game.n_rows == 0
    assert not path.exists()
    first = explain(game, store=Store(path, fingerprint="a smooth game"))
    assert as_text(explain(game, store=Store(str(path), fingerprint="a smooth game"))) == as_text(first)
    assert game.n_rows == 60
    with pytest.raises(StoreError, match="fingerprint: 'a smooth game' in the store, 'another' here"):
        explain(game, store=Store(path, fingerprint="another"))


def test_a_given_fingerprint_comes_before_the_games_own(path):
    explain(Kept(), store=Store(path, fingerprint="given"))
    with pytest.raises(StoreError, match="'given' in the store, 'a smooth game' here"):
        explain(Kept(), store=path)


@pytest.mark.parametrize("wrong", [object(), lambda: "a text", 3.5, ["a"]])
def test_fingerprints_that_are_no_texts(path, wrong):
    """The printed form of an object holds its address, another one in the next process."""
    for game, store in ((Kept(fingerprint=wrong), path), (Kept(), Store(path, fingerprint=wrong))):
        with pytest.raises(StoreError, match="fingerprint"):
            explain(game, store=store)
    assert not path.exists()


def test_a_game_that_changes_its_number_of_outputs_does_not_spoil_its_store(path):
    explain(Kept(), budget=20, store=path)
    with pytest.raises((GameError, StoreError), match="output"):
        explain(Kept(two_outputs), budget=60, batch_size=60, store=path)
    assert as_text(explain(Kept(), store=path)) == uninterrupted(Kept, 60, False)[0]


# --- files that are no stores -----------------------------------------------------------------------------------------


@cache
def whole_store():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.db"
        with Store(path, fingerprint="x").open(None, 100) as store:
            for seed in range(40):
                store.add(*batch(100, 50, seed))
        return path.read_bytes()


def other_database(path, **pragmas):
    with closing(sqlite3.connect(path)) as connection:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name} = {value}")
        connection.execute("CREATE TABLE game (fingerprint TEXT)")
        connection.commit()
    return path.read_bytes()


def assert_refused_untouched(path, message=""):
    before = path.read_bytes()
    game = Kept()
    with pytest.raises(StoreError, match=rf"(?s)`store`: expected .*, got {re.escape(str(path))}.*{message}"):
        explain(game, store=path)
    assert game.n_rows == 0
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"some text\n" * 3, b"some text\n" * 5000, bytes(50_000), b"\x89PNG" + bytes(9000)],
    ids=["empty", "a letter", "short text", "text", "zeros", "picture"],
)
def test_files_of_other_kinds(path, content):
    path.write_bytes(content)
    assert_refused_untouched(path, NOT_TOUCHED)


@pytest.mark.parametrize("pragmas", [{}, {"journal_mode": "WAL"}, {"application_id": 7}, {"page_size": 65536}])
def test_other_databases(path, pragmas):
    other_database(path, **pragmas)
    assert_refused_untouched(path, f"a file of another kind.*{NOT_TOUCHED}")


def test_stores_of_another_format(path):
    path.write_bytes(whole_store())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert_refused_untouched(path, "in format 99")


@given(cut=st.integers(0, len(whole_store()) - 1))
@examples(4)
def test_a_truncated_store(cut):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.db"
        path.write_bytes(whole_store()[:cut])
        assert_refused_untouched(path, f"truncated to {cut} bytes.*{NOT_TOUCHED}")


@pytest.mark.sampled
@pytest.mark.parametrize("page", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("filling", [b"\x00", b"\xff", b"text"])
def test_a_store_with_a_page_of_something_else(path, page, filling):
    content = whole_store()
    size = int.from_bytes(content[16:18], "big")
    start = size * (page - 1) + 100
    path.write_bytes(content[:start] + filling * ((size - 100) // len(filling)) + content[start + size - 100 :])
    assert len(path.read_bytes()) == len(content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"`store`: expected .*, got .*masks\.db"):
        Store(path, fingerprint="x").open(None, 100)
    assert path.read_bytes() == before


@pytest.mark.parametrize("cut", [0, 50, 100, 4096, 5000, 8192])
def test_a_truncated_store_beside_its_log(path, tmp_path, cut):
    """A log that cannot make the file whole again does not change it."""
    with Store(path, fingerprint="x").open(None, 100) as store:
        for seed in range(60):
            store.add(*batch(100, 50, seed))
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.add(*batch(100, 50, 99))
        (tmp_path / "copy").mkdir()
        copy = tmp_path / "copy" / path.name
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    copy.write_bytes(copy.read_bytes()[:cut])
    before = copy.read_bytes()
    with pytest.raises(StoreError, match=r"`store`: expected .*, got .*masks\.db"):
        Store(copy, fingerprint="x").open(None, 100)
    assert copy.read_bytes() == before


def test_a_folder(tmp_path):
    (tmp_path / "file").touch()
    game = Kept()
    with pytest.raises(StoreError, match=r"`store`: expected .*, got .* directory"):
        explain(game, store=tmp_path)
    assert game.n_rows == 0
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("place", ["missing/masks.db", "file/masks.db", "x" * 300])
def test_places_where_no_file_can_be_made(tmp_path, place):
    (tmp_path / "file").write_text("a file, no folder")
    game = Kept()
    with pytest.raises(StoreError, match=r"`store`: expected a path where a file can be made.*, got .*"):
        explain(game, store=tmp_path / place)
    assert game.n_rows == 0
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("locked", ["file", "folder"])
def test_places_that_may_not_be_written(path, locked):
    if locked == "file":
        explain(Kept(), budget=2, store=path)
    place = path if locked == "file" else path.parent
    game = Kept()
    place.chmod(0o500 if locked == "folder" else 0o400)
    try:
        if os.access(place, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(StoreError, match=r"`store`: expected .*, got .*masks\.db"):
            explain(game, store=path)
    finally:
        place.chmod(0o700)
    assert game.n_rows == 0


def test_a_link_that_leads_nowhere(path, tmp_path):
    path.symlink_to(tmp_path / "nothing")
    with pytest.raises(StoreError, match=r"`store`: expected .*, got .*masks\.db"):
        explain(Kept(), store=path)


@pytest.mark.parametrize("wrong", [3, True, b"masks.db", ["masks.db"], lambda: None])
def test_things_that_are_no_path(wrong):
    game = Kept()
    with pytest.raises(
        StoreError, match=r"`store`: expected a path or a `captum_spex.evaluation.Store`.*, got an? \w+"
    ):
        explain(game, store=wrong)
    assert game.n_rows == 0


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b.db", "50%20?x=1#y.db", "é 中.db", "no ending", "-wal"])
def test_any_name_of_a_file(tmp_path, name):
    path = tmp_path / name
    assert_stopped(Kept(stop_after=3), path, batch_size=4)
    game = Kept()
    explain(game, store=path, batch_size=4)
    assert game.n_rows == 48
    assert os.listdir(tmp_path) == [name]


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explain(Kept(), store="masks.db")
    game = Kept()
    explain(game, store=Path("masks.db"))
    assert game.n_rows == 0
    assert os.listdir(tmp_path) == ["masks.db"]


def test_through_a_link_the_same_store(path, tmp_path):
    explain(Kept(), store=path)
    (tmp_path / "link").symlink_to(path)
    game = Kept()
    explain(game, store=tmp_path / "link")
    assert game.n_rows == 0


@pytest.mark.parametrize("n_masks", [1, 2, 4, 8, 12, 16, 20, 32, 64, 1024])
def test_few_octets_are_kept_per_mask(path, n_masks):
    """125 of them are the mask of 1,000 players, 8 its value."""
    with Store(path, fingerprint="x").open(None, 1000) as store:
        for seed in range(2048 // n_masks):
            store.add(*batch(1000, n_masks, seed))
    per_mask = path.stat().st_size / 2048
    assert 133 < per_mask < 200


def test_a_closed_store_says_so(path):
    store = Store(path).open(Kept(), 9)
    store.close()
    store.close()
    with pytest.raises(StoreError, match=r"`store`: expected an open one, got a closed store"):
        store.add(*batch(9, 2))


def test_a_store_is_closed_when_a_run_ends_however_it_ends(path):
    store = Store(path)
    explain(Kept(), store=store, budget=20)
    for error in (StoppedError, KeyboardInterrupt):
        assert_stopped(Kept(stop_after=0, error=error), store, error)
        with pytest.raises(StoreError, match="a closed store"):
            store.add(*batch(9, 2))


def test_a_store_counts_the_last_run_only(path):
    store = Store(path)
    for _ in range(2):
        explain(Kept(), store=store)
    assert (store.n_found, store.n_added) == (60, 0)
    explain(Kept(), store=store, budget=70)
    assert store.n_found + store.n_added == 70

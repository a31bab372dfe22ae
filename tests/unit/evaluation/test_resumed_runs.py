"""Runs with a store: the same result wherever they are stopped, and shared by several processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from games import smooth_game
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sampled import examples, some
from stored_games import (
    PROXY,
    QUICK,
    SMALL_SPEX,
    Kept,
    Planned,
    StoppedError,
    Unrepeatable,
    as_text,
    assert_stopped,
    batch,
    explain,
    two_outputs,
    uninterrupted,
    whole_numbers,
)

import captum_spex
from captum_spex.approximators import Exact, ProxySpex
from captum_spex.errors import ArgumentError, GameError, StoreError
from captum_spex.evaluation import store as stores
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.masks import all_masks


@pytest.fixture
def path(tmp_path):
    return tmp_path / "masks.db"


# --- the same result --------------------------------------------------------------------------------------------------

CASES = {
    "one player": (lambda masks: 2.0 * masks[:, 0], 1, 2, PROXY),
    "8 players": (smooth_game, 8, 100, PROXY),
    "9 players": (smooth_game, 9, 100, PROXY),
    "64 players": (smooth_game, 64, 50, PROXY),
    "65 players": (smooth_game, 65, 50, PROXY),
    "1000 players": (smooth_game, 1000, 40, PROXY),
    "every mask": (smooth_game, 8, 256, Exact()),
    "several rounds": (smooth_game, 12, 96, ProxySpex(QUICK, rounds=3)),
    "noisy": (smooth_game, 12, 100, ProxySpex(QUICK, noisy=True)),
    "spex": (smooth_game, 40, SMALL_SPEX.minimum_budget(40), SMALL_SPEX),
    "several outputs": (two_outputs, 9, 60, PROXY),
    "several outputs, noisy": (two_outputs, 12, 100, ProxySpex(QUICK, noisy=True)),
    "several outputs, every mask": (two_outputs, 8, 256, Exact()),
}
cases = pytest.mark.parametrize(("game", "n", "budget", "approximator"), CASES.values(), ids=CASES)


@pytest.mark.sampled
@cases
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_a_store_changes_only_which_masks_are_evaluated(path, game, n, budget, approximator, batch_size):
    options = {"n": n, "budget": budget, "approximator": approximator, "batch_size": batch_size}
    plain, first, second = Kept(game), Kept(game), Kept(game)
    expected = as_text(explain(plain, **options))
    store = Store(path)
    assert as_text(explain(first, store=store, **options)) == expected
    assert (store.n_found, store.n_added) == (0, plain.n_rows)
    assert_array_equal(first.masks, plain.masks)
    assert as_text(explain(second, store=store, **options)) == expected
    assert (store.n_found, store.n_added, second.n_rows) == (plain.n_rows, 0, 0)


@cases
def test_a_run_resumes_where_it_stopped(path, game, n, budget, approximator):
    options = {"n": n, "budget": budget, "approximator": approximator, "batch_size": max(1, budget // 10)}
    plain = Kept(game)
    expected = as_text(explain(plain, **options))
    half = len(plain.batches) // 2
    first, second = Kept(game, stop_after=half), Kept(game)
    assert_stopped(first, path, **options)
    assert as_text(explain(second, store=path, **options)) == expected
    assert_array_equal(first.masks, np.concatenate(plain.batches[:half]))
    assert_array_equal(second.masks, np.concatenate(plain.batches[half:]))


@given(
    stops=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    kind_and_size=st.sampled_from([(Kept, 1), (Kept, 5), (Kept, 8), (Kept, 60), (Planned, None)]),
    noisy=st.booleans(),
    error=st.sampled_from([StoppedError, KeyboardInterrupt, SystemExit, MemoryError]),
)
def test_however_often_a_run_is_stopped_no_mask_is_evaluated_twice(stops, kind_and_size, noisy, error):
    kind, batch_size = kind_and_size
    options = {"approximator": ProxySpex(QUICK, noisy=noisy), "batch_size": batch_size}
    expected, n_batches, masks = uninterrupted(kind, batch_size, noisy)
    play = Unrepeatable() if noisy else smooth_game
    games = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.db"
        for stop in stops:
            done = sum(len(game.batches) for game in games)
            games.append(kind(play, stop_after=min(stop, n_batches - done - 1), error=error))
            assert_stopped(games[-1], path, error, **options)
        games.append(kind(play))
        assert as_text(explain(games[-1], store=path, **options)) == expected
    assert sorted(mask.tobytes() for game in games for one in game.batches for mask in one) == masks


@examples(0.5)
@given(sizes=st.lists(st.sampled_from([1, 2, 7, 16, 60, None]), min_size=2, max_size=4), stop=st.integers(1, 8))
def test_a_resumed_run_may_have_batches_of_another_size(sizes, stop):
    games = [Planned(whole_numbers, stop_after=stop) for _ in sizes[:-1]] + [Planned(whole_numbers)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.db"
        for game, size in zip(games[:-1], sizes[:-1], strict=True):
            with suppress(StoppedError):
                explain(game, store=path, batch_size=size)
        result = explain(games[-1], store=path, batch_size=sizes[-1])
    assert as_text(result) == as_text(explain(whole_numbers))
    asked = [mask.tobytes() for game in games for one in game.batches for mask in one]
    assert len(asked) == len(set(asked)) == 60


def test_further_evaluations_of_masks_are_found_in_batches_of_another_size(path):
    games = [Kept(), Kept()]
    for game, size in zip(games, (10, 7), strict=True):
        explain(game, n=12, budget=100, approximator=ProxySpex(QUICK, noisy=True), batch_size=size, store=path)
    assert [game.n_rows for game in games] == [100, 0]


def test_a_larger_budget_or_another_seed_evaluates_only_what_is_new(path):
    explain(Kept(), budget=512, approximator=Exact(), store=path)
    for seed in (1, 2):
        game = Kept()
        captum_spex.explain(game, 9, budget=100, approximator=PROXY, random_state=seed, store=path)
        assert game.n_rows == 0


def test_a_batch_whose_values_cannot_be_used_is_not_kept(path):
    def broken(masks):
        return np.where(masks.sum(axis=1) == 4, np.nan, smooth_game(masks))

    first, second = Kept(broken), Kept()
    assert_stopped(first, path, GameError, batch_size=4)
    assert as_text(explain(second, store=path, batch_size=4)) == uninterrupted(Kept, 60, False)[0]
    assert first.n_rows - 4 + second.n_rows == 60


def test_evaluations_that_are_found_count_like_others(path):
    explain(Kept(), store=path)
    store = Store(path)
    with store.open(Kept(), 9):
        evaluate = Evaluator(Kept(), 9, budget=16, store=store)
        ends = all_masks(9)[[0, 511]]
        evaluate(ends)
        assert (evaluate.n_evaluations, store.n_found, store.n_added) == (2, 2, 0)
        with pytest.raises(ArgumentError, match="expected at most 14, the rest of the budget of 16, got 15 new masks"):
            evaluate(all_masks(9)[1:16])


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_values_come_back_to_the_last_bit(values):
    masks = all_masks(5)[: len(values)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.db"
        for _ in range(2):
            with Store(path, fingerprint="some values").open(None, 5) as store:
                found = Evaluator(lambda rows: values[: len(rows)], 5, budget=32, store=store)(masks)
                assert found.tobytes() == np.array(values).tobytes()


class PackedGame(Kept):
    """Takes masks packed where an algorithm lays them out so."""

    def evaluate_packed(self, block):
        return self(block.unpack())


def test_packed_masks_and_bool_arrays_share_a_store(path):
    options = {"n": 40, "budget": SMALL_SPEX.minimum_budget(40), "approximator": SMALL_SPEX, "batch_size": 50}
    first, second = PackedGame(stop_after=3), Kept()
    assert_stopped(first, path, **options)
    assert as_text(explain(second, store=path, **options)) == as_text(explain(Kept(), **options))
    assert first.n_rows == 150
    assert second.n_rows == second.n_distinct
    assert not {mask.tobytes() for mask in first.masks} & {mask.tobytes() for mask in second.masks}


def test_the_bar_counts_stored_evaluations_too(path, capsys):
    explain(Kept(), store=path)
    explain(Kept(stop_after=0), store=path, show_progress=True)
    assert "60/60" in capsys.readouterr().err


# --- several at once --------------------------------------------------------------------------------------------------


def test_two_runs_in_turn_evaluate_every_mask_once(path):
    """Each batch is looked up right before it would be evaluated."""
    games = [Kept(), Kept()]
    with Store(path).open(games[0], 9) as one, Store(path).open(games[1], 9) as two:
        runs = [Evaluator(game, 9, budget=512, store=store) for game, store in zip(games, (one, two), strict=True)]
        for start in range(0, 64, 8):
            values = [run(all_masks(9)[start : start + 8]).ravel() for run in runs[:: 1 - start // 8 % 2 * 2]]
            assert_array_equal(values, [smooth_game(all_masks(9)[start : start + 8])] * 2)
    assert [game.n_rows for game in games] == [32, 32]
    assert (one.n_found, one.n_added, two.n_found, two.n_added) == (32, 32, 32, 32)


def test_who_evaluated_a_mask_keeps_its_value_and_the_first_in_the_file_is_found_later(path):
    masks, values = batch(9, 3)
    with Store(path).open(Kept(), 9) as one, Store(path).open(Kept(), 9) as two:
        one.add(masks, values)
        two.add(masks, values + 1)
    noise = Unrepeatable()
    with Store(path).open(Kept(), 9) as store:
        found = Evaluator(Kept(noise), 9, budget=10, store=store)(masks.unpack())
    assert_array_equal(found, values)
    assert noise.times == {}


CHILD = """
import gc; gc.disable()  # faster imports
import json, os, signal, sys, time
import numpy as np
import captum_spex
from captum_spex.approximators import Exact

class Game:
    fingerprint = "a slow sum"
    def __init__(self, end_after=None, how="exit"):
        self.calls, self.end_after, self.how = [], end_after, how
    def __call__(self, masks):
        if len(self.calls) == self.end_after:
            print(json.dumps(self.calls), flush=True)
            os._exit(0) if self.how == "exit" else os.kill(os.getpid(), signal.SIGKILL)
        self.calls.append([time.monotonic(), None, np.packbits(masks, axis=1).view(">u2").ravel().tolist()])
        time.sleep(0.005)
        self.calls[-1][1] = time.monotonic()
        return masks @ np.arange(9.0) + masks[:, 0] * masks[:, 4]

class Backwards(Game):
    def plan_batches(self, masks):
        return np.array_split(np.arange(len(masks))[::-1], max(1, len(masks) // 8))

def run(path, game):
    size = None if hasattr(game, "plan_batches") else 8
    return captum_spex.explain(game, 9, budget=512, approximator=Exact(), batch_size=size, store=path)
"""


def child(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def calls_of(process):
    printed, _ = process.communicate(timeout=600)
    return [line for line in printed.splitlines() if line]


def test_processes_at_the_same_time_share_a_store(path):
    """Neither evaluates what the other had written when it looked; no batch is lost, none is damaged.

    One begins with the first batch, the other with the last.
    """
    code = """
open(sys.argv[2], "w").close()
while not os.path.exists(sys.argv[3]):
    time.sleep(0.001)
game = Game() if sys.argv[2].endswith("one") else Backwards()
result = run(sys.argv[1], game)
print(json.dumps(game.calls), flush=True)
print(result.to_json(), flush=True)
"""
    ready = [path.with_name("one"), path.with_name("two")]
    processes = [child(code, path, own, other) for own, other in (ready, ready[::-1])]
    (calls, text), (other_calls, other_text) = map(calls_of, processes)
    assert text == other_text
    mine, theirs = ([(*times, frozenset(masks)) for *times, masks in json.loads(one)] for one in (calls, other_calls))
    assert len(frozenset().union(*(masks for *_, masks in mine + theirs))) == 512

    def repeated(calls, others):
        """Batches that the others had written before these looked, which is after the end of the batch before."""
        written = {masks: after for (*_, masks), (after, *_) in pairwise(others)}
        looked = {masks: ended for (_, ended, _), (*_, masks) in pairwise(calls)}
        return sum(looked[masks] > written[masks] for masks in looked.keys() & written.keys())

    assert repeated(mine, theirs) == repeated(theirs, mine) == 0
    game = Kept(fingerprint="a slow sum", stop_after=0)
    assert explain(game, budget=512, approximator=Exact(), store=path).to_json() == text
    n_evaluated = sum(len(masks) for *_, masks in mine + theirs)
    assert n_evaluated < 2 * 512  # they share the work, not only the file; how well, a busy machine decides


@pytest.mark.parametrize("how", some(["kill", "exit"], 1))
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_what_a_process_evaluated_before_it_ended_is_stored(path, how):
    ended = child("run(sys.argv[1], Game(20, sys.argv[2]))", path, how)
    [calls] = calls_of(ended)
    assert ended.returncode == (0 if how == "exit" else -signal.SIGKILL)
    assert path.with_name(path.name + "-wal").stat().st_size > 0
    asked = {code for *_, codes in json.loads(calls) for code in codes}
    store, game = Store(path), Kept(lambda masks: masks @ np.arange(9.0) + masks[:, 0] * masks[:, 4], "a slow sum")
    result = explain(game, budget=512, approximator=Exact(), batch_size=8, store=store)
    assert (store.n_found, game.n_rows, result.n_evaluations) == (160, 352, 512)
    assert not asked & set(np.packbits(game.masks, axis=1).view(">u2").ravel().tolist())
    assert os.listdir(path.parent) == [path.name]


def test_the_files_hold_every_batch_at_any_moment(path, tmp_path):
    """What is on disk while a run goes on, copied after each batch, is a store with all batches so far."""
    copies = []

    def copied(masks):
        folder = tmp_path / str(len(copies))
        folder.mkdir()
        for file in path.parent.glob(path.name + "*"):
            if not file.name.endswith("-shm"):  # shared memory, rebuilt from the log
                shutil.copy(file, folder)
        copies.append(folder / path.name)
        return smooth_game(masks)

    explain(Kept(copied), store=path, batch_size=5)
    assert len(copies) == 12
    for n_batches, copy in enumerate(copies):
        store, game = Store(copy), Kept()
        assert as_text(explain(game, store=store, batch_size=5)) == uninterrupted(Kept, 60, False)[0]
        assert (store.n_found, game.n_rows) == (5 * n_batches, 60 - 5 * n_batches)


def test_a_file_that_another_program_locks_for_long(path, monkeypatch):
    monkeypatch.setattr(stores, "_WAIT_SECONDS", 0.05)

    def locking(masks):
        other.execute("BEGIN EXCLUSIVE")
        return smooth_game(masks)

    explain(Kept(stop_after=None), budget=2, store=path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        with pytest.raises(
            StoreError,
            match=r"`store`: expected a file that can be read and written, got .*is locked.*run again to resume",
        ):
            explain(Kept(locking), store=path)
        with pytest.raises(
            StoreError,
            match=r"`store`: expected an undamaged store that can be read and written, got .*database is locked",
        ):
            Store(path).open(Kept(), 9)
    game = Kept()
    assert as_text(explain(game, store=path)) == uninterrupted(Kept, 60, False)[0]
    assert game.n_rows == 58

"""Games evaluated by other processes: the path through joblib, and what is refused before anything starts."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing

import joblib
import numpy as np
import pytest
import torch
from games import Counting
from joblib.externals.loky import get_reusable_executor
from joblib.parallel import get_active_backend
from numpy.testing import assert_array_equal

import captum_spex
from captum_spex.approximators import BoostedTrees, ProxySpex, Spex
from captum_spex.errors import ArgumentError, GameError, UnknownNameError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.evaluation.transport import Failure, pickled
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.training import from_table
from captum_spex.masks import all_masks

# When a batch fails, loky ends its processes; on a busy machine its own thread may be filling their queue just then.
pytestmark = pytest.mark.filterwarnings("ignore:Exception in thread ExecutorManagerThread")
N = 11
FEW_TREES = BoostedTrees(n_trees=20)
WEIGHTS = np.arange(N) / 8  # sums of eighths are exact in batches of any size


def game(masks):
    return masks[:, :N] @ WEIGHTS + 2.0 * (masks[:, 0] & masks[:, 4])


@pytest.fixture(scope="module", autouse=True)
def two_processes():
    with joblib.parallel_config(n_jobs=2):
        yield
    get_reusable_executor().shutdown(wait=True)


def wait_for_evaluations(path):
    """Until a store holds some."""
    for _ in range(60_000):  # ten minutes, and more on a busy machine
        with closing(sqlite3.connect(path)) as connection:
            if connection.execute("SELECT count(*) FROM evaluations").fetchone() != (0,):
                return
        time.sleep(0.01)
    raise AssertionError("nothing was kept")


class Noted:
    """Writes a file for every batch; may fail on every batch but one with none but the first two players."""

    def __init__(self, folder, plan=None, fail=None, kept=None):
        self.folder, self.fail, self.kept = folder, fail, kept
        if plan:
            self.plan_batches = plan

    def __call__(self, masks):
        (self.folder / f"{threading.get_native_id()}-{time.monotonic_ns()}-{len(masks)}").touch()
        if self.fail is not None and masks[:, 2:].any():
            if self.kept is not None:
                wait_for_evaluations(self.kept)
            raise self.fail()
        return game(masks)

    @property
    def sizes(self):
        return sorted(int(path.name.split("-")[-1]) for path in self.folder.iterdir())


@pytest.mark.parametrize(
    "settings",
    [{}, {"batch_size": 7}, {"approximator": ProxySpex(FEW_TREES, noisy=True)}, {"budget": 2**N}, {"index": "FSII"}],
    ids=["default", "small batches", "evaluated again", "all masks", "index"],
)
def test_the_result_is_that_of_one_process(settings):
    settings = {"budget": 200, "random_state": 3, "approximator": ProxySpex(FEW_TREES), **settings}
    there = captum_spex.explain(game, N, backend="joblib", **settings)
    assert there.to_json() == captum_spex.explain(game, N, **settings).to_json()


def test_packed_masks_and_lazy_layouts():
    def parity(masks):
        return 1.0 * (masks[:, [3, 50, 90]].sum(axis=1) % 2)

    class Packed:
        def __call__(self, masks):
            raise AssertionError("not packed")

        def evaluate_packed(self, masks):
            return 1.0 * (masks.columns(np.array([3, 50, 90])).sum(axis=1) % 2)

    settings = {"budget": 3000, "approximator": Spex(), "index": "Fourier", "max_order": 3, "random_state": 0}
    here = captum_spex.explain(parity, 100, **settings)
    for one in (parity, Packed()):
        assert captum_spex.explain(one, 100, backend="joblib", **settings).to_json() == here.to_json()


def test_several_outputs_as_tensors():
    def two(masks):
        return torch.tensor(np.stack([game(masks), -game(masks)], axis=1), requires_grad=True)

    evaluate = Evaluator(two, N, budget=2**N, backend="joblib")
    masks = all_masks(N)[::-1]
    assert_array_equal(evaluate(masks), np.stack([game(masks), -game(masks)], axis=1))
    assert evaluate.has_outputs
    assert evaluate.n_evaluations == 2**N


def by_halves(masks):
    return np.array_split(np.argsort(masks.sum(axis=1), kind="stable"), 2)


@pytest.mark.parametrize(
    ("plan", "batch_size", "sizes"), [(None, None, [8] * 8), (None, 40, [24, 40]), (by_halves, None, [32, 32])]
)
def test_batches_are_enough_for_the_workers_unless_somebody_says_which(tmp_path, plan, batch_size, sizes):
    noted = Noted(tmp_path, plan)
    values = Evaluator(noted, N, budget=64, batch_size=batch_size, backend="joblib")(all_masks(N)[:64])
    assert_array_equal(values.ravel(), game(all_masks(N)[:64]))
    assert noted.sizes == sizes


def test_the_game_is_loaded_once_by_a_worker(tmp_path):
    class Loaded:
        def __setstate__(self, state):
            self.__dict__.update(state)
            (self.folder / f"{time.monotonic_ns()}").touch()

        def __init__(self):
            self.folder = tmp_path

        def __call__(self, masks):
            return masks[:, 0]

    Evaluator(Loaded(), N, budget=100, batch_size=2, backend="joblib")(all_masks(N)[:100])
    assert 1 <= len(list(tmp_path.iterdir())) <= 2


@pytest.mark.parametrize("name", ["loky", "threading", "multiprocessing", "sequential"])
def test_other_workers_of_joblib(name):
    with joblib.parallel_config(backend=name, n_jobs=2):
        values = Evaluator(game, N, budget=100, batch_size=9, backend="joblib")(all_masks(N)[:100])
    assert_array_equal(values.ravel(), game(all_masks(N)[:100]))


def test_the_store_has_every_batch_at_once(tmp_path):
    masks = all_masks(N)[:200]
    failing = Noted(tmp_path, fail=lambda: ConnectionError("lost"), kept=tmp_path / "kept.db")
    (tmp_path / "of the game").mkdir()
    failing.folder = tmp_path / "of the game"
    with Store(tmp_path / "kept.db", fingerprint="a game").open(game, N) as store:
        with pytest.raises(ConnectionError, match="lost"):
            Evaluator(failing, N, budget=200, batch_size=4, store=store, backend="joblib")(masks)
        n_added = store.n_added
    assert n_added == 4  # the first batch, after which all fail
    counting = Counting(game)
    with Store(tmp_path / "kept.db", fingerprint="a game").open(game, N) as store:
        values = Evaluator(game, N, budget=200, batch_size=4, store=store, backend="joblib")(masks)
        assert (store.n_found, store.n_added) == (n_added, 200 - n_added)
    with Store(tmp_path / "kept.db", fingerprint="a game").open(game, N) as store:
        assert_array_equal(Evaluator(counting, N, budget=200, store=store)(masks), values)
    assert counting.batches == []


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_game_that_cannot_be_pickled_is_refused_before_it_is_called():
    lock, calls = threading.Lock(), []

    def locked(masks):
        calls.append(masks)
        with lock:
            return masks[:, 0]

    with pytest.raises(
        ArgumentError,
        match=r"`game`: expected one that can be sent to .*, got a function .* \(TypeError: .*lock.*RayG",
    ):
        captum_spex.explain(locked, N, budget=100, backend="joblib")
    assert calls == []


def test_a_game_that_a_worker_cannot_load():
    with pytest.raises(
        ArgumentError,
        match=r"`game`: expected a game that workers can build, got one .*No module named 'nowhere'",
    ) as e:
        Evaluator(Unreadable(), N, budget=4, backend="joblib")(all_masks(N)[:4])
    assert "pickle.loads" in "\n".join(e.value.__notes__)


class Unreadable:
    def __reduce__(self):
        return exec, ("import nowhere",)

    def __call__(self, masks):
        return masks[:, 0]


class OddError(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


@pytest.mark.parametrize(
    ("raised", "told", "text"),
    [
        (lambda: KeyError("weights"), KeyError, "weights"),
        (lambda: OddError("this", "that"), GameError, "OddError: this and that in a worker"),
        (lambda: ArgumentError("target", "3", "0 to 2"), ValueError, "`target`: expected 0 to 2, got 3"),
    ],
)
def test_an_error_of_the_game_is_raised_here(tmp_path, raised, told, text):
    noted = Noted(tmp_path, fail=raised)
    with pytest.raises(told, match=text) as caught:
        Evaluator(noted, N, budget=16, batch_size=4, backend="joblib")(all_masks(N)[:16])
    assert "in __call__" in "\n".join(caught.value.__notes__)
    assert "the game failed on a batch of 4 masks" in "\n".join(caught.value.__notes__)


def test_wrong_values_name_their_mask():
    def nan(masks):
        return np.where(masks[:, 1] & ~masks[:, 0], np.nan, 0.0)

    with pytest.raises(GameError, match=r"got nan for the mask with players \[1\] present"):
        Evaluator(nan, N, budget=4, backend="joblib")(all_masks(N)[:4])
    with pytest.raises(GameError, match="`game`: expected real numbers, got None"):
        Evaluator(lambda masks: None, N, budget=4, backend="joblib")(all_masks(N)[:4])


@pytest.mark.parametrize("backend", ["ray", "Joblib", 2, True])
def test_an_unknown_backend(backend):
    with pytest.raises(UnknownNameError, match=f"`backend`: expected None, 'joblib', got {backend!r}. .*RayGame"):
        captum_spex.explain(game, N, budget=100, backend=backend)


def test_games_that_are_not_for_processes():
    table = from_table(all_masks(4), np.zeros(16))
    with pytest.raises(ArgumentError, match=r"`backend`: expected None for a table.*, got 'joblib'"):
        captum_spex.explain(table, backend="joblib")
    remote = RemoteAnswerGame.__new__(RemoteAnswerGame)
    with pytest.raises(
        ArgumentError,
        match="`backend`: expected None for this game, got 'joblib' for a RemoteAnswerGame, which",
    ):
        captum_spex.explain(remote, 4, budget=16, backend="joblib")


def test_a_failure_that_only_the_worker_can_read():
    assert isinstance(Failure(b"not a pickle", "Odd: text", "").error(), GameError)
    assert pickled("game", game)
    assert get_active_backend()[1] == 2


def test_the_death_of_a_process_is_reported():
    def dies(masks):
        if masks[:, 3].any():
            os._exit(1)
        return masks[:, 0] * 1.0

    with joblib.parallel_config(n_jobs=2), pytest.raises(GameError, match=r"a process died .*\.RayGame"):
        captum_spex.explain(dies, 9, budget=60, backend="joblib", random_state=0)

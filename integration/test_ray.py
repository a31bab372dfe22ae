"""Games of Ray actors on a real local cluster: killed workers, stores, errors of workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sampled import either

import captum_spex
from captum_spex.approximators import ProxySpex
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation import RayGame
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.executors.ray_workers import WorkerPool
from captum_spex.evaluation.store import Store
from captum_spex.evaluation.transport import pickled

ray = pytest.importorskip("ray")

N_PLAYERS, N_MASKS, N_KILLS = 12, 240, either(8, 20)
GENEROUS = 1200  # seconds, of which a few are needed: a machine may be busy


class Slow:
    """A game that writes down every batch with its process before it evaluates it; sums of eighths are exact.

    (Sums that are not may differ in the last bit with the size of the batch, in this process too.)
    """

    n_players = N_PLAYERS
    names = tuple(f"player {number}" for number in range(N_PLAYERS))
    fingerprint = "slow products"

    def __init__(self, log: Path | None = None, seconds: float = 0.0) -> None:
        self.log, self.seconds = log, seconds
        note(log, f"built {os.getpid()}")

    def __call__(self, masks):
        note(self.log, f"batch {os.getpid()} " + " ".join(mask.tobytes().hex() for mask in np.packbits(masks, axis=1)))
        time.sleep(self.seconds)
        return masks @ (np.arange(N_PLAYERS) / 8 - 0.5) + 3.0 * (masks[:, 2] & masks[:, 7])


def note(log, line):
    if log is not None:
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{line}\n".encode())
        os.close(file)


def noted(log, kind):
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [line[1:] for line in lines if line[0] == kind]


def builder(log=None, seconds=0.0, make=Slow):
    return lambda: make(log, seconds)


def some_masks(n_masks=N_MASKS, seed=0):
    codes = np.random.default_rng(seed).permutation(1 << N_PLAYERS)[:n_masks]
    return (codes[:, None] >> np.arange(N_PLAYERS) & 1).astype(bool)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=80_000_000,
    )
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a test's module is not installed
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def test_the_result_is_that_of_this_process(tmp_path):
    log = tmp_path / "log"
    with RayGame(builder(log), 2) as game:
        assert (game.n_players, game.names, game.fingerprint) == (N_PLAYERS, Slow.names, Slow.fingerprint)
        there = captum_spex.explain(game, budget=300, random_state=0)
        again = captum_spex.explain(game, budget=300, random_state=0)
    here = captum_spex.explain(Slow(), budget=300, random_state=0)
    assert there.to_json() == again.to_json() == here.to_json()
    built = [process for (process,) in noted(log, "built")]
    assert len(built) == len(set(built)) <= 2  # made once by each
    assert {process for process, *_ in noted(log, "batch")} <= set(built)


def test_values_come_in_order_and_with_all_outputs():
    def build():
        def two(masks):
            time.sleep(0.05 * masks[0, 0])  # later batches may be done before
            return np.stack([masks @ 2.0 ** np.arange(N_PLAYERS), -1.0 * masks[:, 1]], axis=1)

        return two

    masks = some_masks()
    with RayGame(build, 2, batch_size=7) as game:
        values = game(masks)
        assert Evaluator(game, N_PLAYERS, budget=N_MASKS)(masks).shape == (N_MASKS, 2)
        assert game(masks[:0]).shape == (0,)
        assert game.n_players is game.fingerprint is None
    assert_array_equal(values, np.stack([masks @ 2.0 ** np.arange(N_PLAYERS), -1.0 * masks[:, 1]], axis=1))


def test_workers_killed_at_random_points_change_nothing(tmp_path):
    """Runs follow each other, in each a worker is killed at some batch, maybe one that only starts."""
    rng, masks, log = np.random.default_rng(0), some_masks(), tmp_path / "log"
    expected, n_repeated = Slow()(masks), 0
    with RayGame(builder(log, 0.01), 2, batch_size=5, max_retries=10) as game:
        for number in range(N_KILLS):
            n_before = len(noted(log, "batch"))
            with (
                Store(tmp_path / f"{number}.db").open(game, N_PLAYERS) as store,
                Evaluator(game, N_PLAYERS, budget=N_MASKS, store=store) as evaluator,
            ):
                with killing(log, n_before + int(rng.integers(N_MASKS // 5)), rng):
                    values = evaluator(masks)
                assert_array_equal(values.ravel(), expected)
                assert evaluator.n_evaluations == store.n_added == N_MASKS
            batches = [tuple(batch) for _, *batch in noted(log, "batch")[n_before:]]
            assert len(set(batches)) == N_MASKS // 5
            assert len(batches) - len(set(batches)) <= 1  # only what the killed worker had
            n_repeated += len(batches) - len(set(batches))
    print(f"\n{N_KILLS} workers killed, {n_repeated} batches tried again")
    assert n_repeated > 0


@contextmanager
def killing(log, n_batches, rng):
    """Kill a worker as soon as so many batches were begun; no earlier does the run end."""

    def kill():
        while len(noted(log, "batch")) < n_batches:
            time.sleep(0.002)
        kill_a_worker(log, rng)

    thread = threading.Thread(target=kill, daemon=True)  # it waits for ever if the run fails before
    thread.start()
    yield
    thread.join()


def kill_a_worker(log, rng):
    built = [int(process) for (process,) in noted(log, "built")]
    os.kill(int(rng.choice([process for process in built if is_running(process)])), signal.SIGKILL)


def is_running(process):
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_killed_worker_is_replaced_in_an_explanation(tmp_path):
    log = tmp_path / "log"
    with RayGame(builder(log, 0.02), 1, batch_size=10) as game, killing(log, 10, np.random.default_rng(0)):
        result = captum_spex.explain(game, budget=400, random_state=1)
    assert result.to_json() == captum_spex.explain(Slow(), budget=400, random_state=1).to_json()
    assert result.n_evaluations == 400
    assert len(noted(log, "built")) == 2


def test_a_run_resumes_from_its_store_in_this_process_and_back(tmp_path):
    masks, log = some_masks(), tmp_path / "log"
    with Store(tmp_path / "kept.db").open(Slow(), N_PLAYERS) as store:
        Evaluator(Slow(), N_PLAYERS, budget=N_MASKS, store=store)(masks[:100])
    with RayGame(builder(log), 2) as game, Store(tmp_path / "kept.db").open(game, N_PLAYERS) as store:
        values = Evaluator(game, N_PLAYERS, budget=N_MASKS, store=store)(masks)
        assert (store.n_found, store.n_added) == (100, N_MASKS - 100)
    assert_array_equal(values.ravel(), Slow()(masks))
    assert sum(len(batch) for _, *batch in noted(log, "batch")) == N_MASKS - 100
    with Store(tmp_path / "kept.db").open(Slow(), N_PLAYERS) as store:
        assert_array_equal(Evaluator(Slow(), N_PLAYERS, budget=N_MASKS, store=store)(masks), values)
        assert store.n_added == 0


class Planned(Slow):
    def plan_batches(self, masks):
        return np.split(np.argsort(masks.sum(axis=1), kind="stable"), range(16, len(masks), 16))


def test_batches_are_those_that_the_game_plans(tmp_path):
    with RayGame(builder(tmp_path / "there", make=Planned), 2) as game:
        Evaluator(game, N_PLAYERS, budget=N_MASKS)(some_masks())
    Evaluator(Planned(tmp_path / "here"), N_PLAYERS, budget=N_MASKS)(some_masks())
    there, here = ({tuple(batch) for _, *batch in noted(tmp_path / place, "batch")} for place in ("there", "here"))
    assert there == here


def test_the_batch_size_of_a_run_comes_first(tmp_path):
    with RayGame(builder(tmp_path / "there", make=Planned), 2, batch_size=50) as game:
        settings = {"budget": N_MASKS, "approximator": ProxySpex(noisy=True), "random_state": 0, "batch_size": 20}
        there = captum_spex.explain(game, **settings)
        game(some_masks(100))
    here = captum_spex.explain(Planned(tmp_path / "here"), **settings)
    assert there.to_json() == here.to_json()
    there, here = (
        Counter(tuple(batch) for _, *batch in noted(tmp_path / place, "batch")) for place in ("there", "here")
    )
    assert [len(batch) for batch in there - here] == [50, 50]  # those of the game itself
    assert not here - there


def test_a_noisy_game_is_evaluated_again():
    with RayGame(builder(), 2) as game:
        result = captum_spex.explain(game, budget=200, approximator=ProxySpex(noisy=True), random_state=0)
    here = captum_spex.explain(Slow(), budget=200, approximator=ProxySpex(noisy=True), random_state=0)
    assert result.to_json() == here.to_json()


# --- what goes wrong --------------------------------------------------------------------------------------------------


class OddError(Exception):
    """An error that cannot be read again once it is pickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


@pytest.mark.parametrize(
    ("raised", "told"), [(lambda: KeyError("weights"), KeyError), (lambda: OddError("this", "that"), GameError)]
)
def test_an_error_of_the_game_is_raised_here_and_not_tried_again(tmp_path, raised, told):
    log = tmp_path / "log"

    def build():
        def failing(masks):
            note(log, f"batch {os.getpid()}")
            if masks.all(axis=1).any():
                raise raised()
            return masks[:, 0]

        return failing

    masks = np.zeros((8, N_PLAYERS), dtype=bool)
    masks[5] = True
    masks[np.arange(5), np.arange(5)] = True
    masks[6:, 6] = True
    with RayGame(build, 1, batch_size=2) as game:
        with pytest.raises(told) as caught:
            Evaluator(game, N_PLAYERS, budget=8)(masks)
        assert "weights" in str(caught.value) or "this and that" in str(caught.value)
        notes = "\n".join(caught.value.__notes__)
        assert "in failing" in notes
        assert "2 masks, the first with players [4] present; all players present" in notes
        assert len(noted(log, "batch")) == 3
        assert_array_equal(game(masks[:5]), [1, 0, 0, 0, 0])  # the worker lives


def test_a_batch_that_kills_its_workers_is_given_up(tmp_path):
    log = tmp_path / "log"

    def build():
        def deadly(masks):
            note(log, f"batch {os.getpid()}")
            os.kill(os.getpid(), signal.SIGKILL)

        return deadly

    with (
        RayGame(build, 1, max_retries=2) as game,
        pytest.raises(GameError, match="3 workers died while they evaluated the same batch, more than `max_retries`"),
    ):
        game(some_masks(1))
    assert len(noted(log, "batch")) == 3


def test_a_start_that_kills_its_worker_is_given_up():
    with pytest.raises(GameError, match=r"2 workers died while they started.*`max_retries`"):
        RayGame(lambda: os.kill(os.getpid(), signal.SIGKILL), 1, max_retries=1)


def test_a_module_that_the_worker_lacks(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def build():\n    return len\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(ArgumentError, match=r"No module named 'only_here'.*register_pickle_by_value") as caught:
        RayGame(only_here.build, 1)
    assert "pickle.loads" in "\n".join(caught.value.__notes__)


WITHOUT_THIS_PACKAGE = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name == "captum_spex":
            raise ModuleNotFoundError("No module named 'captum_spex'")
sys.meta_path.insert(0, Nothing())
"""


def test_a_worker_that_lacks_this_package_is_not_tried_again(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_THIS_PACKAGE)
    options = {"num_cpus": 1.0, "runtime_env": {"env_vars": {"PYTHONPATH": str(tmp_path)}}}
    pool = WorkerPool(ray, pickled("build_game", builder()), 1, options, max_retries=0)
    with pytest.raises(
        ArgumentError, match=r"fails in a worker \(ModuleNotFoundError: No module named 'captum_spex'\).* install"
    ) as caught:
        pool.wait_for_first()
    assert "in find_spec" in "\n".join(caught.value.__notes__)


def test_a_game_that_cannot_be_made():
    def build():
        raise FileNotFoundError("weights.pt")

    with pytest.raises(ArgumentError, match=r"`build_game`: .*FileNotFoundError: weights.pt") as caught:
        RayGame(build, 2)
    assert "in build" in "\n".join(caught.value.__notes__)
    with pytest.raises(ArgumentError, match=r"`build_game\(\)`: expected a callable from masks to values, got an int"):
        RayGame(lambda: 3, 1)
    lock = threading.Lock()
    with pytest.raises(
        ArgumentError, match=r"`build_game`: expected one that can be sent .*cannot be pickled \(TypeError"
    ):
        RayGame(lambda: lock, 1)


def test_what_the_cluster_does_not_have(cluster):
    with pytest.raises(ArgumentError, match=r"`gpus_per_worker`: expected at most 0, .*, got 1"):
        RayGame(builder(), 1, gpus_per_worker=1)
    with pytest.raises(ArgumentError, match=r"`cpus_per_worker`: expected at most 2, .*, got 64"):
        RayGame(builder(), 1, cpus_per_worker=64)
    with pytest.raises(ArgumentError, match=r"`address`: expected '[\d.:]+', the cluster .*, got '10.1.2.3:6379'"):
        RayGame(builder(), 1, address="10.1.2.3:6379")
    with RayGame(builder(), 3, address=cluster) as game:  # the third has no room
        assert_array_equal(game(some_masks()), Slow()(some_masks()))


def test_a_closed_game():
    with RayGame(builder(), 1) as game:
        pass
    game.close()
    with pytest.raises(ArgumentError, match="closed"):
        game(some_masks(2))


def test_workers_end_with_the_game(tmp_path):
    log = tmp_path / "log"
    with RayGame(builder(log), 2) as game:
        game(some_masks())
    processes = [int(process) for (process,) in noted(log, "built")]
    end = time.monotonic() + GENEROUS
    while any(map(is_running, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_running, processes))


ALONE = """
import sys
import captum_spex
from captum_spex.evaluation import RayGame
from captum_spex.errors import ArgumentError
assert "ray" not in sys.modules
try:
    RayGame(lambda: len, address="127.0.0.1:1")
except ArgumentError as error:
    assert "127.0.0.1:1', where no cluster runs" in str(error) and "ray start --head" in str(error), error
import ray
assert not ray.is_initialized()
if __name__ == "__main__":
    with RayGame(lambda: lambda masks: masks[:, 0] * 2.0, 1, address="local") as game:
        print(captum_spex.explain(game, 3, budget=8)[(0,)])
    assert not ray.is_initialized()
"""


def test_a_cluster_of_its_own_and_one_that_is_not_there(tmp_path):
    (tmp_path / "alone.py").write_text(ALONE)
    command = [sys.executable, "-W", "error", str(tmp_path / "alone.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=GENEROUS, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "2.0"), done.stderr


class OnlyPacked:
    """A game of so many players that masks are never laid out."""

    n_players = 20_000

    def __call__(self, masks):
        raise AssertionError("masks were laid out")

    def evaluate_packed(self, masks):
        return masks.columns(np.array([3, 19_999])) @ np.array([2.0, 1.0])


def test_packed_masks_stay_packed():
    with RayGame(OnlyPacked, n_workers=2) as game:
        result = captum_spex.explain(game, budget=200, random_state=0)
    here = captum_spex.explain(OnlyPacked(), budget=200, random_state=0)
    assert result.to_json() == here.to_json()
    assert set(result.top(2, order=1)) == {(3,), (19_999,)}

"""Games in the processes of a Dask cluster, through joblib."""

from __future__ import annotations

import os

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import captum_spex
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.masks import all_masks

distributed = pytest.importorskip("distributed")

N = 11
MASKS = all_masks(N)[:120]


@pytest.fixture(scope="module", autouse=True)
def two_dask_workers():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        yield


def made_game():
    weights = np.arange(N) / 8  # sums of eighths are exact in batches of any size
    return lambda masks: masks @ weights + 2.0 * (masks[:, 0] & masks[:, 4])


def test_the_result_is_that_of_one_process():
    game, settings = made_game(), {"budget": 200, "random_state": 0}
    there = captum_spex.explain(game, N, backend="joblib", **settings)
    assert there.to_json() == captum_spex.explain(game, N, **settings).to_json()


def test_batches_go_to_other_processes_and_into_the_store(tmp_path):
    def processes(masks):
        return np.full(len(masks), float(os.getpid()))

    def opened():
        return Store(tmp_path / "kept.db", fingerprint="processes").open(processes, N)

    with opened() as store:
        evaluate = Evaluator(processes, N, budget=120, batch_size=7, store=store, backend="joblib")
        values = evaluate(MASKS)
        assert store.n_added == evaluate.n_evaluations == 120
    with opened() as store:
        assert_array_equal(Evaluator(processes, N, budget=120, store=store)(MASKS), values)
    assert os.getpid() not in values


def test_an_error_of_the_game_is_raised_here():
    def failing(masks):
        if masks[:, 2].any():
            raise KeyError("weights")
        return masks[:, 0]

    with pytest.raises(KeyError, match="weights") as caught:
        Evaluator(failing, N, budget=120, batch_size=4, backend="joblib")(MASKS)
    assert "in failing" in "\n".join(caught.value.__notes__)


class Unreadable:
    def __reduce__(self):
        return exec, ("import nowhere",)

    def __call__(self, masks):
        return masks[:, 0]


def test_a_game_that_a_worker_cannot_load():
    with pytest.raises(
        ArgumentError, match=r"`game`: expected a game that workers can build, got one .*No module named 'nowhere'"
    ):
        Evaluator(Unreadable(), N, budget=120, backend="joblib")(MASKS)

"""Many rows of a call: masks and starts are shared, processes change nothing, a failure loses no row that is done."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from bent_models import Bent, Failing, bent
from numpy.testing import assert_allclose, assert_array_equal
from shap_cases import ASKED_ALONE, QUICK, Counted, assert_sums, table

from captum_spex.approximators import ProxySpex
from captum_spex.approximators.proxyspex import Shared
from captum_spex.errors import ArgumentError, GameError
from captum_spex.explainers import ProxySpexExplainer, SpexExplainer
from captum_spex.explainers.many_rows import FEWEST_ROWS, FIRST_ROWS, checked_jobs

BUDGET = 90


def explainer(model=bent, seed=0, approximator=QUICK):
    return ProxySpexExplainer(model, np.zeros((1, 12)), seed=seed, approximator=approximator)


def test_many_rows_add_up_and_spend_what_each_is_allowed():
    x, model = table(FIRST_ROWS + 3, 12), Counted(bent)
    found = explainer(model)(x, max_evals=BUDGET, silent=True)
    assert_sums(found, bent(x))
    assert len(model.rows) <= BUDGET * len(x) + ASKED_ALONE


def test_they_are_explained_as_well_as_alone():
    x, truth = table(FIRST_ROWS + 4, 12), []
    chosen = ProxySpex(rounds=1)
    for row in x:
        truth.append(explainer()(row[None], max_evals=2**12, silent=True).values[0])
    together = explainer(approximator=chosen)(x, max_evals=100, silent=True).values
    alone = np.concatenate([explainer(approximator=chosen)(row[None], max_evals=100).values for row in x])
    errors = [np.linalg.norm(one - truth, axis=1) / np.linalg.norm(truth, axis=1) for one in (together, alone)]
    assert errors[0].mean() < 1.05 * errors[1].mean()


def test_a_seed_gives_the_same_and_no_run_changes_the_explainer():
    x, one = table(FIRST_ROWS + 2, 12), explainer()
    first = one(x, max_evals=BUDGET, silent=True).values
    assert_array_equal(one(x, max_evals=BUDGET, silent=True).values, first)
    assert one.approximator is QUICK
    assert QUICK.shared is None


def test_processes_change_nothing():
    x = table(FIRST_ROWS + 4, 12)
    here = explainer(Bent())(x, max_evals=BUDGET, silent=True)
    there = explainer(Bent())(x, max_evals=BUDGET, silent=True, n_jobs=2)
    assert_array_equal(there.values, here.values)
    assert_array_equal(there.base_values, here.base_values)
    results = explainer(Bent()).interactions(x[:5], max_evals=BUDGET, silent=True, n_jobs=2)
    assert [[one.index for one in row] for row in results] == [["SII", "SII"]] * 5


def test_rows_in_which_others_vary_are_explained_too():
    x = table(2 * FEWEST_ROWS + 3, 12)
    x[:FEWEST_ROWS, 3] = 0.0  # as in the background
    x[FEWEST_ROWS, :] = 0.0
    x[FEWEST_ROWS + 1, 2:] = 0.0
    assert_sums(explainer()(x, max_evals=BUDGET, silent=True), bent(x))


def test_rows_are_alone_where_masks_depend_on_values():
    x = table(FEWEST_ROWS, 12)
    for chosen in (replace(QUICK, rounds=2), replace(QUICK, noisy=True)):
        together = explainer(approximator=chosen)(x, max_evals=BUDGET, silent=True).values
        alone = [explainer(approximator=chosen)(row[None], max_evals=BUDGET).values[0] for row in x]
        assert_array_equal(together, np.stack(alone))
    found = SpexExplainer(bent, np.zeros((1, 12)), seed=0)(x, max_evals=2**12, silent=True)
    assert_sums(found, bent(x))


@pytest.mark.parametrize("place", [2, FIRST_ROWS + 1])
@pytest.mark.parametrize("error", [ValueError("the service is down"), None])
def test_a_row_that_fails_takes_no_other_with_it(place, error):
    x = table(FIRST_ROWS + 3, 12)
    model = Failing(x[place, 7], error)
    with pytest.raises(ValueError if error else GameError) as caught:
        explainer(model)(x, max_evals=BUDGET, silent=True)
    done = caught.value.finished_rows
    assert done == [row for row in range(max(FIRST_ROWS, place)) if row != place]
    assert_sums(caught.value.finished, bent(x[done]))
    assert any(f"row {place} failed" in note for note in caught.value.__notes__)
    begun = {row[0] for row in np.array(model.rows) if row.all()}
    assert len(begun) <= max(FIRST_ROWS, place + 1)  # no row was begun afterwards


def test_no_evaluation_is_repeated_when_a_row_fails():
    x = table(FIRST_ROWS, 12)
    model = Failing(x[3, 7], ValueError("down"))
    with pytest.raises(ValueError, match="down"):
        explainer(model)(x, max_evals=BUDGET, silent=True)
    seen = [row.tobytes() for row in np.array(model.rows) if not (row == x[3, 7]).any() and row.any()]
    assert len(seen) - len(set(seen)) <= ASKED_ALONE + FIRST_ROWS  # and the complete rows, once more


def test_an_interruption_leaves_the_rows_that_are_done():
    x = table(FIRST_ROWS + 3, 12)
    with pytest.raises(KeyboardInterrupt) as caught:
        explainer(Failing(x[FIRST_ROWS + 1, 7], KeyboardInterrupt()))(x, max_evals=BUDGET, silent=True)
    assert caught.value.finished_rows == list(range(FIRST_ROWS + 1))


def test_a_failure_in_a_process_leaves_them_too():
    x = table(FIRST_ROWS + 3, 12)
    with pytest.raises(ValueError, match="down") as caught:
        explainer(Failing(x[-1, 7], ValueError("down")))(x, max_evals=BUDGET, silent=True, n_jobs=2)
    assert set(range(FIRST_ROWS)) <= set(caught.value.finished_rows)
    assert len(x) - 1 not in caught.value.finished_rows


@pytest.mark.parametrize("n_jobs", [0, 1.5, "all", True])
def test_a_number_of_processes_that_is_none(n_jobs):
    model = Counted(bent)
    with pytest.raises(ArgumentError, match="`n_jobs`"):
        explainer(model)(table(3, 12), n_jobs=n_jobs)
    with pytest.raises(ArgumentError, match="`n_jobs`"):
        explainer(model).interactions(table(3, 12), n_jobs=n_jobs)
    assert not model.calls


def test_numbers_of_processes():
    assert [checked_jobs(n_jobs) for n_jobs in (None, 1, -1, np.int64(3))] == [1, 1, -1, 3]


def test_a_model_that_cannot_be_sent_is_refused_before_the_first_row():
    calls, lock = [], threading.Lock()

    def locked(x):
        with lock:
            calls.append(len(x))
            return bent(x)

    with pytest.raises(ArgumentError, match="`model`: expected one that can be sent to other processes") as caught:
        explainer(locked)(table(3, 12), n_jobs=2)
    assert "lock" in str(caught.value)
    assert not calls


def test_the_progress_bar_counts_rows(capsys):
    one = explainer()
    one.limits = replace(one.limits, progress_delay=0)
    one(table(FIRST_ROWS + 2, 12), max_evals=BUDGET)
    assert re.search(rf"explainer: 100%.*{FIRST_ROWS + 2}/{FIRST_ROWS + 2} ", capsys.readouterr().err)


def test_what_is_shared_is_no_part_of_the_description():
    assert ProxySpex(shared=Shared()) == ProxySpex()
    assert "shared" not in repr(ProxySpex(shared=Shared()))


def test_constant_rows_among_others():
    x = table(FIRST_ROWS, 12)
    found = explainer(lambda rows: np.where((rows == 0).sum(axis=1) > 20, 1.0, 2.0))(x, max_evals=BUDGET, silent=True)
    assert_allclose(found.values, 0.0, atol=1e-12)

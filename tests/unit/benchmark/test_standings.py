"""Wins and losses at equal evaluations, by hand."""

from __future__ import annotations

import re
from math import nan

import numpy as np
from benchmark_rows import BUDGETS, curve, row, standing, summary_text
from numpy.testing import assert_allclose

from captum_spex.benchmark.comparison import PAIRS, PRECISION
from captum_spex.benchmark.protocol import OURS
from captum_spex.benchmark.standings import standings


def line_of(rows):
    """The cells of the table of losses on ``case``, without its name."""
    lines = (re.split(r"\s{2,}", line.strip()) for line in summary_text(rows).splitlines())
    return [cells[1:] for cells in lines if cells[0] == "case"][1]


def test_a_loss_names_the_rival_and_its_size():
    rows = curve(OURS, (0.5, 0.7)) + curve("one", (0.4, 0.9)) + curve("two", (0.6, 0.65))
    found = standing(rows)
    assert [(one.rival, one.outcome) for one in found.verdicts] == [("two", "lost"), ("one", "lost")]
    assert_allclose([one.difference for one in found.verdicts], [-0.1, -0.2])
    assert (found.outcome, found.n_lost, found.worst.rival) == ("lost", 2, "one")
    assert line_of(rows)[1:] == ["200", "\N{MINUS SIGN}0.200 R²", "one", "2 of 2 budgets"]


def test_a_loss_at_one_budget_is_listed_where_the_case_is_won():
    rows = curve(OURS, (0.5, 0.9)) + curve("rival", (0.55, 0.6))
    assert standing(rows).outcome == "won"
    assert line_of(rows) == ["+0.125 R²", "100", "\N{MINUS SIGN}0.050 R²", "rival", "1 of 2 budgets"]


def test_differences_within_the_noise_over_seeds_are_ties():
    def rows(gap):
        ours = [row(OURS, seed=seed, r2=0.5 + 0.02 * (seed - 1)) for seed in range(3)]
        return ours + [row("rival", seed=seed, r2=0.5 + gap + 0.02 * (seed - 1)) for seed in range(3)]

    noise = 2 * np.hypot(*[0.02 / np.sqrt(3)] * 2)
    assert [standing(rows(gap)).outcome for gap in (0.9 * noise, 1.1 * noise, -1.1 * noise)] == ["tied", "lost", "won"]


def test_a_single_seed_ties_only_where_differences_are_negligible():
    outcomes = [standing([row(OURS, r2=0.5), row("rival", r2=0.5 + gap)]).outcome for gap in (0.0009, 0.0011)]
    assert outcomes == ["tied", "lost"]


def test_rivals_are_compared_at_equal_evaluations():
    rows = [row(OURS, r2=0.5), row("rival", budget=50, r2=0.4), row("rival", budget=200, r2=0.8)]
    assert_allclose(standing(rows).worst.theirs, 0.6)
    assert standings([row(OURS, r2=0.5), row("rival", budget=200, r2=0.8)]) == []
    later = [row(OURS, budget=800, r2=0.5), row("rival", budget=200, r2=0.8)]
    assert_allclose(standing(later).difference, -0.3)


def test_a_budget_below_all_that_others_got_does_not_count():
    frugal = [row("frugal", budget=budget, n_evaluations=10.0, r2=-60.0) for budget in BUDGETS[1:]]
    rows = curve(OURS, (0.2, 0.5, 0.6, 0.7)) + curve("rival", (nan, 0.6, 0.7, 0.8))[1:] + frugal
    found = standing(rows)
    assert [one.budget for one in found.verdicts] == [200, 400, 800]
    assert (found.outcome, found.n_lost) == ("lost", 3)
    assert_allclose(found.difference, -0.1)


def test_no_answer_is_as_bad_as_a_loss():
    rows = [row(OURS, status="failed", message="boom", n_evaluations=nan), row("rival", r2=0.5)]
    found = standing(rows)
    assert (found.outcome, found.n_lost) == ("no answer", 1)
    assert line_of(rows) == ["no answer", "100", "no answer", "rival", "1 of 1 budgets"]


def test_losses_come_first_by_size():
    rows = []
    for case, gap in (("won", -0.2), ("small", 0.1), ("tied", 0.0), ("large", 0.3)):
        rows += [row(OURS, case, r2=0.5), row("rival", case, r2=0.5 + gap)]
    assert [one.case for one in standings(rows)] == ["large", "small", "tied", "won"]


def test_a_method_of_one_budget_has_no_answer_before_it():
    rows = curve(OURS, (0.2, 0.3, 0.4, 0.5)) + curve("rival", (0.1, 0.2)) + [row("late", budget=800, r2=0.9)]
    found = standing(rows)
    assert [one.rival for one in found.verdicts] == ["rival", "rival", "rival", "late"]
    assert_allclose([one.difference for one in found.verdicts], [0.1, 0.1, 0.2, -0.4])


def test_other_metrics_are_compared_too():
    rows = [row(OURS, order2_error=0.01, precision=0.5), row("rival", order2_error=0.1, precision=0.7)]
    pairs, precision = standings(rows, [PAIRS, PRECISION])
    assert (pairs.outcome, precision.outcome) == ("won", "lost")
    assert_allclose([pairs.difference, precision.difference], [1.0, -0.2])
    assert pairs.metric.difference_text(pairs.difference) == "error × 0.1"  # noqa: RUF001

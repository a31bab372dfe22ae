"""What a terminal shows."""

from __future__ import annotations

import numpy as np
import pytest
from smooth_results import NAMES, estimate

import captum_spex


@pytest.fixture(scope="module")
def result():
    return estimate(names=NAMES)


def test_text(result):
    text = str(result)
    lines = text.splitlines()
    assert lines[0] == "SII of 9 players: 9 of order 1, 36 of order 2"
    assert lines[1].startswith(f"baseline {result.baseline:.6g} | faithfulness R² {result.faithfulness:.4f} | 150 eval")
    assert lines[2].startswith("SII values do not add up to f(all) − f(none) = ")  # noqa: RUF001
    assert "single players: Shapley values" in lines
    assert "interactions of order 2: SII" in lines
    largest = next(iter(result.top(1, order=2).items()))
    [row] = [line for line in lines if result.name_of(largest[0]) in line]
    assert f"{largest[1]:+.6g}" in row
    assert row.count("█") == 20
    assert len(lines) == 3 + 2 + 9 + 2 + 10


def test_text_of_a_small_budget_long_names_and_left_out_terms():
    text = str(estimate(budget=5, names=["n" * 60, *NAMES[1:]], max_terms=6))
    assert "faithfulness unknown" in text
    assert "6 of order 2 (30 smaller ones left out)" in text
    assert "n" * 43 + "…" in text
    assert "n" * 44 not in text


def test_text_of_zeros():
    text = str(captum_spex.explain(lambda masks: np.zeros(len(masks)), 3, budget=8))
    assert "+0" in text


def test_short_form(result):
    assert repr(result) == (
        "<Interactions: SII up to order 2 of 9 players, 45 terms, "
        f"faithfulness {result.faithfulness:.4f}, 150 evaluations>"
    )

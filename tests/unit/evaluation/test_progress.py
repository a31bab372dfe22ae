"""The line that says what is done: steps, what else happens, and for how long."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest
from games import smooth_game
from stored_games import QUICK

import captum_spex
from captum_spex.approximators import ProxySpex
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.progress import PartOfLine, ProgressLine, progress_of


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(ProgressLine, "interval", 0.02)
    monkeypatch.setattr(ProgressLine, "pause", 0.0)


def test_steps_and_what_else_is_done(capsys):
    line = ProgressLine("a title", "eval")
    assert capsys.readouterr().err == ""
    line.expect(512)
    line.advance(312)
    line.say("fitting 3/28")
    shown = capsys.readouterr().err
    assert shown.startswith("\ra title:   0%|")
    assert "312/512" in shown
    assert "fitting 3/28]" in shown
    line.close()
    last = capsys.readouterr().err
    assert last.endswith("\n")
    assert "fitting" not in last.rsplit("\r", 1)[-1]
    line.close()
    assert capsys.readouterr().err == ""


def test_nothing_is_silent(capsys):
    line = ProgressLine("waiting")
    line.expect(2)
    capsys.readouterr()
    time.sleep(0.3)
    assert capsys.readouterr().err.count("waiting") >= 3
    line.close()
    time.sleep(0.1)
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_line_appears_after_its_delay(capsys):
    line = ProgressLine("rows", "row", delay=0.2)
    line.expect(3)
    line.advance()
    assert capsys.readouterr().err == ""
    time.sleep(0.5)  # nothing more is told: it appears by itself
    shown = capsys.readouterr().err
    assert "1/3" in shown
    line.close()


def test_a_line_that_nothing_was_told_shows_nothing(capsys):
    ProgressLine("nothing").close()
    line = ProgressLine("nothing", delay=60)
    line.expect(3)
    line.close()
    assert capsys.readouterr().err == ""


def test_the_thread_ends_with_the_line():
    before = threading.active_count()
    line = ProgressLine("forgotten")
    line.expect(1)
    del line
    gc.collect()
    deadline = time.time() + 5
    while threading.active_count() > before and time.time() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_each_item_is_a_step(capsys):
    line = ProgressLine("rows", "row")
    assert list(line.each("abc")) == ["a", "b", "c"]
    assert "3/3" in capsys.readouterr().err
    for _ in ProgressLine("rows", "row").each("abc"):
        break
    gc.collect()
    assert capsys.readouterr().err.endswith("\n")


def test_one_explanation_of_many(capsys):
    line = ProgressLine("rows", "row")
    line.expect(40)
    part = PartOfLine(line)
    part.expect(1512)
    part.advance(312)
    assert "evaluating 312/1,512" in capsys.readouterr().err
    part.say("fitting 1/3")
    assert "fitting 1/3" in capsys.readouterr().err
    part.close()
    line.close()


def test_a_long_fit_says_which_output_it_is_at(capsys):
    def outputs(masks):
        return np.stack([smooth_game(masks), masks[:, 9] * masks[:, 8], 1.0 * masks[:, 7]], axis=1)

    captum_spex.explain(outputs, 20, budget=100, approximator=ProxySpex(QUICK), random_state=0, show_progress=True)
    shown = capsys.readouterr().err
    assert "evaluating: 100%" in shown
    assert [f"fitting {number}/3" in shown for number in (1, 2, 3)] == [True] * 3


def test_what_shows_progress():
    assert progress_of(False) is progress_of(np.False_) is None
    line = ProgressLine("mine")
    assert progress_of(line) is line
    assert isinstance(progress_of(np.True_), ProgressLine)
    with pytest.raises(ArgumentError, match="`show_progress`: expected True, False, or a title, got 3"):
        captum_spex.explain(smooth_game, 9, show_progress=3)

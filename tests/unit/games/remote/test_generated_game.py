"""Generated answers of a model behind a server, scored; against slow oracles."""

from __future__ import annotations

import itertools
import threading
import zlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from server_shapes import serving

import captum_spex
from captum_spex.approximators import ProxySpex
from captum_spex.errors import ArgumentError, BudgetError, GameError
from captum_spex.games.remote import GeneratedAnswerGame
from captum_spex.games.remote.answer_values import AnswerValue
from captum_spex.masks import all_masks

pytest.importorskip("openai")
pytest.importorskip("tenacity")
TEXT = "The key is under the mat"
WORDS = TEXT.split()
N_PLAYERS = len(WORDS)
SUFFIX = " Where is it?"
SAID = ["Under the mat", "Under the grey mat", "I do not know", "In Rome", "", "The mat"]


def prompt_of(mask):
    return " ".join(word for word, present in zip(WORDS, mask, strict=True) if present) + SUFFIX


def said(prompt, draw=0):
    """A model that is wrong, but not for the complete text."""
    if prompt == TEXT + SUFFIX and not draw:
        return SAID[0]
    return SAID[zlib.crc32(f"{prompt}{draw}".encode()) % len(SAID)]


def reply(text, reason="stop", **message):
    return {"choices": [{"message": {"content": text, **message}, "finish_reason": reason}], "usage": {}}


def answering(body):
    return reply(said(body["messages"][-1]["content"]))


class Drawing:
    """Another answer every time where the temperature is above 0."""

    def __init__(self):
        self.lock, self.draws = threading.Lock(), itertools.count(1)

    def __call__(self, body):
        with self.lock:
            draw = next(self.draws) if body["temperature"] else 0
        return reply(said(body["messages"][-1]["content"], draw))


def game_of(server, **settings):
    return GeneratedAnswerGame(TEXT, **{"base_url": server.url, "suffix": SUFFIX, "max_tries": 1, **settings})


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["words", "characters", "exact", lambda answer, reference: len(answer)])
def test_values_are_those_of_the_answers(value):
    masks = all_masks(N_PLAYERS)
    with serving(answering) as server:
        game = game_of(server, value=value)
        values = game(masks)
    assert game.answer == SAID[0]
    assert_allclose(values, [AnswerValue(value)(said(prompt_of(mask)), SAID[0]) for mask in masks])
    n_empty = sum(said(prompt_of(mask)) == "" for mask in masks)
    facts = {"n_answers": 2**N_PLAYERS, "n_cut": 0, "n_empty": n_empty, "same_together": True}
    assert game.diagnostics == facts


def test_completions_and_settings_are_sent():
    with serving(lambda body: {"choices": [{"text": said(body["prompt"])}]}) as server:
        game = game_of(server, endpoint="completions", stop=["\n"], max_new_tokens=7, extra_body={"top_k": 1})
        assert_array_equal(game(np.ones((1, N_PLAYERS), dtype=bool)), [1.0])
        body = server.bodies[0]
    assert (body["stop"], body["max_tokens"], body["top_k"], body["temperature"]) == (["\n"], 7, 1, 0.0)


def test_a_mask_that_gives_the_same_text_is_not_asked_again():
    with serving(answering) as server:
        game = game_of(server, check=False, unit=[(0, 3), (3, 7), (3, 3)][:2], max_in_flight=1)
        game(all_masks(2))
        game(all_masks(2))
        assert len(server.bodies) == 4


def test_a_reference_may_be_given():
    with serving(answering) as server:
        game = game_of(server, reference="In Rome", value="exact", check=False)
        assert server.bodies == []
        assert game(np.ones((1, N_PLAYERS), dtype=bool)) == 0.0
        assert game.fingerprint["answer"] == "In Rome"


# --- scored again -----------------------------------------------------------------------------------------------------


def test_answers_are_scored_again_without_asking():
    with serving(answering) as server:
        game = game_of(server)
        captum_spex.explain(game, budget=2**N_PLAYERS)
        n_before = len(server.bodies)
        assert n_before <= 2**N_PLAYERS + 2
        again = captum_spex.explain(game.scored_by("exact"), budget=2**N_PLAYERS)
        assert len(server.bodies) == n_before
    masks = all_masks(N_PLAYERS)
    assert_allclose(again.model(masks), [said(prompt_of(mask)) == SAID[0] for mask in masks], atol=1e-9)
    assert again.diagnostics["n_answers"] == 2**N_PLAYERS


def test_a_file_of_answers_outlives_the_game_and_its_values(tmp_path):
    with serving(answering) as server:
        game = game_of(server, answers=tmp_path / "a.jsonl", max_requests=31)
        with pytest.raises(BudgetError, match="max_requests"):
            captum_spex.explain(game, budget=2**N_PLAYERS, store=tmp_path / "words.db")
        n_before = len(server.bodies)
        first = game_of(server, answers=tmp_path / "a.jsonl")
        captum_spex.explain(first, budget=2**N_PLAYERS, store=tmp_path / "words.db")
        assert len(server.bodies) - n_before <= 2**N_PLAYERS - n_before + 2 * 2
        n_before = len(server.bodies)
        other = game_of(server, answers=tmp_path / "a.jsonl", value="exact")
        captum_spex.explain(other, budget=2**N_PLAYERS, store=tmp_path / "exact.db")
        assert len(server.bodies) == n_before
        assert other.n_requests == 1  # the list of models
        changed = game_of(server, answers=tmp_path / "a.jsonl", max_new_tokens=3)
        changed(all_masks(N_PLAYERS)[:1])
        assert len(server.bodies) > n_before


def test_games_that_differ_have_other_fingerprints():
    settings = [{}, {"value": "exact"}, {"reference": "x"}, {"temperature": 0.5}, {"max_new_tokens": 3}, {"stop": "x"}]
    settings += [{"value": "cosine", "encoder": len}, {"extra_body": {"a": 1}}, {"system": "Be brief."}]
    with serving(answering) as server:
        assert len({str(game_of(server, **one).fingerprint) for one in settings}) == len(settings)


# --- noise ------------------------------------------------------------------------------------------------------------


def test_a_temperature_makes_the_game_noisy(tmp_path):
    with serving(Drawing()) as server:
        game = game_of(server, temperature=0.7, answers=tmp_path / "a.jsonl")
        assert game.noisy
        assert game.answer == SAID[0]  # the most probable
        first = captum_spex.explain(game, budget=40, random_state=0)
        n_before = len(server.bodies)
        assert n_before >= 41
        game = game_of(server, temperature=0.7, answers=tmp_path / "a.jsonl", max_in_flight=1)
        again = captum_spex.explain(game, budget=40, random_state=0)
        assert len(server.bodies) == n_before  # second evaluations of a mask are other answers, and known too
        explicit = captum_spex.explain(game.scored_by("words"), budget=40, approximator=ProxySpex(noisy=True))
    assert first.n_evaluations == again.n_evaluations == explicit.n_evaluations == 40
    assert "method" not in first.diagnostics  # not enumerated
    assert not game_without_noise().noisy


def game_without_noise():
    with serving(answering) as server:
        return game_of(server)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"value": "bleu"}, "`value`: expected 'words', 'characters', 'exact', 'cosine'"),
        ({"temperature": -1}, "`temperature`: expected a number of at least 0"),
        ({"temperature": 1, "extra_body": {"seed": 3}}, "`extra_body`: expected none where `temperature`"),
        ({"reference": " "}, "`reference`: expected a text"),
        ({"endpoint": "top"}, "`endpoint`: expected 'completions', 'chat'"),
        ({"endpoint": "completions", "system": "x"}, "`system`: expected None"),
        ({"answers": 3}, "`answers`: expected a path"),
        ({"max_new_tokens": 0}, "`max_new_tokens`: expected an integer of at least 1"),
        ({"extra_body": {"temperature": 1}}, "`temperature` decides on it"),
    ],
)
def test_bad_arguments_are_refused_before_any_request(settings, message):
    with serving(answering) as server:
        with pytest.raises(ArgumentError, match=message):
            game_of(server, **settings)
        assert server.bodies == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply("<think>Let me see", "length"), "`max_new_tokens`: expected an answer, got a thought without an end"),
        (reply(None, "length", reasoning_content="Let me see"), "got a thought without an end"),
        (reply("  "), "`reference`: expected the answer to compare with, got None"),
        ({"choices": ["x"]}, "expected a response with a text, got"),
        (reply([{"type": "text", "text": "Under the mat"}]), "expected a response with a text, got"),
        ({"error": "busy"}, "expected a response with `choices`"),
    ],
)
def test_a_model_without_an_answer_is_refused_with_the_first_request(answer, message):
    with serving(lambda body: answer) as server:
        with pytest.raises((ArgumentError, GameError), match=message):
            game_of(server)
        assert len(server.bodies) == 1


def test_thoughts_are_no_part_of_the_answer_and_cuts_are_counted():
    with serving(lambda body: reply("<think>It is\n</think>\n\nUnder the mat", "length")) as server:
        game = game_of(server)
        result = captum_spex.explain(game, budget=8, random_state=0)
    assert game.answer == "Under the mat"
    assert result.diagnostics["n_cut"] == result.diagnostics["n_answers"] == 8


def test_a_server_that_mixes_up_answers_is_refused():
    waiting, lock = [], threading.Lock()

    def mixing(body):
        with lock:
            waiting.append(body)
        threading.Event().wait(0.1)
        with lock:
            other = next((one for one in waiting if one is not body), body)
        threading.Event().wait(0.1)
        with lock:
            waiting.remove(body)
        return answering(other)

    with serving(mixing) as server:
        with pytest.raises(GameError, match="`max_in_flight`: expected a server that answers a request alike"):
            captum_spex.explain(game_of(server), budget=8)
        assert_array_equal(game_of(server, max_in_flight=1)(np.ones((1, N_PLAYERS), dtype=bool)), [1.0])


def test_texts_that_differ_side_by_side_are_reported():
    calls, lock = [], threading.Lock()

    def tired(body):
        with lock:
            calls.append(body)
            return reply(f"Under the {'' if len(calls) < 3 else 'old '}mat")

    with serving(tired) as server:
        game = game_of(server)
        game(all_masks(N_PLAYERS)[:2])
    assert game.diagnostics["same_together"] is False

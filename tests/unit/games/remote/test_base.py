"""Games behind servers in the shapes of many, end to end: the check before the run, diagnostics, settings."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose
from server_shapes import WAYS, answer_log_probs, echo_reply, following, lmdeploy_echo, serving, top_reply

import captum_spex
from captum_spex.errors import BudgetError, GameError
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.masks import all_masks

pytest.importorskip("openai")
pytest.importorskip("tenacity")
TEXT = "The caf\u00e9 is \U0001f600 safe"
WORDS = TEXT.split()
N_PLAYERS = len(WORDS)
SUFFIX = " Is it?"


def prompt_of(mask):
    return " ".join(word for word, present in zip(WORDS, mask, strict=True) if present) + SUFFIX


def echoing(way, **settings):
    return lambda body: echo_reply(body["prompt"], way, **settings)


def game_of(server, answer=" yes", **settings):
    return RemoteAnswerGame(TEXT, answer, **{"base_url": server.url, "suffix": SUFFIX, "max_tries": 1, **settings})


def top_game_of(server, answer="Yes", **settings):
    return game_of(server, answer, **{"endpoint": "chat", "log_probs": "top", "top_logprobs": 4, **settings})


def topping(n_shown=4, repeats=True):
    def serve(body):
        known = following(body["messages"][-1]["content"])
        (word, value), *_ = known
        return top_reply([(word, value, known[0 if repeats else 1 :][:n_shown])])

    return serve


class Together:
    """A server that answers two requests at once otherwise: ``serve`` is told the request, and another beside it."""

    def __init__(self, serve):
        self.serve, self.changed, self.waiting = serve, threading.Condition(), []

    def __call__(self, body):
        with self.changed:
            beside = [other for other, _ in self.waiting[-1:]]  # of this request; those before learn of it
            for _, others in self.waiting:
                others.append(body)
            self.waiting.append((body, beside))
            self.changed.notify_all()
            self.changed.wait_for(lambda: beside, 0.3)
            self.waiting.remove((body, beside))
        return self.serve(body, beside[0] if beside else None)


def with_shifted_values(body, other):
    reply = echo_reply(body["prompt"], WAYS[0])
    if other is not None:
        told = reply["choices"][0]["logprobs"]
        told["token_logprobs"][1:] = [value - 1 for value in told["token_logprobs"][1:]]
    return reply


def with_the_other_reply(body, other):
    return topping(n_shown=12)(other or body)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("answer", [" yes", " yes it is"])
def test_an_explanation_is_that_of_the_definition_whatever_the_server_shows(way, answer):
    if way.__name__ in ("sentence_piece", "ignored"):
        pytest.skip("parts of characters are not shown so")
    with serving(echoing(way, first=("<s>",))) as server:
        result = captum_spex.explain(game_of(server, answer), budget=2**N_PLAYERS)
    wanted = captum_spex.explain(
        lambda masks: np.array([np.mean(answer_log_probs(prompt_of(mask), answer)) for mask in masks]), N_PLAYERS
    )
    assert dict(result) == pytest.approx(dict(wanted), abs=1e-9)
    assert result.diagnostics["n_asked"] == 2**N_PLAYERS
    assert result.diagnostics["n_bounds"] == 0
    assert result.diagnostics["difference_together"] == 0.0


@pytest.mark.parametrize("repeats", [True, False])
def test_bounds_are_counted(repeats):
    masks = all_masks(N_PLAYERS)
    full = dict(following(prompt_of(masks[-1])))
    answer = max(full, key=full.get)
    with serving(topping(repeats=repeats)) as server:
        result = captum_spex.explain(top_game_of(server, answer), budget=2**N_PLAYERS)
        values = top_game_of(server, answer, check=False)(masks)
    shown = [following(prompt_of(mask))[: 4 if repeats else 5] for mask in masks]
    assert_allclose(values, [dict(one).get(answer, one[-1][1]) for one in shown])
    n_bounds = sum(answer not in dict(one) for one in shown)
    assert n_bounds > 3
    assert result.diagnostics["n_bounds"] == n_bounds
    assert result.diagnostics["n_asked"] == 2**N_PLAYERS


def as_bytes(word):
    return {"token": word, "bytes": list(word.encode())}


def as_broken_bytes(word):
    return {"token": f"\u0120{word}", "bytes": list(f"\u0120{word}".encode())}


TOPS = {
    "vLLM, SGLang": (as_bytes, True),
    "llama.cpp": (lambda word: {"id": 7, **as_bytes(word)}, True),
    "LMDeploy": (as_broken_bytes, True),
    "TGI": (lambda word: {"token": f" {word}"}, False),
    "SentencePiece": (lambda word: {"token": f"\u2581{word}", "bytes": None}, True),
}


@pytest.mark.parametrize(("entry", "repeats"), TOPS.values(), ids=TOPS)
def test_the_answer_is_found_among_the_most_probable_in_every_shape(entry, repeats):
    def serve(body):
        known = following(body["messages"][-1]["content"])
        told = [{**entry(word), "logprob": value} for word, value in known]
        content = [{**told[0], "top_logprobs": told[0 if repeats else 1 :]}]
        return {"choices": [{"message": {"content": known[0][0]}, "logprobs": {"content": content}}]}

    with serving(serve) as server:
        game = top_game_of(server, "Maybe", top_logprobs=11)
        values = game(all_masks(N_PLAYERS))
    assert_allclose(values, [dict(following(prompt_of(mask)))["Maybe"] for mask in all_masks(N_PLAYERS)])
    assert game.diagnostics["n_bounds"] == 0


# --- refused before the run -------------------------------------------------------------------------------------------


def test_a_bound_for_the_complete_text_is_refused_with_the_first_request(tmp_path):
    least = following(TEXT + SUFFIX)[-1][0]
    with serving(topping()) as server:
        first = following(TEXT + SUFFIX)[0][0]
        with pytest.raises(GameError, match=rf"expected '{least}' among the 4 most .* text, got \['{first}', "):
            captum_spex.explain(top_game_of(server, least), budget=16, store=tmp_path / "a.db")
        assert len(server.bodies) == 1


def test_a_server_that_ignores_echo_is_refused_with_the_first_request():
    with serving(lambda body: lmdeploy_echo(body["prompt"])) as server:
        with pytest.raises(GameError, match="got no echo, only the generated"):
            captum_spex.explain(game_of(server), budget=16)
        assert len(server.bodies) == 1


@pytest.mark.parametrize("serve", [with_shifted_values, with_the_other_reply])
def test_a_server_that_mixes_up_requests_is_refused(serve):
    is_echo = serve is with_shifted_values

    def build(server, **settings):
        return game_of(server, **settings) if is_echo else top_game_of(server, top_logprobs=12, **settings)

    with serving(Together(serve)) as server:
        with pytest.raises(GameError, match=r"`max_in_flight`: expected .* alike, .* Give `max_in_flight=1`"):
            captum_spex.explain(build(server), budget=16)
        assert len(server.bodies) == 4
        value = build(server, max_in_flight=1)(np.ones((1, N_PLAYERS), dtype=bool))
    wanted = answer_log_probs(TEXT + SUFFIX, " yes")[0] if is_echo else dict(following(TEXT + SUFFIX))["Yes"]
    assert_allclose(value, wanted)


def test_an_echo_of_another_request_is_refused():
    server = serving(Together(lambda body, other: echo_reply((other or body)["prompt"], WAYS[0])))
    with server as running, pytest.raises(GameError, match="expected the echoed tokens to spell the prompt"):
        captum_spex.explain(game_of(running), budget=16)


def test_the_check_costs_two_requests_and_none_without_parallel_ones():
    for settings, extra in (({}, 2), ({"max_in_flight": 1}, 0), ({"check": False}, 0)):
        with serving(echoing(WAYS[0])) as server:
            captum_spex.explain(game_of(server, **settings), budget=2**N_PLAYERS)
            assert len(server.bodies) == 2**N_PLAYERS + extra


def test_small_differences_are_reported():
    def serve(body):
        reply = echo_reply(body["prompt"], WAYS[0])
        with lock:
            calls.append(0)
            n_calls = len(calls)
        told = reply["choices"][0]["logprobs"]["token_logprobs"]
        told[1:] = [value - 0.001 * (n_calls > 2) for value in told[1:]]
        return reply

    lock, calls = threading.Lock(), []
    with serving(serve) as server:
        result = captum_spex.explain(game_of(server), budget=2**N_PLAYERS)
    assert result.diagnostics["difference_together"] == pytest.approx(0.001)


def test_a_store_keeps_its_answers_when_the_server_changes(tmp_path):
    """What is stored is used, and not asked again, after the server began to think."""
    with serving(topping(n_shown=12)) as server:
        game = top_game_of(server, top_logprobs=12, max_requests=12)
        with pytest.raises(BudgetError):
            captum_spex.explain(game, budget=16, random_state=0, store=tmp_path / "a.db")
        server.serve = lambda body: top_reply([("<think>", 0.0, [("<think>", 0.0), ("Yes", -20.0)])])
        n_before = len(server.bodies)
        again = top_game_of(server, top_logprobs=12)
        with pytest.raises(GameError, match="thinks first"):
            captum_spex.explain(again, budget=16, random_state=0, store=tmp_path / "a.db")
        assert len(server.bodies) == n_before + 1
        server.serve = topping(n_shown=12)
        game = top_game_of(server, top_logprobs=12, check=False)
        captum_spex.explain(game, budget=16, random_state=0, store=tmp_path / "a.db")
        assert 0 < game.diagnostics["n_asked"] <= 16 - 8


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_are_sent_and_told_apart():
    with serving(topping()) as server:
        settings = {"chat_template_kwargs": {"enable_thinking": False}, "extra_body": {"seed": 3}}
        word = following(TEXT + SUFFIX)[0][0]
        game = top_game_of(server, word, **settings)
        game(np.ones((1, N_PLAYERS), dtype=bool))
        body = server.bodies[0]
        assert (body["top_logprobs"], body["seed"], body["max_tokens"]) == (4, 3, 1)
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        games = [game, top_game_of(server, word), top_game_of(server, word, top_logprobs=5)]
        assert len({str(one.fingerprint) for one in games}) == 3


def test_stop_words_end_a_generated_answer():
    with serving(lambda body: {"choices": [{"text": " yes"}]}) as server:
        assert game_of(server, None, stop="\n", max_new_tokens=5).answer == " yes"
        assert (server.bodies[0]["stop"], server.bodies[0]["max_tokens"]) == (["\n"], 5)


def test_a_generated_answer_is_no_thought():
    server = serving(lambda body: {"choices": [{"message": {"content": "<think>Hm"}}]})
    with server as running, pytest.raises(GameError, match="thinks first"):
        game_of(running, None, endpoint="chat")

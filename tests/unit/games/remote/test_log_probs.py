"""Requests for log-probabilities, and how responses are read."""

from __future__ import annotations

import numpy as np
import pytest
from remote_games import in_prompt

from captum_spex.errors import GameError
from captum_spex.games.remote.log_probs import question_of, read_log_probs

pytest.importorskip("openai")
pytest.importorskip("tenacity")


def echoed(tokens, values, offsets=None):
    offsets = np.cumsum([0, *map(len, tokens[:-1])]).tolist() if offsets is None else offsets
    return {"choices": [{"logprobs": {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}}]}


def read(way, answer, response, prompt="", endpoint="completions"):
    return read_log_probs(question_of(endpoint, way, "m", answer, None), response, prompt)


def test_an_echo_is_read_between_the_prompt_and_what_is_generated():
    response = echoed(["The", " key", " is", " here", "."], [None, -1.0, -2.0, -3.0, -9.0])
    assert read("echo", " is here", response, "The key") == [-2.0, -3.0]
    assert read("echo", " here", response, "The key is") == [-3.0]


def test_a_token_across_the_border_belongs_to_the_answer():
    values = [None, -1.0, -2.0, -9.0]
    assert read("echo", "s open", echoed(["The", " keys", " open", "."], values), "The key") == [-1.0, -2.0]
    assert read("prompt", "s open", in_prompt(["The", " keys", " open"], values[:3])) == [-1.0, -2.0]
    assert read("prompt", "s open", in_prompt(["The", " keys", " open"], values[:3], True), endpoint="chat") == [
        -1.0,
        -2.0,
    ]


def test_an_echo_that_begins_with_a_token_of_its_own_is_shifted():
    values = [None, -1.0, -2.0, -3.0, -9.0]
    assert read("echo", " ok", echoed(["<|begin|>", "The", " key", " ok", " then"], values), "The key") == [-3.0]
    parts = ["<s>", "caf", "\ufffd", " ok", " then"]  # what spells no text
    assert read("echo", " ok", echoed(parts, values), "caf\u00e9") == [-3.0]


def test_an_echo_of_parts_of_characters_is_placed_by_its_offsets():
    tokens = ["caf", "bytes:\\xc3", "bytes:\\xa9", " ok", "."]
    response = echoed(tokens, [None, -1.0, -2.0, -3.0, -9.0], [0, 3, 3, 4, 7])
    assert read("echo", " ok", response, "caf\u00e9") == [-3.0]


def test_an_answer_may_end_in_white_space():
    assert read("echo", " ok\n", echoed(["So", " ok", "\n", "."], [None, -1.0, -2.0, -9.0]), "So") == [-1.0, -2.0]
    assert read("prompt", " ok\n", in_prompt(["So", " ok", "\n"], [None, -1.0, -2.0])) == [-1.0, -2.0]


def test_chat_templates_trim_the_answer():
    response = in_prompt(["<a>", "\n\n", "ok"], [None, -1.0, -2.0], chat=True)
    assert read("prompt", " ok ", response, endpoint="chat") == [-2.0]
    request = question_of("chat", "prompt", "m", " ok ", "Be brief.").request("So?")
    assert [message["content"] for message in request["messages"]] == ["Be brief.", "So?", "ok"]
    assert request["continue_final_message"] is True
    assert request["add_generation_prompt"] is False


def test_the_most_probable_tokens_hold_the_answer_or_bound_it():
    shown = [{"token": "Yes", "logprob": -0.5}, {"token": " no", "logprob": -1.5}, {"token": "eh", "logprob": -4.0}]
    response = {"choices": [{"logprobs": {"content": [{"top_logprobs": shown}]}}]}
    assert read("top", " no", response, endpoint="chat") == [-1.5]
    assert read("top", "never", response, endpoint="chat") == [-4.0]


@pytest.mark.parametrize(
    ("way", "endpoint", "response", "message"),
    [
        (
            "echo",
            "completions",
            {"choices": [{"text": "x", "logprobs": None}]},
            "expected a server that supports `echo`.*, got no echo",
        ),
        ("echo", "completions", echoed(["."], [-1.0], [9]), "expected a server that supports `echo`.*, got no echo"),
        ("echo", "completions", {"error": "busy"}, "expected a response with `choices`, got .*busy"),
        ("echo", "completions", echoed(["", " yes"], [None, -1.0], [0, 0]), None),
        ("echo", "completions", {"choices": ["key"]}, "cannot read the server's response .*key"),
        ("echo", "completions", echoed(["key", " yes"], [None]), "cannot read the server's response"),
        (
            "prompt",
            "completions",
            {"choices": [{"prompt_logprobs": [None, {"7": {"logprob": -1.0}}]}]},
            "cannot read the server's response",
        ),
        (
            "top",
            "chat",
            {"choices": [{"logprobs": {"content": [{"top_logprobs": [{}]}]}}]},
            "cannot read the server's response",
        ),
        ("prompt", "completions", {"choices": [{}]}, "expected a server that returns `prompt_logprobs`, got none"),
        (
            "prompt",
            "completions",
            in_prompt([" key"], [-1.0]),
            "expected the prompt to end with ' yes', got ' key'",
        ),
        ("prompt", "completions", in_prompt([" yes"], [None]), "give a `prefix`"),
        (
            "prompt",
            "chat",
            {"choices": [{"message": {}}]},
            "expected a server that returns `prompt_logprobs`, got none",
        ),
        ("top", "chat", {"choices": [{"logprobs": None}]}, "expected a server that returns `top_logprobs`, got none"),
        (
            "top",
            "chat",
            {"choices": [{"logprobs": {"content": []}}]},
            "expected a server that returns `top_logprobs`, got none",
        ),
    ],
)
def test_an_answer_without_log_probabilities_says_what_is_needed(way, endpoint, response, message):
    if message is None:
        assert read(way, " yes", response, "", endpoint) == [-1.0]
        return
    with pytest.raises(GameError, match=message):
        read(way, " yes", response, "key", endpoint)


def test_an_answer_that_nothing_comes_before_needs_a_prefix():
    with pytest.raises(GameError, match="`prefix`"):
        read("echo", "yes", echoed(["yes", " or"], [None, -1.0]))

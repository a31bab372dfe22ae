"""Requests for log-probabilities, and how responses are read."""

from __future__ import annotations

import numpy as np
import pytest
from remote_games import in_prompt
from server_shapes import WAYS, answer_log_probs, ignored, log_probs_of, tokens_of, top_reply

from captum_spex.errors import GameError
from captum_spex.games.remote.log_probs import question_of, read_log_probs
from captum_spex.games.remote.options import Options

pytest.importorskip("openai")
pytest.importorskip("tenacity")


def echoed(tokens, values, offsets=None):
    offsets = np.cumsum([0, *map(len, tokens[:-1])]).tolist() if offsets is None else offsets
    return {"choices": [{"logprobs": {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}}]}


def read(way, answer, response, prompt="", endpoint="completions", **options):
    question = question_of(endpoint, way, "m", answer, None, options=Options(**options))
    return read_log_probs(question, response, prompt).values


def test_an_echo_is_read_between_the_prompt_and_what_is_generated():
    response = echoed(["The", " key", " is", " here", "."], [None, -1.0, -2.0, -3.0, -9.0])
    assert read("echo", " is here", response, "The key") == [-2.0, -3.0]
    assert read("echo", " here", response, "The key is") == [-3.0]


def test_a_token_across_the_border_belongs_to_the_answer():
    values = [None, -1.0, -2.0, -9.0]
    assert read("echo", "s open", echoed(["The", " keys", " open", "."], values), "The key") == [-1.0, -2.0]
    assert read("prompt", "s open", in_prompt(["The", " keys", " open"], values[:3]), "The key") == [-1.0, -2.0]
    assert read("prompt", "s open", in_prompt(["The", " keys", " open"], values[:3], True), endpoint="chat") == [
        -1.0,
        -2.0,
    ]


def test_an_echo_that_begins_with_a_token_of_its_own_is_shifted():
    values = [None, -1.0, -2.0, -3.0, -9.0]
    assert read("echo", " ok", echoed(["<|begin|>", "The", " key", " ok", " then"], values), "The key") == [-3.0]
    parts = ["<s>", "caf", "\ufffd", "\ufffd", " ok", " then"]  # what spells no text
    assert read("echo", " ok", echoed(parts, [None, -1.0, -5.0, *values[2:]]), "caf\u00e9") == [-3.0]


def test_an_echo_of_parts_of_characters_is_placed_by_its_bytes():
    tokens = ["caf", "bytes:\\xc3", "bytes:\\xa9", " ok", "."]
    response = echoed(tokens, [None, -1.0, -2.0, -3.0, -9.0], [0, 3, 3, 4, 7])
    assert read("echo", " ok", response, "caf\u00e9") == [-3.0]


def test_an_answer_may_end_in_white_space():
    assert read("echo", " ok\n", echoed(["So", " ok", "\n", "."], [None, -1.0, -2.0, -9.0]), "So") == [-1.0, -2.0]
    assert read("prompt", " ok\n", in_prompt(["So", " ok", "\n"], [None, -1.0, -2.0]), "So") == [-1.0, -2.0]


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
    assert read("top", "never", response, endpoint="chat", top_logprobs=3) == [-4.0]


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
        ("prompt", "completions", in_prompt([" yes"], [None]), "`prefix`: expected a fixed text"),
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


# --- the most probable tokens -----------------------------------------------------------------------------------------


def top(answer, content, message=None, **options):
    options = {"top_logprobs": 2, **options}
    question = question_of("chat", "top", "m", answer, None, options=Options(**options))
    return read_log_probs(question, top_reply(content, message), "key")


OTHERS = [(" No", -5.0), (" Maybe", -9.0)]


@pytest.mark.parametrize(
    ("answer", "content", "value"),
    [
        ("Yes", [("Yes", -0.01, OTHERS)], -0.01),  # the sampled token is not shown again
        ("Yes", [("\u0120Yes", -0.01, [("\u0120Yes", -0.01), *OTHERS])], -0.01),
        (" Yes", [("\u2581Yes", -0.01, OTHERS)], -0.01),
        ("\u00e9t\u00e9", [("\u00c3\u00a9t\u00c3\u00a9", -0.5, OTHERS)], -0.5),
        ("No", [("Yes", -0.01, OTHERS)], -5.0),
        ("Yes", [("Yes", np.log(0.5), [("Yes", np.log(0.5)), (" Yes", np.log(0.25))])], np.log(0.75)),
        ("Yes", [("Yes", -0.01, [])], -0.01),
    ],
)
def test_the_answer_is_known_by_its_bytes(answer, content, value):
    found = top(answer, content)
    assert found.values == pytest.approx([value])
    assert not found.is_bound


def test_an_answer_that_is_not_shown_is_bounded_by_the_last_that_is():
    found = top("Never", [("Yes", -0.01, OTHERS)])
    assert (found.values, found.is_bound, found.shown) == ([-9.0], True, ("Yes", " No", " Maybe"))


def test_an_answer_of_several_tokens_is_summed_where_the_model_gives_it():
    no = [("Yes", -3.0), ("No", -4.0)]
    found = top("Not safe", [("Not", -0.5, no), (" safe", -0.25, no), (".", -1.0, no)], n_tokens=3)
    assert found.values == [-0.5, -0.25]
    found = top("Not safe", [("Not", -0.5, no), (" bad", -0.25, [(" bad", -0.25), ("\u0120safe", -2.0)])], n_tokens=2)
    assert found.values == [-0.5, -2.0]
    for content in (
        [("Yes", -0.5, no), (".", -0.25, no)],  # the model says something else
        [("Not", -0.5, no), (" bad", -0.25, no)],
        [("Not", -0.5, no)],  # too short
        [("Not", -0.5, no), ("safe", -0.25, no)],  # another text
        [("Yes", -0.5, [("Not", -2.0), ("No", -4.0)]), (" safe", -0.25, no)],  # after another beginning
    ):
        with pytest.raises(GameError, match="expected the model to generate 'Not safe'"):
            top("Not safe", content, n_tokens=2)


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ([("<think>", 0.0, [("<think>", 0.0), ("Yes", -20.0)])], None, "chat_template_kwargs"),
        ([("<|channel|>", 0.0, OTHERS)], None, "extra_body"),
        ([("Yes", 0.0, OTHERS)], {"content": "Yes", "reasoning_content": "Hm, is it?"}, "'Hm, is it\\?'"),
        ([("No", 0.0, [("No", 0.0)])], None, "got 1 without it. Instead use"),
        ([("No", 0.0, [("No", 0.0), ("So", -9.0)])], None, "got 2 without it. Give `top_logprobs=2`"),
        ([("Yes", 0.5, OTHERS)], None, "expected finite log-probabilities of at most 0, got 0.5"),
        ([("No", -0.5, [("No", -0.5), ("Yes", -9999.0)])], None, "got -9999.0"),
    ],
)
def test_what_is_no_log_probability_of_the_answer_is_refused(content, message, hint):
    with pytest.raises(GameError, match=hint):
        top("Yes", content, message, top_logprobs=3)


# --- the log-probabilities of the prompt ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [way for way in WAYS if way is not ignored], ids=lambda way: way.__name__)
@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("answer", ["yes no", "caf\u00e9", "yes caf\u00e9 no!"])
def test_answers_of_several_words_are_read_in_every_spelling(way, chat, answer):
    prompt = "Is it?\n"
    whole = f"<user>{prompt}<assistant>\n" if chat else prompt
    tokens = tokens_of(whole + answer)
    response = in_prompt(way(tokens), log_probs_of(tokens), chat)
    found = read("prompt", answer, response, prompt, "chat" if chat else "completions")
    assert found == answer_log_probs(whole, answer)


def test_more_than_one_token_in_a_place_is_not_guessed():
    response = in_prompt(["key", " yes"], [None, -1.0])
    response["choices"][0]["prompt_logprobs"][1]["8"] = {"logprob": -2.0, "decoded_token": " yes"}
    with pytest.raises(GameError, match="2 tokens in one place"):
        read("prompt", " yes", response, "key")


def test_a_prompt_that_was_cut_is_refused():
    response = in_prompt(["a", " key", " yes"], [None, -1.0, -2.0])
    assert read("prompt", " yes", response, "a key") == [-2.0]
    with pytest.raises(GameError, match="expected the prompt to end with ' yes', got 'x key yes'"):
        read("prompt", " yes", in_prompt(["a", "x key", " yes"], [None, -1.0, -2.0]), "a key")
    with pytest.raises(GameError, match="expected the prompt to end with ' yes', got ' yes key yes'"):
        read("prompt", " yes", in_prompt(["a", " yes", " key", " yes"], [None, -1.0, -2.0, -3.0]), "b key")

"""Games of a model behind a server: a real one, in a process of its own, which fails on demand."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import captum_spex
from captum_spex.errors import ArgumentError, BudgetError, GameError, UnknownNameError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.remote.ablated_texts import AblatedTexts
from captum_spex.games.remote.client import _duration, _retry_after
from captum_spex.games.remote.concurrency import answers_in_flight
from captum_spex.games.remote.log_probs import question_of, read_log_probs
from captum_spex.masks import all_masks, mask_keys

pytest.importorskip("openai")
pytest.importorskip("tenacity")

SERVER = Path(__file__).parents[4] / "tools" / "openai_server.py"
TEXT = "The old key is under the grey mat by our door"
AROUND = {"prefix": "Note: ", "suffix": " Is it safe?"}
N_PLAYERS = 11
KEY = "sk-remote-test-0123456789"


def load_server():
    spec = importlib.util.spec_from_file_location("openai_server", SERVER)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


openai_server = load_server()
FORMULA = openai_server.Formula()
QUIET = {"latency": 0.0, "faults": [], "key": None, "headers": {}, "rate": 0, "begins": "", "models": {}, "gather": 0}
PATIENCE = 600.0  # seconds that a busy machine may take for anything


@pytest.fixture(scope="module")
def running():
    with openai_server.Running() as started:
        yield started


@pytest.fixture
def server(running, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    running.control(**QUIET, forget=True)
    yield running
    running.control(**QUIET)


def game_of(server, answer=" yes", text=TEXT, **settings):
    return RemoteAnswerGame(text, answer, base_url=server.url, **{**AROUND, **settings})


def some_masks(n_masks=40, n_players=N_PLAYERS, seed=0):
    masks = all_masks(n_players)
    return masks[np.random.default_rng(seed).permutation(len(masks))[:n_masks]]


def kept(mask, text=TEXT):
    return " ".join(word for word, present in zip(text.split(), mask, strict=True) if present)


def prompt_of(mask, text=TEXT):
    return AROUND["prefix"] + kept(mask, text) + AROUND["suffix"]


def expected(masks, answer=" yes", text=TEXT, output="mean"):
    """The formula's log-probabilities of the answer, which begins with a space and so with a token of its own."""
    n_tokens = len(answer.split())
    rows = [[value for _, value in FORMULA.tokens(prompt_of(mask, text) + answer)][-n_tokens:] for mask in masks]
    return np.array([np.mean(row) if output == "mean" else np.sum(row) for row in rows])


def once_each(masks, answer=" yes"):
    return {prompt_of(mask) + answer: 1 for mask in masks}


def stored_masks(server, path):
    masks = all_masks(N_PLAYERS)
    with Store(path).open(game_of(server), N_PLAYERS) as kept:
        return masks[kept.find(mask_keys(masks))[0]]


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail("it did not happen in time")
        time.sleep(0.02)


def wait_until_held(server, n_answered):
    """Until a run has had so many answers, and all further ones are waited for in vain."""

    def is_held():
        told = server.told()
        return len(told["answered"]) >= n_answered and told["in_flight"] == 16

    wait_until(is_held)


def remaining_threads(before):
    return [thread.name for thread in threading.enumerate() if thread not in before]


# --- the text under a mask --------------------------------------------------------------------------------------------


def slow_under(text, spans, mask, replacement):
    """Character by character: which belong to an absent player, or are the blank gap before one."""
    written, position = [], 0
    for (start, end), present in zip(spans, mask, strict=True):
        gap = text[position:start]
        if present or replacement is not None or gap.strip():
            written += gap
        written += text[start:end] if present else (replacement or "")
        position = end
    whole = "".join(written) + text[position:]
    while whole and whole[0].isspace() and not text[0].isspace():
        whole = whole[1:]
    return whole


TEXTS = st.text("ab .\n\u00e9\u4e2d-", min_size=3, max_size=30).filter(lambda text: len(text.split()) >= 2)


@given(TEXTS, st.sampled_from([None, "", "_", "so what"]), st.randoms(use_true_random=False))
def test_texts_of_words_equal_the_slow_ones(text, replacement, random):
    prompts = AblatedTexts(text, "word", replacement)
    masks = np.array([[random.random() < 0.5 for _ in prompts.spans] for _ in range(6)])
    slow = [slow_under(text, prompts.spans, mask, replacement) for mask in masks]
    assert prompts.under(masks) == slow
    if replacement is None:
        words = [[word for word, present in zip(text.split(), mask, strict=True) if present] for mask in masks]
        assert [one.split() for one in prompts.under(masks)] == words


@given(st.text("ab .\n\u00e9", min_size=6, max_size=24).filter(str.strip), st.data())
def test_texts_of_spans_equal_the_slow_ones(text, data):
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), min_size=4, max_size=6)))
    spans = list(zip(places[::2], places[1::2], strict=False))
    prompts = AblatedTexts(text, spans)
    masks = all_masks(len(spans))
    assert prompts.under(masks) == [slow_under(text, spans, mask, None) for mask in masks]
    assert prompts.under(masks[-1:]) == [text]


def test_sentences_and_a_replacement_reach_the_server(server):
    text = "It is here. Nobody knows! Ask again."
    sentences = game_of(server, text=text, unit="sentence")
    assert sentences.names == ("It is here.", "Nobody knows!", "Ask again.")
    sentences(np.array([[True, False, True]]))
    game_of(server, text=text, unit=[(3, 5), (12, 18)], replacement="...")(np.array([[False, True]]))
    asked = [
        "Note: It is here. Ask again. Is it safe? yes",
        "Note: It ... here. Nobody knows! Ask again. Is it safe? yes",
    ]
    assert server.told()["answered"] == dict.fromkeys(asked, 1)


# --- what servers answer ----------------------------------------------------------------------------------------------


def echoed(tokens, values, offsets=None):
    offsets = np.cumsum([0, *map(len, tokens[:-1])]).tolist() if offsets is None else offsets
    return {"choices": [{"logprobs": {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}}]}


def told(tokens, values, chat=False):
    entries = [
        None if value is None else {str(i): {"logprob": value, "decoded_token": token}}
        for i, (token, value) in enumerate(zip(tokens, values, strict=True))
    ]
    return {"choices": [{}], "prompt_logprobs": entries} if chat else {"choices": [{"prompt_logprobs": entries}]}


def read(way, answer, response, prompt="", endpoint="completions"):
    return read_log_probs(question_of(endpoint, way, "m", answer, None), response, prompt)


def test_an_echo_is_read_between_the_prompt_and_what_is_generated():
    response = echoed(["The", " key", " is", " here", "."], [None, -1.0, -2.0, -3.0, -9.0])
    assert read("echo", " is here", response, "The key") == [-2.0, -3.0]
    assert read("echo", " here", response, "The key is") == [-3.0]


def test_a_token_across_the_border_belongs_to_the_answer():
    values = [None, -1.0, -2.0, -9.0]
    assert read("echo", "s open", echoed(["The", " keys", " open", "."], values), "The key") == [-1.0, -2.0]
    assert read("prompt", "s open", told(["The", " keys", " open"], values[:3])) == [-1.0, -2.0]
    assert read("prompt", "s open", told(["The", " keys", " open"], values[:3], True), endpoint="chat") == [-1.0, -2.0]


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
    assert read("prompt", " ok\n", told(["So", " ok", "\n"], [None, -1.0, -2.0])) == [-1.0, -2.0]


def test_chat_templates_trim_the_answer():
    response = told(["<a>", "\n\n", "ok"], [None, -1.0, -2.0], chat=True)
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
    ("way", "endpoint", "response", "said"),
    [
        ("echo", "completions", {"choices": [{"text": "x", "logprobs": None}]}, "needs the option `echo`"),
        ("echo", "completions", echoed(["."], [-1.0], [9]), "needs the option `echo`"),
        ("echo", "completions", {"error": "busy"}, "no `choices`.*busy"),
        ("echo", "completions", echoed(["", " yes"], [None, -1.0], [0, 0]), None),
        ("echo", "completions", {"choices": ["key"]}, "cannot be read .*key"),
        ("echo", "completions", echoed(["key", " yes"], [None]), "cannot be read"),
        (
            "prompt",
            "completions",
            {"choices": [{"prompt_logprobs": [None, {"7": {"logprob": -1.0}}]}]},
            "cannot be read",
        ),
        ("top", "chat", {"choices": [{"logprobs": {"content": [{"top_logprobs": [{}]}]}}]}, "cannot be read"),
        ("prompt", "completions", {"choices": [{}]}, "does not tell `prompt_logprobs`"),
        ("prompt", "completions", told([" key"], [-1.0]), "last tokens are ' key', not ' yes'"),
        ("prompt", "completions", told([" yes"], [None]), "give a `prefix`"),
        ("prompt", "chat", {"choices": [{"message": {}}]}, "does not tell `prompt_logprobs`"),
        ("top", "chat", {"choices": [{"logprobs": None}]}, "does not tell `top_logprobs`"),
        ("top", "chat", {"choices": [{"logprobs": {"content": []}}]}, "does not tell `top_logprobs`"),
    ],
)
def test_an_answer_without_log_probabilities_says_what_is_needed(way, endpoint, response, said):
    if said is None:
        assert read(way, " yes", response, "", endpoint) == [-1.0]
        return
    with pytest.raises(GameError, match=said):
        read(way, " yes", response, "key", endpoint)


def test_an_answer_that_nothing_comes_before_needs_a_prefix():
    with pytest.raises(GameError, match="`prefix`"):
        read("echo", "yes", echoed(["yes", " or"], [None, -1.0]))


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["echo", "prompt"])
@pytest.mark.parametrize("output", ["mean", "sum"])
def test_values_are_those_of_the_formula(server, way, output):
    masks = some_masks()
    game = game_of(server, " yes it is", log_probs=way, output=output)
    assert_allclose(game(masks), expected(masks, " yes it is", output=output), rtol=1e-12)
    assert server.told()["answered"] == once_each(masks, " yes it is")


@pytest.mark.parametrize("way", ["echo", "prompt"])
def test_a_token_before_every_text_changes_nothing(server, way):
    server.control(begins="<|begin_of_text|>")
    masks = some_masks()
    assert_allclose(game_of(server, log_probs=way)(masks), expected(masks), rtol=1e-12)


def test_a_chat_server_reads_system_prompt_text_and_answer(server):
    game = game_of(server, "yes indeed", endpoint="chat", system="Be brief.")
    masks = some_masks(20)
    wholes = [f"<system> Be brief.\n<user> {prompt_of(mask)}\n<assistant> yes indeed" for mask in masks]
    wanted = [np.mean([value for _, value in FORMULA.tokens(whole)[-2:]]) for whole in wholes]
    assert_allclose(game(masks), wanted, rtol=1e-12)
    assert server.told()["answered"] == dict.fromkeys(wholes, 1)


def test_the_first_tokens_of_a_chat_server(server):
    game = game_of(server, "never", endpoint="chat", log_probs="top")
    masks = some_masks(20)
    following = [dict(FORMULA.following(f"<user> {prompt_of(mask)}\n<assistant>", 20)) for mask in masks]
    assert_allclose(game(masks), [shown[" never"] for shown in following], rtol=1e-12)


@pytest.mark.parametrize(("endpoint", "way"), [("completions", "echo"), ("chat", "prompt"), ("chat", "top")])
def test_the_generated_answer_is_explained_by_default(server, endpoint, way):
    game = RemoteAnswerGame(TEXT, base_url=server.url, endpoint=endpoint, log_probs=way)
    said = TEXT if endpoint == "completions" else f"<user> {TEXT}\n<assistant>"
    assert game.answer.strip() == FORMULA.following(said, 1)[0][0].strip()
    values = game(np.array([[True] * N_PLAYERS, [False] + [True] * 10]))
    assert np.isfinite(values).all()
    assert len(set(values)) == 2


def test_rows_keep_their_order_whatever_order_answers_come_in(server):
    server.control(faults=[{"kind": "status", "status": 503, "share": 0.15}])
    masks = some_masks(60)
    order = [row for row, _ in game_of(server).answer_each(masks)]
    assert sorted(order) == list(range(60))
    assert order != sorted(order)
    assert_allclose(game_of(server)(masks), expected(masks), rtol=1e-12)


def test_several_explanations_of_one_game(server, tmp_path):
    game = game_of(server)
    first = captum_spex.explain(game, budget=200, random_state=0)
    again = captum_spex.explain(game, budget=200, random_state=0, store=tmp_path / "a.db", index="STII")
    assert first.n_evaluations == again.n_evaluations == 200
    local = captum_spex.explain(expected, N_PLAYERS, budget=200, random_state=0)
    assert dict(first) == pytest.approx(dict(local), abs=1e-9)
    assert first.names == game.names


def test_two_threads_may_use_one_game_and_one_may_end_early(server):
    server.control(faults=[{"kind": "status", "status": 500, "share": 0.15}], latency=0.01)
    game, masks = game_of(server), some_masks(80)
    found = {}
    other = threading.Thread(target=lambda: found.update(values=game(masks)))
    other.start()
    for _ in range(5):
        answers = game.answer_each(masks[:20])
        next(answers)
        answers.close()
    other.join()
    assert_allclose(found["values"], expected(masks), rtol=1e-12)


def test_no_more_requests_are_in_flight_than_allowed(server):
    server.control(gather=5, latency=0.01)
    game_of(server, max_in_flight=5)(some_masks(40))
    assert server.told()["most_in_flight"] == 5


# --- faults that pass -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 408},
        {"kind": "drop"},
        {"kind": "truncated"},
        {"kind": "not_json"},
        {"kind": "slow"},
    ],
    ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}",
)
def test_a_fault_is_tried_again(server, fault):
    server.control(faults=[{**fault, "times": 5}])
    masks = some_masks(16)
    is_slow = fault["kind"] == "slow"
    game = game_of(server, timeout=1.0 if is_slow else PATIENCE)
    assert_allclose(game(masks), expected(masks), rtol=1e-12)
    told = server.told()
    assert told["statuses"][fault["kind"]] == 5
    n_tried = 1 + 16 + 5  # the names of models, the masks, and what was tried again
    if is_slow:  # on a busy machine other answers may come too late, too
        assert set(told["answered"]) == set(once_each(masks))
        assert game.n_requests >= n_tried
    else:
        assert told["answered"] == once_each(masks)
        assert game.n_requests == n_tried


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "status", "status": 500, "message": "out of memory"}, r"answered 500 \(out of memory\)"),
        ({"kind": "truncated"}, "no JSON"),
        ({"kind": "drop"}, "cannot be reached"),
        ({"kind": "slow"}, "did not answer within `timeout`"),
    ],
)
def test_a_fault_that_stays_is_an_error(server, fault, said):
    server.control(faults=[{**fault, "share": 1.0}])
    is_slow = fault["kind"] == "slow"
    game = game_of(server, max_tries=2, timeout=1.0 if is_slow else PATIENCE, max_in_flight=1)
    n_before = game.n_requests
    with pytest.raises(GameError, match=f"^`base_url`: {server.url} .*{said}"):
        game(some_masks(1))
    assert game.n_requests == n_before + 2


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": "date+2"}, 0.9),  # dates have whole seconds
        ({"retry-after-ms": "400"}, 0.4),
        ({"retry-after": "30", "retry-after-ms": "300"}, 0.3),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"}, 0.4),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_refusal_says_when_to_come_back(server, headers, least):
    server.control(faults=[{"kind": "status", "status": 429, "headers": headers, "times": 1}])
    game, masks = game_of(server, max_in_flight=1), some_masks(4)
    assert_allclose(game(masks), expected(masks), rtol=1e-12)
    longest_silence = np.diff(server.told()["times"]).max()
    assert least - 0.05 <= longest_silence < 25  # not the 30 seconds, nor 400 of them


@pytest.mark.parametrize("what", ["requests", "tokens"])
def test_an_answer_may_say_that_nothing_is_left_for_now(server, what):
    server.control(headers={f"x-ratelimit-remaining-{what}": "0", f"x-ratelimit-reset-{what}": "0.15s"})
    game_of(server, max_in_flight=1)(some_masks(4))
    assert np.diff(server.told()["times"]).min() >= 0.14


def test_a_strict_rate_ends_no_run(server):
    server.control(rate=2)
    masks = some_masks(32)
    game = game_of(server, max_tries=5)
    assert_allclose(game(masks), expected(masks), rtol=1e-12)
    assert server.told()["answered"] == once_each(masks)


def test_what_headers_tell():
    assert _retry_after({"retry-after": "2.5"}) == 2.5
    assert _retry_after({"retry-after-ms": "120", "retry-after": "9"}) == 0.12
    assert _retry_after({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}) == 0.0
    assert _retry_after({"retry-after": "soon"}) is None
    assert _retry_after({}) is None
    durations = {"6m0s": 360.0, "120ms": 0.12, "1h2m3.5s": 3723.5, "7": 7.0, "": None, "soon": None}
    assert {text: _duration(text) for text in durations} == durations


def test_a_server_that_comes_back_at_once_is_not_asked_without_pause(server):
    server.control(faults=[{"kind": "status", "status": 429, "headers": {"retry-after": "0"}, "share": 1.0}])
    start = time.monotonic()
    with pytest.raises(GameError, match="answered 429"):
        game_of(server, max_tries=4)(some_masks(1))
    assert time.monotonic() - start > 0.01


# --- faults that stay -------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_not_tried_again(server, monkeypatch):
    server.control(key=KEY)
    with pytest.raises(ArgumentError, match=r"`api_key`: .* refuses .401.*OPENAI_API_KEY"):
        game_of(server, api_key="sk-another")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    game = game_of(server)
    game(some_masks(2))
    server.control(key="another by now")
    with pytest.raises(ArgumentError, match="refuses"):
        game(some_masks(1))
    assert server.told()["keys"] == {KEY: 3}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    server.control(key=KEY)
    assert np.isfinite(game_of(server, api_key=f"{KEY}\n")(some_masks(1)))  # an argument comes first


@pytest.mark.parametrize(("status", "said"), [(400, "answered 400"), (404, "does not know"), (422, "answered 422")])
def test_what_the_server_rejects_is_not_tried_again(server, status, said):
    server.control(faults=[{"kind": "status", "status": status, "message": "too long a text", "share": 1.0}])
    game = game_of(server)
    with pytest.raises(GameError, match=rf"{said}.*too long a text"):
        game(some_masks(1))
    assert len(server.told()["times"]) == 1


def test_a_used_up_account_is_not_asked_again(server):
    fault = {"kind": "status", "status": 429, "code": "insufficient_quota", "message": "please pay", "share": 1.0}
    server.control(faults=[fault])
    with pytest.raises(GameError, match="please pay"):
        game_of(server)(some_masks(1))
    assert len(server.told()["times"]) == 1


def test_an_unknown_model_is_told_the_known_ones(server):
    with pytest.raises(ArgumentError, match="`model`: expected one of 'small', got 'large'"):
        game_of(server, model="large")


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 403}, {"models": []}], ids=str)
def test_a_server_that_lists_no_models_needs_a_name(server, fault):
    server.control(models=fault)
    assert np.isfinite(game_of(server, model="small")(some_masks(1)))
    with pytest.raises(ArgumentError, match=r"`model`: expected .*, got None, and the server lists no models"):
        game_of(server)


def test_a_server_without_log_probabilities(server):
    server.control(faults=[{"kind": "no_logprobs", "share": 1.0}])
    with pytest.raises(GameError, match=r"`log_probs`: .*`echo`"):
        captum_spex.explain(game_of(server), budget=20)


def test_a_server_that_is_not_there():
    with pytest.raises(GameError, match=r"^`base_url`: http://127.0.0.1:9/v1 cannot be reached \(.*refused"):
        RemoteAnswerGame(TEXT, " yes", base_url="http://127.0.0.1:9/v1", max_tries=4)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(folder / "key"), "-out", str(folder / "certificate"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *names]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the command openssl")
    (folder / "both").write_text((folder / "key").read_text() + (folder / "certificate").read_text())
    return folder


def test_a_certificate_that_does_not_hold(certificate, monkeypatch):
    with openai_server.Running("--certificate", str(certificate / "both"), scheme="https") as server:
        with pytest.raises(
            ArgumentError, match=f"`base_url`: expected .*, got {server.url}, whose certificate .*SSL_CERT_FILE"
        ):
            game_of(server)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate"))
        masks = some_masks(8)
        assert_allclose(game_of(server)(masks), expected(masks), rtol=1e-12)


@pytest.mark.parametrize(
    ("error", "settings", "said"),
    [
        (ArgumentError, {"base_url": "localhost:8000/v1"}, "`base_url`: expected .*, got 'localhost:8000/v1'"),
        (ArgumentError, {"base_url": None}, "`base_url`: expected .*, got None"),
        (ArgumentError, {"text": "one"}, "`text`: expected .*, got 1 player"),
        (ArgumentError, {"text": " "}, "`text`: expected .*, got ' '"),
        (UnknownNameError, {"unit": "token"}, "Only the server knows"),
        (UnknownNameError, {"unit": "line"}, "`unit`: expected .*, got 'line'"),
        (UnknownNameError, {"output": "tokens"}, "`output`: expected .*, got 'tokens'"),
        (ArgumentError, {"answer": " "}, "`answer`: expected .*, got ' '"),
        (
            ArgumentError,
            {"endpoint": "chat", "log_probs": "echo"},
            "`endpoint`: expected .*, got 'chat' with log_probs='echo'",
        ),
        (ArgumentError, {"endpoint": "edit"}, "`endpoint`: expected .*, got 'edit'"),
        (ArgumentError, {"system": "Be brief."}, "`system`: expected .*, got 'Be brief.'"),
        (ArgumentError, {"max_in_flight": 0}, "`max_in_flight`: expected .*, got 0"),
        (ArgumentError, {"max_tries": 0}, "`max_tries`: expected .*, got 0"),
        (ArgumentError, {"timeout": 0}, "`timeout`: expected .*, got 0"),
        (ArgumentError, {"timeout": "1"}, "`timeout`: expected .*, got '1'"),
        (ArgumentError, {"max_requests": -1}, "`max_requests`: expected .*, got -1"),
        (ArgumentError, {"max_tokens": 0.5}, "`max_tokens`: expected .*, got 0.5"),
        (ArgumentError, {"api_key": "sk-\u20ac"}, "`api_key`: expected .*, got a key that no header can hold"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_refused_before_the_server_is_asked(server, error, settings, said):
    settings = {"text": TEXT, "answer": " yes", "base_url": "http://127.0.0.1:9/v1", "max_tries": 1, **settings}
    with pytest.raises(error) as refused:
        RemoteAnswerGame(settings.pop("text"), settings.pop("answer"), **settings)
    assert said in str(refused.value)


# --- budgets, stores, stops -------------------------------------------------------------------------------------------


def test_a_budget_of_requests_holds_and_keeps_what_was_answered(server, tmp_path):
    server.control(faults=[{"kind": "status", "status": 500, "times": 6}])
    game = game_of(server, max_requests=101)
    with pytest.raises(BudgetError, match="`max_requests`: expected at most 101, got 101 requests sent"):
        captum_spex.explain(game, budget=300, random_state=0, store=tmp_path / "a.db")
    answered = server.told()["answered"]
    assert game.n_requests == 101
    assert len(server.told()["times"]) == 100
    assert len(answered) == len(stored_masks(server, tmp_path / "a.db")) >= 94 - 16
    captum_spex.explain(game_of(server), budget=300, random_state=0, store=tmp_path / "a.db")
    assert set(server.told()["answered"].values()) == {1}


def test_a_budget_of_tokens_holds(server, tmp_path):
    game = game_of(server, max_tokens=500, max_in_flight=1)
    with pytest.raises(BudgetError, match=r"`max_tokens`: expected at most 500.*, got 5\d\d tokens used"):
        captum_spex.explain(game, budget=300, random_state=0, store=tmp_path / "a.db")
    answered = server.told()["answered"]
    assert game.n_tokens == sum(len(FORMULA.tokens(prompt)) + 1 for prompt in answered)
    assert len(answered) == len(stored_masks(server, tmp_path / "a.db"))


def test_what_was_under_way_when_one_failed_is_in_the_store(server, tmp_path):
    server.control(gather=16, faults=[{"kind": "status", "status": 400, "times": 1}])
    masks = some_masks(200)
    with (
        pytest.raises(GameError, match="answered 400"),
        Store(tmp_path / "a.db").open(game_of(server), N_PLAYERS) as kept,
    ):
        Evaluator(game_of(server), N_PLAYERS, budget=200, store=kept)(masks)
    answered = server.told()["answered"]
    assert 15 <= len(answered) < 200  # those of the first sixteen, and what was asked before the failure was known
    assert once_each(stored_masks(server, tmp_path / "a.db")) == answered


def test_a_server_that_goes_away_for_good_leaves_the_answers_in_the_store(tmp_path):
    with openai_server.Running("--journal", str(tmp_path / "journal")) as server:
        game = game_of(server, max_tries=3, timeout=PATIENCE)
        server.control(faults=[{"kind": "slow", "share": 1.0, "after": 100}])
        stopping = threading.Thread(target=lambda: (wait_until_held(server, 100), server.process.terminate()))
        stopping.start()
        with pytest.raises(GameError, match="cannot be reached"):
            captum_spex.explain(game, budget=1500, random_state=0, store=tmp_path / "a.db")
        stopping.join()
    answered = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    with Store(tmp_path / "a.db").open(game, N_PLAYERS) as kept:
        found = all_masks(N_PLAYERS)[kept.find(mask_keys(all_masks(N_PLAYERS)))[0]]
    assert len(answered) >= 100
    assert once_each(found) == dict.fromkeys(answered, 1)


def test_no_mask_is_no_request(server):
    assert_array_equal(game_of(server)(np.zeros((0, N_PLAYERS), dtype=bool)), [])
    assert server.told()["times"] == []


def test_nothing_is_sent_after_a_failure(server):
    """Those that the server told to come back in a minute end at once."""
    held = {"kind": "status", "status": 429, "headers": {"retry-after": "60"}, "times": 4}
    server.control(gather=5, faults=[{"kind": "status", "status": 400, "times": 1}, held])
    start = time.monotonic()
    with pytest.raises(GameError, match="answered 400"):
        game_of(server, max_in_flight=5)(some_masks(40))
    assert time.monotonic() - start < 60
    assert len(server.told()["times"]) == 5


def test_the_first_failure_is_the_one_that_is_told():
    def value(row, stopped):
        if row < 16:
            all_asked.wait(PATIENCE)
        if row:
            stopped.wait(PATIENCE)
            raise GameError("stopped by another")
        raise GameError("the cause")

    for _ in range(20):
        all_asked = threading.Barrier(16)
        with pytest.raises(GameError, match="the cause"):
            list(answers_in_flight(value, 40, 16))


def test_no_thread_is_left_behind(server):
    before = threading.enumerate()
    server.control(latency=0.05)
    game = game_of(server)
    answers = game.answer_each(some_masks(200))
    next(answers)
    answers.close()
    assert remaining_threads(before) == []
    asked = len(server.told()["times"])
    assert asked <= 33
    server.control(faults=[{"kind": "status", "status": 400, "times": 3}])
    with pytest.raises(GameError):
        game(some_masks(60))
    assert remaining_threads(before) == []
    assert len(game(some_masks(3))) == 3


def test_a_store_that_fails_ends_what_is_under_way(server, tmp_path):
    before = threading.enumerate()
    server.control(latency=0.02)
    with Store(tmp_path / "a.db").open(game_of(server), N_PLAYERS) as kept:
        add = kept.add

        def full(*arguments, **settings):
            if kept.n_added == 20:
                raise OSError("the disk is full")
            add(*arguments, **settings)

        kept.add = full
        with pytest.raises(OSError, match="disk is full"):
            Evaluator(game_of(server), N_PLAYERS, budget=500, store=kept)(some_masks(300))
    assert remaining_threads(before) == []
    assert len(server.told()["answered"]) < 80


RUN = f"""
import gc; gc.disable()  # faster imports
import sys, captum_spex
from captum_spex.games.remote import RemoteAnswerGame
game = RemoteAnswerGame({TEXT!r}, " yes", base_url=sys.argv[1], **{AROUND!r})
captum_spex.explain(game, budget=400, random_state=0, store=sys.argv[2])
"""


def started(server, store):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", RUN, server.url, str(store)], env=environment)


def test_a_killed_run_goes_on_with_the_masks_that_were_not_answered(server, tmp_path):
    server.control(faults=[{"kind": "slow", "share": 1.0, "after": 60}])
    path = tmp_path / "a.db"
    process = started(server, path)
    wait_until_held(server, 60)
    process.kill()
    process.wait()
    known = stored_masks(server, path)
    wait_until(lambda: server.told()["in_flight"] == 0)
    answered = server.told()["answered"]
    assert len(answered) - 32 <= len(known) < 400
    server.control(**QUIET)
    captum_spex.explain(game_of(server), budget=400, random_state=0, store=path)
    after = server.told()["answered"]
    assert {after[prompt] for prompt in once_each(known)} == {1}
    assert len(after) == 400
    lost = set(answered) - set(once_each(known))  # on their way when the process ended
    assert sum(after.values()) == 400 + len(lost)


def test_an_interrupted_run_ends_at_once_and_keeps_every_answer(server, tmp_path):
    def interrupt():
        wait_until_held(server, 60)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        server.control(faults=[])  # what is under way is answered

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    game = game_of(server)
    server.control(faults=[{"kind": "held", "share": 1.0, "after": 60}])
    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            captum_spex.explain(game, budget=400, random_state=0, store=tmp_path / "a.db")
    finally:
        interrupting.join()
        signal.signal(signal.SIGINT, before)
    answered = server.told()["answered"]
    assert 60 <= len(answered) < 300
    assert len(stored_masks(server, tmp_path / "a.db")) == len(answered)


# --- the key, and what tells games apart ------------------------------------------------------------------------------


def test_the_key_is_nowhere(server, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "a.db"
    server.control(key=KEY)
    game = game_of(server, api_key=KEY)
    assert dict(captum_spex.explain(game, budget=20, store=path))
    errors = []
    for fault in ({"status": 400}, {"status": 401}, {"status": 404}, {"status": 500}, {"status": 429}):
        server.control(faults=[{"kind": "status", "message": "bad key {key}", "share": 1.0, **fault}])
        with pytest.raises((GameError, ArgumentError)) as failed:
            game_of(server, api_key=KEY, max_tries=2)(some_masks(1))
        errors.append("".join(map(str, [failed.getrepr(chain=True), failed.value, failed.value.__cause__])))
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    places = [str(game.fingerprint), repr(game), repr(vars(game)), repr(vars(game._client)), caplog.text, *errors]
    assert [place for place in [*places, *capfd.readouterr()] if KEY in place] == []
    assert KEY.encode() not in kept
    assert b"Is it safe?" in kept


def test_secrets_in_the_address_are_nowhere():
    with pytest.raises(GameError) as failed:
        RemoteAnswerGame(TEXT, " yes", base_url="http://me:secret@127.0.0.1:9/v1?token=secret", max_tries=1)
    assert "http://127.0.0.1:9/v1 cannot be reached" in str(failed.value)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "other",
    [
        {"answer": " no"},
        {"text": TEXT.replace("old", "new")},
        {"prefix": "Note : "},
        {"suffix": "? "},
        {"prefix": "Note: \n", "suffix": ""},
        {"replacement": "..."},
        {"output": "sum"},
        {"unit": [(0, 3), (4, 7)]},
        {"log_probs": "prompt"},
        {"endpoint": "chat"},
        {"endpoint": "chat", "system": "Be brief."},
        {"endpoint": "chat", "log_probs": "top"},
    ],
    ids="-".join,
)
def test_games_that_differ_have_other_fingerprints(server, other):
    assert game_of(server, **other).fingerprint != game_of(server).fingerprint


def test_texts_around_are_not_confused(server):
    one, other = game_of(server, prefix="a\n", suffix="b"), game_of(server, prefix="a", suffix="\nb")
    assert one.fingerprint != other.fingerprint


def test_how_it_is_asked_changes_no_fingerprint(server):
    other = game_of(server, api_key=KEY, max_in_flight=3, timeout=5, max_tries=2, max_requests=9, max_tokens=9)
    assert other.fingerprint == game_of(server).fingerprint
    assert json.dumps(other.fingerprint)


# --- games that answer one by one, whatever they are ------------------------------------------------------------------


class OneByOne:
    """A game that answers in an order of its own, and may go wrong."""

    n_players = 4
    fingerprint = "one by one"

    def __init__(self, order=range):
        self.order = order

    def __call__(self, masks):
        raise AssertionError("it has a better way")

    def answer_each(self, masks):
        for row in self.order(len(masks)):
            yield row, float(masks[row] @ [1.0, 2.0, 4.0, 8.0])


def test_answers_in_any_order_are_put_into_place(tmp_path):
    game = OneByOne(lambda n: reversed(range(n)))
    with Store(tmp_path / "a.db").open(game, 4) as kept:
        masks = np.concatenate([all_masks(4), all_masks(4)[:3]])
        values = Evaluator(game, 4, budget=16, store=kept)(masks)
        assert kept.n_added == 16
    assert_array_equal(values.ravel(), masks @ [1.0, 2.0, 4.0, 8.0])


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (lambda n: [*range(n), 0], "expected one answer for each row, got a second for row 0"),
        (lambda n: range(n - 2), "got none for 2 of 16 rows"),
        (lambda n: [99], "`game.answer_each`: expected rows from 0 to 15, got row 99"),
        (lambda n: [-1], "`game.answer_each`: expected rows from 0 to 15, got row -1"),
    ],
)
def test_a_game_that_answers_wrongly_is_noticed(order, said):
    class Wrong(OneByOne):
        def answer_each(self, masks):
            for row in self.order(len(masks)):
                yield row, 1.0

    with pytest.raises(GameError, match=said):
        Evaluator(Wrong(order), 4, budget=16)(all_masks(4))

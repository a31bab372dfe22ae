"""Requests that fail: retried or refused. The server is a real one, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose
from remote_games import KEY, PATIENCE, TEXT, expected, game_of, once_each, openai_server, some_masks

import captum_spex
from captum_spex.errors import ArgumentError, GameError, UnknownNameError
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.remote.client import _duration, _retry_after

pytest.importorskip("openai")
pytest.importorskip("tenacity")


# --- transient faults -------------------------------------------------------------------------------------------------


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
    report = server.report()
    assert report["statuses"][fault["kind"]] == 5
    n_tried = 1 + 16 + 5  # the names of models, the masks, and what was tried again
    if is_slow:  # on a busy machine other answers may come too late, too
        assert set(report["answered"]) == set(once_each(masks))
        assert game.n_requests >= n_tried
    else:
        assert report["answered"] == once_each(masks)
        assert game.n_requests == n_tried


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "status", "status": 500, "message": "out of memory"}, r"responded with 500 \(out of memory\)"),
        ({"kind": "truncated"}, "sends responses that are not JSON"),
        ({"kind": "drop"}, "cannot be reached"),
        ({"kind": "slow"}, "did not respond within `timeout`"),
    ],
)
def test_a_fault_that_stays_is_an_error(server, fault, message):
    server.control(faults=[{**fault, "share": 1.0}])
    is_slow = fault["kind"] == "slow"
    game = game_of(server, max_tries=2, timeout=0.5 if is_slow else PATIENCE, max_in_flight=1)
    n_before = game.n_requests
    with pytest.raises(GameError, match=f"^`base_url`: {server.url} .*{message}"):
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
    longest_silence = np.diff(server.report()["times"]).max()
    assert least - 0.05 <= longest_silence < 25  # not the 30 seconds, nor 400 of them


@pytest.mark.parametrize("what", ["requests", "tokens"])
def test_a_response_may_say_that_the_limit_is_reached(server, what):
    server.control(headers={f"x-ratelimit-remaining-{what}": "0", f"x-ratelimit-reset-{what}": "0.15s"})
    game_of(server, max_in_flight=1)(some_masks(4))
    assert np.diff(server.report()["times"]).min() >= 0.14


def test_a_strict_rate_limit_does_not_end_a_run(server):
    server.control(rate=2)
    masks = some_masks(20)
    game = game_of(server, max_tries=5)
    assert_allclose(game(masks), expected(masks), rtol=1e-12)
    assert server.report()["answered"] == once_each(masks)


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
    with pytest.raises(GameError, match="responded with 429"):
        game_of(server, max_tries=4)(some_masks(1))
    assert time.monotonic() - start > 0.01


# --- permanent faults -------------------------------------------------------------------------------------------------


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
    assert server.report()["keys"] == {KEY: 3}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    server.control(key=KEY)
    assert np.isfinite(game_of(server, api_key=f"{KEY}\n")(some_masks(1)))  # an argument comes first


@pytest.mark.parametrize(
    ("status", "message"), [(400, "responded with 400"), (404, "does not know"), (422, "responded with 422")]
)
def test_what_the_server_rejects_is_not_tried_again(server, status, message):
    server.control(faults=[{"kind": "status", "status": status, "message": "too long a text", "share": 1.0}])
    game = game_of(server)
    with pytest.raises(GameError, match=rf"{message}.*too long a text"):
        game(some_masks(1))
    assert len(server.report()["times"]) == 1


def test_a_used_up_account_is_not_asked_again(server):
    fault = {"kind": "status", "status": 429, "code": "insufficient_quota", "message": "please pay", "share": 1.0}
    server.control(faults=[fault])
    with pytest.raises(GameError, match="please pay"):
        game_of(server)(some_masks(1))
    assert len(server.report()["times"]) == 1


def test_an_unknown_model_is_refused_with_a_list_of_models(server):
    with pytest.raises(ArgumentError, match="`model`: expected one of 'small', which the server lists, got 'large'"):
        game_of(server, model="large")


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 403}, {"models": []}], ids=str)
def test_a_server_that_lists_no_models_needs_a_name(server, fault):
    server.control(models=fault)
    assert np.isfinite(game_of(server, model="small")(some_masks(1)))
    with pytest.raises(
        ArgumentError, match="`model`: expected the server's name for a model, got None, and the server lists no models"
    ):
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
            ArgumentError,
            match=f"`base_url`: expected a trusted server, got {server.url}, whose certificate .*SSL_CERT_FILE",
        ):
            game_of(server)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate"))
        masks = some_masks(8)
        assert_allclose(game_of(server)(masks), expected(masks), rtol=1e-12)


@pytest.mark.parametrize(
    ("error", "settings", "message"),
    [
        (
            ArgumentError,
            {"base_url": "localhost:8000/v1"},
            "`base_url`: expected an address such as .*, got 'localhost:8000/v1'",
        ),
        (ArgumentError, {"base_url": None}, "`base_url`: expected an address such as .*, got None"),
        (ArgumentError, {"text": "one"}, "`text`: expected at least two players, got 1"),
        (ArgumentError, {"text": " "}, "`text`: expected a text with at least two players, got ' '"),
        (UnknownNameError, {"unit": "token"}, "Only the server knows"),
        (UnknownNameError, {"unit": "line"}, "`unit`: expected 'word', .*, or a list .*, got 'line'"),
        (UnknownNameError, {"output": "tokens"}, "`output`: expected 'mean', 'sum', got 'tokens'"),
        (ArgumentError, {"answer": " "}, "`answer`: expected a text, or None for a generated one, got ' '"),
        (
            ArgumentError,
            {"endpoint": "chat", "log_probs": "echo"},
            "`endpoint`: expected endpoint='completions' with .*, got 'chat' with log_probs='echo'",
        ),
        (ArgumentError, {"endpoint": "edit"}, "`endpoint`: expected endpoint='completions' with .*, got 'edit'"),
        (ArgumentError, {"system": "Be brief."}, "`system`: expected None, unless .*, got 'Be brief.'"),
        (ArgumentError, {"max_in_flight": 0}, "`max_in_flight`: expected an integer of at least 1, got 0"),
        (ArgumentError, {"max_tries": 0}, "`max_tries`: expected an integer of at least 1, got 0"),
        (ArgumentError, {"timeout": 0}, "`timeout`: expected a positive number of seconds, got 0"),
        (ArgumentError, {"timeout": "1"}, "`timeout`: expected a positive number of seconds, got '1'"),
        (ArgumentError, {"max_requests": -1}, "`max_requests`: expected an integer of at least 1, got -1"),
        (ArgumentError, {"max_tokens": 0.5}, "`max_tokens`: expected an integer of at least 1, got 0.5"),
        (ArgumentError, {"api_key": "sk-\u20ac"}, "`api_key`: expected printable ASCII characters, got other"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_refused_before_the_server_is_asked(server, error, settings, message):
    settings = {"text": TEXT, "answer": " yes", "base_url": "http://127.0.0.1:9/v1", "max_tries": 1, **settings}
    with pytest.raises(error) as refused:
        RemoteAnswerGame(settings.pop("text"), settings.pop("answer"), **settings)
    assert re.search(message, str(refused.value))

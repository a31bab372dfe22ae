"""Games of a model behind a server: a real one, in a process of its own, which fails on demand."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from remote_games import (
    BUDGET,
    FORMULA,
    KEY,
    N_PLAYERS,
    PATIENCE,
    QUICK,
    QUIET,
    TEXT,
    expected,
    game_of,
    once_each,
    openai_server,
    prompt_of,
    some_masks,
    started,
)

import captum_spex
from captum_spex.errors import ArgumentError, BudgetError, GameError
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.remote.concurrency import answers_in_flight
from captum_spex.masks import all_masks, mask_keys

pytest.importorskip("openai")
pytest.importorskip("tenacity")


def stored_masks(server, path):
    masks = all_masks(N_PLAYERS)
    with Store(path).open(game_of(server), N_PLAYERS) as store:
        return masks[store.find(mask_keys(masks))[0]]


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail("it did not happen in time")
        time.sleep(0.02)


def wait_until_held(server, n_answered):
    """Until a run has had so many answers, and all further ones are waited for in vain."""

    def is_held():
        report = server.report()
        return len(report["answered"]) >= n_answered and report["in_flight"] == 16

    wait_until(is_held)


def remaining_threads(before):
    return [thread.name for thread in threading.enumerate() if thread not in before]


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["echo", "prompt"])
@pytest.mark.parametrize("output", ["mean", "sum"])
def test_values_are_those_of_the_formula(server, way, output):
    masks = some_masks()
    game = game_of(server, " yes it is", log_probs=way, output=output)
    assert_allclose(game(masks), expected(masks, " yes it is", output=output), rtol=1e-12)
    assert server.report()["answered"] == once_each(masks, " yes it is")


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
    assert server.report()["answered"] == dict.fromkeys(wholes, 1)


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
    first = captum_spex.explain(game, budget=60, approximator=QUICK, random_state=0)
    again = captum_spex.explain(
        game, budget=60, approximator=QUICK, random_state=0, store=tmp_path / "a.db", index="STII"
    )
    assert first.n_evaluations == again.n_evaluations == 60
    local = captum_spex.explain(expected, N_PLAYERS, budget=60, approximator=QUICK, random_state=0)
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
    assert server.report()["most_in_flight"] == 5


# --- budgets, stores, interruptions -----------------------------------------------------------------------------------


def test_a_budget_of_requests_holds_and_keeps_what_was_answered(server, tmp_path):
    server.control(faults=[{"kind": "status", "status": 500, "times": 6}])
    game = game_of(server, max_requests=101)
    with pytest.raises(BudgetError, match="`max_requests`: expected at most 101 requests, got 101 sent"):
        captum_spex.explain(game, budget=300, random_state=0, store=tmp_path / "a.db")
    answered = server.report()["answered"]
    assert game.n_requests == 101
    assert len(server.report()["times"]) == 100
    assert len(answered) == len(stored_masks(server, tmp_path / "a.db")) >= 94 - 16
    captum_spex.explain(game_of(server), budget=300, random_state=0, store=tmp_path / "a.db")
    assert set(server.report()["answered"].values()) == {1}


def test_a_budget_of_tokens_holds(server, tmp_path):
    game = game_of(server, max_tokens=500, max_in_flight=1)
    with pytest.raises(BudgetError, match=r"`max_tokens`: expected at most 500 tokens, got 5\d\d used"):
        captum_spex.explain(game, budget=300, random_state=0, store=tmp_path / "a.db")
    answered = server.report()["answered"]
    assert game.n_tokens == sum(len(FORMULA.tokens(prompt)) + 1 for prompt in answered)
    assert len(answered) == len(stored_masks(server, tmp_path / "a.db"))


def test_what_was_under_way_when_one_failed_is_in_the_store(server, tmp_path):
    server.control(gather=16, faults=[{"kind": "status", "status": 400, "times": 1}])
    masks = some_masks(200)
    with (
        pytest.raises(GameError, match="responded with 400"),
        Store(tmp_path / "a.db").open(game_of(server), N_PLAYERS) as store,
    ):
        Evaluator(game_of(server), N_PLAYERS, budget=200, store=store)(masks)
    answered = server.report()["answered"]
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
    with Store(tmp_path / "a.db").open(game, N_PLAYERS) as store:
        found = all_masks(N_PLAYERS)[store.find(mask_keys(all_masks(N_PLAYERS)))[0]]
    assert len(answered) >= 100
    assert once_each(found) == dict.fromkeys(answered, 1)


def test_without_masks_nothing_is_requested(server):
    assert_array_equal(game_of(server)(np.zeros((0, N_PLAYERS), dtype=bool)), [])
    assert server.report()["times"] == []


def test_nothing_is_sent_after_a_failure(server):
    """Those that the server asked to come back in a minute end at once."""
    held = {"kind": "status", "status": 429, "headers": {"retry-after": "60"}, "times": 4}
    server.control(gather=5, faults=[{"kind": "status", "status": 400, "times": 1}, held])
    start = time.monotonic()
    with pytest.raises(GameError, match="responded with 400"):
        game_of(server, max_in_flight=5)(some_masks(40))
    assert time.monotonic() - start < 60
    assert len(server.report()["times"]) == 5


def test_the_first_failure_is_raised():
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
    asked = len(server.report()["times"])
    assert asked <= 33
    server.control(faults=[{"kind": "status", "status": 400, "times": 3}])
    with pytest.raises(GameError):
        game(some_masks(60))
    assert remaining_threads(before) == []
    assert len(game(some_masks(3))) == 3


def test_a_store_that_fails_ends_what_is_under_way(server, tmp_path):
    before = threading.enumerate()
    server.control(latency=0.02)
    with Store(tmp_path / "a.db").open(game_of(server), N_PLAYERS) as store:
        add = store.add

        def full(*arguments, **settings):
            if store.n_added == 20:
                raise OSError("the disk is full")
            add(*arguments, **settings)

        store.add = full
        with pytest.raises(OSError, match="disk is full"):
            Evaluator(game_of(server), N_PLAYERS, budget=500, store=store)(some_masks(300))
    assert remaining_threads(before) == []
    assert len(server.report()["answered"]) < 80


def test_a_killed_run_resumes_with_the_missing_masks(server, tmp_path):
    server.control(faults=[{"kind": "slow", "share": 1.0, "after": 60}])
    path = tmp_path / "a.db"
    process = started(server, path)
    wait_until_held(server, 60)
    process.kill()
    process.wait()
    known = stored_masks(server, path)
    wait_until(lambda: server.report()["in_flight"] == 0)
    answered = server.report()["answered"]
    assert len(answered) - 32 <= len(known) < BUDGET
    server.control(**QUIET)
    captum_spex.explain(game_of(server), budget=BUDGET, approximator=QUICK, random_state=0, store=path)
    after = server.report()["answered"]
    assert {after[prompt] for prompt in once_each(known)} == {1}
    assert len(after) == BUDGET
    lost = set(answered) - set(once_each(known))  # on their way when the process ended
    assert sum(after.values()) == BUDGET + len(lost)


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
    answered = server.report()["answered"]
    assert 60 <= len(answered) < 300
    assert len(stored_masks(server, tmp_path / "a.db")) == len(answered)


# --- the key and fingerprints -----------------------------------------------------------------------------------------


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


def test_connection_settings_do_not_change_the_fingerprint(server):
    other = game_of(server, api_key=KEY, max_in_flight=3, timeout=5, max_tries=2, max_requests=9, max_tokens=9)
    assert other.fingerprint == game_of(server).fingerprint
    assert json.dumps(other.fingerprint)


# --- games that answer one by one -------------------------------------------------------------------------------------


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
    with Store(tmp_path / "a.db").open(game, 4) as store:
        masks = np.concatenate([all_masks(4), all_masks(4)[:3]])
        values = Evaluator(game, 4, budget=16, store=store)(masks)
        assert store.n_added == 16
    assert_array_equal(values.ravel(), masks @ [1.0, 2.0, 4.0, 8.0])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (lambda n: [*range(n), 0], "expected one answer for each row, got a second for row 0"),
        (lambda n: range(n - 2), "got none for 2 of 16 rows"),
        (lambda n: [99], "`game.answer_each`: expected rows from 0 to 15, got row 99"),
        (lambda n: [-1], "`game.answer_each`: expected rows from 0 to 15, got row -1"),
    ],
)
def test_a_game_that_answers_wrongly_is_noticed(order, message):
    class Wrong(OneByOne):
        def answer_each(self, masks):
            for row in self.order(len(masks)):
                yield row, 1.0

    with pytest.raises(GameError, match=message):
        Evaluator(Wrong(order), 4, budget=16)(all_masks(4))

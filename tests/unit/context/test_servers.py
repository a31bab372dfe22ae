"""Contexts asked of a server: log-probabilities of spans, similarity of answers, chats, and servers that cannot."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import every_mask
from remote_games import FORMULA, QUIET, openai_server
from server_shapes import serving

import captum_spex
from captum_spex.context import ContextGame, Server, cite
from captum_spex.context.servers import closeness
from captum_spex.errors import ArgumentError, GameError
from captum_spex.games.remote.answer_values import AnswerValue

pytest.importorskip("openai")
pytest.importorskip("tenacity")
SOURCES = ["The key is red.", "The door is blue.", "The mat is grey."]
QUESTION = "Where?"
ANSWER = "It is here. No."
AROUND = "Context:\n{}\n\nQuestion: Where?"
quiet = pytest.mark.filterwarnings("ignore:The (model would|answer)")


@pytest.fixture(scope="module")
def running():
    with openai_server.Running() as started:
        yield started


@pytest.fixture
def server(running, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    running.control(forget=True, **QUIET)
    return running


def context_of(mask, sources=SOURCES):
    return "\n\n".join(text for text, there in zip(sources, mask, strict=True) if there)


def slow_spans(prompt, answer, n_first):
    """Of the formula, whose tokens are words: the sum over the first, and over the others."""
    n_tokens = len(answer.split())
    values = [value for _, value in FORMULA.tokens(prompt + answer)][-n_tokens:]
    return [sum(values[:n_first]), sum(values[n_first:])]


@quiet
def test_completions_with_an_echo_give_the_log_probability_of_every_span(server):
    game = ContextGame(Server(server.url, endpoint="completions"), SOURCES, QUESTION, answer=ANSWER)
    masks = every_mask(3)
    prompts = [AROUND.format(context_of(mask)) + "\nAnswer:" for mask in masks]
    assert_allclose(game(masks), [slow_spans(prompt, f" {ANSWER}", 3) for prompt in prompts])
    assert (game.span_texts, game.value_name) == (("It is here.", "No."), "log-probability")


@quiet
def test_a_chat_endpoint_gives_the_same_of_messages(server):
    game = ContextGame(Server(server.url), SOURCES, QUESTION, answer=ANSWER, system="Be short.")
    masks = every_mask(3)
    before = "<system> Be short.\n<user> {}\n<assistant> "
    expected = [slow_spans(before.format(AROUND.format(context_of(mask))), ANSWER, 3) for mask in masks]
    assert_allclose(game(masks), expected)


@quiet
def test_messages_of_a_chat_are_sent_as_they_are(server):
    chat = [{"role": "user", "content": "I am Ann."}, {"role": "assistant", "content": "Hi."}]
    game = ContextGame(Server(server.url), chat, "Who am I?", answer=ANSWER)
    values = game(np.array([[True, False], [False, True]]))
    prompts = ["<user> I am Ann.\n<user> Who am I?\n<assistant> ", "<assistant> Hi.\n<user> Who am I?\n<assistant> "]
    assert_allclose(values, [slow_spans(prompt, ANSWER, 3) for prompt in prompts])


@quiet
def test_no_prompt_is_asked_twice_but_for_the_check(server):
    found = cite(Server(server.url, endpoint="completions"), SOURCES, QUESTION, answer=ANSWER, budget=8)
    assert found.n_evaluations == 8
    asked = server.report()["answered"]
    assert len(asked) == 8
    assert sorted(asked.values()) == [1] * 6 + [2, 2]  # all and none, alone and side by side


@quiet
def test_the_answer_is_what_the_server_generates(server):
    game = ContextGame(Server(server.url, endpoint="completions"), SOURCES, QUESTION)
    said = FORMULA.following(AROUND.format(context_of([True] * 3)) + "\nAnswer:", 1)[0][0]
    assert game.answer == said.strip()
    assert game(every_mask(3)).shape == (8,)


def reply(text):
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": {}}


def answering(body):
    """Two sentences, each of which rests on its source."""
    asked = body["messages"][-1]["content"]
    red = "The key is red." if "key is red" in asked else "I do not know the key."
    return reply(f"{red} {'The door is blue.' if 'door is blue' in asked else 'No idea.'}")


def test_without_log_probabilities_generated_answers_are_compared_span_by_span():
    with serving(answering) as server:
        found = cite(Server(server.url, value="exact"), SOURCES, QUESTION, budget=8)
    assert found.answer == "The key is red. The door is blue."
    assert found.value_name == "similarity"
    assert [found.sources(span)[0].players for span in (0, 1)] == [(0,), (1,)]
    assert_allclose([found.sources(span)[0].score for span in (0, 1)], 1.0)


def test_an_answer_unlike_that_of_the_server_is_warned_of_and_no_prompt_asked_twice():
    n_asked = []

    def counting(body):
        n_asked.append(body)
        return answering(body)

    with serving(counting) as server:
        text_server = Server(server.url, value="words", settings={"max_in_flight": 1})
        given = "The key is red. Unrelated words entirely."
        with pytest.warns(UserWarning, match=r"own answer is close to the part 'Unrelated words entirely\.' .* by 0"):
            cite(text_server, SOURCES, QUESTION, answer=given, budget=8)
    assert len(n_asked) == 8


def test_stored_answers_are_scored_again_without_asking(tmp_path):
    path = str(tmp_path / "answers.jsonl")
    n_asked = []

    def counting(body):
        n_asked.append(body)
        return answering(body)

    with serving(counting) as server:
        cite(Server(server.url, value="exact", answers=path), SOURCES, QUESTION, budget=8)
        before = len(n_asked)
        again = cite(Server(server.url, value="words", answers=path), SOURCES, QUESTION, budget=8)
    assert len(n_asked) == before
    assert again.sources(0)[0].players == (0,)


LOG = [
    {"role": "system", "content": "You are a caretaker."},
    {"role": "memory", "content": "Ann lost a key on Monday."},
    {"role": "memory", "content": "The cat sleeps at noon."},
    {"role": "user", "content": "Ann is at the door."},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": name, "type": "function", "function": {"name": "look", "arguments": f'{{"where": "{where}"}}'}}
            for name, where in (("a", "hall"), ("b", "box"))
        ],
    },
    {"role": "tool", "tool_call_id": "a", "content": "The hall is dark."},
    {"role": "tool", "tool_call_id": "b", "content": "A red key."},
    {"role": "user", "content": "What do you give her?"},
]


def caretaker(body):
    """A scripted agent: it needs to remember the loss and to have looked into the box."""
    said = "\n".join(message.get("content") or "" for message in body["messages"])
    called = [call["id"] for message in body["messages"] for call in message.get("tool_calls", [])]
    assert called == [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    knows = "lost a key" in said and "A red key." in said
    return reply("I give her the red key." if knows else "I let her in.")


def test_the_log_of_an_agent_is_replayed_and_scored_again_without_new_calls(tmp_path):
    path = str(tmp_path / "answers.jsonl")
    with serving(caretaker) as server:
        found = cite(Server(server.url, value="exact", answers=path), LOG, budget=32)
        n_asked = len(server.bodies)
        again = cite(Server(server.url, value=lambda answer, _: "key" in answer, answers=path), LOG, budget=32)
        assert len(server.bodies) == n_asked
    assert found.answer == "I give her the red key."
    assert {one.texts[0] for one in found.sources(0)[:2]} == {
        "Ann lost a key on Monday.",
        'look({"where": "box"}) -> A red key.',
    }
    assert found.pairs(0)[0].kind == again.pairs(0)[0].kind == "complementary"
    assert found.pairs(0)[0].players == (0, 4)


def test_the_closest_sentence_counts():
    words = AnswerValue("words")
    assert_allclose(closeness("Well. It is red.", ["It is red.", "Red or blue."], words), [1.0, 1 / 3])
    assert_allclose(closeness("", ["It is red."], words), [0.0])


def test_a_server_that_cannot_score_is_refused_after_two_requests(server):
    server.control(faults=[{"kind": "no_logprobs", "share": 1.0}])
    with pytest.raises(GameError, match=r"`log_probs`: .* In `cite`: give `Server\(\.\.\., value=\"words\"\)`"):
        cite(Server(server.url), SOURCES, QUESTION, budget=8)
    assert sum(server.report()["statuses"].values()) <= 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokenizer": len}, "`tokenizer`: expected None: a server has its own"),
        ({"chat": True}, "`chat`: expected None: the `endpoint`"),
        ({"spans": "word"}, "`spans`"),
        ({"answer": 7}, "`answer`: expected a text, or None for a generated one, got 7"),
        ({"context": []}, "an empty context"),
        ({"model": Server("http://127.0.0.1:9/v1", settings={"unit": "word"})}, "`settings`: expected settings that"),
        (
            {"model": Server("http://127.0.0.1:9/v1", endpoint="completions"), "context": LOG},
            "`endpoint`: expected 'chat' for a context of chat messages, got 'completions'",
        ),
        ({"model": Server("http://127.0.0.1:9/v1", endpoint="talk")}, "`endpoint`: expected 'chat', 'completions'"),
        ({"model": "gpt2"}, "`model`: expected a model of transformers, a `Server`, or the address of one, got 'gpt2'"),
        ({"model": Server("127.0.0.1:9"), "answer": ANSWER}, "`base_url`: expected an address such as"),
        ({"tokens_per_batch": 9}, "`tokens_per_batch`: expected None for a server"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_a_request(settings, message):
    given = {"model": "http://127.0.0.1:9/v1", "context": SOURCES, **settings}
    with pytest.raises(ArgumentError, match=message):
        ContextGame(given.pop("model"), given.pop("context"), QUESTION, **given)


@quiet
def test_a_run_of_a_server_resumes_from_its_store(server, tmp_path):
    game = ContextGame(Server(server.url), SOURCES, QUESTION, answer=ANSWER)
    captum_spex.explain(game, budget=8, store=tmp_path / "a.db")
    n_before = sum(server.report()["answered"].values())
    again = ContextGame(Server(server.url, settings={"check": False}), SOURCES, QUESTION, answer=ANSWER)
    captum_spex.explain(again, budget=8, store=tmp_path / "a.db")
    assert sum(server.report()["answered"].values()) == n_before + 2

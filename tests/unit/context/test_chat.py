"""Messages of chats under masks: roles stay, calls go with their results, templates are obeyed."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest
from context_cases import ANSWER, film_game, slow_log_probs, wide_model
from numpy.testing import assert_allclose
from oracles import every_mask
from text_models import byte_tokenizer

from captum_spex.context.chat import ChatRendering, is_chat
from captum_spex.context.chat_texts import PromptTexts, as_messages, merged
from captum_spex.context.rendering import Removal
from captum_spex.errors import ArgumentError

SYSTEM = {"role": "system", "content": "Be short."}
HELLO = {"role": "user", "content": "I am Ann."}
HI = {"role": "assistant", "content": "Hi."}
CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"what": "key"}'}},
        {"id": "b", "type": "function", "function": {"name": "look", "arguments": {"where": "hall"}}},
    ],
}
RESULTS = [{"role": "tool", "tool_call_id": name, "content": text} for name, text in (("a", "Red."), ("b", "Dark."))]
ASK = {"role": "user", "content": "Who?"}
CHAT = [SYSTEM, HELLO, HI, CALLS, *RESULTS, ASK]
ALTERNATING = (
    "{% for m in messages %}{% if not loop.first and m['role'] == messages[loop.index0 - 1]['role'] %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}<say>"
)


def slow_messages(mask):
    """Of `CHAT`, whose players are the greeting, the reply, the first and the second call."""
    there = dict(zip(("hello", "hi", "a", "b"), mask, strict=True))
    found = [SYSTEM]
    found += [HELLO] if there["hello"] else []
    found += [HI] if there["hi"] else []
    calls = [call for call in CALLS["tool_calls"] if there[call["id"]]]
    found += [{**CALLS, "tool_calls": calls}] if calls else []
    found += [result for result in RESULTS if there[result["tool_call_id"]]]
    return [*found, ASK]


def test_every_mask_of_a_chat_is_rendered_as_the_slow_twin_has_it():
    rendering = ChatRendering(CHAT, None, Removal())
    assert [(one.role, one.text) for one in rendering.sources] == [
        ("user", "I am Ann."),
        ("assistant", "Hi."),
        ("tool", 'find({"what": "key"}) -> Red.'),
        ("tool", 'look({"where": "hall"}) -> Dark.'),
    ]
    assert rendering.query == "Who?"
    for mask in every_mask(4):
        messages = rendering.prompt(mask)
        assert messages == slow_messages(mask)
        called = [call["id"] for message in messages for call in message.get("tool_calls", [])]
        assert called == [message["tool_call_id"] for message in messages if message["role"] == "tool"]


def test_a_query_is_a_further_message_and_the_last_question_becomes_a_source():
    rendering = ChatRendering([SYSTEM, HELLO, HI], "Who am I?", Removal())
    assert [one.text for one in rendering.sources] == ["I am Ann.", "Hi."]
    assert rendering.prompt(np.zeros(2, dtype=bool)) == [SYSTEM, {"role": "user", "content": "Who am I?"}]


def test_replaced_messages_keep_their_roles_and_calls():
    messages = ChatRendering(CHAT, None, Removal("[...]")).prompt(np.array([True, False, False, True]))
    assert messages == [
        SYSTEM, HELLO, {**HI, "content": "[...]"}, CALLS, {**RESULTS[0], "content": "[...]"}, RESULTS[1], ASK,
    ]  # fmt: skip


def test_memories_are_sources_and_sent_in_the_system_message():
    memories = [{"role": "memory", "content": text} for text in ("Ann is 7.", "Ann likes red.")]
    rendering = ChatRendering([SYSTEM, *memories, ASK], None, Removal())
    assert [one.role for one in rendering.sources] == ["memory", "memory"]
    both, second, none = (rendering.prompt(np.array(mask)) for mask in ([1, 1], [0, 1], [0, 0]))
    assert both == [{"role": "system", "content": "Be short.\n\nAnn is 7.\n\nAnn likes red."}, ASK]
    assert second == [{"role": "system", "content": "Be short.\n\nAnn likes red."}, ASK]
    assert none == [SYSTEM, ASK]
    without = ChatRendering([*memories, ASK], None, Removal("[...]")).prompt(np.array([True, False]))
    assert without == [{"role": "system", "content": "Ann is 7.\n\n[...]"}, ASK]


@pytest.mark.parametrize("called", [(None, None), ("look", "find")])
def test_results_without_ids_belong_to_the_open_calls_in_order_or_by_name(called):
    calls = {**CALLS, "tool_calls": [{"function": call["function"]} for call in CALLS["tool_calls"]]}
    results = [
        {"role": "tool", "content": text, **({} if name is None else {"name": name})}
        for name, text in zip(called, ("1", "2"), strict=True)
    ]
    of_first, of_second = ("1", "2") if called[0] is None else ("2", "1")
    texts = [source.text for source in ChatRendering([ASK, calls, *results], None, Removal()).sources]
    assert texts == [f'find({{"what": "key"}}) -> {of_first}', f'look({{"where": "hall"}}) -> {of_second}']


def test_what_is_said_with_a_call_is_part_of_its_source_and_a_result_may_be_empty():
    calls = {**CALLS, "content": "Let me see."}
    empty = {**RESULTS[1], "content": ""}
    rendering = ChatRendering([ASK, calls, RESULTS[0], empty], None, Removal())
    assert [source.text for source in rendering.sources] == [
        'Let me see. find({"what": "key"}) -> Red.',
        'Let me see. look({"where": "hall"}) -> ',
    ]
    assert rendering.prompt(np.ones(2, dtype=bool))[-1] == empty


def test_numbers_may_be_ids_of_calls():
    calls = {**CALLS, "tool_calls": [{**CALLS["tool_calls"][0], "id": 7}]}
    chat = [HELLO, ASK, calls, {"role": "tool", "tool_call_id": 7, "content": "Red."}]
    assert [source.text for source in ChatRendering(chat, None, Removal()).sources][1].endswith("-> Red.")


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([SYSTEM, HI], "`query`: expected a question, got None, and no message of the user"),
        ([SYSTEM, HELLO, ASK], "`context`: expected at least two sources, got a chat with 1 message beside the query"),
        ([SYSTEM, ASK], "got a chat with 0 messages beside the query"),
        (
            [HELLO, HI, RESULTS[0], ASK],
            r"`context\[2\]`: expected the result of a tool call .* got a result of the call 'a'",
        ),
        ([HELLO, {"role": "user", "content": [{"type": "image"}]}, ASK], r"`context\[1\]`: expected a message"),
        (
            [HELLO, ASK, HI],
            r"`context\[2\]`: .* got a chat that ends with an answer. Leave it out, or give it as `answer`",
        ),
        ([HELLO, ASK, CALLS], r"got a chat that ends with a call without its result"),
        ([HELLO, ASK, CALLS, *RESULTS, {"role": "tool", "content": "?"}], r"got a result of the call None"),
        ([HELLO, {"role": "assistant", "content": ""}, ASK], r"`context\[1\]`: .* got an empty message"),
    ],
)
def test_chats_that_cannot_be_explained_are_refused(messages, message):
    with pytest.raises(ArgumentError, match=message):
        ChatRendering(messages, None, Removal())


def test_what_is_a_chat():
    assert is_chat(CHAT)
    assert not any(map(is_chat, ("role", [], ["role"], [{"text": "A."}], [HELLO, "B."])))


@pytest.mark.filterwarnings("ignore:The (model would|answer)")
def test_values_of_a_chat_are_those_of_the_rendered_template():
    tokenizer = byte_tokenizer(chat=True)
    game = film_game([SYSTEM, HELLO, HI, ASK], query=None, tokenizer=tokenizer, template=None, spans="answer")
    prompt = "<|system|>\nBe short.</s>\n<|assistant|>\nHi.</s>\n<|user|>\nWho?</s>\n<|assistant|>\n"
    expected = sum(slow_log_probs(wide_model("gpt2"), tokenizer, prompt, ANSWER, specials=False))
    assert_allclose(game(np.array([[False, True]])), [expected], atol=1e-4)
    assert game.names == ("user: I am Ann.", "assistant: Hi.")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"template": "{context} {query}"}, "`template`: expected None for a chat"),
        ({"template": None, "system": "Be short."}, "`system`: expected None for a chat"),
        ({"template": None, "split": "sentence"}, "`split`: expected None for a chat"),
        ({"template": None, "chat": False}, "`chat`: expected True, or None"),
        ({"template": None}, "`tokenizer`: expected one with a chat template"),
    ],
)
def test_what_does_not_go_with_a_chat_is_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        film_game([HELLO, HI, ASK], query=None, **settings)


def alternating(rendering):
    tokenizer = byte_tokenizer.__wrapped__()
    tokenizer.chat_template = ALTERNATING
    return PromptTexts(tokenizer, rendering, chat=True)


def test_messages_of_one_role_that_meet_become_one_where_roles_must_alternate():
    texts = alternating(ChatRendering([HELLO, HI, ASK], None, Removal()))
    assert texts(np.array([[True, False], [False, False]])) == ["<user>I am Ann.\n\nWho?\n<say>", "<user>Who?\n<say>"]


def test_a_template_that_refuses_even_that_is_refused():
    rendering = ChatRendering(
        [HELLO, CALLS, *RESULTS, {**CALLS, "tool_calls": CALLS["tool_calls"][:1]}, ASK], None, Removal()
    )
    with pytest.raises(ArgumentError, match=r'`context`: .* got one of which it says: "roles must alternate"') as found:
        alternating(rendering)
    assert 'removal="replace"' in str(found.value)


def test_messages_with_more_than_a_text_are_not_joined():
    assert merged([HELLO, CALLS, RESULTS[0], RESULTS[1], ASK]) == [HELLO, CALLS, RESULTS[0], RESULTS[1], ASK]
    assert as_messages("Hi.", "Be short.") == [SYSTEM, {"role": "user", "content": "Hi."}]


def test_messages_that_a_template_does_not_show_are_warned_of():
    tokenizer = copy(byte_tokenizer(chat=True))
    tokenizer.chat_template = "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}\n{% endfor %}"
    message = "shows nothing of 4 of 6 messages, 'Hi.' of the role 'assistant' first"
    with pytest.warns(UserWarning, match=message):
        PromptTexts(tokenizer, ChatRendering(CHAT[1:], None, Removal()), chat=True)

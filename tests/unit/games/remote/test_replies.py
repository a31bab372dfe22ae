"""What is read from replies that hold an answer."""

from __future__ import annotations

import pytest

from captum_spex.errors import GameError
from captum_spex.games.remote.replies import final_answer, generated

pytest.importorskip("openai")


def reply(text, **more):
    return {"choices": [{"message": {"content": text}, **more}]}


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ({"choices": [{"text": " yes"}]}, (" yes", False)),
        (reply("yes", finish_reason="length"), ("yes", True)),
        (reply("<think>hm</think>\n\nyes"), ("yes", False)),
        (reply("hm</think>yes"), ("yes", False)),  # the template begins the thought
        (reply(None), ("", False)),
    ],
)
def test_an_answer_is_what_follows_the_thoughts(response, answer):
    assert final_answer(response) == answer


@pytest.mark.parametrize("thought", ["<think>", " <thinking>hm", "<|channel|>analysis", "[THINK]", "<seed:think>"])
def test_thoughts_are_refused_where_an_answer_is_expected(thought):
    with pytest.raises(GameError, match="`model`: expected the answer, got a model that thinks first"):
        generated(reply(thought))
    with pytest.raises(GameError, match="`max_new_tokens`: expected an answer, got a thought without an end"):
        final_answer(reply(thought))
    assert generated(reply("I think so")) == "I think so"


@pytest.mark.parametrize("response", [{}, {"choices": []}, {"choices": ["x"]}, reply([{"text": "yes"}]), reply(3)])
def test_other_forms_are_refused(response):
    for read in (generated, final_answer):
        with pytest.raises(GameError, match="`base_url`: expected a response with"):
            read(response)

"""Further fields of requests."""

from __future__ import annotations

import pytest

from captum_spex.errors import ArgumentError
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.remote.options import Options

pytest.importorskip("openai")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top_logprobs": 1}, "`top_logprobs`: expected an integer of at least 2, got 1"),
        ({"max_new_tokens": 0}, "`max_new_tokens`: expected an integer of at least 1, got 0"),
        ({"stop": ["a", ""]}, "`stop`: expected a text, or a list of texts, none of them empty"),
        ({"extra_body": [1]}, "`extra_body`: expected a dictionary that can be written as JSON"),
        ({"extra_body": {"a": object()}}, "`extra_body`: expected a dictionary that can be written as JSON"),
        ({"extra_body": {"a": float("nan")}}, "`extra_body`: expected a dictionary that can be written as JSON"),
        ({"extra_body": {"max_tokens": 3}}, "`extra_body`: .* a field 'max_tokens'|`max_new_tokens` decides on it"),
        ({"extra_body": {"echo": False}}, "`extra_body`: expected other fields, as `log_probs` decides on it"),
        ({"chat_template_kwargs": {"a": 1}}, '`chat_template_kwargs`: expected None, unless `endpoint="chat"`'),
        ({"endpoint": "chat", "chat_template_kwargs": 3}, "`chat_template_kwargs`: expected a dictionary"),
        ({"check": 1}, "`check`: expected True or False, got 1"),
        ({"endpoint": "chat", "log_probs": "top", "answer": "Not safe"}, "`answer`: expected an answer of one token"),
    ],
)
def test_bad_settings_are_refused_before_any_request(settings, message):
    with pytest.raises(ArgumentError, match=message):
        RemoteAnswerGame("The key is here", **{"answer": " yes", "base_url": "http://127.0.0.1:9/v1", **settings})


def test_what_differs_from_the_defaults_is_described():
    assert Options().described() == {}
    options = Options.checked("chat", n_tokens=3, top_logprobs=5, chat_template_kwargs={"a": True}, extra_body={"b": 1})
    assert options.described() == {"top_logprobs": "5", "fields": '{"b": 1, "chat_template_kwargs": {"a": true}}'}

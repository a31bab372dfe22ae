"""Chats: messages, tool calls and their results as sources, and the messages that are left under a mask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from captum_spex.context.rendering import Messages, Removal, Rendering
from captum_spex.context.sources import Source
from captum_spex.errors import ArgumentError
from captum_spex.masks import Masks

_ALWAYS = ("system", "developer")
_MEMORY = "memory"
_FORM = "a message, `{'role': ..., 'content': ...}`"


def is_chat(context: Any) -> bool:
    """Whether a context is a list of chat messages."""
    is_list = isinstance(context, Sequence) and not isinstance(context, str) and len(context) > 0
    return is_list and all(isinstance(one, Mapping) and "role" in one for one in context)


@dataclass(frozen=True)
class _Part:
    """A message, or one tool call of a message: who decides whether it is there (``None``: it always is)."""

    message: int
    player: int | None
    call: int | None = None


class ChatRendering(Rendering):
    """The messages of a chat, of which the absent ones are left out; roles are kept.

    System messages and the query, the last message of the user, are always there. A tool call and its result are one
    source, so that neither is ever sent alone; a message of several calls keeps those that are present. Messages of the
    role ``"memory"`` are sources too: what an agent remembers, which is sent at the end of the system message.

    Args:
        messages: mappings with ``role`` and ``content``, and ``tool_calls`` or ``tool_call_id`` as servers know them.
        query: a further message of the user; default: the last one.
        removal: absent messages are left out, or say only the placeholder.

    Raises:
        ArgumentError: for a chat without a message of the user, one that ends with its answer, a result without a call,
            or less than two sources.

    Example:
        >>> import numpy as np
        >>> chat = [{"role": "user", "content": "I am Ann."}, {"role": "assistant", "content": "Hi."}]
        >>> rendering = ChatRendering([*chat, {"role": "user", "content": "Who am I?"}], None, Removal())
        >>> rendering.prompt(np.array([True, False]))
        [{'role': 'user', 'content': 'I am Ann.'}, {'role': 'user', 'content': 'Who am I?'}]
    """

    def __init__(self, messages: Sequence[Mapping[str, Any]], query: str | None, removal: Removal) -> None:
        self._messages = [_checked(f"context[{place}]", message) for place, message in enumerate(messages)]
        if query is not None:
            self._messages.append({"role": "user", "content": query})
        asked = [place for place, message in enumerate(self._messages) if message["role"] == "user"]
        if not asked:
            raise ArgumentError("query", "None, and no message of the user", "a question")
        _check_end(self._messages)
        sources, self._parts = _divided(self._messages, asked[-1])
        if len(sources) < 2:
            got = f"a chat with {len(sources)} message{'' if len(sources) == 1 else 's'} beside the query"
            hint = "With a single source there is nothing to compare."
            raise ArgumentError("context", got, "at least two sources", hint)
        super().__init__(sources, _said(self._messages[asked[-1]]), removal)

    def prompt(self, mask: Masks) -> Messages:
        """Return the messages in which the sources of a mask ``(n_players,)`` are present."""
        found: Messages = []
        for place, message in enumerate(self._messages):
            parts = [part for part in self._parts if part.message == place]
            there = [part for part in parts if part.player is None or mask[part.player]]
            if self.removal.placeholder is None:
                if there:
                    found.append(_with_calls(message, there))
            else:
                found.append(message if len(there) == len(parts) else _replaced(message, self.removal.placeholder))
        return _remembered(found)


def _remembered(messages: Messages) -> Messages:
    """Put memories into the system message, or make one of them."""
    memories = [message["content"] for message in messages if message["role"] == _MEMORY]
    if not memories:
        return messages
    others = [message for message in messages if message["role"] != _MEMORY]
    has_system = bool(others) and others[0]["role"] in _ALWAYS
    before, others = ([others[0]["content"]], others[1:]) if has_system else ([], others)
    return [{"role": "system", "content": "\n\n".join([*before, *memories])}, *others]


def _checked(argument: str, message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(message.get("role"), str) or not (content is None or isinstance(content, str)):
        got = repr(content) if isinstance(message.get("role"), str) else repr(message.get("role"))
        raise ArgumentError(argument, got[:60], f"{_FORM}, whose content is a text")
    if not content and not message.get("tool_calls") and message["role"] != "tool":  # tools may have nothing to say
        raise ArgumentError(argument, "an empty message", f"{_FORM} that says something, or calls tools")
    return dict(message)


def _check_end(messages: Messages) -> None:
    """Refuse a chat of which the answer is a part: it would be the best source of itself."""
    if messages[-1]["role"] == "assistant":
        calls = bool(messages[-1].get("tool_calls"))
        got = f"a chat that ends with {'a call without its result' if calls else 'an answer'}"
        hint = "Leave the call out." if calls else "Leave it out, or give it as `answer`."
        raise ArgumentError(f"context[{len(messages) - 1}]", got, "a message that the model answers", hint)


def _divided(messages: Messages, query: int) -> tuple[list[Source], list[_Part]]:
    """Return the sources of a chat, and who decides on every message and every call."""
    sources: list[Source] = []
    parts: list[_Part] = []
    of_call: dict[str, int] = {}
    open_calls: dict[int, str] = {}  # without a result yet, and what they call
    for place, message in enumerate(messages):
        role, calls = message["role"], message.get("tool_calls") or []
        if role in _ALWAYS or place == query:
            parts.append(_Part(place, None))
        elif role == "tool":
            player = _called(f"context[{place}]", message, of_call, open_calls)
            open_calls.pop(player, None)
            source = sources[player]
            sources[player] = Source(f"{source.text} -> {_said(message)}", id=source.id, role="tool")
            parts.append(_Part(place, player))
        elif calls:
            for number, call in enumerate(calls):
                name = str(call.get("id", f"{place}.{number}"))
                of_call[name] = len(sources)
                open_calls[len(sources)] = _function(call).get("name", "")
                parts.append(_Part(place, len(sources), number))
                text = " ".join(filter(None, [message.get("content"), _call_in_words(call)]))  # said with all its calls
                sources.append(Source(text, id=name, role=role))
        else:
            parts.append(_Part(place, len(sources)))
            sources.append(Source(message["content"], id=message.get("name"), role=role))
    return sources, parts


def _called(
    argument: str, message: Mapping[str, Any], of_call: Mapping[str, int], open_calls: Mapping[int, str]
) -> int:
    """Return the source of the call that a message answers: by its id, else the first open one of its name."""
    identity, name = message.get("tool_call_id"), message.get("name", message.get("tool_name"))
    if identity is not None and str(identity) in of_call:
        return of_call[str(identity)]
    if identity is None:
        for player, called in open_calls.items():
            if name is None or name == called:
                return player
    got = f"a result of the call {name if identity is None else identity!r}, which no message before it makes"
    raise ArgumentError(argument, got, "the result of a tool call of a message before it")


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function: Mapping[str, Any] = call.get("function") or call
    return function


def _call_in_words(call: Mapping[str, Any]) -> str:
    function = _function(call)
    given = function.get("arguments", "")
    return f"{function.get('name', 'tool')}({given if isinstance(given, str) else json.dumps(given)})"


def _said(message: Mapping[str, Any]) -> str:
    return str(message.get("content") or "")


def _with_calls(message: dict[str, Any], parts: Sequence[_Part]) -> dict[str, Any]:
    """Return a message with those of its calls that are present."""
    if parts[0].call is None:
        return message
    return {**message, "tool_calls": [message["tool_calls"][part.call] for part in parts if part.call is not None]}


def _replaced(message: dict[str, Any], placeholder: str) -> dict[str, Any]:
    """Return a message that says only the placeholder; calls of tools stay, their results say it."""
    return message if message.get("tool_calls") else {**message, "content": placeholder}

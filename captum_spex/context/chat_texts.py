"""Prompts as the texts that a tokenizer's chat template makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from captum_spex.context.rendering import Messages, Prompt, Rendering, complete
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import clipped
from captum_spex.games.text.prompts import checked_variables
from captum_spex.masks import Masks, ends

_OTHER = "another"
_SAID = 60  # characters of a message in a warning


class PromptTexts:
    """The text that a model reads under every mask: the prompt itself, or a chat in the tokenizer's template.

    Where a template wants roles to alternate, messages of one role that meet, as others are left out, become one.

    Args:
        tokenizer: the tokenizer.
        rendering: makes the prompts.
        chat: whether a prompt that is a text is put into the template, as the user's message.
        system: a system prompt before it.
        variables: those of the template.

    Attributes:
        is_chat: whether the template is used.
    """

    def __init__(
        self,
        tokenizer: Any,
        rendering: Rendering,
        *,
        chat: bool,
        system: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        self._tokenizer, self._rendering, self._system = tokenizer, rendering, system
        self.is_chat = chat
        if not chat:
            if variables is not None:
                raise ArgumentError("chat_template_kwargs", repr(variables), "None without a chat")
            self._variables: Mapping[str, Any] = {}
            return
        if getattr(tokenizer, "chat_template", None) is None:
            hint = "Give the context as a text or a list of texts, and `chat=False`."
            raise ArgumentError("tokenizer", "one without a chat template", "one with a chat template", hint)
        self._variables = checked_variables(tokenizer, variables)
        self._merges = False
        self._merges = not self._works() and self._works_merged()
        self._warn_of_unseen()

    def __call__(self, masks: Masks) -> list[str]:
        """Return the text under every mask."""
        return [self._text(self._rendering.prompt(mask)) for mask in masks]

    def _text(self, prompt: Prompt) -> str:
        if isinstance(prompt, str) and not self.is_chat:
            return prompt
        messages = as_messages(prompt, self._system)
        settings = {"tokenize": False, "add_generation_prompt": True}
        text: str = self._tokenizer.apply_chat_template(
            merged(messages) if self._merges else messages, **settings, **self._variables
        )
        return text

    def _works(self) -> bool:
        """Whether the template takes the chat with all sources, with none, and without any one of them."""
        from jinja2 import TemplateError

        n_players = len(self._rendering.sources)
        try:
            self(np.concatenate([ends(n_players), ~np.eye(n_players, dtype=np.bool_)]))
        except TemplateError as error:
            self._message = str(error)
            return False
        return True

    def _works_merged(self) -> bool:
        self._merges = True
        if self._works():
            return True
        expected = "a chat that the tokenizer's template takes, also without some of its messages"
        hint = 'Give `removal="replace"`, which keeps every message and replaces what it says.'
        raise ArgumentError("context", f'one of which it says: "{self._message}"', expected, hint)

    def _warn_of_unseen(self) -> None:
        """Warn of messages of which the template shows nothing: the model never reads what is called a source."""
        prompt = complete(self._rendering)
        if isinstance(prompt, str):
            return
        shown = self._text(prompt)
        unseen = [
            message
            for place, message in enumerate(prompt)
            if self._text([*prompt[:place], _otherwise(message), *prompt[place + 1 :]]) == shown
        ]
        if unseen:
            said = clipped(repr(unseen[0].get("tool_calls") or unseen[0]["content"]), _SAID)
            message = f"The tokenizer's chat template shows nothing of {len(unseen)} of {len(prompt)} messages"
            warnings.warn(f"{message}, {said} of the role {unseen[0]['role']!r} first.", stacklevel=4)


def _otherwise(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message that says something else, or calls something else."""
    calls = message.get("tool_calls")
    if not calls:
        return {**message, "content": f"{message['content']} {_OTHER}"}
    other = {"name": _OTHER}
    return {
        **message,
        "tool_calls": [
            {**call, "function": {**call["function"], **other}} if call.get("function") else {**call, **other}
            for call in calls
        ],
    }


def as_messages(prompt: Prompt, system: str | None) -> Messages:
    """Return a prompt as the messages of a chat: a text is the user's message, after the system prompt."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return [*([] if system is None else [{"role": "system", "content": system}]), *messages]


def merged(messages: Messages) -> Messages:
    r"""Join messages of one role that follow each other, where they hold nothing but a text.

    Example:
        >>> merged([{"role": "user", "content": "Hi."}, {"role": "user", "content": "Who?"}])
        [{'role': 'user', 'content': 'Hi.\n\nWho?'}]
    """
    found: Messages = []
    for message in messages:
        last = found[-1] if found else {}
        if message.keys() == last.keys() == {"role", "content"} and message["role"] == last["role"]:
            found[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            found.append(message)
    return found

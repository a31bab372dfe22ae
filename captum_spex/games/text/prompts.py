"""The text that a model reads: fixed texts around it, a chat template, special tokens once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError

_PLACEHOLDER = "\ue000"  # of the text, while a chat template is rendered
_OWN = ("conversation", "messages", "tokenize", "add_generation_prompt", "continue_final_message", "chat_template")


@dataclass(frozen=True)
class Prompt:
    """A text between two fixed ones.

    Attributes:
        before, text, after: the model reads these three in a row.
        second: the fixed second text of a pair classifier.
        special_tokens: whether the tokenizer adds its own (see `kept`); a chat template has them already.
        answered: whether an answer follows.
        begin: a token to put first, where the tokenizer adds none there.
    """

    before: str
    text: str
    after: str
    second: str | None = None
    special_tokens: bool | None = None
    answered: bool = False
    begin: int | None = None

    @property
    def complete(self) -> str:
        """What the model reads."""
        return self.before + self.text + self.after


@dataclass(frozen=True)
class Encoded:
    """The tokens of a prompt, their types if the tokenizer has any, and where each is in the prompt, if it is there."""

    ids: list[int]
    types: list[int] | None
    places: list[tuple[int, int] | None]


def prompt_of(
    tokenizer: Any,
    text: str,
    *,
    prefix: str = "",
    suffix: str = "",
    system: str | None = None,
    chat: bool = False,
    special_tokens: bool | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> Prompt:
    """Return the prompt of a text, in the tokenizer's chat template if ``chat`` or a system prompt is given."""
    if not isinstance(text, str):
        raise ArgumentError("text", type_of(text), "a text")
    if not text.strip():
        raise ArgumentError("text", "an empty text", "a text with at least two players")
    special_tokens = checked_choice_of_special_tokens(special_tokens)
    if not chat and system is None:
        if chat_template_kwargs is not None:
            raise ArgumentError("chat_template_kwargs", repr(chat_template_kwargs), "None without `chat=True`")
        return Prompt(prefix, text, suffix, special_tokens=special_tokens)
    if getattr(tokenizer, "chat_template", None) is None:
        argument, got, expected = ("chat", "True", "False") if chat else ("system", "a system prompt", "None")
        hint = "Use `prefix` and `suffix` instead."
        raise ArgumentError(argument, got, f"{expected} for a tokenizer without a chat template", hint)
    template = _ChatTemplate(tokenizer, system, checked_variables(tokenizer, chat_template_kwargs))
    before, after = template.around(prefix, suffix)
    if template.rendered(prefix + text + suffix) != before + text + after:
        hint = "Give it without white space around it (`text.strip()`), or use `prefix` and `suffix` instead of `chat`."
        raise ArgumentError("text", "one that it changes", "a text that the chat template leaves as it is", hint)
    return Prompt(before, text, after, special_tokens=bool(special_tokens))


def checked_choice_of_special_tokens(special_tokens: Any) -> bool | None:
    """Return the choice of special tokens: a flag, or ``None``."""
    return None if special_tokens is None else checks.flag("special_tokens", special_tokens)


class _ChatTemplate:
    """A tokenizer's chat template with a system prompt and variables."""

    def __init__(self, tokenizer: Any, system: str | None, variables: Mapping[str, Any]) -> None:
        self._tokenizer = tokenizer
        self._system = system
        self._variables = variables

    def around(self, prefix: str, suffix: str) -> tuple[str, str]:
        """Return what stands before and after the text."""
        rendered = self.rendered(prefix + _PLACEHOLDER + suffix)
        if rendered.count(_PLACEHOLDER) != 1:
            got = f"one that contains it {rendered.count(_PLACEHOLDER)} times"
            expected = "a chat template that contains the user's text once"
            raise ArgumentError("chat", got, expected, "Use `prefix` and `suffix` instead.")
        if self._system is not None and self._system.strip() not in rendered:
            raise _no_system("It leaves the system prompt out.")
        before, after = rendered.split(_PLACEHOLDER)
        return before, after

    def rendered(self, content: str) -> str:
        """Return the prompt with a content of the user's message."""
        from jinja2 import TemplateError

        try:
            return self._apply(content, self._system)
        except TemplateError as error:
            message = str(error)
        if self._system is not None:
            try:
                self._apply(content, None)
            except TemplateError:
                pass
            else:
                raise _no_system(f'It says: "{message}".')
        hint = "Use `prefix` and `suffix` instead."
        raise ArgumentError("chat", f'one that says: "{message}"', "a chat template that takes a user's message", hint)

    def _apply(self, content: str, system: str | None) -> str:
        messages = [] if system is None else [{"role": "system", "content": system}]
        messages.append({"role": "user", "content": content})
        settings = {"tokenize": False, "add_generation_prompt": True}
        rendered: str = self._tokenizer.apply_chat_template(messages, **settings, **self._variables)
        return rendered


def _no_system(reason: str) -> ArgumentError:
    hint = f"{reason} Put it into `prefix`."
    return ArgumentError("system", "a system prompt", "None for a chat template that takes none", hint)


def checked_variables(tokenizer: Any, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the variables of a chat template: a misspelt one would have no effect without a word."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ArgumentError("chat_template_kwargs", type_of(given), "a mapping from variables to values")
    source = tokenizer.get_chat_template(tools=given.get("tools"))
    for name in given:
        if name in _OWN or not re.search(rf"\b{re.escape(str(name))}\b", source):
            allowed = "a variable that the tokenizer's chat template uses"
            raise ArgumentError(f"chat_template_kwargs[{name!r}]", f"one that it does not use: {name!r}", allowed)
    return given


def encoded(tokenizer: Any, prompt: Prompt) -> Encoded:
    """Return the tokens of a prompt, by a fast tokenizer."""
    found = tokenizer(
        prompt.complete,
        prompt.second,
        add_special_tokens=prompt.special_tokens is not False,
        return_offsets_mapping=True,
        truncation=False,
        verbose=False,
    )
    sequences = found.sequence_ids()
    ids, types = list(found["input_ids"]), found.get("token_type_ids")
    places = [
        tuple(place) if sequence == 0 else None
        for place, sequence in zip(found["offset_mapping"], sequences, strict=True)
    ]
    own = [position for position, sequence in enumerate(sequences) if sequence is not None]
    n_first, n_last = (own[0], len(ids) - own[-1] - 1) if own else (len(ids), 0)
    chosen = kept(ids, n_first, n_last, prompt.special_tokens, answered=prompt.answered)
    ids, places, types = ids[chosen], places[chosen], None if types is None else list(types)[chosen]
    if prompt.begin is not None and places and places[0] is not None and ids[0] != prompt.begin:
        ids, places, types = [prompt.begin, *ids], [None, *places], types and [types[0], *types]
    return Encoded(ids, types, places)


def kept(ids: Sequence[int], n_first: int, n_last: int, special_tokens: bool | None, *, answered: bool) -> slice:
    """Return which tokens stay of a text that begins and ends with special tokens of the tokenizer.

    Args:
        ids: all tokens.
        n_first: how many of them the tokenizer added at the beginning.
        n_last: the same at the end.
        special_tokens: whether those are wanted. ``None``: at the beginning unless the text itself begins with them,
            and at the end unless an answer follows, which would follow the end of the text.
        answered: whether an answer follows.

    Example:
        >>> kept([0, 0, 7, 1], 1, 1, None, answered=True)
        slice(1, 3, None)
    """
    if special_tokens is not None:
        return slice(0, len(ids)) if special_tokens else slice(n_first, len(ids) - n_last)
    repeats = list(ids[:n_first]) == list(ids[n_first : 2 * n_first])
    return slice(n_first if repeats else 0, len(ids) - (n_last if answered else 0))


def n_added(tokenizer: Any) -> tuple[int, int]:
    """Return how many special tokens a tokenizer, fast or not, adds at the beginning and at the end of a text."""
    complete, own = tokenizer.encode("a"), tokenizer.encode("a", add_special_tokens=False)
    for n_first in range(len(complete) - len(own) + 1 if own else 0):
        if list(complete[n_first : n_first + len(own)]) == list(own):
            return n_first, len(complete) - len(own) - n_first
    return 0, 0

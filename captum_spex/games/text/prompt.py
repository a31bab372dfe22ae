"""The text that the model reads: the text to explain between fixed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from captum_spex import checks
from captum_spex.errors import ArgumentError

_PLACEHOLDER = "\ue000"  # of the text, while a chat template is rendered


@dataclass(frozen=True)
class Prompt:
    """A text between two fixed ones.

    Attributes:
        before, text, after: the model reads these three in a row.
        second: the fixed second text of a pair classifier.
        special_tokens: whether the tokenizer adds its own; a chat template has them already.
    """

    before: str
    text: str
    after: str
    second: str | None = None
    special_tokens: bool = True

    @property
    def complete(self) -> str:
        """What the model reads."""
        return self.before + self.text + self.after


def prompt_of(
    tokenizer: Any, text: str, *, prefix: str = "", suffix: str = "", system: str | None = None, chat: bool = False
) -> Prompt:
    """Return the prompt of a text, in the tokenizer's chat template if ``chat`` or a system prompt is given."""
    if not isinstance(text, str):
        raise ArgumentError("text", checks.a(text), "a text")
    if not text.strip():
        raise ArgumentError("text", "an empty text", "a text with at least two players")
    if not chat and system is None:
        return Prompt(prefix, text, suffix)
    if getattr(tokenizer, "chat_template", None) is None:
        argument, got, expected = ("chat", "True", "False") if chat else ("system", "a system prompt", "None")
        hint = "Use `prefix` and `suffix` instead."
        raise ArgumentError(argument, got, f"{expected} for a tokenizer without a chat template", hint)
    messages = [] if system is None else [{"role": "system", "content": system}]
    messages.append({"role": "user", "content": prefix + _PLACEHOLDER + suffix})
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    if rendered.count(_PLACEHOLDER) != 1:
        got = f"one that contains it {rendered.count(_PLACEHOLDER)} times"
        expected = "a chat template that contains the user's text once"
        raise ArgumentError("chat", got, expected, "Use `prefix` and `suffix` instead.")
    before, after = rendered.split(_PLACEHOLDER)
    return Prompt(before, text, after, special_tokens=False)

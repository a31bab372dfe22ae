"""The text that the model reads: the text to explain, and what stands around it and is never removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from captum_spex.errors import ArgumentError

_PLACE = "\ue000"  # stands for the text while a chat template is laid out around it


@dataclass(frozen=True)
class Prompt:
    """A text between two fixed ones.

    Attributes:
        before, text, after: what the model reads is these three in a row.
        second: a second text that a pair classifier reads, never removed either.
        special_tokens: whether the tokenizer adds its own; a chat template has them already.
    """

    before: str
    text: str
    after: str
    second: str | None = None
    special_tokens: bool = True

    @property
    def whole(self) -> str:
        """What the model reads."""
        return self.before + self.text + self.after


def prompt_of(
    tokenizer: Any, text: str, *, prefix: str = "", suffix: str = "", system: str | None = None, chat: bool = False
) -> Prompt:
    """Lay out a text, in the tokenizer's chat template if ``chat`` or a system prompt is given."""
    if not isinstance(text, str):
        raise ArgumentError("text", f"a {type(text).__name__}", "a text")
    if not text.strip():
        raise ArgumentError("text", "an empty text", "a text with at least two players")
    if not chat and system is None:
        return Prompt(prefix, text, suffix)
    if getattr(tokenizer, "chat_template", None) is None:
        came = "chat=True" if chat else "a system prompt"
        hint = "Give `prefix` and `suffix` instead."
        argument, allowed = ("chat", "False") if chat else ("system", "None")
        raise ArgumentError(argument, f"{came} for a tokenizer without a chat template", allowed, hint)
    messages = [] if system is None else [{"role": "system", "content": system}]
    messages.append({"role": "user", "content": prefix + _PLACE + suffix})
    laid_out = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    if laid_out.count(_PLACE) != 1:
        came = f"a template that shows the user's text {laid_out.count(_PLACE)} times"
        raise ArgumentError("chat", came, "a template that shows it once", "Give `prefix` and `suffix` instead.")
    before, after = laid_out.split(_PLACE)
    return Prompt(before, text, after, special_tokens=False)

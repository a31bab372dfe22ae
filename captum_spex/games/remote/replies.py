"""Requests that generate an answer, and what every reply must have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from captum_spex.errors import GameError
from captum_spex.games.remote.options import Options

_THOUGHT = re.compile(
    r"\s*(<\|?(seed:)?(start_)?(think|thinking|thought|reasoning|channel)\|?>|\[think\]|\u25c1think)", re.IGNORECASE
)
_NO_THOUGHTS = (
    'Switch thinking off: `chat_template_kwargs={"enable_thinking": False}`, or as the server wants (`extra_body`).'
)


def refused(message: str) -> GameError:
    """Return an error about a server's reply."""
    return GameError(message, "log_probs")


def refuse_thoughts(choice: Mapping[str, Any], first: Any) -> None:
    """Raise an error where the model thinks before it answers.

    Raises:
        GameError: saying how to switch it off.
    """
    message = choice.get("message") or {}
    thought = message.get("reasoning_content") or message.get("reasoning")
    if thought or _THOUGHT.match(str(first)):
        got = repr(str(thought or first)[:40])
        raise refused(f"`model`: expected the answer, got a model that thinks first, {got}. {_NO_THOUGHTS}")


def generation(
    endpoint: str, model: str, prompt: Any, system: str | None, *, options: Options, temperature: float = 0.0
) -> dict[str, Any]:
    """Return the request that generates an answer."""
    stop = {"stop": list(options.stop)} if options.stop else {}
    body: dict[str, Any] = {"model": model, "temperature": temperature, "max_tokens": options.n_tokens, **stop}
    asked = {"prompt": prompt} if endpoint == "completions" else {"messages": messages_of(system, prompt)}
    return {**body, **asked, **options.extra}


def messages_of(system: str | None, prompt: str | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the messages of a chat, of which the prompt is the last, or all but the system prompt."""
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, *([{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt)]


def generated(response: Mapping[str, Any]) -> str:
    """Return the answer that the model generated.

    Raises:
        GameError: if it thinks first, or the response has another form.
    """
    text, choice = _text_of(response)
    refuse_thoughts(choice, text)
    return text


def final_answer(response: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the answer that the model generated, without its thoughts, and whether it was cut.

    Raises:
        GameError: if it does not come to an answer, or the response has another form.
    """
    text, choice = _text_of(response)
    is_cut = choice.get("finish_reason") == "length"
    _, end, answer = text.rpartition("</think>")
    if not end and (_THOUGHT.match(text) or (is_cut and not text)):
        hint = f"Give more `max_new_tokens`. {_NO_THOUGHTS}"
        raise refused(f"`max_new_tokens`: expected an answer, got a thought without an end, {text[:40]!r}. {hint}")
    return (answer.lstrip() if end else text), is_cut


def _text_of(response: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    choice = choice_of(response)
    message = choice.get("message") if isinstance(choice, Mapping) else None
    text = (choice.get("text") or (message or {}).get("content") or "") if isinstance(choice, Mapping) else None
    if not isinstance(text, str):
        raise refused(f"`base_url`: expected a response with a text, got {excerpt(response)}.")
    return text, choice


def choice_of(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the only answer of a reply."""
    choices: Sequence[Mapping[str, Any]] | None = response.get("choices")
    if not choices:
        raise refused(f"`base_url`: expected a response with `choices`, got {excerpt(response)}.")
    return choices[0]


def excerpt(response: Mapping[str, Any]) -> str:
    """Return the beginning of a reply, for a message."""
    return str(dict(response))[:200]

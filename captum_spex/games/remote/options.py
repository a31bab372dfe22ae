"""Further fields of a request, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from captum_spex import checks
from captum_spex.errors import ArgumentError

TOP = 20  # the most that most servers allow for `top_logprobs`
_OURS = {
    "model": "model",
    "messages": "system",
    "prompt": "prefix",
    "max_tokens": "max_new_tokens",
    "top_logprobs": "top_logprobs",
    "stop": "stop",
    "chat_template_kwargs": "chat_template_kwargs",
    "logprobs": "log_probs",
    "prompt_logprobs": "log_probs",
    "echo": "log_probs",
    "temperature": "temperature",
    "n": "temperature",
    "stream": "timeout",
}
"""Fields that the package sets, with the argument that decides on each."""


@dataclass(frozen=True)
class Options:
    """Fields of a request that the user chooses.

    Attributes:
        top_logprobs: how many of the most probable tokens are asked for.
        n_tokens: the most tokens to generate.
        stop: words at which an answer ends.
        extra: other fields, sent as they are.
    """

    top_logprobs: int = TOP
    n_tokens: int = 1
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def checked(
        cls,
        endpoint: str,
        *,
        n_tokens: int,
        top_logprobs: int = TOP,
        stop: str | Sequence[str] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> Options:
        """Check the arguments of those names.

        Raises:
            ArgumentError: for what is no JSON, or decided by another argument.
        """
        extra = _mapping("extra_body", extra_body)
        for name in [name for name in extra if name in _OURS]:
            raise ArgumentError("extra_body", f"a field {name!r}", f"other fields, as `{_OURS[name]}` decides on it")
        if chat_template_kwargs is not None:
            if endpoint != "chat":
                got = repr(chat_template_kwargs)
                raise ArgumentError("chat_template_kwargs", got, 'None, unless `endpoint="chat"`')
            extra = {**extra, "chat_template_kwargs": _mapping("chat_template_kwargs", chat_template_kwargs)}
        words = (stop,) if isinstance(stop, str) else () if stop is None else tuple(stop)
        if not all(isinstance(word, str) and word for word in words):
            raise ArgumentError("stop", repr(stop), "a text, or a list of texts, none of them empty")
        hint = "Two at least: an answer that is not shown is bounded by the last."
        return cls(
            checks.integer("top_logprobs", top_logprobs, 2, hint=hint),
            checks.integer("max_new_tokens", n_tokens),
            words,
            extra,
        )

    def described(self) -> dict[str, str]:
        """Return what a fingerprint says of what differs from the default."""
        parts = {"top_logprobs": "" if self.top_logprobs == TOP else str(self.top_logprobs)}
        parts["fields"] = json.dumps(self.extra, sort_keys=True) if self.extra else ""
        return {key: text for key, text in parts.items() if text}


def _mapping(argument: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    try:
        plain = json.loads(json.dumps(value, allow_nan=False)) if isinstance(value, Mapping) else None
    except (TypeError, ValueError):
        plain = None
    if not isinstance(plain, dict):
        raise ArgumentError(argument, repr(value), "a dictionary that can be written as JSON")
    return plain

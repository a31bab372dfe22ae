"""Requests for the log-probabilities of an answer, and how to read them from the responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from captum_spex.errors import ArgumentError, GameError

_TOP = 20  # the most that servers allow for `top_logprobs`


@dataclass(frozen=True)
class Question(ABC):
    """One way to ask: makes the request for a prompt, and reads the log-probabilities of the answer's tokens.

    The names of its subclasses are part of fingerprints.

    Attributes:
        model: the server's name for the model.
        answer: the answer.
        system: a system prompt, for chat servers.
    """

    model: str
    answer: str
    system: str | None = None

    endpoint = "completions"

    def request(self, prompt: str) -> dict[str, Any]:
        """Return the body of the request."""
        return {"model": self.model, "temperature": 0.0, "max_tokens": 1, **self._fields(prompt)}

    @abstractmethod
    def _fields(self, prompt: str) -> dict[str, Any]:
        """Return the prompt and the fields that ask for log-probabilities."""

    @abstractmethod
    def log_probs(self, response: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probabilities of the tokens of the answer."""


@dataclass(frozen=True)
class Echoed(Question):
    """The prompt and the answer are echoed with their log-probabilities (``echo`` of the completions endpoint)."""

    def _fields(self, prompt: str) -> dict[str, Any]:
        return {"prompt": prompt + self.answer, "echo": True, "logprobs": 1}

    def log_probs(self, response: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probabilities of the tokens that overlap the answer."""
        echo = _choice(response).get("logprobs") or {}
        offsets, values, tokens = (list(echo.get(key) or []) for key in ("text_offset", "token_logprobs", "tokens"))
        starts = _starts(prompt + self.answer, tokens, offsets) if offsets and values and tokens else []
        if not starts or starts[0] >= len(prompt) + (not prompt):
            hint = 'Or use `log_probs="prompt"` (vLLM), or "top" with chat.'
            raise GameError(f"`log_probs`: expected a server that supports `echo` with `logprobs`, got no echo. {hint}")
        end = len(prompt) + len(self.answer)
        ends = [max(next_start, start + 1) for start, next_start in zip(starts, [*starts[1:], end], strict=True)]
        if values[0] is None and len(tokens) > 1 and starts[0] == starts[1]:
            ends[0] = starts[0]  # a beginning-of-sequence token is not part of the text
        places = zip(starts, ends, values, strict=True)
        chosen = [value for start, stop, value in places if start < end and stop > len(prompt)]
        if None in chosen or not chosen:
            raise GameError("`prefix`: expected a fixed text to predict the answer from, got an empty prompt.")
        return chosen


def _starts(text: str, tokens: Sequence[str], offsets: Sequence[int]) -> Sequence[int]:
    """Return where the tokens begin in the text: vLLM's offsets count a beginning-of-sequence token like ``<s>``."""
    ends = list(accumulate(map(len, tokens)))
    shift = "".join(tokens).find(text)
    if shift >= 0:
        return [start - shift for start in [0, *ends[:-1]]]
    # Tokens that hold parts of characters do not spell the text: the server's offsets, less the first token, count.
    first = "" if text.startswith(tokens[0]) else tokens[0]
    return [offset - len(first) for offset in offsets] if list(offsets[1:]) == ends[:-1] else offsets


@dataclass(frozen=True)
class FromPrompt(Question):
    """The log-probabilities of the prompt, which ends with the answer, are returned (``prompt_logprobs`` of vLLM)."""

    def _fields(self, prompt: str) -> dict[str, Any]:
        return {"prompt": prompt + self.answer, "prompt_logprobs": 0}

    def log_probs(self, response: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probabilities of the last tokens, as many as spell the answer."""
        entries = _choice(response).get("prompt_logprobs") or response.get("prompt_logprobs")
        if not entries:
            hint = 'Only vLLM has them: elsewhere use `log_probs="echo"`, or "top" with chat.'
            raise GameError(f"`log_probs`: expected a server that returns `prompt_logprobs`, got none. {hint}")
        values: list[float] = []
        spelt = ""
        for entry in reversed(entries):
            token = next(iter((entry or {}).values()), None)
            if token is None or len(spelt) >= len(self._spelling):
                break
            spelt = str(token["decoded_token"]) + spelt
            values.insert(0, float(token["logprob"]))
        if not spelt.strip().endswith(self._spelling.strip()):
            hint = "If there is nothing to predict it from, give a `prefix`."
            raise GameError(f"`answer`: expected the prompt to end with {self._spelling!r}, got {spelt!r}. {hint}")
        return values

    @property
    def _spelling(self) -> str:
        return self.answer


@dataclass(frozen=True)
class FromChatPrompt(FromPrompt):
    """The same for the chat endpoint of vLLM: the answer begins the assistant's message."""

    endpoint = "chat"

    def _fields(self, prompt: str) -> dict[str, Any]:
        messages = [*_messages(self.system, prompt), {"role": "assistant", "content": self._spelling}]
        continued = {"add_generation_prompt": False, "continue_final_message": True}
        return {"messages": messages, "prompt_logprobs": 0, **continued}

    @property
    def _spelling(self) -> str:
        return self.answer.strip()  # chat templates strip messages


@dataclass(frozen=True)
class Top(Question):
    """The first token that the model generates is compared with the answer (``top_logprobs`` of the chat endpoint).

    Servers return the most probable tokens only. An answer that is not among them gets the log-probability of the least
    probable one, an upper bound.
    """

    endpoint = "chat"

    def _fields(self, prompt: str) -> dict[str, Any]:
        return {"messages": _messages(self.system, prompt), "logprobs": True, "top_logprobs": _TOP}

    def log_probs(self, response: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probability of the answer's token, or the bound."""
        entries = ((_choice(response).get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs")
        if not entries:
            raise GameError("`log_probs`: expected a server that returns `top_logprobs`, got none.")
        same = [entry["logprob"] for entry in entries if entry["token"].strip() == self.answer.strip()]
        return [float(same[0] if same else min(entry["logprob"] for entry in entries))]


_QUESTIONS: dict[tuple[str, str], type[Question]] = {
    ("completions", "echo"): Echoed,
    ("completions", "prompt"): FromPrompt,
    ("chat", "prompt"): FromChatPrompt,
    ("chat", "top"): Top,
}


def question_of(endpoint: str, log_probs: str | None, model: str, answer: str, system: str | None) -> Question:
    """Return the question; ``log_probs`` is by default ``"echo"`` for completions, ``"prompt"`` for chat."""
    chosen = log_probs or {"completions": "echo", "chat": "prompt"}.get(endpoint, "")
    if (endpoint, chosen) not in _QUESTIONS:
        expected = "; ".join(f"endpoint={end!r} with log_probs={way!r}" for end, way in _QUESTIONS)
        raise ArgumentError("endpoint", f"{endpoint!r} with log_probs={log_probs!r}", expected)
    if system is not None and endpoint != "chat":
        raise ArgumentError("system", repr(system), 'None, unless `endpoint="chat"`', "Use `prefix` instead.")
    return _QUESTIONS[endpoint, chosen](model, answer, system)


def read_log_probs(question: Question, response: Mapping[str, Any], prompt: str) -> list[float]:
    """Return the log-probabilities of the answer's tokens.

    Raises:
        GameError: if the server's response has another form.
    """
    try:
        return question.log_probs(response, prompt)
    except GameError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise GameError(f"`base_url`: cannot read the server's response ({error!r}): {_excerpt(response)}") from error


def generation(endpoint: str, model: str, prompt: str, system: str | None, max_new_tokens: int) -> dict[str, Any]:
    """Return the request that generates an answer."""
    body: dict[str, Any] = {"model": model, "temperature": 0.0, "max_tokens": max_new_tokens}
    return {**body, **({"prompt": prompt} if endpoint == "completions" else {"messages": _messages(system, prompt)})}


def _messages(system: str | None, prompt: str) -> list[dict[str, str]]:
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, {"role": "user", "content": prompt}]


def generated(response: Mapping[str, Any]) -> str:
    """Return the answer that the model generated."""
    choice = _choice(response)
    return str(choice.get("text") or (choice.get("message") or {}).get("content") or "")


def _choice(response: Mapping[str, Any]) -> Mapping[str, Any]:
    choices: Sequence[Mapping[str, Any]] | None = response.get("choices")
    if not choices:
        raise GameError(f"`base_url`: expected a response with `choices`, got {_excerpt(response)}.")
    return choices[0]


def _excerpt(response: Mapping[str, Any]) -> str:
    return str(dict(response))[:200]

"""How a server is asked for the log-probabilities of an answer, and where it puts them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from captum_spex.errors import ArgumentError, GameError

_SHOWN = 20  # most probable tokens that servers are willing to show


@dataclass(frozen=True)
class Question(ABC):
    """One way to ask: makes the request for a prompt, and reads the log-probabilities of the answer's tokens.

    Attributes:
        model: the server's name of the model.
        answer: the answer.
        system: a system prompt, for chat servers.
    """

    model: str
    answer: str
    system: str | None = None

    endpoint = "completions"

    @abstractmethod
    def request(self, prompt: str) -> dict[str, Any]:
        """Return the body of the request."""

    @abstractmethod
    def log_probs(self, answer: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probabilities of the tokens of the answer."""


@dataclass(frozen=True)
class Echoed(Question):
    """The prompt and the answer are echoed with their log-probabilities (``echo`` of the completions endpoint)."""

    def request(self, prompt: str) -> dict[str, Any]:
        """Return the body of the request."""
        whole = {"model": self.model, "prompt": prompt + self.answer, "temperature": 0.0}
        return {**whole, "max_tokens": 1, "echo": True, "logprobs": 1}

    def log_probs(self, answer: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probabilities of the tokens that overlap the answer."""
        told = _choice(answer).get("logprobs") or {}
        offsets, values, tokens = (list(told.get(key) or []) for key in ("text_offset", "token_logprobs", "tokens"))
        starts = _starts(prompt + self.answer, tokens, offsets) if offsets and values and tokens else []
        if not starts or starts[0] >= len(prompt) + (not prompt):
            hint = 'It needs the option `echo` with `logprobs`; or use `log_probs="prompt"` (vLLM), or "top" with chat.'
            raise GameError(f"`log_probs`: the server does not echo the prompt with log-probabilities. {hint}")
        end = len(prompt) + len(self.answer)
        ends = [max(next_start, start + 1) for start, next_start in zip(starts, [*starts[1:], end], strict=True)]
        if values[0] is None and len(tokens) > 1 and starts[0] == starts[1]:
            ends[0] = starts[0]  # a token that begins every text, and is no part of it
        places = zip(starts, ends, values, strict=True)
        chosen = [value for start, stop, value in places if start < end and stop > len(prompt)]
        if None in chosen or not chosen:
            raise GameError(
                "`prefix`: the model has nothing to predict the answer from; give a text that always stays."
            )
        return chosen


def _starts(whole: str, tokens: Sequence[str], offsets: Sequence[int]) -> Sequence[int]:
    """Return where the tokens begin in the text: vLLM's offsets count a token that begins every text, like ``<s>``."""
    ends = list(accumulate(map(len, tokens)))
    shift = "".join(tokens).find(whole)
    if shift >= 0:
        return [start - shift for start in [0, *ends[:-1]]]
    first = "" if whole.startswith(tokens[0]) else tokens[0]  # tokens that are parts of characters spell nothing
    return [offset - len(first) for offset in offsets] if list(offsets[1:]) == ends[:-1] else offsets


@dataclass(frozen=True)
class FromPrompt(Question):
    """The log-probabilities of the prompt's tokens are told (``prompt_logprobs`` of vLLM), the answer being its end."""

    def request(self, prompt: str) -> dict[str, Any]:
        """Return the body of the request."""
        whole = {"model": self.model, "prompt": prompt + self.answer, "temperature": 0.0}
        return {**whole, "max_tokens": 1, "prompt_logprobs": 0}

    def log_probs(self, answer: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probabilities of the last tokens, as many as spell the answer."""
        told = _choice(answer).get("prompt_logprobs") or answer.get("prompt_logprobs")
        if not told:
            hint = 'vLLM tells them; elsewhere use `log_probs="echo"` or a chat endpoint with "top".'
            raise GameError(f"`log_probs`: the server does not tell `prompt_logprobs`. {hint}")
        values: list[float] = []
        spelt = ""
        for entry in reversed(told):
            token = next(iter((entry or {}).values()), None)
            if token is None or len(spelt) >= len(self._said):
                break
            spelt = str(token["decoded_token"]) + spelt
            values.insert(0, float(token["logprob"]))
        if not spelt.strip().endswith(self._said.strip()):
            hint = "If the model has nothing to predict it from, give a `prefix` that always stays."
            raise GameError(f"`answer`: the prompt's last tokens are {spelt!r}, not {self._said!r}. {hint}")
        return values

    @property
    def _said(self) -> str:
        return self.answer


@dataclass(frozen=True)
class FromChatPrompt(FromPrompt):
    """The same for the chat endpoint of vLLM: the answer is the beginning of what the assistant says."""

    endpoint = "chat"

    def request(self, prompt: str) -> dict[str, Any]:
        """Return the body of the request."""
        messages = [*_messages(self.system, prompt), {"role": "assistant", "content": self._said}]
        whole = {"model": self.model, "messages": messages, "temperature": 0.0, "max_tokens": 1}
        return {**whole, "prompt_logprobs": 0, "add_generation_prompt": False, "continue_final_message": True}

    @property
    def _said(self) -> str:
        return self.answer.strip()  # as chat templates have it


@dataclass(frozen=True)
class Top(Question):
    """The first token that the model says is compared with the answer (``top_logprobs`` of the chat endpoint).

    Servers show the most probable tokens only. An answer that is not among them gets the log-probability of the last
    one shown, which is a bound from above.
    """

    endpoint = "chat"

    def request(self, prompt: str) -> dict[str, Any]:
        """Return the body of the request."""
        whole = {"model": self.model, "messages": _messages(self.system, prompt), "temperature": 0.0, "max_tokens": 1}
        return {**whole, "logprobs": True, "top_logprobs": _SHOWN}

    def log_probs(self, answer: Mapping[str, Any], prompt: str) -> list[float]:
        """Return the log-probability of the answer's token, or the bound."""
        told = ((_choice(answer).get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs")
        if not told:
            raise GameError("`log_probs`: the server does not tell `top_logprobs`; it needs support for that option.")
        same = [entry["logprob"] for entry in told if entry["token"].strip() == self.answer.strip()]
        return [float(same[0] if same else min(entry["logprob"] for entry in told))]


_QUESTIONS: dict[tuple[str, str], type[Question]] = {
    ("completions", "echo"): Echoed,
    ("completions", "prompt"): FromPrompt,
    ("chat", "prompt"): FromChatPrompt,
    ("chat", "top"): Top,
}


def question_of(endpoint: str, log_probs: str | None, model: str, answer: str, system: str | None) -> Question:
    """Return the way to ask; default ``"echo"`` for completions, ``"prompt"`` for chat."""
    chosen = log_probs or {"completions": "echo", "chat": "prompt"}.get(endpoint, "")
    if (endpoint, chosen) not in _QUESTIONS:
        allowed = "; ".join(f"endpoint={end!r} with log_probs={way!r}" for end, way in _QUESTIONS)
        raise ArgumentError("endpoint", f"{endpoint!r} with log_probs={log_probs!r}", allowed)
    if system is not None and endpoint != "chat":
        raise ArgumentError("system", repr(system), 'None, unless `endpoint="chat"`', "Use `prefix`.")
    return _QUESTIONS[endpoint, chosen](model, answer, system)


def read_log_probs(question: Question, answer: Mapping[str, Any], prompt: str) -> list[float]:
    """Return the log-probabilities of the answer's tokens, or say that the server's answer has another form."""
    try:
        return question.log_probs(answer, prompt)
    except GameError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise GameError(f"`base_url`: the server's answer cannot be read ({error!r}): {str(answer)[:200]}") from error


def generation(endpoint: str, model: str, prompt: str, system: str | None, max_new_tokens: int) -> dict[str, Any]:
    """Return the request that lets the model answer."""
    whole: dict[str, Any] = {"model": model, "temperature": 0.0, "max_tokens": max_new_tokens}
    if endpoint == "completions":
        return {**whole, "prompt": prompt}
    return {**whole, "messages": _messages(system, prompt)}


def _messages(system: str | None, prompt: str) -> list[dict[str, str]]:
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, {"role": "user", "content": prompt}]


def generated(answer: Mapping[str, Any]) -> str:
    """Return what the model answered."""
    choice = _choice(answer)
    return str(choice.get("text") or (choice.get("message") or {}).get("content") or "")


def _choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = answer.get("choices")
    if not choices:
        raise GameError(f"`base_url`: the server's answer has no `choices` ({str(dict(answer))[:200]}).")
    chosen: Mapping[str, Any] = choices[0]
    return chosen

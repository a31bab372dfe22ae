"""Requests for the log-probabilities of an answer, and how to read them from the responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from captum_spex.errors import ArgumentError, GameError
from captum_spex.games.remote.options import Options
from captum_spex.games.remote.replies import choice_of, excerpt, messages_of, refuse_thoughts, refused
from captum_spex.games.remote.spelling import Token, find_answer

_SHOWN = 8  # tokens in a message
_ROUNDING = 1e-3  # above 0: servers round
_MINUS_INFINITY = -9999.0  # as servers write it
_OTHER_WAYS = 'use `log_probs="prompt"` (vLLM), "top" with chat, or `GeneratedAnswerGame`, which needs none'


@dataclass(frozen=True)
class LogProbs:
    """Log-probabilities of the tokens of an answer.

    Attributes:
        values: one for each token.
        is_bound: whether the server does not show the answer, and the value is an upper bound.
        shown: what it shows instead, the most probable first.
        tokens: the tokens, where the server tells all of them.
    """

    values: list[float]
    is_bound: bool = False
    shown: tuple[str, ...] = ()
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Question(ABC):
    """One way to ask: makes the request for a prompt, and reads the log-probabilities of the answer's tokens.

    The names of its subclasses are part of fingerprints.

    Attributes:
        model: the server's name for the model.
        answer: the answer.
        system: a system prompt, for chat servers.
        options: further fields of the request.
    """

    model: str
    answer: str
    system: str | None = None
    options: Options = field(default_factory=Options)

    endpoint = "completions"

    def request(self, prompt: Any) -> dict[str, Any]:
        """Return the body of the request."""
        return {"model": self.model, "temperature": 0.0, "max_tokens": 1, **self._fields(prompt), **self.options.extra}

    @abstractmethod
    def _fields(self, prompt: Any) -> dict[str, Any]:
        """Return the prompt and the fields that ask for log-probabilities."""

    @abstractmethod
    def log_probs(self, response: Mapping[str, Any], prompt: Any) -> LogProbs:
        """Return the log-probabilities of the tokens of the answer, where the response proves that they are."""


@dataclass(frozen=True)
class Echoed(Question):
    """The prompt and the answer are echoed with their log-probabilities (``echo`` of the completions endpoint)."""

    def _fields(self, prompt: Any) -> dict[str, Any]:
        return {"prompt": prompt + self.answer, "echo": True, "logprobs": 1}

    def log_probs(self, response: Mapping[str, Any], prompt: Any) -> LogProbs:
        """Return the log-probabilities of the tokens that overlap the answer, which the tokens must spell."""
        echo = choice_of(response).get("logprobs") or {}
        values = list(echo.get("token_logprobs") or [])
        tokens = [Token(str(string)) for string in echo.get("tokens") or []]
        if tokens and values and len(tokens) != len(values):
            raise ValueError(f"{len(tokens)} tokens with {len(values)} log-probabilities")
        short, whole = (find_answer(tokens[:n], prompt, self.answer) for n in (len(tokens) - 1, len(tokens)))
        found = short or whole if values else None
        shown = {token for way in (short, whole) if way is not None for token in tokens[way]}
        # Two readings of the strings, or a word that is also what the model says next?
        is_doubtful = short is not None and whole is not None and short != whole and short.start == whole.start
        if found is not None and (is_doubtful or any(token.is_part for token in shown)):
            found = short if _n_generated(response, prompt + self.answer, len(tokens)) else whole
        if found is None or not (prompt or found.start or values[0] is None):
            raise _no_echo(tokens if values else [])
        return LogProbs(_numbers(values[found]), tokens=tuple(tokens[found]))


def _n_generated(response: Mapping[str, Any], whole: str, n_tokens: int) -> int:
    """Return whether the last token was generated, 0 or 1, if the server's count of tokens and its text agree on it."""
    counted = n_tokens - (response.get("usage") or {}).get("prompt_tokens", -1)
    text = str(choice_of(response).get("text"))
    if text.startswith(whole) and counted == (text != whole):
        return int(counted)
    hint = f"The answer's tokens are parts of characters. Instead {_OTHER_WAYS}."
    raise refused(f"`log_probs`: expected a reply that says which tokens are the prompt's, got neither. {hint}")


def _no_echo(tokens: Sequence[Token]) -> GameError:
    shown = [token.string for token in tokens[-_SHOWN:]]
    if any(token.is_id for token in tokens):
        hint = 'Give `extra_body={"return_tokens_as_token_ids": False}`, or start the server without that option.'
        return refused(f"`log_probs`: expected tokens that spell the answer, got their numbers, {shown}. {hint}")
    if len(tokens) > 1:
        expected = "the echoed tokens to spell the prompt and, at its end, the answer"
        got = f"tokens that end with {shown}"
        return refused(f"`log_probs`: expected {expected}, got {got}. Instead {_OTHER_WAYS}.")
    got = f"no echo, only the generated {shown}" if tokens else "no echo"
    expected = "a server that supports `echo` with `logprobs`"
    return refused(f"`log_probs`: expected {expected}, got {got}. Instead {_OTHER_WAYS}.")


def _numbers(values: Sequence[float | None]) -> list[float]:
    if None in values:
        raise _no_prompt()
    return [float(value) for value in values if value is not None]


def _no_prompt() -> GameError:
    return refused("`prefix`: expected a fixed text to predict the answer from, got an empty prompt.")


@dataclass(frozen=True)
class FromPrompt(Question):
    """The log-probabilities of the prompt, which ends with the answer, are returned (``prompt_logprobs`` of vLLM)."""

    def _fields(self, prompt: Any) -> dict[str, Any]:
        return {"prompt": prompt + self.answer, "prompt_logprobs": 0}

    def log_probs(self, response: Mapping[str, Any], prompt: Any) -> LogProbs:
        """Return the log-probabilities of the last tokens, which must spell the answer."""
        entries = choice_of(response).get("prompt_logprobs") or response.get("prompt_logprobs")
        if not entries:
            hint = 'Only vLLM has them: elsewhere use `log_probs="echo"`, or "top" with chat.'
            raise refused(f"`log_probs`: expected a server that returns `prompt_logprobs`, got none. {hint}")
        shown = [_only_entry(entry) for entry in entries]
        if not any(shown):
            raise _no_prompt()
        tokens = [Token(None if one is None else str(one["decoded_token"])) for one in shown]
        found = find_answer(tokens, self._before(prompt), self._spelling)
        if found is None:
            spelt = "".join(token.string or "" for token in tokens[-_SHOWN:])
            raise refused(f"`answer`: expected the prompt to end with {self._spelling!r}, got {spelt!r}. {self._hint}")
        values = [None if one is None else one["logprob"] for one in shown[found]]
        return LogProbs(_numbers(values), tokens=tuple(tokens[found]))

    def _before(self, prompt: Any) -> str | None:
        return prompt

    @property
    def _spelling(self) -> str:
        return self.answer

    @property
    def _hint(self) -> str:
        return 'Tokens that do not spell the text cannot be read: use `log_probs="echo"`, or `GeneratedAnswerGame`.'


def _only_entry(entry: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return what is told of a token of the prompt; that of the first is not told."""
    if not entry:
        return None
    if len(entry) > 1:
        raise ValueError(f"{len(entry)} tokens in one place of `prompt_logprobs`, where 0 alternatives were asked for")
    one: Mapping[str, Any] = next(iter(entry.values()))
    return one


@dataclass(frozen=True)
class FromChatPrompt(FromPrompt):
    """The same for the chat endpoint of vLLM: the answer begins the assistant's message."""

    endpoint = "chat"

    def _fields(self, prompt: Any) -> dict[str, Any]:
        messages = [*messages_of(self.system, prompt), {"role": "assistant", "content": self._spelling}]
        continued = {"add_generation_prompt": False, "continue_final_message": True}
        return {"messages": messages, "prompt_logprobs": 0, **continued}

    def _before(self, prompt: Any) -> str | None:
        return None  # only the server knows its chat template

    @property
    def _spelling(self) -> str:
        return self.answer.strip()  # chat templates strip messages

    @property
    def _hint(self) -> str:
        return 'The server or its chat template does not know `continue_final_message`: use `log_probs="top"`.'


@dataclass(frozen=True)
class Top(Question):
    """The tokens that the model generates are compared with the answer (``top_logprobs`` of the chat endpoint).

    Servers return the most probable tokens only. An answer of one token that is not among them gets the log-probability
    of the least probable one, an upper bound.
    """

    endpoint = "chat"

    def _fields(self, prompt: Any) -> dict[str, Any]:
        asked = {"logprobs": True, "top_logprobs": self.options.top_logprobs, "max_tokens": self.options.n_tokens}
        return {"messages": messages_of(self.system, prompt), **asked}

    def log_probs(self, response: Mapping[str, Any], prompt: Any) -> LogProbs:
        """Return the log-probabilities of the answer's tokens, or the bound."""
        choice = choice_of(response)
        content = (choice.get("logprobs") or {}).get("content") or []
        if not content:
            raise refused("`log_probs`: expected a server that returns `top_logprobs`, got none.")
        refuse_thoughts(choice, content[0].get("token"))
        values: list[float] = []
        remaining = self.answer.strip().encode()
        for place, entry in enumerate(content):
            shown = _shown(entry)
            same = [value for token, value in shown if _spells(token, remaining, place)]
            if same:  # with and without a space before it
                return LogProbs([*values, float(np.logaddexp.reduce(same))])
            rest = _rest(shown[0][0], remaining, place) if "logprob" in entry else None
            if rest is None:
                break
            values.append(shown[0][1])
            remaining = rest
        return self._bound(content)

    def _bound(self, content: Sequence[Mapping[str, Any]]) -> LogProbs:
        if self.options.n_tokens > 1:
            hint = f"For an answer of one token leave `max_new_tokens` out; else {_OTHER_WAYS}."
            expected = f"the model to generate {self.answer!r}, whose probability is known only then"
            got = [str(entry.get("token")) for entry in content[:_SHOWN]]
            raise refused(f"`log_probs`: expected {expected}, got {got}. {hint}")
        n_shown, n_top = len(content[0].get("top_logprobs") or []), self.options.top_logprobs
        if n_shown < n_top:
            fewer = f"Give `top_logprobs={n_shown}`, if the server shows no more, or" if n_shown > 1 else "Instead"
            hint = f"{fewer} {_OTHER_WAYS}."
            expected = f"{self.answer!r} among the {n_top} most probable tokens, or all of these"
            raise refused(f"`top_logprobs`: expected {expected}, got {n_shown} without it. {hint}")
        ranked = sorted(_shown(content[0]), key=lambda pair: -pair[1])
        return LogProbs([ranked[-1][1]], True, tuple(str(token.string) for token, _ in ranked[:_SHOWN]))


def _shown(entry: Mapping[str, Any]) -> list[tuple[Token, float]]:
    """Return the tokens of one place with their log-probabilities: the one that was chosen, and others."""
    told = list(entry.get("top_logprobs") or [])
    if "logprob" in entry and "token" in entry:
        told = [entry, *(other for other in told if other["token"] != entry["token"])]
    if not told:
        raise refused("`log_probs`: expected a server that returns `top_logprobs`, got none.")
    return [(Token(str(one["token"]), _raw(one)), float(one["logprob"])) for one in told]


def _raw(entry: Mapping[str, Any]) -> bytes | None:
    return bytes(entry["bytes"]) if entry.get("bytes") else None


def _spells(token: Token, wanted: bytes, place: int) -> bool:
    """Whether a token is all that remains of the answer, but for white space around it."""
    return wanted in [way.rstrip() if place else way.strip() for way in token.spellings()]


def _rest(token: Token, wanted: bytes, place: int) -> bytes | None:
    """Return what remains of the answer after a token with which it begins."""
    ways = [way if place else way.lstrip() for way in token.spellings()]
    return next((wanted[len(way) :] for way in ways if way and wanted.startswith(way)), None)


_QUESTIONS: dict[tuple[str, str], type[Question]] = {
    ("completions", "echo"): Echoed,
    ("completions", "prompt"): FromPrompt,
    ("chat", "prompt"): FromChatPrompt,
    ("chat", "top"): Top,
}


def question_of(
    endpoint: str, log_probs: str | None, model: str, answer: str, system: str | None, *, options: Options | None = None
) -> Question:
    """Return the question; ``log_probs`` is by default ``"echo"`` for completions, ``"prompt"`` for chat."""
    chosen = log_probs or {"completions": "echo", "chat": "prompt"}.get(endpoint, "")
    if (endpoint, chosen) not in _QUESTIONS:
        expected = "; ".join(f"endpoint={end!r} with log_probs={way!r}" for end, way in _QUESTIONS)
        raise ArgumentError("endpoint", f"{endpoint!r} with log_probs={log_probs!r}", expected)
    check_system(endpoint, system)
    options = options or Options()
    if chosen == "top" and options.n_tokens == 1 and len(answer.split()) > 1:
        hint = 'Give `max_new_tokens`, the number of its tokens, or use `log_probs="prompt"` (vLLM).'
        raise ArgumentError("answer", repr(answer), 'an answer of one token for `log_probs="top"`', hint)
    return _QUESTIONS[endpoint, chosen](model, answer, system, options)


def check_system(endpoint: str, system: str | None) -> None:
    """Refuse a system prompt where there is no chat."""
    if system is not None and endpoint != "chat":
        raise ArgumentError("system", repr(system), 'None, unless `endpoint="chat"`', "Use `prefix` instead.")


def read_log_probs(question: Question, response: Mapping[str, Any], prompt: Any) -> LogProbs:
    """Return the log-probabilities of the answer's tokens.

    Raises:
        GameError: if the server's response has another form, or does not prove that they are the answer's.
    """
    try:
        found = question.log_probs(response, prompt)
    except GameError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise refused(f"`base_url`: cannot read the server's response ({error!r}): {excerpt(response)}") from error
    if max(found.values) > _ROUNDING or min(found.values) <= _MINUS_INFINITY:
        wrong = next(value for value in found.values if not _MINUS_INFINITY < value <= _ROUNDING)
        expected = "finite log-probabilities of at most 0"
        raise refused(f"`log_probs`: expected {expected}, got {wrong} (servers write -9999 for minus infinity).")
    return found

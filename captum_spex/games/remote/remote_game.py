"""The answer of a language model behind a server, as a game."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import Literal

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import game_identity
from captum_spex.games.remote.ablated_texts import AblatedTexts
from captum_spex.games.remote.client import Client
from captum_spex.games.remote.concurrency import answers_in_flight
from captum_spex.games.remote.log_probs import generated, generation, question_of, read_log_probs
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks


class RemoteAnswerGame:
    """The log-probability of an answer, by a model behind an OpenAI-compatible server, with parts of a text removed.

    Each mask is one request, with many in flight. Failed requests are retried; every value is reported at once, so that
    with ``store=`` none is paid for twice.

    Args:
        text: the text to explain.
        answer: the answer, as it follows the prompt; default: what the model generates.
        base_url: address of the server, for instance ``"http://localhost:8000/v1"``.
        model: the server's name for the model; default: the first that it lists.
        api_key: the key; default: the environment variable ``OPENAI_API_KEY``. It is never stored or printed.
        endpoint: ``"completions"`` or ``"chat"``.
        log_probs: where the server reports log-probabilities: ``"echo"`` (completions: the echoed prompt), ``"prompt"``
            (vLLM: ``prompt_logprobs``), ``"top"`` (chat: the answer, one token, among the 20 most probable; otherwise
            the least probable of these is the value, an upper bound). Default: "echo", for chat "prompt".
        max_new_tokens: the most tokens of a generated answer.
        output: ``"mean"`` or ``"sum"`` over the tokens of the answer.
        unit: the players: ``"word"``, ``"sentence"``, or a list of (first character, one after the last).
        replacement: what replaces absent players; default: nothing, and the text closes up.
        prefix, suffix: texts before and after, never removed.
        system: a system prompt, for chat.
        max_in_flight: number of requests in parallel.
        timeout: seconds that a request may take.
        max_tries: how often a request is tried.
        max_requests, max_tokens: the most requests to send, retries included, and the most tokens to use (requests in
            flight when the limit is reached are still paid for).

    Attributes:
        text, n_players, names, spans, answer, fingerprint: as in `captum_spex.games.text.AnswerGame`.
        n_requests, n_tokens: requests sent and tokens used so far.

    Raises:
        ArgumentError: for an invalid argument, a refused key, an unknown model, an untrusted certificate.
        BudgetError: if ``max_requests`` or ``max_tokens`` is used up.
        GameError: if the server fails, or reports no log-probabilities.

    Example:
        >>> import captum_spex
        >>> def explained(base_url):  # a running server, for instance vLLM
        ...     game = RemoteAnswerGame("The key is under the mat", " yes", base_url=base_url, suffix=" Is it safe?")
        ...     return captum_spex.explain(game, store="answers.db")
    """

    def __init__(
        self,
        text: str,
        answer: str | None = None,
        *,
        base_url: str,
        model: str | None = None,
        api_key: str | None = None,
        endpoint: Literal["completions", "chat"] = "completions",
        log_probs: Literal["echo", "prompt", "top"] | None = None,
        max_new_tokens: int = 16,
        output: Literal["mean", "sum"] = "mean",
        unit: str | Sequence[Span] = "word",
        replacement: str | None = None,
        prefix: str = "",
        suffix: str = "",
        system: str | None = None,
        max_in_flight: int = 16,
        timeout: float = 60.0,
        max_tries: int = 8,
        max_requests: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.output = checks.choice("output", output, ("mean", "sum"))
        if answer is not None and (not isinstance(answer, str) or not answer.strip()):
            raise ArgumentError("answer", repr(answer), "a text, or None for a generated one")
        self._texts = AblatedTexts(text, unit, replacement)
        self.text, self.names, self.spans = self._texts.text, self._texts.names, self._texts.spans
        self.n_players = len(self.names)
        self._around = (prefix, suffix)
        self._replacement = replacement
        self._max_in_flight = checks.integer("max_in_flight", max_in_flight)
        question_of(endpoint, log_probs, "", "", system)  # invalid arguments are refused before the first request
        self._client = Client(
            base_url,
            api_key,
            timeout=timeout,
            max_tries=max_tries,
            max_requests=max_requests,
            max_tokens=max_tokens,
        )
        name = self._checked_model(model)
        if answer is None:
            longest = 1 if log_probs == "top" else checks.integer("max_new_tokens", max_new_tokens)
            request = generation(endpoint, name, self._prompt(text), system, longest)
            answer = generated(self._client.complete(endpoint, request))
            if not answer.strip():
                raise ArgumentError("answer", "None, and the model generates no answer", "the answer to explain")
        self.answer = answer
        self._question = question_of(endpoint, log_probs, name, answer, system)

    @property
    def n_requests(self) -> int:
        """Requests sent so far, retries included."""
        return self._client.n_requests

    @property
    def n_tokens(self) -> int:
        """Tokens used so far, as the server counts them."""
        return self._client.n_tokens

    @property
    def fingerprint(self) -> dict[str, str]:
        """The identity of this game, for a store; the key is not part of it."""
        parts = {
            "server": self._client.shown_url,
            "question": f"{type(self._question).__name__} {self.output}",
            "model": self._question.model,
            "system": repr(self._question.system),
            "text": self.text,
            "around it": repr(self._around),
            "players": repr(self.spans),
            "replacement": repr(self._replacement),
            "answer": self.answer,
        }
        return game_identity(self, parts)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``."""
        values = np.empty(len(masks))
        for row, value in self.answer_each(np.asarray(masks, dtype=np.bool_)):
            values[row] = value
        return values

    def answer_each(self, masks: Masks) -> Iterator[tuple[int, float]]:
        """Yield the row and the value of every mask as soon as it is known, in any order."""
        return answers_in_flight(lambda row, stopped: self._value(masks[row], stopped), len(masks), self._max_in_flight)

    def _value(self, mask: Masks, stopped: Event) -> float:
        prompt = self._prompt(self._texts.under(mask[None])[0])
        response = self._client.complete(self._question.endpoint, self._question.request(prompt), stopped)
        log_probs = read_log_probs(self._question, response, prompt)
        total = float(sum(log_probs))
        return total if self.output == "sum" else total / len(log_probs)

    def _prompt(self, text: str) -> str:
        return self._around[0] + text + self._around[1]

    def _checked_model(self, model: str | None) -> str:
        known = self._client.models()
        if model is None:
            if not known:
                raise ArgumentError("model", "None, and the server lists no models", "the server's name for a model")
            return known[0]
        if known is not None and model not in known:
            raise ArgumentError("model", repr(model), f"one of {', '.join(map(repr, known))}, which the server lists")
        return model

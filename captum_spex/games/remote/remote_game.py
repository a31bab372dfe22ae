"""The answer of a language model behind a server, as a game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, Literal

import numpy as np

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.games.remote.base import RemoteGame, Setting, Value, mixed_up
from captum_spex.games.remote.client import Client
from captum_spex.games.remote.log_probs import LogProbs, question_of, read_log_probs
from captum_spex.games.remote.options import TOP, Options
from captum_spex.games.remote.replies import generated, generation, refused
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks

_ROUNDING = (0.1, 0.02)  # by which servers differ that compute a batch in half precision: absolute, relative


class RemoteAnswerGame(RemoteGame[LogProbs]):
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
            (vLLM: ``prompt_logprobs``), ``"top"`` (chat: the answer, one token, among the most probable; otherwise the
            least probable of these is the value, an upper bound). Default: "echo", for chat "prompt".
        top_logprobs: how many of the most probable tokens ``"top"`` asks for; many servers allow 5.
        max_new_tokens: the most tokens of a generated answer; default 16. For ``"top"``, the most tokens of the answer;
            default 1. With more, the model must generate the answer under every mask, or an error is raised.
        stop: words at which a generated answer ends.
        output: ``"mean"`` or ``"sum"`` over the tokens of the answer.
        unit: the players: ``"word"``, ``"sentence"``, or a list of (first character, one after the last).
        replacement: what replaces absent players; default: nothing, and the text closes up.
        prefix, suffix: texts before and after, never removed.
        system: a system prompt, for chat.
        chat_template_kwargs: variables of the chat template (vLLM, SGLang), such as ``{"enable_thinking": False}``.
        extra_body: further fields of every request.
        check: whether two masks are asked one by one and together before the first mask, two requests more: servers
            that mix up the requests of a batch are refused.
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
        GameError: if the server fails, reports no log-probabilities, or none that are proved to be the answer's; if
            the answer to the complete text is a bound; if requests are mixed up.

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
        top_logprobs: int = TOP,
        max_new_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        output: Literal["mean", "sum"] = "mean",
        unit: str | Sequence[Span] = "word",
        replacement: str | None = None,
        prefix: str = "",
        suffix: str = "",
        system: str | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        check: bool = True,
        max_in_flight: int = 16,
        timeout: float = 60.0,
        max_tries: int = 8,
        max_requests: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.output = checks.choice("output", output, ("mean", "sum"))
        if answer is not None and (not isinstance(answer, str) or not answer.strip()):
            raise ArgumentError("answer", repr(answer), "a text, or None for a generated one")
        fields: dict[str, Any] = {"extra_body": extra_body, "chat_template_kwargs": chat_template_kwargs}
        length = (1 if log_probs == "top" else 16) if max_new_tokens is None else max_new_tokens
        options = Options.checked(endpoint, n_tokens=length, top_logprobs=top_logprobs, stop=stop, **fields)
        setting = Setting(endpoint, unit, replacement, prefix, suffix, system, max_in_flight, check)
        super().__init__(text, setting, options)
        # Invalid arguments are refused before the first request.
        question_of(endpoint, log_probs, "", answer or "", system, options=options)
        limits: dict[str, Any] = {"max_tries": max_tries, "max_requests": max_requests, "max_tokens": max_tokens}
        self._connect(Client(base_url, api_key, timeout=timeout, **limits), model)
        self.answer = self._generated() if answer is None else answer
        self._question = question_of(endpoint, log_probs, self._model, self.answer, system, options=options)
        self._is_bound: dict[bytes, bool] = {}  # of every mask that was asked

    def _generated(self) -> str:
        setting, prompt = self._setting, self._prompt(np.ones(self.n_players, dtype=np.bool_))
        request = generation(setting.endpoint, self._model, prompt, setting.system, options=self._options)
        answer = generated(self._client.complete(setting.endpoint, request))
        if not answer.strip():
            raise ArgumentError("answer", "None, and the model generates no answer", "the answer to explain")
        return answer

    @property
    def diagnostics(self) -> dict[str, Any]:
        """Over all masks that this game has asked, part of the ``diagnostics`` of results.

        ``"n_asked"``: how many; ``"n_bounds"``: how many of them have an upper bound as value;
        ``"difference_together"``: by how much the check's two ways differed.
        """
        asked = list(self._is_bound.values())
        return {"n_asked": len(asked), "n_bounds": sum(asked), **super().diagnostics}

    def _identity(self) -> dict[str, str]:
        return {"question": f"{type(self._question).__name__} {self.output}", "answer": self.answer}

    def _ask(self, mask: Masks, stopped: Event) -> LogProbs:
        prompt = self._prompt(mask)
        response = self._client.complete(self._question.endpoint, self._question.request(prompt), stopped)
        found = read_log_probs(self._question, response, prompt)
        if found.is_bound and mask.all():
            expected = f"{self.answer!r} among the {self._options.top_logprobs} most probable tokens"
            hint = (
                "An answer of several tokens, or one that the model does not give, cannot be read: leave `answer` out, "
                'give `max_new_tokens`, use `log_probs="prompt"` (vLLM), or `GeneratedAnswerGame`.'
            )
            got = f"{list(found.shown)}, the most probable first"
            raise refused(f"`answer`: expected {expected} after the complete text, got {got}. {hint}")
        self._is_bound[mask.tobytes()] = found.is_bound
        return found

    def _worth(self, reply: LogProbs) -> Value:
        return self._total(reply)

    def _total(self, reply: LogProbs) -> float:
        total = float(sum(reply.values))
        return total if self.output == "sum" else total / len(reply.values)

    def _compare(self, alone: list[LogProbs], together: list[LogProbs]) -> None:
        pairs = [(self._total(one), self._total(other)) for one, other in zip(alone, together, strict=True)]
        for one, other in pairs:
            if abs(one - other) > _ROUNDING[0] + _ROUNDING[1] * abs(one):
                raise mixed_up(f"{one:.4g}", f"{other:.4g}")
        self._facts["difference_together"] = max(abs(one - other) for one, other in pairs)

"""What a language model behind a server answers, as a game: for servers without log-probabilities."""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Event, Lock
from typing import Any, Literal

import numpy as np

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.games.remote.answer_file import Answer, AnswerFile, question_key
from captum_spex.games.remote.answer_values import AnswerValue, Encoder, Named, Score
from captum_spex.games.remote.base import RemoteGame, Setting, Value, mixed_up
from captum_spex.games.remote.client import Client
from captum_spex.games.remote.options import Options
from captum_spex.games.remote.replies import final_answer, generation
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks


class GeneratedAnswerGame(RemoteGame[Answer]):
    """How similar the generated answer stays to that of the complete text, when parts of the text are removed.

    Each mask is one request. No log-probabilities are needed.

    Args:
        text: the text to explain.
        value: what an answer is worth beside the reference: ``"words"``, the F1 score of the words in common;
            ``"characters"``, the mean F1 score of runs of 1 to 6 characters; ``"exact"``, 1 for the same text, else 0;
            ``"cosine"``, that of an encoder's embeddings; or a function of an answer and the reference.
        encoder: for ``"cosine"``: a function from a list of texts to embeddings ``(n_texts, n_features)``, for instance
            the method ``encode`` of a model of sentence-transformers.
        reference: the text to compare with; default: the model's answer to the complete text, the most probable words.
        temperature: 0, the most probable words, or more: then values are random, and `captum_spex.explain` uses
            ``ProxySpex(noisy=True)`` unless it is given an approximator.
        max_new_tokens: the most tokens of an answer.
        stop: words at which an answer ends.
        answers: a file in which every answer is kept, so that another game, with another value, does not ask again.
        base_url, model, api_key, endpoint, and all others: see `RemoteAnswerGame`.

    Attributes:
        text, n_players, names, spans, fingerprint: as in `captum_spex.games.text.AnswerGame`.
        answer: the reference.
        n_requests, n_tokens: requests sent and tokens used so far.

    Raises:
        ArgumentError: for an invalid argument, a refused key, an unknown model, an untrusted certificate.
        BudgetError: if ``max_requests`` or ``max_tokens`` is used up.
        GameError: if the server fails, mixes up requests, or the model thinks and does not come to an answer.
        StoreError: if the file of answers cannot be used.

    Example:
        >>> import captum_spex
        >>> def explained(base_url):  # a running server
        ...     game = GeneratedAnswerGame("The key is under the mat", base_url=base_url, suffix=" Where is the key?")
        ...     words = captum_spex.explain(game, budget=200)
        ...     return words, captum_spex.explain(game.scored_by("exact"), budget=200, random_state=0)
    """

    def __init__(
        self,
        text: str,
        *,
        base_url: str,
        value: Named | Score = "words",
        encoder: Encoder | None = None,
        reference: str | None = None,
        temperature: float = 0.0,
        max_new_tokens: int = 64,
        stop: str | Sequence[str] | None = None,
        answers: str | os.PathLike[str] | None = None,
        model: str | None = None,
        api_key: str | None = None,
        endpoint: Literal["completions", "chat"] = "chat",
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
        checks.choice("endpoint", endpoint, ("completions", "chat"))
        self._value = AnswerValue(value, encoder)
        self._temperature = checks.number("temperature", temperature, "a number of at least 0", low=0)
        if self.noisy and "seed" in (extra_body or {}):
            raise ArgumentError("extra_body", "a seed", "none where `temperature` is above 0: answers are to differ")
        if reference is not None and (not isinstance(reference, str) or not reference.strip()):
            raise ArgumentError("reference", repr(reference), "a text, or None for the model's answer")
        fields: dict[str, Any] = {"extra_body": extra_body, "chat_template_kwargs": chat_template_kwargs}
        options = Options.checked(endpoint, n_tokens=max_new_tokens, stop=stop, **fields)
        setting = Setting(endpoint, unit, replacement, prefix, suffix, system, max_in_flight, check)
        super().__init__(text, setting, options)
        self._answers = AnswerFile(answers)
        limits: dict[str, Any] = {"max_tries": max_tries, "max_requests": max_requests, "max_tokens": max_tokens}
        self._connect(Client(base_url, api_key, timeout=timeout, **limits), model)
        self._start()
        self.answer = self._own_reference() if reference is None else reference

    @property
    def noisy(self) -> bool:
        """Whether the temperature is above 0, so that the same mask may get another answer."""
        return self._temperature > 0

    @property
    def diagnostics(self) -> dict[str, Any]:
        """Over all answers of this game, part of the ``diagnostics`` of results.

        ``"n_answers"``: how many; ``"n_cut"``: how many of them were cut at ``max_new_tokens``; ``"n_empty"``: how many
        are empty; ``"same_together"``: whether the check's two ways gave the same texts.
        """
        return {**{f"n_{what}": self._counts[what] for what in ("answers", "cut", "empty")}, **super().diagnostics}

    def scored_by(self, value: Named | Score, encoder: Encoder | None = None) -> GeneratedAnswerGame:
        """Return the same game with another value; answers that are known are not asked for again.

        Args:
            value: as for the game.
            encoder: as for the game.

        Raises:
            ArgumentError: for an invalid argument.
        """
        game = copy.copy(self)
        game._value = AnswerValue(value, encoder)
        game._lock = Lock()
        game._facts = dict(self._facts)
        game._start()
        return game

    def _start(self) -> None:
        self._n_asked: Counter[str] = Counter()  # how often each question was, by its key
        self._counts: Counter[str] = Counter()
        self._first_values = {}

    def _own_reference(self) -> str:
        request = self._request(self._prompt(np.ones(self.n_players, dtype=np.bool_)), 0.0)
        answer = self._answer(request, 0, Event()).text
        if not answer.strip():
            raise ArgumentError("reference", "None, and the model generates no answer", "the answer to compare with")
        return answer

    def _identity(self) -> dict[str, str]:
        return {
            "value": self._value.described(),
            "answer": self.answer,
            "endpoint": self._setting.endpoint,
            "generation": repr((self._temperature, self._options.n_tokens, self._options.stop)),
        }

    def _request(self, prompt: Any, temperature: float) -> dict[str, Any]:
        setting, options = self._setting, self._options
        around = (setting.endpoint, self._model, prompt, setting.system)
        return generation(*around, options=options, temperature=temperature)

    def _answer(self, request: Mapping[str, Any], place: int, stopped: Event) -> Answer:
        key = question_key(self._client.shown_url, request)
        if (known := self._answers.find(key, place)) is not None:
            return known
        answer = self._generated(request, stopped)
        self._answers.add(key, answer)
        return answer

    def _generated(self, request: Mapping[str, Any], stopped: Event) -> Answer:
        return Answer(*final_answer(self._client.complete(self._setting.endpoint, request, stopped)))

    def _ask(self, mask: Masks, stopped: Event) -> Answer:
        request = self._request(self._prompt(mask), self._temperature)
        place = 0
        if self.noisy:  # every time another answer: the same, again, of a game that is scored again
            with self._counting:
                key = question_key(self._client.shown_url, request)
                place, self._n_asked[key] = self._n_asked[key], self._n_asked[key] + 1
        answer = self._answer(request, place, stopped)
        with self._counting:
            self._counts.update({"answers": 1, "cut": answer.is_cut, "empty": not answer.text.strip()})
        return answer

    def _ask_afresh(self, mask: Masks, stopped: Event) -> Answer:
        return self._generated(self._request(self._prompt(mask), self._temperature), stopped)

    def _is_known(self, mask: Masks) -> bool:
        request = self._request(self._prompt(mask), self._temperature)
        return self._answers.find(question_key(self._client.shown_url, request), 0) is not None

    def _worth(self, reply: Answer) -> Value:
        return self._value(reply.text, self.answer)

    def _compare(self, alone: list[Answer], together: list[Answer]) -> None:
        if self.noisy:
            return
        for place in (0, 1):
            one, other, beside = alone[place].text, together[place].text, alone[1 - place].text
            if one != other == beside:
                raise mixed_up(repr(one), repr(other))
        self._facts["same_together"] = alone == together

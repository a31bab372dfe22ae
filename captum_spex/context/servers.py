"""The spans of an answer under masks, by a model behind an OpenAI-compatible server, with log-probabilities or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.context.answers import Spans, answer_spans, membership
from captum_spex.context.chat_texts import as_messages
from captum_spex.context.rendering import Prompt, Rendering
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.remote import GeneratedAnswerGame, RemoteAnswerGame
from captum_spex.games.remote.answer_file import Answer
from captum_spex.games.remote.answer_values import AnswerValue, Encoder, Named, Score
from captum_spex.games.remote.log_probs import LogProbs
from captum_spex.games.remote.replies import refused
from captum_spex.games.remote.spelling import places_of
from captum_spex.games.text.units import Span, spans_of
from captum_spex.masks import Masks, ends

_INSTEAD = 'give `Server(..., value="words")`, which compares the texts of answers and needs no log-probabilities'


@dataclass(frozen=True)
class Server:
    """A model behind an OpenAI-compatible server, for `ContextGame` and `cite`.

    Attributes:
        base_url: its address, for instance ``"http://localhost:8000/v1"``.
        model: its name for the model; default: the first that it lists.
        api_key: the key; default: the environment variable ``OPENAI_API_KEY``. It is never stored or printed.
        endpoint: ``"chat"`` or ``"completions"``.
        log_probs: where it reports log-probabilities, see `captum_spex.games.remote.RemoteAnswerGame`.
        value: ``None``: the log-probability of the spans; else, for servers without: how similar to each span the
            closest sentence of the answer under a mask is, by ``"words"``, ``"characters"``, ``"exact"``, ``"cosine"``
            or a function, see `captum_spex.games.remote.GeneratedAnswerGame`.
        encoder: for ``"cosine"``.
        answers: of ``value``: a file that keeps all answers, so that they can be scored again without asking.
        settings: further settings of those games: ``max_in_flight``, ``max_requests``, ``max_tokens``, ``timeout``,
            ``max_tries``, ``stop``, ``extra_body``, ``top_logprobs``, ``check``...

    Example:
        >>> Server("http://localhost:8000/v1", settings={"max_requests": 500}).endpoint
        'chat'
    """

    base_url: str
    model: str | None = None
    api_key: str | None = field(default=None, repr=False)
    endpoint: Literal["chat", "completions"] = "chat"
    log_probs: Literal["echo", "prompt", "top"] | None = None
    value: Named | Score | None = None
    encoder: Encoder | None = None
    answers: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_chat(self) -> bool:
        """Whether prompts are messages."""
        return checks.choice("endpoint", self.endpoint, ("chat", "completions")) == "chat"

    def arguments(self) -> dict[str, Any]:
        """Return what all games behind a server take."""
        own = {name: getattr(self, name) for name in ("base_url", "model", "api_key", "endpoint")}
        twice = sorted(
            own.keys() & self.settings.keys() | {"unit", "prefix", "suffix", "output"} & self.settings.keys()
        )
        if twice:
            raise ArgumentError("settings", repr(twice[0]), "settings that neither `Server` nor the context decides on")
        return {**own, **self.settings}


class _Asking:
    """How a rendering is asked: the players of a game behind a server are the sources."""

    def __init__(self, rendering: Rendering, is_chat: bool, system: str | None) -> None:
        self.rendering, self._is_chat, self._system = rendering, is_chat, system
        names = [source.name for source in rendering.sources]
        self.text = "\n".join(names)
        stops = np.cumsum([len(name) + 1 for name in names]) - 1
        self.unit = [(int(stop) - len(name), int(stop)) for name, stop in zip(names, stops, strict=True)]

    def prompt(self, mask: Masks) -> Prompt:
        prompt = self.rendering.prompt(mask)
        return as_messages(prompt, self._system) if self._is_chat else prompt

    def identity(self) -> dict[str, str]:
        return {"prompts": digest(*(repr(self.prompt(mask)) for mask in ends(len(self.rendering.sources))))}


class ScoredSpans(RemoteAnswerGame):
    """The log-probability of every span of an answer, by a server that reports those of tokens.

    Args:
        rendering: makes the prompts.
        server: the server.
        answer: the answer; default: what the model generates.
        spans: how it is divided.
        system: a system prompt.
        max_new_tokens: the most tokens of a generated answer.

    Attributes:
        parts: the spans of the answer.
        token_values: the log-probability of every token of the answer, with all sources and with none.
    """

    def __init__(
        self,
        rendering: Rendering,
        server: Server,
        *,
        answer: str | None,
        spans: Spans,
        system: str | None,
        max_new_tokens: int,
        **settings: Any,
    ) -> None:
        self._asking = _Asking(rendering, server.is_chat, system)
        needs = answer is not None and not server.is_chat and not answer[:1].isspace()
        self._lead = " " if needs else ""
        length = {"max_new_tokens": max_new_tokens} if server.log_probs != "top" or answer is None else {}
        given = None if answer is None else self._lead + answer
        own: dict[str, Any] = {"log_probs": server.log_probs, "output": "sum", "unit": self._asking.unit, **length}
        super().__init__(self._asking.text, given, **own, **server.arguments(), **settings)
        shown = self.answer.strip()
        self._lead = self.answer[: len(self.answer) - len(self.answer.lstrip())]
        self.shown = shown
        self.parts = answer_spans(shown, spans)
        self._ends: list[list[float]] = [[], []]

    def _prompt(self, mask: Masks) -> Prompt:
        return self._asking.prompt(mask)

    def _identity(self) -> dict[str, str]:
        return {**super()._identity(), **self._asking.identity(), "spans": repr(self.parts)}

    def _ask(self, mask: Masks, stopped: Any) -> LogProbs:
        found = super()._ask(mask, stopped)
        if mask.all() or not mask.any():
            self._ends[0 if mask.all() else 1] = found.values
        return found

    @property
    def token_values(self) -> tuple[Floats, Floats]:
        """The log-probability of every token of the answer, with all sources and with none."""
        with_all, with_none = self._ends
        return np.array(with_all), np.array(with_none)

    def _worth(self, reply: LogProbs) -> Floats:
        if self.parts == [(0, len(self.shown))]:
            return np.array([self._total(reply)])
        places = places_of(reply.tokens, self.shown)
        if places is None:
            got = f"{[token.string for token in reply.tokens]}"
            hint = 'Give `spans="answer"`, which needs their sum only.'
            raise refused(f"`spans`: expected tokens that spell the answer, got {got}. {hint}")
        return np.array(reply.values) @ membership(self.shown, places, self.parts)


class SimilarSpans(GeneratedAnswerGame):
    """How close the generated answer comes to every span of the answer with all sources, by the sentence closest to it.

    Args:
        rendering, server, answer, spans, system, max_new_tokens: see `ScoredSpans`.

    Attributes:
        parts: the spans of the answer.
        shown: the answer, without white space around it.
        own: of an answer that is given: how close the model's own comes to each span, with all sources.
    """

    own: Floats | None = None

    def __init__(
        self,
        rendering: Rendering,
        server: Server,
        *,
        answer: str | None,
        spans: Spans,
        system: str | None,
        max_new_tokens: int,
        **settings: Any,
    ) -> None:
        self._asking = _Asking(rendering, server.is_chat, system)
        own: dict[str, Any] = {"value": server.value, "encoder": server.encoder, "answers": server.answers}
        own |= {"reference": answer, "unit": self._asking.unit, "max_new_tokens": max_new_tokens}
        super().__init__(self._asking.text, **own, **server.arguments(), **settings)
        self.shown = self.answer.strip()
        self.parts = answer_spans(self.shown, spans)

    def _prompt(self, mask: Masks) -> Prompt:
        return self._asking.prompt(mask)

    def _identity(self) -> dict[str, str]:
        return {**super()._identity(), **self._asking.identity(), "spans": repr(self.parts)}

    def _worth(self, reply: Answer) -> Floats:
        return closeness(reply.text, [self.shown[start:end] for start, end in self.parts], self._value)


def closeness(answer: str, spans: Sequence[str], value: AnswerValue) -> Floats:
    """Return, for every span, the value of that sentence of an answer which comes closest to it, or of all of it.

    Example:
        >>> closeness("I think so. It is red.", ["It is red.", "It is old."], AnswerValue("words")).round(2)
        array([1.  , 0.67])
    """
    parts = [answer, *(answer[start:end] for start, end in _sentences(answer))]
    return np.array([max(value(part, span) for part in dict.fromkeys(parts)) for span in spans])


def _sentences(text: str) -> list[Span]:
    return spans_of(text, "sentence") or []


def answers_of(rendering: Rendering, server: Server, **settings: Any) -> ScoredSpans | SimilarSpans:
    """Return what asks a server: for log-probabilities, or for answers that are compared.

    Raises:
        GameError: if the server cannot do the first, after at most two requests.
    """
    masks = ends(len(rendering.sources))
    if server.value is not None:
        similar = SimilarSpans(rendering, server, **settings)
        if settings["answer"] is not None and isinstance(server.value, str):
            values = similar(masks)
            similar.remember(masks, values)
            similar.own = values.reshape(2, -1)[0]
        return similar
    try:
        game = ScoredSpans(rendering, server, **settings)
        game.remember(masks, game(masks))
    except GameError as error:
        if error.argument != "log_probs":
            raise
        raise refused(f"{error} In `cite`: {_INSTEAD}.") from None
    return game

"""What all games behind a server share: prompts, requests in flight, and a check before the first of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Generic, TypeVar

import numpy as np

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest, game_identity
from captum_spex.games.remote.ablated_texts import AblatedTexts
from captum_spex.games.remote.client import Client
from captum_spex.games.remote.concurrency import answers_in_flight
from captum_spex.games.remote.log_probs import check_system
from captum_spex.games.remote.options import Options
from captum_spex.games.remote.replies import refused
from captum_spex.games.text.units import Span
from captum_spex.masks import Masks

Reply = TypeVar("Reply")
Value = float | Floats
"""What a reply is worth: a number, or one for each output."""


@dataclass(frozen=True)
class Setting:
    """The text around the players, and how it is asked about."""

    endpoint: str
    unit: str | Sequence[Span]
    replacement: str | None
    prefix: str
    suffix: str
    system: str | None
    max_in_flight: int
    check: bool


class RemoteGame(ABC, Generic[Reply]):
    """A text with parts removed, about which a server is asked; subclasses say what, and what a reply is worth."""

    def __init__(self, text: str, setting: Setting, options: Options) -> None:
        self._texts = AblatedTexts(text, setting.unit, setting.replacement)
        self.text, self.names, self.spans = self._texts.text, self._texts.names, self._texts.spans
        self.n_players = len(self.names)
        check_system(setting.endpoint, setting.system)
        checks.integer("max_in_flight", setting.max_in_flight)
        self._setting, self._options = setting, options
        self._lock, self._counting = Lock(), Lock()
        self._is_checked = not checks.flag("check", setting.check)
        self._first_values: dict[bytes, Value] = {}  # what the check asked, for the run
        self._facts: dict[str, Any] = {}

    def _connect(self, client: Client, model: str | None) -> None:
        self._client = client
        self._model = _checked_model(client.models(), model)

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
        options = {key: text if key != "fields" else digest(text) for key, text in self._options.described().items()}
        parts = {
            "server": self._client.shown_url,
            "model": self._model,
            "system": repr(self._setting.system),
            "text": self.text,
            "around it": repr((self._setting.prefix, self._setting.suffix)),
            "players": repr(self.spans),
            "replacement": repr(self._setting.replacement),
        }
        return game_identity(self, {**parts, **options, **self._identity()})

    @property
    def diagnostics(self) -> dict[str, Any]:
        """What is to know about the answers to all masks that this game has asked, for people."""
        return dict(self._facts)

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)``, or ``(n_masks, n_outputs)``."""
        found = dict(self.answer_each(np.asarray(masks, dtype=np.bool_)))
        return np.array([found[row] for row in range(len(masks))], dtype=np.float64)

    def answer_each(self, masks: Masks) -> Iterator[tuple[int, Value]]:
        """Yield the row and the value of every mask as soon as it is known, in any order."""
        if not self._is_checked and not all(map(self._is_known, masks)):
            self._check_once()
        known = {row: self._first_values.pop(mask.tobytes(), None) for row, mask in enumerate(masks)}
        yield from ((row, value) for row, value in known.items() if value is not None)
        rows = [row for row, value in known.items() if value is None]

        def value_of(place: int, stopped: Event) -> Value:
            return self._worth(self._ask(masks[rows[place]], stopped))

        for place, value in answers_in_flight(value_of, len(rows), self._setting.max_in_flight):
            yield rows[place], value

    def remember(self, masks: Masks, values: Floats) -> None:
        """Keep the values of masks for the run, which then does not ask about them."""
        self._first_values.update({mask.tobytes(): value for mask, value in zip(masks, values, strict=True)})

    def _check_once(self) -> None:
        """Ask two masks one by one and together: a server that mixes up the requests of a batch is refused."""
        with self._lock:
            if self._is_checked:
                return
            masks = np.array([np.ones(self.n_players), np.zeros(self.n_players)], dtype=np.bool_)
            prompt = self._prompt(masks[1])
            if isinstance(prompt, str) and not prompt.strip():
                masks[1, 1:] = True  # nothing at all may be no prompt
            alone = [self._ask(mask, Event()) for mask in masks]
            if self._setting.max_in_flight > 1:
                calls = answers_in_flight(lambda row, stopped: self._ask_afresh(masks[row], stopped), 2, 2)
                together = dict(calls)
                self._compare(alone, [together[0], together[1]])
            pairs = zip(masks, alone, strict=True)
            self._first_values = {mask.tobytes(): self._worth(reply) for mask, reply in pairs}
            self._is_checked = True

    def _prompt(self, mask: Masks) -> Any:
        """Return what is asked under a mask: a text, or the messages of a chat."""
        return self._setting.prefix + self._texts.under(mask[None])[0] + self._setting.suffix

    @abstractmethod
    def _identity(self) -> dict[str, str]:
        """Return what else tells this game from others."""

    @abstractmethod
    def _ask(self, mask: Masks, stopped: Event) -> Reply:
        """Ask about one mask."""

    def _ask_afresh(self, mask: Masks, stopped: Event) -> Reply:
        """Ask about one mask, even if the answer is known."""
        return self._ask(mask, stopped)

    def _is_known(self, mask: Masks) -> bool:
        """Whether the answer to a mask is known without asking."""
        return False

    @abstractmethod
    def _worth(self, reply: Reply) -> Value:
        """Return the value of a reply, a number or one for each output."""

    @abstractmethod
    def _compare(self, alone: list[Reply], together: list[Reply]) -> None:
        """Raise an error if two requests at once are answered otherwise than one by one."""


def mixed_up(alone: Any, together: Any) -> GameError:
    """Return the error about a server that mixes up requests."""
    expected = "a server that answers a request alike, alone and beside another"
    hint = "Give `max_in_flight=1`, which sends one request at a time."
    return refused(f"`max_in_flight`: expected {expected}, got {alone} alone and {together} beside another. {hint}")


def _checked_model(known: list[str] | None, model: str | None) -> str:
    if model is None:
        if not known:
            raise ArgumentError("model", "None, and the server lists no models", "the server's name for a model")
        return known[0]
    if known is not None and model not in known:
        raise ArgumentError("model", repr(model), f"one of {', '.join(map(repr, known))}, which the server lists")
    return model

"""Requests to a server: retried, kept within its rate and within a budget, counted."""

from __future__ import annotations

import json
import os
import re
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from numbers import Real
from typing import Any
from urllib.parse import urlsplit

from captum_spex import checks
from captum_spex.errors import ArgumentError, BudgetError, GameError, with_page

_LONGEST_WAIT = 60.0
_FIRST_WAIT = 0.25
_LOOK = 0.1  # seconds after which a waiting thread looks whether the run was stopped
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Client:
    """A connection to an OpenAI-compatible server that several threads may use.

    Rate limits (429), errors of the server (5xx), time-outs, broken connections and broken answers are tried again,
    with exponentially growing random pauses, or when the server says; every thread waits until then, and those that
    were refused come back one after the other. What cannot succeed is not tried again: a refused key, an unknown model,
    a certificate that does not hold, a request that the server rejects.

    Attributes:
        shown_url: the server's address without what may be secret in it.
        n_requests, n_tokens: what was sent and used so far.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout: float,
        max_tries: int,
        max_requests: int | None,
        max_tokens: int | None,
    ) -> None:
        openai = _openai()
        self.shown_url = _shown(base_url)
        self.n_requests = 0
        self.n_tokens = 0
        self._max_tries = checks.integer("max_tries", max_tries)
        self._max_requests = None if max_requests is None else checks.integer("max_requests", max_requests)
        self._max_tokens = None if max_tokens is None else checks.integer("max_tokens", max_tokens)
        self._lock = threading.Lock()
        self._one_by_one = threading.RLock()  # those that the server told to come back later
        self._not_before = 0.0
        key = api_key or os.environ.get("OPENAI_API_KEY")
        self._is_secret = bool(key)
        key = _checked_key(key or "none")  # servers without a key accept any
        if isinstance(timeout, bool) or not isinstance(timeout, Real) or not timeout > 0:
            raise ArgumentError("timeout", repr(timeout), "a positive number of seconds")
        self._openai: Any = openai.OpenAI(api_key=key, base_url=base_url, timeout=float(timeout), max_retries=0)
        weakref.finalize(self, self._openai.close)  # connections end with the game

    def models(self) -> list[str] | None:
        """Return the names of the server's models; ``None`` if it does not tell, or not to everybody."""
        openai = _openai()
        try:
            raw = self._retried(self._openai.models.with_raw_response.list, threading.Event())
        except (openai.NotFoundError, openai.PermissionDeniedError):
            return None
        except Exception as error:
            raise self._explained(error)  # noqa: B904  # it knows its cause
        return [str(model["id"]) for model in raw.get("data") or []] or None

    def complete(
        self, endpoint: str, body: Mapping[str, Any], stopped: threading.Event | None = None
    ) -> dict[str, Any]:
        """Send a request to ``"completions"`` or ``"chat"`` and return the answer as JSON has it.

        Once ``stopped`` is set, nothing more is sent.
        """
        api = self._openai.completions if endpoint == "completions" else self._openai.chat.completions
        known = {"model": body["model"], ("prompt" if endpoint == "completions" else "messages"): None}
        first = {name: body[name] for name in known}
        rest = {name: value for name, value in body.items() if name not in known}
        try:
            return self._retried(
                lambda: api.with_raw_response.create(**first, extra_body=rest), stopped or threading.Event()
            )
        except Exception as error:
            raise self._explained(error)  # noqa: B904

    def _explained(self, error: Exception) -> Exception:
        """Return an error that says what to do, in place of the client's; neither says the key."""
        told, key = explained(error, self.shown_url), self._openai.api_key
        if self._is_secret and key in str(told):
            told = GameError(str(told).replace(key, "(the key)"))
        if told is not error:
            told.__cause__ = None if key in f"{error} {error.__cause__}" else error
            told.__suppress_context__ = True
        return told

    def _retried(self, send: Callable[[], Any], stopped: threading.Event) -> dict[str, Any]:
        import tenacity

        with ExitStack() as queue:
            attempts = tenacity.Retrying(
                stop=tenacity.stop_after_attempt(self._max_tries) | tenacity.stop_when_event_set(stopped),
                wait=lambda state: self._pause(state, queue, stopped),
                retry=tenacity.retry_if_exception(_may_succeed_later),
                sleep=tenacity.sleep_using_event(stopped),
                reraise=True,
            )
            return attempts(self._sent, send, stopped)

    def _sent(self, send: Callable[[], Any], stopped: threading.Event) -> dict[str, Any]:
        self._wait_for_turn(stopped)
        raw = send()
        answer = json.loads(raw.http_response.content)
        if not isinstance(answer, dict):
            raise json.JSONDecodeError("the answer is no JSON object", "", 0)
        self._heed(raw.headers)
        usage = answer.get("usage")
        used = usage.get("total_tokens") if isinstance(usage, dict) else None
        with self._lock:
            self.n_tokens += used if isinstance(used, int) else 0
        return answer

    def _wait_for_turn(self, stopped: threading.Event) -> None:
        while (left := self._not_before - time.monotonic()) > 0 and not stopped.wait(left):
            pass
        if stopped.is_set():
            raise GameError("`base_url`: not asked, since the run was stopped.")
        with self._lock:
            if self._max_requests is not None and self.n_requests >= self._max_requests:
                raise BudgetError("max_requests", f"{self.n_requests} requests sent", f"at most {self._max_requests}")
            if self._max_tokens is not None and self.n_tokens >= self._max_tokens:
                raise BudgetError("max_tokens", f"{self.n_tokens} tokens used", f"at most {self._max_tokens}")
            self.n_requests += 1

    def _heed(self, headers: Mapping[str, str]) -> None:
        """Let all threads wait when the server says that nothing is left until a time."""
        for what in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{what}") == "0":
                self._hold(_duration(headers.get(f"x-ratelimit-reset-{what}", "")))

    def _hold(self, seconds: float | None) -> None:
        if seconds:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + min(seconds, _LONGEST_WAIT))

    def _pause(self, state: Any, queue: ExitStack, stopped: threading.Event) -> float:
        import tenacity

        headers = getattr(getattr(state.outcome.exception(), "response", None), "headers", {})
        self._heed(headers)
        if told := _told(headers):
            self._hold(told)
            self._queue_up(queue, stopped)
            return 0.0  # the turn comes when the server said
        return float(tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)(state))

    def _queue_up(self, queue: ExitStack, stopped: threading.Event) -> None:
        """Wait for all that were told to come back before: together they would be refused again and again."""
        while not self._one_by_one.acquire(timeout=_LOOK):
            if stopped.is_set():
                return
        queue.callback(self._one_by_one.release)


def explained(error: Exception, base_url: str) -> Exception:
    """Return an error that says what to do, in place of the client's."""
    openai = _openai()
    if isinstance(error, ArgumentError | GameError):
        return error
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        hint = "Set the environment variable OPENAI_API_KEY, or give `api_key`."
        return ArgumentError("api_key", f"a key that {base_url} refuses ({error.status_code})", "a valid key", hint)
    if _certificate(error):
        hint = "Give the server's certificate by the environment variable SSL_CERT_FILE."
        return ArgumentError("base_url", f"{base_url}, whose certificate does not hold", "a server to be trusted", hint)
    said = _complaint(error, openai)
    return error if said is None else GameError(f"`base_url`: {base_url} {said}.")


def _complaint(error: Exception, openai: Any) -> str | None:
    said = None
    if isinstance(error, openai.NotFoundError):
        said = f"does not know the model or the endpoint ({_said(error)})"
    elif isinstance(error, openai.APITimeoutError):
        said = "did not answer within `timeout`, however often it was asked"
    elif isinstance(error, openai.APIConnectionError):
        said = f"cannot be reached ({error.__cause__ or error})"
    elif isinstance(error, openai.APIStatusError):
        said = f"answered {error.status_code} ({_said(error)})"
    elif isinstance(error, ValueError) and _may_succeed_later(error):
        said = f"sends answers that are no JSON ({error})"
    return said


def _may_succeed_later(error: BaseException) -> bool:
    openai = _openai()
    if isinstance(error, openai.APIConnectionError):  # time-outs are of this kind
        return not _certificate(error)
    if isinstance(error, openai.APIStatusError):
        if error.code == "insufficient_quota":  # 429, and nothing changes until it is paid
            return False
        return error.status_code in (408, 409, 425, 429) or error.status_code >= 500
    return isinstance(error, json.JSONDecodeError | UnicodeDecodeError | openai.APIResponseValidationError)


def _shown(base_url: Any) -> str:
    """Return an address without user, password and query, which may be secret."""
    parts = urlsplit(base_url) if isinstance(base_url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        came = repr(base_url) if parts is None else repr(base_url.rsplit("@")[-1].split("?")[0])
        raise ArgumentError("base_url", came, 'an address like "http://localhost:8000/v1"')
    return parts._replace(netloc=parts.netloc.rsplit("@")[-1], query="", fragment="").geturl().rstrip("/")


def _checked_key(key: Any) -> str:
    checked = key.strip() if isinstance(key, str) else ""  # files of keys end with a new line
    if not checked or not checked.isascii() or not checked.isprintable():
        raise ArgumentError("api_key", "a key that no header can hold", "printable ASCII characters")
    return checked


def _certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _told(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a server wants to be left alone, if it says."""
    if (milliseconds := headers.get("retry-after-ms", "")).replace(".", "", 1).isdecimal():
        return float(milliseconds) / 1000
    after = headers.get("retry-after", "")
    if after.replace(".", "", 1).isdecimal():
        return float(after)
    try:
        return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _duration(text: str) -> float | None:
    """Return the seconds of a duration like ``1m30s`` or ``120ms``; of a bare number, itself."""
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)) or None


def _said(error: Any) -> str:
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)[:200]


def _openai() -> Any:
    try:
        import openai
    except ImportError as error:
        needed = ImportError("remote games need two more packages: `pip install openai tenacity`")
        raise with_page(needed, "explain-an-llm") from error
    return openai

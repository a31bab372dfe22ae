"""Requests to a server: retried, counted, within its rate limit and a budget."""

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
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from captum_spex import checks
from captum_spex.errors import ArgumentError, BudgetError, GameError, with_page


@dataclass(frozen=True)
class _Waits:
    """Pauses between requests, in seconds."""

    first: float = 0.25  # scale of the random pause after a failure, which doubles each time
    longest: float = 60.0  # whatever a server asks for: rate limits are mostly per minute
    poll: float = 0.1  # how often a waiting thread checks whether the run was stopped


_WAITS = _Waits()
_EXCERPT = 200  # characters of a server's message
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Client:
    """A connection to an OpenAI-compatible server, for several threads.

    Rate limits (429), server errors (5xx), time-outs, broken connections and broken responses are retried after random
    pauses that grow exponentially, or when the server says; until then every thread waits, and refused requests come
    back one after the other. What cannot succeed is not retried: a refused key, an unknown model, an untrusted
    certificate, a rejected request.

    Attributes:
        shown_url: the server's address without the parts that may be secret.
        n_requests, n_tokens: requests sent and tokens used so far.
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
        self._one_by_one = threading.RLock()  # held by one of those that the server asked to wait
        self._not_before = 0.0
        key = api_key or os.environ.get("OPENAI_API_KEY")
        self._is_secret = bool(key)
        key = _checked_key(key or "none")  # servers without a key accept any
        seconds = checks.number("timeout", timeout, "a positive number of seconds", above=0)
        self._openai: Any = openai.OpenAI(api_key=key, base_url=base_url, timeout=seconds, max_retries=0)
        weakref.finalize(self, self._openai.close)  # connections end with the game

    def models(self) -> list[str] | None:
        """Return the names of the server's models; ``None`` if it does not list them, or not for this key."""
        openai = _openai()
        try:
            raw = self._retried(self._openai.models.with_raw_response.list, threading.Event())
        except (openai.NotFoundError, openai.PermissionDeniedError):
            return None
        except Exception as error:
            raise self._explained(error)  # noqa: B904  # its cause is set
        return [str(model["id"]) for model in raw.get("data") or []] or None

    def complete(
        self, endpoint: str, body: Mapping[str, Any], stopped: threading.Event | None = None
    ) -> dict[str, Any]:
        """Send a request to ``"completions"`` or ``"chat"`` and return the response as parsed JSON.

        Once ``stopped`` is set, nothing more is sent.
        """
        is_chat = endpoint == "chat"
        api = (self._openai.chat.completions if is_chat else self._openai.completions).with_raw_response
        required = ("model", "messages" if is_chat else "prompt")
        arguments: dict[str, Any] = {name: body[name] for name in required}
        # The client knows some of the other fields only; in the extra body it sends them as they are.
        arguments["extra_body"] = {name: value for name, value in body.items() if name not in required}
        try:
            return self._retried(lambda: api.create(**arguments), stopped or threading.Event())
        except Exception as error:
            raise self._explained(error)  # noqa: B904

    def _explained(self, error: Exception) -> Exception:
        """Return an error that says what to do, in place of the client's; the key is in neither."""
        ours, key = explained(error, self.shown_url), self._openai.api_key
        if self._is_secret and key in str(ours):
            ours = GameError(str(ours).replace(key, "(the key)"))
        if ours is not error:
            ours.__cause__ = None if key in f"{error} {error.__cause__}" else error
            ours.__suppress_context__ = True
        return ours

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
        response = json.loads(raw.http_response.content)
        if not isinstance(response, dict):
            raise json.JSONDecodeError("the response is not a JSON object", "", 0)
        self._heed(raw.headers)
        usage = response.get("usage")
        used = usage.get("total_tokens") if isinstance(usage, dict) else None
        with self._lock:
            self.n_tokens += used if isinstance(used, int) else 0
        return response

    def _wait_for_turn(self, stopped: threading.Event) -> None:
        while (seconds := self._not_before - time.monotonic()) > 0 and not stopped.wait(seconds):
            pass
        if stopped.is_set():
            raise GameError("`base_url`: the run was stopped before this request was sent.")
        with self._lock:
            # Checked and counted in one step: two threads must not both take the last request.
            if self._max_requests is not None and self.n_requests >= self._max_requests:
                raise BudgetError("max_requests", f"{self.n_requests} sent", f"at most {self._max_requests} requests")
            if self._max_tokens is not None and self.n_tokens >= self._max_tokens:
                raise BudgetError("max_tokens", f"{self.n_tokens} used", f"at most {self._max_tokens} tokens")
            self.n_requests += 1

    def _heed(self, headers: Mapping[str, str]) -> None:
        """Let all threads wait when the server says that its limit is reached."""
        for what in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{what}") == "0":
                self._hold(_duration(headers.get(f"x-ratelimit-reset-{what}", "")))

    def _hold(self, seconds: float | None) -> None:
        if seconds:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + min(seconds, _WAITS.longest))

    def _pause(self, state: Any, queue: ExitStack, stopped: threading.Event) -> float:
        import tenacity

        headers = getattr(getattr(state.outcome.exception(), "response", None), "headers", {})
        self._heed(headers)
        if seconds := _retry_after(headers):
            self._hold(seconds)
            self._queue_up(queue, stopped)
            return 0.0  # `_wait_for_turn` waits
        return float(tenacity.wait_random_exponential(multiplier=_WAITS.first, max=_WAITS.longest)(state))

    def _queue_up(self, queue: ExitStack, stopped: threading.Event) -> None:
        """Wait for those that were refused before: all together would be refused again and again."""
        while not self._one_by_one.acquire(timeout=_WAITS.poll):
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
        return ArgumentError("api_key", f"one that {base_url} refuses ({error.status_code})", "a valid key", hint)
    if _is_about_certificate(error):
        hint = "Set the environment variable SSL_CERT_FILE to the server's certificate."
        return ArgumentError("base_url", f"{base_url}, whose certificate is invalid", "a trusted server", hint)
    failure = _failure(error, openai)
    return error if failure is None else GameError(f"`base_url`: {base_url} {failure}.")


def _failure(error: Exception, openai: Any) -> str | None:
    failure = None
    if isinstance(error, openai.NotFoundError):
        failure = f"does not know the model or the endpoint ({_message(error)})"
    elif isinstance(error, openai.APITimeoutError):
        failure = "did not respond within `timeout`, after all retries"
    elif isinstance(error, openai.APIConnectionError):
        failure = f"cannot be reached ({error.__cause__ or error})"
    elif isinstance(error, openai.APIStatusError):
        failure = f"responded with {error.status_code} ({_message(error)})"
    elif isinstance(error, ValueError) and _may_succeed_later(error):
        failure = f"sends responses that are not JSON ({error})"
    return failure


def _may_succeed_later(error: BaseException) -> bool:
    openai = _openai()
    if isinstance(error, openai.APIConnectionError):  # among them time-outs
        return not _is_about_certificate(error)
    if isinstance(error, openai.APIStatusError):
        if error.code == "insufficient_quota":  # 429, until somebody pays
            return False
        return error.status_code in (408, 409, 425, 429) or error.status_code >= 500
    return isinstance(error, json.JSONDecodeError | UnicodeDecodeError | openai.APIResponseValidationError)


def _shown(base_url: Any) -> str:
    """Return the address without user, password and query, which may be secret."""
    parts = urlsplit(base_url) if isinstance(base_url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        got = repr(base_url) if parts is None else repr(base_url.rsplit("@")[-1].split("?")[0])
        raise ArgumentError("base_url", got, 'an address such as "http://localhost:8000/v1"')
    return parts._replace(netloc=parts.netloc.rsplit("@")[-1], query="", fragment="").geturl().rstrip("/")


def _checked_key(key: Any) -> str:
    checked = key.strip() if isinstance(key, str) else ""  # a key from a file ends with a line break
    if not checked or not checked.isascii() or not checked.isprintable():
        raise ArgumentError("api_key", "other characters", "printable ASCII characters")
    return checked


def _is_about_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which a server wants the next request, if it says."""
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
    """Return the seconds of a duration such as ``1m30s`` or ``120ms``; a bare number is in seconds."""
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)) or None


def _message(error: Any) -> str:
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message)[:_EXCERPT]


def _openai() -> Any:
    try:
        import openai
    except ImportError as error:
        needed = ImportError("remote games need two more packages: `pip install openai tenacity`")
        raise with_page(needed, "explain-an-llm") from error
    return openai

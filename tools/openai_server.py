"""A small model behind an OpenAI-compatible endpoint, with faults: ``python tools/openai_server.py --port 8000``.

The model is a network of transformers (``--network FOLDER``) or, without one, a formula: log-probabilities that follow
from the text alone, by a checksum. ``GET /control`` tells what happened, ``POST /control`` sets latency and faults, a
``rate`` (answers in 0.2 seconds; 429 beyond), the only ``key`` that is accepted, ``headers`` of every answer, a
token that ``begins`` every text, as Llama's does, and how many requests ``gather`` before the first is answered.

A fault is a dictionary: ``kind`` is ``"status"`` (with ``status``, ``headers``, ``message``), ``"slow"`` (never
answered: it waits until the other side hangs up, or some ``seconds``), ``"held"`` (answered once there are no faults
any more), ``"drop"``, ``"truncated"``, ``"not_json"`` or ``"no_logprobs"``; it meets ``times`` requests, or a ``share``
of them, once ``after`` questions were answered. Headers may be ``"date+2"``: two seconds from now.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME = "small"
WINDOW = 0.2  # seconds
PATIENCE = 600.0  # seconds that a busy machine may take for anything
_TOKEN = re.compile(r"\s*\S+|\s+")
_WORDS = re.findall(r"\w+", "yes no maybe never always good bad fine poor one two three four five six seven eight nine")


# --- models -----------------------------------------------------------------------------------------------------------


class Formula:
    """Tokens are words with the space before them; everything follows from the text up to them."""

    def tokens(self, text: str) -> list[tuple[str, float | None]]:
        pieces = _TOKEN.findall(text)
        return [
            (piece, None if not place else _by_checksum("".join(pieces[: place + 1])))
            for place, piece in enumerate(pieces)
        ]

    def following(self, text: str, n_shown: int) -> list[tuple[str, float]]:
        found = [(f" {word}", _by_checksum(f"{text} {word}")) for word in _WORDS]
        return sorted(found, key=lambda pair: -pair[1])[:n_shown]


class Network:
    """A causal language model and its tokenizer, from a folder."""

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(1)
        self._torch = torch
        self._model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._lock = threading.Lock()

    def _log_probs(self, text: str) -> tuple[list[int], list[int], Any]:
        encoded = self._tokenizer(text, return_offsets_mapping=True)
        ids, ends = encoded["input_ids"], [end for _, end in encoded["offset_mapping"]]
        with self._lock, self._torch.inference_mode():
            logits = self._model(input_ids=self._torch.tensor([ids])).logits[0]
        return ids, ends, logits.double().log_softmax(dim=-1)

    def tokens(self, text: str) -> list[tuple[str, float | None]]:
        ids, ends, log_probs = self._log_probs(text)
        pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        values = [None, *(float(log_probs[place, token]) for place, token in enumerate(ids[1:]))]
        return list(zip(pieces, values, strict=True))

    def following(self, text: str, n_shown: int) -> list[tuple[str, float]]:
        values, ids = self._log_probs(text)[2][-1].topk(n_shown)
        return [(self._tokenizer.decode([int(i)]), float(v)) for v, i in zip(values, ids, strict=True)]


def _by_checksum(text: str) -> float:
    return -(1 + zlib.crc32(text.encode()) % 4096) / 512


def said_before(messages: list[dict[str, str]], continued: bool) -> str:
    """Return what a chat model reads."""
    turns = [f"<{message['role']}> {message['content']}" for message in messages]
    return "\n".join(turns if continued else [*turns, "<assistant>"])


# --- endpoints --------------------------------------------------------------------------------------------------------


class State:
    """What happened, and what is to happen; shared by all threads."""

    def __init__(self, journal: str | None) -> None:
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.settings: dict[str, Any] = {
            "latency": 0.0,
            "faults": [],
            "key": None,
            "headers": {},
            "begins": "",
            "rate": 0,
            "gather": 0,
        }
        self.random = random.Random(0)
        self.journal = journal
        self.forget()
        if journal and Path(journal).exists():
            self.answered.update(json.loads(line) for line in Path(journal).read_text().splitlines())
        self.closing = False

    def forget(self) -> None:
        self.answered: Counter[str] = Counter()
        self.times: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.of_window: Counter[int] = Counter()
        self.seen_keys: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0

    def set(self, settings: dict[str, Any]) -> None:
        with self.lock:
            if settings.pop("forget", False):
                self.forget()
            self.settings.update(settings)
            self.changed.notify_all()

    def fault(self) -> dict[str, Any] | None:
        with self.lock:
            for fault in self.settings["faults"]:
                if len(self.answered) < fault.get("after", 0):
                    continue
                if fault.get("times", 0) > 0:
                    fault["times"] -= 1
                    return fault
                if self.random.random() < fault.get("share", 0.0):
                    return fault
        return None

    def has_gathered(self) -> bool:
        return self.most_in_flight >= self.settings["gather"]

    def wait_for_no_fault(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not self.settings["faults"], PATIENCE)

    def too_fast(self) -> bool:
        """Whether the current window of time has had its answers."""
        with self.lock:
            if not self.settings["rate"]:
                return False
            now = int(time.time() / WINDOW)
            self.of_window[now] += 1
            return self.of_window[now] > self.settings["rate"]

    def count(self, prompt: str) -> None:
        self.answered[prompt] += 1
        if self.journal:
            with open(self.journal, "a", encoding="utf-8") as file:
                file.write(json.dumps(prompt) + "\n")

    def report(self) -> dict[str, Any]:
        with self.lock:
            return {
                "answered": dict(self.answered),
                "statuses": dict(self.statuses),
                "times": self.times,
                "keys": dict(self.seen_keys),
                "most_in_flight": self.most_in_flight,
                "in_flight": self.in_flight,
            }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    state: State
    model: Any

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/control":
            self._send(200, self.state.report())
        elif self.path.endswith("/models") and (told := self.state.settings.get("models")):
            self._send(told.get("status", 200), {"data": told.get("models")})
        elif self.path.endswith("/models") and self.state.settings["key"] in (None, self._key()):
            self._send(200, {"object": "list", "data": [{"id": NAME, "object": "model"}]})
        elif self.path.endswith("/models"):
            self._refuse(401, f"Incorrect API key provided: {self._key()}")
        else:
            self._refuse(404, "no such page")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            self.state.set(body)
            self._send(200, {})
            return
        with self.state.lock:
            self.state.times.append(time.time())
            self.state.seen_keys[self._key()] += 1
            self.state.in_flight += 1
            self.state.most_in_flight = max(self.state.most_in_flight, self.state.in_flight)
            self.state.changed.notify_all()
            self.state.changed.wait_for(self.state.has_gathered, PATIENCE)
        try:
            time.sleep(self.state.settings["latency"])
            self._answer(body)
        except OSError:  # whoever asked has gone
            self.close_connection = True
        finally:
            with self.state.lock:
                self.state.in_flight -= 1

    def _key(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _answer(self, body: dict[str, Any]) -> None:
        if self.state.settings["key"] not in (None, self._key()):
            self._refuse(401, f"Incorrect API key provided: {self._key()}")
        elif body["model"] != NAME:
            self._refuse(404, f"The model `{body['model']}` does not exist.")
        elif (fault := self.state.fault()) is not None and fault["kind"] != "held":
            self._note(fault["kind"])
            self._fail(fault, body)
        elif self.state.too_fast():
            self._note("too fast")
            self._refuse(429, "too many requests", {"retry-after-ms": f"{1000 * (WINDOW - time.time() % WINDOW):.0f}"})
        else:
            if fault is not None:
                self.state.wait_for_no_fault()
            self._send(200, self._values(body), asked=asked_of(body), headers=self.state.settings["headers"])

    def _fail(self, fault: dict[str, Any], body: dict[str, Any]) -> None:
        kind = fault["kind"]
        if kind == "status":
            message = fault.get("message", "an injected fault").replace("{key}", self._key())
            self._refuse(fault["status"], message, fault.get("headers"), fault.get("code"))
        elif kind in ("slow", "drop"):
            if kind == "slow":
                select.select([self.connection], [], [], fault.get("seconds", PATIENCE))
            self.close_connection = True
        elif kind in ("truncated", "not_json"):
            whole = json.dumps(self._values(body)).encode()
            self._write(200, whole[: len(whole) // 2] if kind == "truncated" else b"<html>busy</html>")
        elif kind == "no_logprobs":
            answer = self._values(body)
            answer.pop("prompt_logprobs", None)
            answer["choices"] = [{"index": 0, "text": "x", "message": {"content": "x"}, "logprobs": None}]
            self._send(200, answer)

    def _values(self, body: dict[str, Any]) -> dict[str, Any]:
        return completion(self.model, body, self.state.settings.get("begins", ""))

    def _refuse(self, status: int, message: str, headers: Any = None, code: str | None = None) -> None:
        error = {"message": message, "type": "error", "param": None, "code": code}
        self._send(status, {"error": error}, headers=headers)

    def _send(self, status: int, answer: Any, asked: str | None = None, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(answer).encode()
        if asked is None:
            self._write(status, content, headers)
            return
        with self.state.lock:  # an answer is given whole, and counted, or not at all
            if self.state.closing:
                self.close_connection = True
                return
            self._write(status, content, headers)
            self.state.count(asked)
        self._note("answered")

    def _write(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            moved = value.startswith("date+")
            self.send_header(name, formatdate(time.time() + float(value[5:]), usegmt=True) if moved else value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _note(self, what: str) -> None:
        with self.state.lock:
            self.state.statuses[what] += 1


def asked_of(body: dict[str, Any]) -> str:
    """Return what identifies a question."""
    return (
        body["prompt"] if "prompt" in body else said_before(body["messages"], body.get("continue_final_message", False))
    )


def completion(model: Any, body: dict[str, Any], begins: str = "") -> dict[str, Any]:
    """Answer a request; ``begins`` is a token that the model puts before every text, as Llama's."""
    text, choice = asked_of(body), {"index": 0, "finish_reason": "length"}
    tokens = model.tokens(text)
    if begins:
        first, *rest = tokens
        tokens = [(begins, None), (first[0], -1.0), *rest]
    (said, said_value), *others = model.following(text, body.get("top_logprobs") or 1)
    told = [None if value is None else {"7": {"logprob": value, "decoded_token": piece}} for piece, value in tokens]
    usage = {"prompt_tokens": len(tokens), "completion_tokens": 1, "total_tokens": len(tokens) + 1}
    answer = {"id": "1", "object": "completion", "model": body["model"], "choices": [choice], "usage": usage}
    wants_prompt = body.get("prompt_logprobs") is not None
    if "prompt" in body:
        choice["text"] = (text if body.get("echo") else "") + said
        choice["logprobs"] = echoed([*tokens, (said, said_value)]) if body.get("echo") else None
        choice["prompt_logprobs"] = told if wants_prompt else None
        return answer
    choice["message"] = {"role": "assistant", "content": said.strip()}
    shown = [{"token": piece, "logprob": value} for piece, value in [(said, said_value), *others]]
    choice["logprobs"] = {"content": [{**shown[0], "top_logprobs": shown}]} if body.get("logprobs") else None
    return {**answer, "prompt_logprobs": told if wants_prompt else None}


def echoed(tokens: list[tuple[str, float | None]]) -> dict[str, Any]:
    """Return log-probabilities as the completions endpoint has them; offsets count what the tokens spell, as vLLM's."""
    offsets = [0]
    for piece, _ in tokens[:-1]:
        offsets.append(offsets[-1] + len(piece))
    pieces, values = zip(*tokens, strict=True)
    return {"tokens": pieces, "token_logprobs": values, "text_offset": offsets, "top_logprobs": None}


# --- the process ------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:  # connections that the other side broke
        pass


class Running:
    """The server in a process of its own; a context manager."""

    def __init__(self, *arguments: str, port: int = 0, scheme: str = "http") -> None:
        self._arguments, self._scheme = arguments, scheme
        self._start(port)

    def _start(self, port: int) -> None:
        command = [sys.executable, str(Path(__file__)), "--port", str(port), *self._arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.strip().isdigit(), line
        self.port = int(line)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/v1"

    def control(self, **settings: Any) -> None:
        """Change settings; ``forget=True`` forgets what happened."""
        self._call(json.dumps(settings).encode())

    def report(self) -> dict[str, Any]:
        """Return ``answered`` (how often each prompt was), ``statuses``, ``times`` of requests..."""
        return self._call(None)

    def _call(self, body: bytes | None) -> dict[str, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/control", body)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        """End the process; what is not answered by then is not answered."""
        self.process.terminate()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def restart(self, after: float = 0.0) -> None:
        """Stop, and start again on the same port; settings are forgotten, the journal is not."""
        self.stop()
        time.sleep(after)
        self._start(self.port)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--network", help="folder of a causal language model and its tokenizer")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--journal", help="file of the prompts that were answered, kept over restarts")
    parser.add_argument("--certificate", help="file of a certificate and its key")
    chosen = parser.parse_args()
    state = State(chosen.journal)
    state.settings["latency"] = chosen.latency
    Handler.state = state
    Handler.model = Network(chosen.network) if chosen.network else Formula()
    server = Server(("127.0.0.1", chosen.port), Handler)
    if chosen.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chosen.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)

    def end(*_: object) -> None:
        def close() -> None:
            with state.lock:
                state.closing = True
            os._exit(0)

        threading.Thread(target=close).start()  # the lock may be held by the thread that the signal met

    signal.signal(signal.SIGTERM, end)
    print(server.server_address[1], flush=True)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()

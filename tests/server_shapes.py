"""A small model with tokens that are parts of characters, and how servers write its replies.

The shapes follow what the servers document and what their users report.
"""

from __future__ import annotations

import json
import math
import re
import threading
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE = re.compile(r" ?[A-Za-z]+| ?[^A-Za-z\s]|\s")
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
BYTE_LETTERS = {**{b: chr(b) for b in _PRINTABLE}, **{b: chr(256 + i) for i, b in enumerate(_OTHERS)}}
NEXT = ["Yes", "No", "Maybe", "Never", "Not", "Sure", "Well", "I", "The", "It", "So", "Oh"]


def tokens_of(text):
    """Words with the space before them; what is not ASCII, byte by byte."""
    pieces = []
    for piece in _PIECE.findall(text):
        raw = piece.encode()
        n_head = len(raw) if piece.isascii() else 1 + piece.startswith(" ")
        pieces += [raw[:n_head], *(raw[place : place + 1] for place in range(n_head, len(raw)))]
    return pieces


def log_prob(raw):
    return -(1 + zlib.crc32(raw) % 4096) / 512


def log_probs_of(tokens):
    return [None if not place else log_prob(b"".join(tokens[: place + 1])) for place in range(len(tokens))]


def answer_log_probs(prompt, answer):
    """Slowly, from the definition: the log-probabilities of the tokens that overlap the answer."""
    tokens, border, end, found = tokens_of(prompt + answer), len(prompt.encode()), 0, []
    for token, value in zip(tokens, log_probs_of(tokens), strict=True):
        end += len(token)
        if end > border:
            found.append(value)
    return found


def following(prompt):
    """What may come next, the most probable first, as log-probabilities that sum to 1."""
    raw = {word: log_prob(f"{prompt}|{word}".encode()) for word in NEXT}
    total = math.log(sum(map(math.exp, raw.values())))
    return sorted(((word, value - total) for word, value in raw.items()), key=lambda pair: -pair[1])


# --- how tokens are written -------------------------------------------------------------------------------------------


def whole_characters(tokens):
    """vLLM: empty strings until a character is complete."""
    shown, waiting = [], b""
    for token in tokens:
        waiting += token
        try:
            shown.append(waiting.decode())
            waiting = b""
        except UnicodeDecodeError:
            cut = len(waiting.decode(errors="ignore").encode())
            shown.append(waiting[:cut].decode())
            waiting = waiting[cut:]
    return shown


def replaced(tokens):
    """SGLang, older vLLM: every token decoded for itself."""
    return [token.decode(errors="replace") for token in tokens]


def ignored(tokens):
    """llama-cpp-python: every token decoded for itself, parts of characters left out."""
    return [token.decode(errors="ignore") for token in tokens]


def byte_level(tokens):
    """The strings of the vocabulary, byte-level BPE."""
    return ["".join(BYTE_LETTERS[byte] for byte in token) for token in tokens]


def sentence_piece(tokens):
    """The strings of the vocabulary, SentencePiece, which puts a space before the text."""
    shown = [
        token.decode().replace(" ", "\u2581") if _is_text(token) else "".join(f"<0x{byte:02X}>" for byte in token)
        for token in tokens
    ]
    return ["\u2581" + shown[0], *shown[1:]]


def in_words(tokens):
    """The first completions endpoint."""
    return [
        token.decode()
        if _is_text(token)
        else "bytes:" + (" " if token[:1] == b" " else "") + "".join(f"\\x{byte:02x}" for byte in token.lstrip(b" "))
        for token in tokens
    ]


def without_spaces(tokens):
    """Every token decoded for itself by a tokenizer that drops the first space."""
    return [token.decode(errors="replace").removeprefix(" ") for token in tokens]


def numbers(tokens):
    """vLLM with ``--return-tokens-as-token-ids``."""
    return [f"token_id:{zlib.crc32(token) % 1000}" for token in tokens]


def _is_text(token):
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


WAYS = (whole_characters, replaced, ignored, byte_level, sentence_piece, in_words, without_spaces)


# --- replies ----------------------------------------------------------------------------------------------------------


def echo_reply(text, way, *, first=(), last=(" so",), generated=1, usage=True, offsets=None):
    """``/v1/completions`` with ``echo`` and ``logprobs``."""
    tokens = tokens_of(text)
    shown, values = [*first, *way(tokens)], [*([None] * len(first)), *log_probs_of(tokens)]
    if first:
        values[len(first)] = -7.25
    n_prompt = len(shown)
    shown, values = [*shown, *last[:generated]], [*values, *([-9.5] * generated)]
    places = [-1] * len(shown) if offsets is None else offsets(shown)
    told = {"tokens": shown, "token_logprobs": values, "text_offset": places, "top_logprobs": None}
    counted = {"usage": {"prompt_tokens": n_prompt, "completion_tokens": 1, "total_tokens": n_prompt + 1}}
    return {"choices": [{"text": text + "".join(last), "logprobs": told}], **(counted if usage else {})}


def lmdeploy_echo(text):
    """``echo`` is ignored: the generated token alone, its offset from 0."""
    told = {"tokens": [" maybe"], "token_logprobs": [-0.25], "text_offset": [0], "top_logprobs": None}
    n_tokens = len(tokens_of(text))
    return {
        "choices": [{"text": " maybe", "logprobs": told}],
        "usage": {"prompt_tokens": n_tokens, "total_tokens": n_tokens + 1},
    }


def llama_cpp_echo(text):
    """llama-server: the shape of chat, for the generated token only."""
    entry = {"id": 7, "token": " maybe", "bytes": list(b" maybe"), "logprob": -0.25, "top_logprobs": []}
    return {"choices": [{"text": text + " maybe", "logprobs": {"content": [entry]}}]}


def without_log_probs(text):
    """Ollama, TGI: completions have none."""
    return {"choices": [{"text": " maybe", "logprobs": None}], "usage": {"prompt_tokens": 5, "total_tokens": 6}}


def top_reply(content, message=None):
    """``/v1/chat/completions`` with ``logprobs``: ``content`` holds (token, value, [(token, value), ...])."""
    told = [
        {
            "token": token,
            "logprob": value,
            "bytes": None,
            "top_logprobs": [{"token": t, "logprob": v, "bytes": None} for t, v in top],
        }
        for token, value, top in content
    ]
    return {"choices": [{"message": message or {"content": content[0][0]}, "logprobs": {"content": told}}]}


# --- the server -------------------------------------------------------------------------------------------------------


class Shaped:
    """A running server; ``serve`` makes the reply from the request, ``bodies`` are the requests so far."""

    def __init__(self, serve):
        self.serve, self.bodies, self.lock = serve, [], threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else the body waits for a receipt of the headers, 40 ms

            def log_message(self, *_):
                pass

            def do_GET(self):
                self._send({"data": [{"id": "m"}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.bodies.append(body)
                self._send(outer.serve(body))

            def _send(self, reply):
                content = json.dumps(reply).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(serve):
    server = Shaped(serve)
    try:
        yield server
    finally:
        server.stop()

"""The server of the tests, games that ask it, and the values that it gives."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from captum_spex.approximators import GaussianProcess, ProxySpex
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.masks import all_masks

SERVER = Path(__file__).parents[1] / "tools" / "openai_server.py"
TEXT = "The old key is under the grey mat by our door"
AROUND = {"prefix": "Note: ", "suffix": " Is it safe?"}
N_PLAYERS = 11
KEY = "sk-remote-test-0123456789"


def load_server():
    spec = importlib.util.spec_from_file_location("openai_server", SERVER)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


openai_server = load_server()
FORMULA = openai_server.Formula()
QUIET = {"latency": 0.0, "faults": [], "key": None, "headers": {}, "rate": 0, "begins": "", "models": {}, "gather": 0}
PATIENCE = 600.0  # seconds that a busy machine may take for anything


def game_of(server, answer=" yes", text=TEXT, **settings):
    """A game that asks for nothing but its masks."""
    return RemoteAnswerGame(text, answer, base_url=server.url, **{**AROUND, "check": False, **settings})


def some_masks(n_masks=40, n_players=N_PLAYERS, seed=0):
    masks = all_masks(n_players)
    return masks[np.random.default_rng(seed).permutation(len(masks))[:n_masks]]


def present_words(mask, text=TEXT):
    return " ".join(word for word, present in zip(text.split(), mask, strict=True) if present)


def prompt_of(mask, text=TEXT):
    return AROUND["prefix"] + present_words(mask, text) + AROUND["suffix"]


def expected(masks, answer=" yes", text=TEXT, output="mean"):
    """The formula's log-probabilities of the answer, which begins with a space and so with a token of its own."""
    n_tokens = len(answer.split())
    rows = [[value for _, value in FORMULA.tokens(prompt_of(mask, text) + answer)][-n_tokens:] for mask in masks]
    return np.array([np.mean(row) if output == "mean" else np.sum(row) for row in rows])


def once_each(masks, answer=" yes"):
    return {prompt_of(mask) + answer: 1 for mask in masks}


def in_prompt(tokens, values, chat=False):
    entries = [
        None if value is None else {str(i): {"logprob": value, "decoded_token": token}}
        for i, (token, value) in enumerate(zip(tokens, values, strict=True))
    ]
    return {"choices": [{}], "prompt_logprobs": entries} if chat else {"choices": [{"prompt_logprobs": entries}]}


BUDGET = 150
QUICK = ProxySpex(GaussianProcess(n_steps=5), rounds=1)
RUN = f"""
import gc; gc.disable()  # faster imports
import sys, captum_spex
from captum_spex.approximators import GaussianProcess, ProxySpex
from captum_spex.games.remote import RemoteAnswerGame
game = RemoteAnswerGame({TEXT!r}, " yes", base_url=sys.argv[1], check=False, **{AROUND!r})
quick = ProxySpex(GaussianProcess(n_steps=5), rounds=1)
captum_spex.explain(game, budget={BUDGET}, approximator=quick, random_state=0, store=sys.argv[2])
"""


def started(server, store):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", RUN, server.url, str(store)], env=environment)

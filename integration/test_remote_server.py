"""Two thousand masks of a model behind a server that fails in every way: each is answered once, as here."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose
from text_models import ENDS, varied
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

import captum_spex
from benchmarks.remote import measured
from captum_spex.games.remote import RemoteAnswerGame
from captum_spex.games.text import AnswerGame
from tools.openai_server import Formula, Running

TEXT = "the old key lies under our grey mat and nobody looks there at night"
WORDS = sorted({*TEXT.split(), "note", "safe", "it", "is", "yes", "no", "user", "assistant"})
AROUND = {"prefix": "note ", "suffix": " is it safe"}
ANSWER = " yes it is"
N_MASKS = 2000
TIMEOUT = 5.0  # seconds, hundreds of times what an answer takes: none but the slow ones may be given up
N_SLOW = 8  # at once, so that the test waits for them once
FAULTS = [
    {"kind": "status", "status": 429, "headers": {"retry-after-ms": "20"}, "share": 0.02},
    {"kind": "status", "status": 500, "share": 0.02},
    {"kind": "status", "status": 503, "share": 0.01},
    {"kind": "truncated", "share": 0.02},
    {"kind": "not_json", "share": 0.01},
    {"kind": "drop", "share": 0.02},
]
SLOW = {"kind": "slow", "seconds": 2 * TIMEOUT, "times": N_SLOW}  # the client gives these up


def word_tokenizer():
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@pytest.fixture(scope="module")
def local():
    tokenizer = word_tokenizer()
    shape = {"vocab_size": len(tokenizer), "n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    return varied(GPT2LMHeadModel, GPT2Config(**shape, **ENDS)), tokenizer


@pytest.fixture(scope="module")
def folder(local, tmp_path_factory):
    place = tmp_path_factory.mktemp("network")
    for part in local:
        part.save_pretrained(place)
    return place


def some_masks(n_players, n_masks=N_MASKS, seed=0):
    rng = np.random.default_rng(seed)
    masks = rng.random((3 * n_masks, n_players)) < 0.5
    return rng.permutation(np.unique(masks, axis=0))[:n_masks]


@pytest.fixture(scope="module")
def of_network(folder):
    """The network behind a server, which takes seconds to start."""
    with Running("--network", str(folder)) as server:
        yield server


@pytest.mark.parametrize("way", ["echo", "prompt"])
@pytest.mark.parametrize("output", ["mean", "sum"])
def test_a_network_behind_a_server_equals_the_same_network_here(local, of_network, way, output):
    here = AnswerGame(*local, TEXT, answer=ANSWER, ablation="delete", output=output, **AROUND)
    masks = some_masks(here.n_players, 300)
    there = RemoteAnswerGame(TEXT, ANSWER, base_url=of_network.url, log_probs=way, output=output, **AROUND)
    assert there.names == here.names
    assert_allclose(there(masks), np.ravel(here(masks)), rtol=1e-4, atol=1e-4)
    generated = RemoteAnswerGame(TEXT, base_url=of_network.url, **AROUND)
    alone = AnswerGame(*local, TEXT, max_new_tokens=1, ablation="delete", **AROUND)
    assert generated.answer.strip() == alone.answer.strip()


def test_the_same_explanation_from_here_and_there(local, of_network, tmp_path):
    here = AnswerGame(*local, TEXT, answer=ANSWER, ablation="delete", **AROUND)
    there = RemoteAnswerGame(TEXT, ANSWER, base_url=of_network.url, **AROUND)
    remote = captum_spex.explain(there, budget=300, random_state=0, store=tmp_path / "a.db")
    nearby = captum_spex.explain(here, budget=300, random_state=0)
    assert remote.names == nearby.names
    assert_allclose(remote.first_order(), nearby.first_order(), atol=0.02 * np.abs(nearby.first_order()).max())
    assert remote.faithfulness == pytest.approx(nearby.faithfulness, abs=0.05)


def formula_values(game, masks):
    answer = len(Formula().tokens(game.answer))
    prompts = [game._prompt(mask) + game.answer for mask in masks]
    return prompts, np.array([np.mean([value for _, value in Formula().tokens(one)[-answer:]]) for one in prompts])


def test_two_thousand_masks_through_every_fault_and_a_restart(tmp_path):
    before = threading.enumerate()
    journal = tmp_path / "journal"
    server = Running("--journal", str(journal))
    try:
        game = RemoteAnswerGame(TEXT, ANSWER, base_url=server.url, timeout=TIMEOUT, max_tries=12, check=False, **AROUND)
        masks = some_masks(game.n_players)
        prompts, wanted = formula_values(game, masks)
        server.control(latency=0.01, faults=FAULTS)

        def restart():
            while len(server.report()["answered"]) < N_MASKS // 2:
                time.sleep(0.02)
            seen.update(server.report()["statuses"])
            server.restart(after=0.5)
            server.control(latency=0.01, faults=[SLOW, *FAULTS])

        seen = set()
        restarting = threading.Thread(target=restart)
        restarting.start()
        values = game(masks)
        restarting.join()
        report = server.report()
    finally:
        server.stop()
    assert_allclose(values, wanted, rtol=1e-12)
    assert report["answered"] == dict.fromkeys(prompts, 1)
    assert seen | set(report["statuses"]) >= {fault["kind"] for fault in (SLOW, *FAULTS)}
    assert report["statuses"]["slow"] == N_SLOW
    assert N_MASKS * 1.05 < game.n_requests < N_MASKS * 1.5
    assert set(threading.enumerate()) <= set(before)


def test_an_explanation_through_every_fault_is_the_undisturbed_one(tmp_path):
    settings = {"timeout": TIMEOUT, "max_tries": 12, "check": False, **AROUND}
    with Running() as server:
        game = RemoteAnswerGame(TEXT, ANSWER, base_url=server.url, **settings)
        undisturbed = captum_spex.explain(game, budget=1000, random_state=0)
        server.control(forget=True, faults=[SLOW, *FAULTS])
        disturbed = captum_spex.explain(game, budget=1000, random_state=0, store=tmp_path / "a.db")
        answered = server.report()["answered"]
    assert dict(disturbed) == dict(undisturbed)
    assert len(answered) == 1000
    assert set(answered.values()) == {1}


def test_every_line_of_the_benchmark_is_there():
    lines = list(measured(repeats=1, n_masks=64))
    assert [line.what.split(",")[0] for line in lines] == [
        "4 requests in flight",
        "16 requests in flight",
        "64 requests in flight",
        "the client's time on the processor",
    ]
    assert [line.reached is not None for line in lines] == [False, True, False, False]

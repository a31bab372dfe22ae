"""Options mean what the same arguments of the library mean."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest
import torch
from command_lines import EIGHT, FIVE, TEXT, valid
from numpy.testing import assert_allclose
from text_models import bert_classifier, bert_encoder, byte_tokenizer, causal_model, word_tokenizer

import captum_spex
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame, embedded_model

pytestmark = pytest.mark.usefixtures("work", "interruptible")

# --- runs -------------------------------------------------------------------------------------------------------------


def assert_same(content, result, game):
    """A document says what the result of the library says."""
    ends = game(np.repeat([[True], [False]], game.n_players, axis=1))
    assert_allclose([content["value_of_text"], content["value_of_nothing"]], ends, rtol=1e-5, atol=1e-5)
    assert [tuple(term["players"]) for term in content["terms"]] == list(result)
    assert_allclose([term["value"] for term in content["terms"]], result.values, rtol=1e-5, atol=1e-5)
    errors = result.std_errors
    assert_allclose([term["std_error"] for term in content["terms"]], errors, rtol=1e-3, atol=1e-5)
    assert_allclose(content["baseline"], result.baseline, rtol=1e-5, atol=1e-5)
    assert_allclose(content["faithfulness"], result.faithfulness, rtol=1e-5)
    assert [content[name] for name in ("index", "max_order", "n_evaluations", "n_left_out")] == [
        *(result.index, result.max_order, result.n_evaluations, result.n_left_out)
    ]
    assert [player["text"] for player in content["players"]] == list(game.names)
    assert [(player["start"], player["end"]) for player in content["players"]] == list(game.spans)
    assert [term["name"] for term in content["terms"]] == [result.name_of(players) for players in result]


def explained(game, **arguments):
    """What the library says, of the index that the command shows by default."""
    return captum_spex.explain(game, **{"index": "k-SII", **arguments})


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "settings", "arguments"),
    [
        ([], {}, {}),
        (["--index", "SII"], {}, {"index": "SII"}),
        (["--target", "bad"], {"target": "bad"}, {}),
        (["--target", "good"], {"target": "Good"}, {}),
        (["--target", "1"], {"target": 1}, {}),
        (["--target", "1", "--output", "margin"], {"target": 1, "output": "margin"}, {}),
        (["--output", "log_prob"], {"output": "log_prob"}, {}),
        (["--unit", "token"], {"unit": "token"}, {}),
        (["--ablation", "delete"], {"ablation": "delete"}, {}),
        (["--ablation", "unk"], {"ablation": "unk"}, {}),
        (["--ablation", "pad"], {"ablation": "pad"}, {}),
        (["--ablation", "hide"], {"ablation": "hide"}, {}),
        (["--replacement", "what"], {"ablation": "string", "replacement": "what"}, {}),
        (["--prefix", "Nobody: ", "--suffix", " is it?"], {"prefix": "Nobody: ", "suffix": " is it?"}, {}),
        (["--index", "FSII", "--order", "3"], {}, {"index": "FSII", "max_order": 3}),
        (["--index", "SV"], {}, {"index": "SV"}),
        (["--index", "BII(p=0.3)", "--order", "1"], {}, {"index": "BII(p=0.3)", "max_order": 1}),
        (["--tokens-per-batch", "9", "--device", "cpu", "--dtype", "float32"], {}, {}),
    ],
)
def test_options_of_a_classifier(document, models, options, settings, arguments):
    content = document(FIVE, "--model", models["classifier"], *options)
    game = ClassificationGame(bert_classifier(), word_tokenizer(), FIVE, **settings)
    assert_same(content, explained(game, **arguments), game)
    asked = {
        **{name: settings.get(name) for name in ("replacement", "prefix", "suffix")},
        **{"prefix": settings.get("prefix", ""), "suffix": settings.get("suffix", "")},
        **{"task": "classification", "target": game.labels[0], "output": game.output, "ablation": game.ablation},
        **{"unit": settings.get("unit", "word"), "model": models["classifier"], "system": None, "chat": False},
    }
    assert {name: content[name] for name in asked} == asked


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (["--budget", "60"], {"budget": 60, "random_state": 0}),
        (["--budget", "60", "--seed", "3", "--order", "1"], {"budget": 60, "random_state": 3, "max_order": 1}),
        (
            ["--budget", "auto", "--faithfulness", "0.3", "--max-budget", "100"],
            {"budget": "auto", "target_faithfulness": 0.3, "max_budget": 100, "random_state": 0},
        ),
    ],
)
def test_options_of_the_evaluations(document, models, options, arguments):
    content = document(EIGHT, "--model", models["classifier"], *options)
    game = ClassificationGame(bert_classifier(), word_tokenizer(), EIGHT)
    result = explained(game, **arguments)
    assert content["random_state"] == arguments["random_state"]
    assert content["n_evaluations"] == result.n_evaluations < 256
    assert [tuple(term["players"]) for term in content["terms"]][:3] == list(result)[:3]
    values = {tuple(term["players"]): term["value"] for term in content["terms"]}
    assert_allclose([values[players] for players in result], result.values, atol=1e-3)


def test_an_embedded_model_is_the_default(document):
    content = document(TEXT, "--target", "positive")
    game = ClassificationGame(*embedded_model(), TEXT, target="positive")
    assert_same(content, explained(game), game)
    assert (content["model"], content["task"], content["target"]) == ("embedded", "classification", "positive")


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--target", " worse"], {"answer": " worse"}),
        (["--target", " worse", "--output", "sum"], {"answer": " worse", "output": "sum"}),
        ([], {}),
        (["--task", "answer", "--prefix", "Q: ", "--suffix", " A:"], {"prefix": "Q: ", "suffix": " A:"}),
        (["--target", "x", "--replacement", " what"], {"answer": "x", "replacement": " what"}),
    ],
)
def test_options_of_a_language_model(document, models, options, settings):
    content = document(FIVE, "--model", models["language"], *options)
    game = AnswerGame(causal_model("gpt2"), byte_tokenizer(), FIVE, **settings)
    assert_same(content, explained(game), game)
    assert [content[name] for name in ("task", "target", "output")] == ["answer", game.answer, game.output]


@pytest.mark.parametrize(
    ("options", "settings"), [(["--chat"], {"chat": True}), (["--system", "Be good"], {"system": "Be good"})]
)
def test_options_of_a_chat_model(document, models, options, settings):
    content = document(FIVE, "--model", models["chat"], "--target", "x", *options)
    game = AnswerGame(causal_model("gpt2"), byte_tokenizer(chat=True), FIVE, answer="x", **settings)
    assert_same(content, explained(game), game)
    assert (content["system"], content["chat"]) == (settings.get("system"), "chat" in settings)


@pytest.mark.parametrize("output", ["cosine", "dot"])
def test_options_of_an_encoder(run, models, output):
    done = run(FIVE, "--model", models["encoder"], "--target", "good plot", "--output", output, "--json", "a.json")
    content = valid(json.loads(Path("a.json").read_text(encoding="utf-8")))
    game = SimilarityGame(bert_encoder(), word_tokenizer(), FIVE, "good plot", output=output)
    assert_same(content, explained(game), game)
    assert [content[name] for name in ("task", "target", "output")] == ["similarity", "good plot", output]
    assert {"cosine": "Cosine similarity to 'good plot': ", "dot": "Dot product with 'good plot': "}[output] in done.out


def test_half_precision_can_be_asked_for(document, models):
    half = document(FIVE, "--model", models["classifier"], "--dtype", "bfloat16")
    full = document(FIVE, "--model", models["classifier"])
    assert abs(half["value_of_text"] - full["value_of_text"]) > 1e-6
    assert_allclose(half["value_of_text"], full["value_of_text"], rtol=0.1)


def test_a_compiled_model_can_be_asked_for(document, models, monkeypatch):
    monkeypatch.setattr(torch._dynamo.config, "disable", True)  # compilers are not everywhere; the way there is
    compiled = document(FIVE, "--model", models["classifier"], "--compile")
    assert compiled == document(FIVE, "--model", models["classifier"])


@pytest.mark.parametrize("ending", ["", "\n", "\r\n\r\n"])
def test_a_text_can_come_from_a_file_or_from_standard_input(document, models, monkeypatch, ending):
    octets = b"\xef\xbb\xbf" + FIVE.encode() + ending.encode()
    Path("a.txt").write_bytes(octets)
    wanted = document(FIVE, "--model", models["classifier"])
    assert document("--file", "a.txt", "--model", models["classifier"]) == wanted
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(octets)))
    assert document("--file", "-", "--model", models["classifier"]) == wanted


def test_a_text_that_begins_with_dashes_comes_after_two_others(run):
    assert run("--json", "a.json", "--", "--never a good film").code == 0
    assert json.loads(Path("a.json").read_text(encoding="utf-8"))["text"] == "--never a good film"

"""The command line: what it prints, writes and refuses, its exit codes, and how a run that was stopped goes on."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from numpy.testing import assert_allclose
from rich.cells import cell_len
from text_models import bert_classifier, bert_encoder, byte_tokenizer, causal_model, word_tokenizer
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
)
from typer.main import get_command

import captum_spex
from captum_spex.cli import app, main
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame, embedded_model

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "explanation.schema.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "command-line.md").read_text(encoding="utf-8")
TEXT = "Her acting never fails to impress"
FIVE = "the film is never good"
EIGHT = "the film is good and the plot worse"
TEN = "the capital of France is good and the plot fails"


# --- models on disk ---------------------------------------------------------------------------------------------------


class FragileConfig(BertConfig):
    model_type = "fragile"


class FragileForSequenceClassification(BertForSequenceClassification):
    """A classifier with which something happens after some rows; it counts what it reads."""

    config_class = FragileConfig
    accident = None
    after = 0
    n_rows = 0

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        cls = type(self)
        cls.n_rows += len(input_ids)
        happens = cls.accident is not None and cls.n_rows > cls.after
        if happens and cls.accident == "raises":
            raise RuntimeError("the fan stopped")
        if happens and cls.accident == "interrupted":
            signal.raise_signal(signal.SIGINT)
        found = super().forward(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        if happens and cls.accident == "nan":
            found.logits = found.logits * float("nan")
        return found


AutoConfig.register("fragile", FragileConfig, exist_ok=True)
AutoModelForSequenceClassification.register(FragileConfig, FragileForSequenceClassification, exist_ok=True)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders of a classifier, a language model (with and without a chat template), an encoder, and a fragile one."""
    classifier = bert_classifier()
    fragile = FragileForSequenceClassification(
        FragileConfig(**{**classifier.config.to_dict(), "model_type": "fragile"})
    )
    fragile.load_state_dict(classifier.state_dict())
    networks = {
        "classifier": (classifier, word_tokenizer()),
        "language": (causal_model("gpt2"), byte_tokenizer()),
        "chat": (causal_model("gpt2"), byte_tokenizer(chat=True)),
        "encoder": (bert_encoder(), word_tokenizer()),
        "fragile": (fragile, word_tokenizer()),
    }
    folders = {}
    for name, (network, tokenizer) in networks.items():
        folders[name] = str(tmp_path_factory.mktemp(name))
        network.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


@pytest.fixture
def fragile(models, monkeypatch):
    """Say what happens with the fragile model after how many rows; return the options that choose it."""

    def happens(accident, after):
        for name, value in (("accident", accident), ("after", after), ("n_rows", 0)):
            monkeypatch.setattr(FragileForSequenceClassification, name, value)
        return "--model", models["fragile"], "--target", "Good"

    return happens


# --- running it -------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def interruptible():
    """Whoever started the tests: shells let what they start in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """A working directory that is empty, and a folder for temporary files, where nothing of ours is left at the end."""
    folder, temporary = tmp_path / "work", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    assert list(temporary.glob("captum-spex*")) == []  # PyTorch 2.6 leaves something of its own


@pytest.fixture
def run(capfd):
    """Run the command in this process and return exit code and what was printed, also below Python."""

    def runs(*arguments, command="explain"):
        capfd.readouterr()
        code = main([command, *map(str, arguments)])
        return Run(code, *capfd.readouterr())

    return runs


@pytest.fixture
def document(run):
    """Run the command with ``--json -`` and return the document."""

    def runs(*arguments):
        done = run(*arguments, "--json", "-")
        assert done.code == 0, done.err
        return valid(json.loads(done.out))

    return runs


def valid(content):
    Draft202012Validator(SCHEMA).validate(content)
    return content


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


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


# --- what people read -------------------------------------------------------------------------------------------------


def test_the_example_works_with_nothing_but_a_text(run, work):
    done = run(TEXT)
    assert (done.code, done.err, names_in(work)) == (0, "", [])
    lines = done.out.splitlines()
    assert lines[0] == TEXT
    assert re.match(
        r"Logit of 'positive': \+\d\.\d{4}; without the 6 words: [+-]\d\.\d{4} \(ablation: mask\)", lines[2]
    )
    assert lines[3] == "Model: embedded, a tiny classifier of review sentences"
    assert lines[4] == "SII up to order 2: exact, from all 64 masks"
    pairs = lines[next(row for row, line in enumerate(lines) if line.startswith("Interactions of order 2")) :]
    assert pairs[2].startswith("never x fails  ")
    assert pairs[-1].strip() == "... and 5 more"


def test_the_example_of_the_page_is_what_is_printed(run):
    shown = re.search(r"```bash\ncaptum-spex (.*?)\n```\n+```text\n(.*?)```", PAGE, re.DOTALL)
    done = main_of(run, shown[1])
    number = re.compile(r"[+-]\d+\.\d+")
    printed = "\n".join(line.rstrip() for line in done.out.splitlines()) + "\n"
    assert number.sub("#", printed) == number.sub("#", shown[2])
    assert_allclose(*(np.array(number.findall(text), dtype=float) for text in (printed, shown[2])), atol=2e-3)


def test_the_error_of_the_page_is_what_is_printed(run):
    shown = re.search(r"```bash\ncaptum-spex (.* excellent)\n```\n+```text\n(.*\n)```", PAGE)
    done = main_of(run, shown[1])
    assert (done.code, done.out, done.err) == (2, "", shown[2])


def test_the_program_of_the_page_reads_the_document(run, monkeypatch, capfd):
    piped = r"```bash\ncaptum-spex ([^|\n]*) 2>.*? python -c \"\n(.*?)\"\n```\n+```text\n(.*?)```"
    shown = re.search(piped, PAGE, re.DOTALL)
    document = main_of(run, shown[1]).out
    monkeypatch.setattr("sys.stdin", StringIO(document))
    exec(shown[2], {})
    assert capfd.readouterr().out == shown[3]


def main_of(run, line):
    command, *arguments = shlex.split(line)
    return run(*arguments, command=command)


def test_a_partly_seen_text_shows_standard_errors_and_how_far_to_trust(run, models):
    done = run(EIGHT, "--model", models["classifier"], "--budget", "40", "--order", "1")
    assert re.search(r"SII: faithfulness \S+ \(R² on held-out masks\), from 40 evaluations", done.out)
    assert re.search(r"^players +value +± *$", done.out, re.MULTILINE)
    faithfulness = float(re.search(r"faithfulness (\S+)", done.out)[1])
    assert ("Too few evaluations" in done.out) == (not faithfulness >= 0.8)


def test_too_few_evaluations_are_said_to_be_so(run, models):
    done = run(EIGHT, "--model", models["classifier"], "--budget", "4")
    assert "Too few evaluations to rely on: give it more by --budget." in done.out


def test_top_says_how_many_terms_of_each_order_are_shown(run, models):
    done = run(FIVE, "--model", models["classifier"], "--top", "2", "--order", "3")
    tables = done.out.split("\n\n")[2:]
    assert [len(table.strip().splitlines()) - 2 for table in tables] == [3, 3, 3]
    assert re.findall(r"\.\.\. and (\d+) more", done.out) == ["3", "8", "8"]


def test_loading_is_silent_and_a_progress_bar_comes_when_asked_for(run, models):
    assert run(FIVE, "--model", models["classifier"]).err == ""
    assert run(FIVE, "--task", "similarity", "--target", "good").err == ""
    shown = run(FIVE, "--model", models["classifier"], "--progress").err
    assert re.search(r"evaluations: 100%.* 32/32 \[\d\d:\d\d<\d\d:\d\d, .*eval/s\]", shown)
    assert "Loading" not in shown


def test_words_with_markup_are_printed_as_they_are(run):
    text = r"[bold]good[/bold] film [/] \[red] [link=x] it's"
    done = run(text, "--order", "1")
    assert done.out.splitlines()[0] == text
    rows = [line.split()[0] for line in done.out.split("players")[1].splitlines()[1:]]
    assert sorted(rows) == sorted(text.split())


def test_all_of_unicode_is_printed_and_written(run):
    text = "naïve 中文電影 😀👍 שלום Ünder"
    done = run(text, "--json", "a.json")
    assert done.out.splitlines()[0] == text
    content = valid(json.loads(Path("a.json").read_text(encoding="utf-8")))
    assert content["text"] == text
    assert [player["text"] for player in content["players"]] == text.split()
    assert "中文電影" in Path("a.json").read_text(encoding="utf-8")


def test_control_characters_do_not_reach_the_terminal(run):
    text = "a \x1b[31mgood\x07 film\r\nis\x08 good"
    done = run(text, "--json", "a.json")
    assert not set(done.out) & set("\x1b\x07\x08\r")
    assert json.loads(Path("a.json").read_text(encoding="utf-8"))["text"] == text


@pytest.mark.parametrize("columns", [60, 80])
def test_lines_fit_the_terminal(run, models, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = f"{'so' * 60} good film, {'中' * 50} never https://example.org/{'x' * 80}"
    done = run(text, "--model", models["language"], "--task", "answer", "--target", " worse", "--ablation", "delete")
    assert done.code == 2  # too long for the model, which says so in a line
    done = run(text, "--target", "positive")
    lines = done.out.splitlines()
    assert max(map(cell_len, lines)) <= columns
    values = [line for line in lines if re.search(r"[+-]\d\.\d{4} ", line) and "Logit" not in line]
    assert len(values) == 16
    assert all("█" in line for line in values[:1])


def test_a_terminal_that_knows_ascii_only_is_no_reason_to_fail(monkeypatch):
    stream = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["explain", "a naïve film"]) == 0
    stream.flush()
    printed = stream.buffer.getvalue().decode("ascii")
    assert printed.startswith("a na?ve film")
    assert "####" in printed


def test_sentences_are_shortened_in_tables_only(run):
    first = "The film was good and the plot was good and the cast was good and so it went on."
    text = f"{first} The end was bad."
    done = run(text, "--unit", "sentence", "--json", "a.json")
    assert re.search(r"without the 2 sentences: ", done.out)
    assert "… x The end was bad." in " ".join(done.out.split())
    assert json.loads(Path("a.json").read_text(encoding="utf-8"))["players"][0]["text"] == first


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_the_schema_describes_every_field():
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    objects = [SCHEMA, SCHEMA["properties"]["players"]["items"], SCHEMA["properties"]["terms"]["items"]]
    for part in objects:
        assert part["additionalProperties"] is False
        assert sorted(part["required"]) == sorted(part["properties"])
        assert [name for name, field in part["properties"].items() if len(field.get("description", "")) < 10] == []


def test_the_page_names_every_field_and_every_option():
    fields = [*SCHEMA["properties"], "start", "end", "name", "value", "std_error"]
    assert [name for name in fields if f"`{name}`" not in PAGE] == []
    options = [flag for parameter in get_command(app).commands["explain"].params for flag in parameter.opts]
    assert [flag for flag in options if flag.startswith("--") and f"`{flag}" not in PAGE] == []


@pytest.mark.parametrize(
    "change",
    [{"n_evaluations": 1}, {"faithfulness": "high"}, {"index": "Shapley"}, {"more": 1}, {"terms": [{"value": 1}]}],
)
def test_the_schema_refuses_other_documents(document, models, change):
    content = document(FIVE, "--model", models["classifier"])
    assert not Draft202012Validator(SCHEMA).is_valid({**content, **change})


def test_standard_output_is_nothing_but_the_document_if_asked_for(run, models):
    done = run(FIVE, "--model", models["classifier"], "--json", "-", "--progress")
    assert valid(json.loads(done.out))["text"] == FIVE
    assert "Main effects" in done.err
    to_file = run(FIVE, "--model", models["classifier"], "--json", "a.json", "--no-progress")
    assert Path("a.json").read_text(encoding="utf-8") == done.out
    assert "Main effects" in to_file.out
    assert to_file.err == ""


def test_an_existing_file_is_replaced(run, models):
    Path("a.json").write_text("x" * 100_000, encoding="utf-8")
    assert run(FIVE, "--model", models["classifier"], "--json", "a.json").code == 0
    valid(json.loads(Path("a.json").read_text(encoding="utf-8")))


def test_the_page_is_written(run, models):
    assert run(FIVE, "--model", models["classifier"], "--html", "a.html", "--json", "a.json").code == 0
    page = Path("a.html").read_text(encoding="utf-8")
    content = valid(json.loads(Path("a.json").read_text(encoding="utf-8")))
    assert '<h1 dir="auto">Logit of &#x27;' in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["names"] == [player["text"] for player in content["players"]]
    assert data["values"] == [term["value"] for term in content["terms"]]


def test_max_terms_says_how_many_interactions_are_written(document, models):
    everything = document(FIVE, "--model", models["classifier"], "--order", "3")
    assert (len(everything["terms"]), everything["n_left_out"]) == (25, 0)
    some = document(FIVE, "--model", models["classifier"], "--order", "3", "--max-terms", "4")
    assert (len(some["terms"]), some["n_left_out"]) == (9, 16)
    largest = [term for term in everything["terms"] if len(term["players"]) > 1][:4]
    assert [term for term in some["terms"] if len(term["players"]) > 1] == largest


# --- the options are those of the library -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "settings", "arguments"),
    [
        ([], {}, {}),
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
    assert_same(content, captum_spex.explain(game, **arguments), game)
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
    result = captum_spex.explain(game, **arguments)
    assert content["random_state"] == arguments["random_state"]
    assert content["n_evaluations"] == result.n_evaluations < 256
    assert [tuple(term["players"]) for term in content["terms"]][:3] == list(result)[:3]
    values = {tuple(term["players"]): term["value"] for term in content["terms"]}
    assert_allclose([values[players] for players in result], result.values, atol=1e-3)


def test_an_embedded_model_is_the_default(document):
    content = document(TEXT, "--target", "positive")
    game = ClassificationGame(*embedded_model(), TEXT, target="positive")
    assert_same(content, captum_spex.explain(game), game)
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
    assert_same(content, captum_spex.explain(game), game)
    assert [content[name] for name in ("task", "target", "output")] == ["answer", game.answer, game.output]


@pytest.mark.parametrize(
    ("options", "settings"), [(["--chat"], {"chat": True}), (["--system", "Be good"], {"system": "Be good"})]
)
def test_options_of_a_chat_model(document, models, options, settings):
    content = document(FIVE, "--model", models["chat"], "--target", "x", *options)
    game = AnswerGame(causal_model("gpt2"), byte_tokenizer(chat=True), FIVE, answer="x", **settings)
    assert_same(content, captum_spex.explain(game), game)
    assert (content["system"], content["chat"]) == (settings.get("system"), "chat" in settings)


@pytest.mark.parametrize("output", ["cosine", "dot"])
def test_options_of_an_encoder(run, models, output):
    done = run(FIVE, "--model", models["encoder"], "--target", "good plot", "--output", output, "--json", "a.json")
    content = valid(json.loads(Path("a.json").read_text(encoding="utf-8")))
    game = SimilarityGame(bert_encoder(), word_tokenizer(), FIVE, "good plot", output=output)
    assert_same(content, captum_spex.explain(game), game)
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


def test_help_and_version_are_shown(run, capfd):
    assert "--max-budget" in run("--help").out
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"captum-spex {captum_spex.__version__}\n"
    assert main([]) == 0
    assert "explain" in capfd.readouterr().out


# --- bad usage --------------------------------------------------------------------------------------------------------


def refused(done, words):
    """Exit code 2 and one line on standard error, which says these words."""
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"Error: [^\n]+\n", done.err), done.err
    assert re.search(words, done.err), done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "`TEXT`: expected .*, got neither a text nor a file"),
        ([""], "`TEXT`: expected .*, got an empty text"),
        ([" \n "], "`TEXT`: expected .*, got an empty text"),
        (["Hello"], r"`TEXT`: expected .*, got one word \('Hello'\).* --unit token divides it further"),
        (["One sentence.", "--unit", "sentence"], "`TEXT`: expected .*, got one sentence .* --unit word divides"),
        ([FIVE * 30], r"`TEXT`: expected at most \d+ .* The first \d+ of.*, got \d+ tokens, 2 of them around the text"),
        (["\udcff is good"], "`TEXT`: expected .*, got a text, of which byte 0 .0xff. is not UTF-8"),
        ([FIVE, "--file", "a"], "got a text and a file"),
        (["--file", "missing.txt"], "`--file`: got missing.txt .No such file"),
        (["--file", "."], "`--file`: got . .Is a directory"),
        ([FIVE, "--target", "excellent"], "`--target`: expected 'bad.*, got 'excellent'', 'fair', 'Good', or a number"),
        ([FIVE, "--target", "3"], "`--target`: expected .* a number from 0 to 2.*, got 3"),
        ([FIVE, "--target", ""], "`--target`: got ''"),
        ([FIVE, "--output", "mean"], "`--output`: expected 'logit.*, got 'mean'', 'margin', 'log_prob'"),
        ([FIVE, "--task", "summary"], "`--task`: expected classification, answer, similarity.*, got 'summary'"),
        ([FIVE, "--task", "answer"], "`--task`: got 'answer' for a model without weights for it .cls.* and . more"),
        ([FIVE, "--task", "similarity"], "`--target`: expected the query.*, got nothing"),
        ([FIVE, "--unit", "letter"], r"`--unit`: expected word, token, sentence, got 'letter'\."),
        ([FIVE, "--ablation", "drop"], "`--ablation`: expected 'mask.*, got 'drop'', "),
        ([FIVE, "--ablation", "string"], "`--replacement`: expected a text if --ablation string.*, got nothing"),
        ([FIVE, "--ablation", "mask", "--replacement", "x"], "`--replacement`: got 'x' with ablation 'mask'"),
        ([FIVE, "--chat"], "`--chat`: expected nothing, unless --task answer.*, got True for the task classification"),
        ([FIVE, "--system", "x"], "`--system`: got 'x' for the task classification"),
        ([FIVE, "--index", "Shapley"], '`--index`: expected "SV.*, got \'Shapley\'", "BV", "SII"'),
        ([FIVE, "--order", "6"], "`--order`: expected an integer from 1 to the number of players, 5.*, got 6"),
        ([FIVE, "--order", "0"], "'--order': .*1.* All options: captum-spex explain --help"),
        ([FIVE, "--order", "two"], "'--order': .*integer"),
        ([FIVE, "--budget", "1"], "`--budget`: expected an integer of at least 2.*, got 1"),
        ([FIVE, "--budget", "-3"], "`--budget`: got -3"),
        ([FIVE, "--budget", "much"], "`--budget`: expected a number of evaluations, or auto.*, got 'much'"),
        ([FIVE, "--max-budget", "100"], "`--max-budget`: expected nothing, unless --budget auto.*, got 100"),
        ([FIVE, "--faithfulness", "0.9"], "`--faithfulness`: expected nothing, unless --budget auto.*, got 0.9"),
        ([FIVE, "--budget", "auto", "--faithfulness", "1.5"], "`--faithfulness`: got 1.5; allowed .* between 0 and 1"),
        ([EIGHT, "--budget", "auto", "--max-budget", "20"], "`--max-budget`: expected at least .*, got 20"),
        ([FIVE, "--seed", "-1"], "'--seed'"),
        ([FIVE, "--top", "0"], "'--top'"),
        ([FIVE, "--max-terms", "0"], "'--max-terms'"),
        ([FIVE, "--device", "gpu"], "`--device`: expected a device of this machine, for instance cpu.*, got 'gpu'"),
        ([FIVE, "--device", "meta"], "`--device`: got 'meta'"),
        ([FIVE, "--device", "cuda:99"], "`--device`: got 'cuda:99'"),
        ([FIVE, "--dtype", "int8"], r"`--dtype`: expected float32, float16, bfloat16, got 'int8'\."),
        ([FIVE, "--tokens-per-batch", "0"], "`--tokens-per-batch`: expected an integer of at least 1.*, got 0"),
        ([FIVE, "--json", "missing/a.json"], "`--json`: got missing/a.json .No such file or directory"),
        ([FIVE, "--json", "."], "`--json`: got . .Is a directory"),
        ([FIVE, "--store", "missing/a.db"], "`--store`: got missing/a.db .No such file or directory"),
        ([FIVE, "--store", "."], "`--store`: got . .Is a directory"),
        ([FIVE, "--html", "missing/a.html"], "`--html`: got missing/a.html .No such file or directory"),
        ([FIVE, "--html", "."], "`--html`: got . .Is a directory"),
        ([FIVE, "--json", "a", "--html", "./a"], "`--html`: got ./a, which --json names too"),
        ([FIVE, "--store", "a", "--json", "./a"], "`--json`: got ./a, which --store names too"),
        ([FIVE, "--models", "x"], "No such option: --models"),
        ([FIVE, FIVE], "unexpected extra argument"),
        ([FIVE, "--model"], "--model"),
    ],
)
def test_bad_usage_is_refused_before_anything_is_evaluated(run, fragile, work, arguments, words):
    options = fragile("raises", 0)  # which only a model that is called does
    if {"answer", "similarity", "--model"} & set(arguments):  # by which that model cannot be loaded
        options = []
    elif "--target" in arguments:
        options = options[:2]
    refused(run(*options, *arguments), words)
    assert names_in(work) == []


@pytest.mark.sampled
@pytest.mark.parametrize("options", [["--store", "a.db"], ["--store", "a.db", "--json", "a.json"]])
@pytest.mark.parametrize(
    "wrong",
    [["--order", "20"], ["--index", "x"], ["--budget", "1"], ["--budget", "auto", "--max-budget", "20"]],
)
def test_bad_usage_leaves_no_store_behind(run, models, work, options, wrong):
    refused(run(EIGHT, "--model", models["classifier"], *options, *wrong), f"`{wrong[-2]}`")
    assert names_in(work) == []


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("missing/folder/x", "`--model`: got 'missing/folder/x', which is no folder"),
        ("./missing", "`--model`: got './missing', which is no folder"),
        ("/missing", "`--model`: got '/missing', which is no folder"),
        (".", "`--model`: expected the name of a model that can be fetched, or the path of a folder.*, got '.'"),
    ],
)
def test_a_missing_model_is_refused(run, work, model, words):
    refused(run(FIVE, "--model", model), words)
    assert names_in(work) == []


@pytest.mark.parametrize("damage", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_model_is_refused(run, models, tmp_path, damage):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in Path(models["classifier"]).iterdir():
        content = path.read_bytes()
        (folder / path.name).write_bytes(content[: len(content) // 2] if path.name == damage else content)
    refused(run(FIVE, "--model", folder), "`--model`: expected the name of a model.*, got '.*damaged'")


def test_a_file_that_is_not_utf8_is_refused(run):
    Path("a.txt").write_bytes("a na\xefve film".encode("latin-1"))
    refused(run("--file", "a.txt"), "`--file`: got a.txt, of which byte 4 .0xef. is not UTF-8.*iconv")


def test_an_empty_file_is_refused(run):
    Path("a.txt").write_text("\n", encoding="utf-8")
    refused(run("--file", "a.txt"), "`--file`: got an empty text")


def test_a_text_is_not_overwritten_by_its_explanation(run):
    Path("a.txt").write_text(FIVE, encoding="utf-8")
    refused(run("--file", "a.txt", "--json", "../work/a.txt"), "`--json`: got ../work/a.txt, which --file names too")
    assert Path("a.txt").read_text(encoding="utf-8") == FIVE


def test_a_query_is_needed_for_a_similarity(run, models):
    refused(run(FIVE, "--model", models["encoder"]), "`--target`: expected the query.*, got nothing")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", ""], "`--target`: expected a text of at least one token.*, got ''"),
        (["--target", "x", "--ablation", "mask"], "`--ablation`: got 'mask' for a tokenizer without .* 'delete'"),
        (["--target", "x", "--ablation", "hide"], "`--ablation`: got 'hide' .* another ablation, or a --suffix"),
        (["--target", "x", "--chat"], "`--chat`: got chat=True for a tokenizer without .* --prefix and --suffix"),
        (["--target", "x", "--output", "tokens"], "`--output`: expected 'mean.*, got 'tokens'', 'sum'"),
        (["--target", "x" * 90], r"`TEXT`: expected at most 64 tokens.*, got \d+ tokens before an answer of \d+"),
        (["--task", "classification"], "`--task`: got 'classification' for a model without weights for it"),
    ],
)
def test_what_a_language_model_cannot_be_asked_is_refused(run, models, work, options, words):
    refused(run(FIVE, "--model", models["language"], *options), words)
    assert names_in(work) == []


def test_a_store_of_another_game_is_refused_and_stays_as_it_is(run, models):
    assert run(FIVE, "--model", models["classifier"], "--store", "a.db").code == 0
    before = Path("a.db").read_bytes()
    done = run(f"{FIVE} x", "--model", models["classifier"], "--store", "a.db", "--json", "a.json")
    refused(
        done, "`--store`: expected a store of game [0-9a-f].*, got a.db, which holds evaluations of game [0-9a-f]{32}"
    )
    assert re.search("They differ in text: 'the film is never good' there, 'the film is never good x' here", done.err)
    assert Path("a.db").read_bytes() == before
    assert not Path("a.json").exists()


def test_a_file_of_another_kind_is_no_store(run, models):
    Path("a.db").write_bytes(b"a letter to my mother " * 50)
    refused(
        run(FIVE, "--model", models["classifier"], "--store", "a.db"), "`--store`: got a.db, a file of another kind"
    )
    assert Path("a.db").read_bytes() == b"a letter to my mother " * 50


# --- failures, interruptions, and going on ----------------------------------------------------------------------------


def advised(done):
    """The command that the last line advises."""
    line = done.err.splitlines()[-1]
    assert line.startswith("  captum-spex explain "), done.err
    return shlex.split(line)[1:]


def asked(path, query):
    """What a database answers."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def stored_masks(path):
    """The masks in a store of at most 8 players: a byte for each."""
    return list(b"".join(masks for (masks,) in asked(path, "SELECT mask FROM evaluations")))


def test_a_model_that_raises_ends_with_1_and_says_how_to_go_on(run, fragile, work):
    options = [*fragile("raises", 12), "--tokens-per-batch", "20"]
    done = run(FIVE, *options)
    assert (done.code, done.out) == (1, "")
    assert "\nThe model failed: RuntimeError: the fan stopped\nWhat was evaluated is kept in captum-spex-" in done.err
    assert names_in(work) == [advised(done)[2]]


def test_a_model_that_raises_at_once_leaves_nothing(run, fragile, work):
    done = run(FIVE, *fragile("raises", 0))
    assert (done.code, names_in(work)) == (1, [])
    assert done.err.splitlines()[-1] == "The model failed: RuntimeError: the fan stopped"


def test_a_model_that_answers_nan_ends_with_1_in_one_line(run, fragile, work):
    done = run(FIVE, *fragile("nan", 0), "--json", "a.json")
    assert (done.code, done.out, names_in(work)) == (1, "", [])
    assert re.fullmatch(
        r"The model failed: expected finite values, got nan for the mask with [^\n]+\n", done.err
    )


def test_what_the_page_shows_of_ctrl_c_is_what_is_printed(run, fragile, work):
    done = run(FIVE, *fragile("interrupted", 12), "--tokens-per-batch", "20")
    shown = re.search(r"```text\n\^C\n(.*?)```", PAGE, re.DOTALL)[1]
    texts = [re.sub(r"captum-spex-\w+\.db", "FILE", text) for text in (shown, done.err)]
    start = "  captum-spex explain --store FILE "
    assert len({re.sub(r"\([\d,]+ ", "(N ", text.partition(start)[0]) for text in texts}) == 1
    assert all(start in text for text in texts)


def test_ctrl_c_before_any_evaluation_leaves_nothing(run, fragile, work):
    done = run(FIVE, *fragile("interrupted", 0), "--json", "a.json")
    assert (done.code, done.out, done.err, names_in(work)) == (130, "", "Interrupted.\n", [])


@pytest.mark.sampled
@pytest.mark.parametrize("accident", ["interrupted", "raises"])
@pytest.mark.parametrize("store", [[], ["--store", "a b.db"]])
def test_a_stopped_run_goes_on_by_the_command_that_it_prints(run, fragile, accident, store):
    options = ["--tokens-per-batch", "30", "--budget", "70", "--json", "a.json", *store, "--", f"--{EIGHT[2:]}"]
    assert run(*fragile(None, 0), *[one for one in options if one not in store]).code == 0
    undisturbed, n_rows = Path("a.json").read_bytes(), FragileForSequenceClassification.n_rows
    Path("a.json").unlink()

    stopped = run(*fragile(accident, 45), *options)
    assert stopped.code == {"interrupted": 130, "raises": 1}[accident]
    assert not Path("a.json").exists()
    kept = "a b.db" if store else advised(stopped)[2]
    n_kept = len(stored_masks(kept))
    assert 0 < n_kept <= 45
    assert f"kept in {kept} ({n_kept} evaluations of this run)" in stopped.err

    fragile(None, 0)
    resumed = run(*advised(stopped)[1:])
    assert resumed.code == 0
    assert f"{n_kept} of the 70 evaluations came from the store." in resumed.out
    assert FragileForSequenceClassification.n_rows == n_rows - n_kept == 70 - n_kept
    assert len(set(stored_masks(kept))) == len(stored_masks(kept)) == 70
    assert Path("a.json").read_bytes() == undisturbed


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder where nobody can write")
def test_evaluations_stay_in_the_temporary_folder_if_the_working_directory_cannot_be_written(run, fragile, monkeypatch):
    monkeypatch.chdir("/proc")  # even root cannot write there
    options = fragile("raises", 12)
    done = run(FIVE, *options, "--tokens-per-batch", "20")
    kept = Path(advised(done)[2])
    assert done.code == 1
    assert len(stored_masks(kept)) > 0
    kept.unlink()
    kept.parent.rmdir()


def test_a_store_that_is_complete_needs_no_evaluation(run, fragile):
    options = [*fragile(None, 0), "--store", "a.db", "--json", "a.json"]
    run(FIVE, *options)
    first = Path("a.json").read_bytes()
    fragile("raises", 0)
    again = run(FIVE, *options)
    assert again.code == 0
    assert "32 of the 32 evaluations came from the store." in again.out
    assert Path("a.json").read_bytes() == first


def test_a_text_from_standard_input_must_be_given_again(run, fragile, monkeypatch):
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(FIVE.encode())))
    done = run("--file", "-", *fragile("interrupted", 12), "--tokens-per-batch", "20")
    assert "(with the same text on standard input)" in done.err


def test_ctrl_c_in_a_terminal_keeps_what_was_evaluated(run, models, work):
    options = [TEN, "--model", models["classifier"], "--target", "bad", "--budget", "1024", "--tokens-per-batch", "1"]
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from captum_spex.cli import main; raise SystemExit(main())"
    )
    command = [sys.executable, "-c", code, "explain", *options, "--json", "a.json", "--progress"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=work) as process:
        shown = b""
        while not re.search(rb" [1-9]\d*/1024", shown) and (octet := process.stderr.read(1)):
            shown += octet
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    stopped = Run(process.returncode, out.decode(), err.decode())
    assert (stopped.code, stopped.out) == (130, "")
    assert "\nInterrupted.\n" in stopped.err
    assert "Traceback" not in stopped.err
    kept = advised(stopped)[2]
    assert names_in(work) == [kept]
    ((n_kept,),) = asked(kept, "SELECT count(*) FROM evaluations")
    assert 0 < n_kept < 1024

    resumed = run(*advised(stopped)[1:])
    assert f"{n_kept:,} of the 1,024 evaluations came from the store." in resumed.out
    assert asked(kept, "SELECT count(*), count(DISTINCT mask) FROM evaluations") == [(1024, 1024)]
    assert run(*options, "--json", "b.json").code == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()


def test_nobody_reading_any_more_is_no_failure(work):
    command = [sys.executable, "-m", "captum_spex.cli", "explain", FIVE, "--json", "-"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=work, timeout=600, check=False)
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr.decode() == ""

"""What the terminal shows, and the JSON document."""

from __future__ import annotations

import json
import math
import re
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import get_args

import pytest
from command_lines import EIGHT, FIVE, PAGE, SCHEMA, valid
from jsonschema import Draft202012Validator
from rich.cells import cell_len
from typer.main import get_command

from captum_spex.approximators.proxyspex.proxyspex import EffortName
from captum_spex.cli import app, main
from captum_spex.cli.options import CHOICES

pytestmark = pytest.mark.usefixtures("work", "interruptible")

# --- terminal output --------------------------------------------------------------------------------------------------


def test_a_partly_seen_text_shows_standard_errors_and_how_far_to_trust(run, models):
    done = run(EIGHT, "--model", models["classifier"], "--budget", "40", "--order", "1")
    assert re.search(r"k-SII: faithfulness \S+ \(R² on held-out masks\), from 40 evaluations", done.out)
    assert re.search(r"^players +value +± *$", done.out, re.MULTILINE)
    faithfulness = float(re.search(r"faithfulness (\S+)", done.out)[1])
    assert ("Too few evaluations" in done.out) == (not faithfulness >= 0.8)


def test_effort_is_that_of_the_fit(run, models, work):
    found = {}
    for effort in get_args(EffortName):
        run(EIGHT, "--model", models["classifier"], "--budget", "60", "--effort", effort, "--json", f"{effort}.json")
        found[effort] = json.loads((work / f"{effort}.json").read_text())["terms"]
    assert CHOICES["effort"] == get_args(EffortName)
    assert found["fast"] != found["default"] != found["thorough"]
    assert all(math.isfinite(one["value"]) for one in found["fast"])


def test_too_few_evaluations_are_said_to_be_so(run, models):
    done = run(EIGHT, "--model", models["classifier"], "--budget", "4")
    assert "Too few evaluations to rely on: increase --budget." in done.out


UNKNOWN = "Quarterly revenue exceeded analysts forecasts substantially"
KNOWN = "Her acting never fails to impress"


def test_words_that_a_model_does_not_know_are_counted(run):
    text = f"{KNOWN} {UNKNOWN}"
    done = run(text)
    assert "6 of 12 words are unknown to this model: it reads the same token for each." in " ".join(done.out.split())
    assert done.err == ""
    sentences = run(f"{KNOWN}. {UNKNOWN}.", "--unit", "sentence")
    assert "1 of 2 sentences hold words that are unknown to this model" in " ".join(sentences.out.split())


def test_an_answer_that_does_not_move_is_said_to_be_so(run):
    shown = " ".join(run(UNKNOWN).out.split())
    assert "6 of 6 words are unknown to this model" in shown
    found = re.search(r"The answer hardly moves: from ([-+.\d]+) to ([-+.\d]+) with all, no, single, or all but", shown)
    low, high = map(float, found.groups())
    assert 0 < high - low < 0.2


@pytest.mark.parametrize("arguments", [(KNOWN,), (KNOWN, "--task", "similarity", "--target", UNKNOWN)])
def test_an_answer_that_moves_has_no_such_note(run, arguments):
    shown = run(*arguments).out
    assert "unknown" not in shown
    assert "hardly moves" not in shown


def test_top_says_how_many_terms_of_each_order_are_shown(run, models):
    done = run(FIVE, "--model", models["classifier"], "--top", "2", "--order", "3")
    tables = done.out.split("\n\n")[2:]
    assert [len(table.strip().splitlines()) - 2 for table in tables] == [3, 3, 3]
    assert re.findall(r"\.\.\. and (\d+) more", done.out) == ["3", "8", "8"]


def test_loading_is_silent_and_a_progress_bar_comes_when_asked_for(run, models):
    assert run(FIVE, "--model", models["classifier"]).err == ""
    assert run(FIVE, "--task", "similarity", "--target", "good").err == ""
    shown = run(FIVE, "--model", models["classifier"], "--progress").err
    assert re.search(r"evaluating: 100%.* 32/32 \[\d\d:\d\d<\d\d:\d\d, .*eval/s\]", shown)
    assert "Loading" not in shown


def test_words_with_markup_are_printed_as_they_are(run):
    text = r"[bold]good[/bold] film [/] \[red] [link=x] it's"
    done = run(text, "--order", "1")
    assert done.out.splitlines()[0] == text
    rows = [line.split()[0] for line in done.out.split("\nplayers")[1].splitlines()[1:]]
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
    values = [line for line in lines if re.search(r"[+-]\d\.\d{4} ", line) and "f(" not in line]
    assert len(values) == 16
    assert all("█" in line for line in values[:1])


def test_a_terminal_without_unicode_does_not_fail(monkeypatch):
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
    assert "Single players: k-SII" in done.err
    to_file = run(FIVE, "--model", models["classifier"], "--json", "a.json", "--no-progress")
    assert Path("a.json").read_text(encoding="utf-8") == done.out
    assert "Single players: k-SII" in to_file.out
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

"""``captum-spex cite``: contexts from files and folders, models here and behind servers, and what is refused."""

from __future__ import annotations

import json
from functools import partial

import pytest
from server_shapes import serving

from captum_spex.cli.cite_command import context_of
from captum_spex.context import Citations
from captum_spex.errors import ArgumentError

TEXT = "The key is red. The door is blue."
SOURCES = ["The key is red.", "The door is blue."]


@pytest.fixture
def run(run):
    return partial(run, command="cite")


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    (folder / "more").mkdir(parents=True)
    (folder / "a.txt").write_text(SOURCES[0], encoding="utf-8")
    (folder / "more" / "b.md").write_text(SOURCES[1], encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89")
    (folder / "empty.txt").write_text(" ", encoding="utf-8")
    return folder


def reply(body):
    asked = body["messages"][-1]["content"]
    text = "It is red." if "key is red" in asked else "No idea."
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": {}}


def test_contexts_are_files_folders_documents_and_chats(notes, tmp_path):
    assert context_of(notes / "a.txt") == SOURCES[0]
    assert context_of(notes) == [
        {"text": SOURCES[0], "title": "a.txt"},
        {"text": SOURCES[1], "title": "more/b.md"},
    ]
    lines = tmp_path / "documents.jsonl"
    lines.write_text('{"text": "A.\u2028"}\n\n{"text": "B.", "title": "T"}\n', encoding="utf-8")
    assert context_of(lines) == [{"text": "A.\u2028"}, {"text": "B.", "title": "T"}]
    chat = tmp_path / "chat.json"
    chat.write_text('[{"role": "user", "content": "Hi."}]', encoding="utf-8")
    assert context_of(chat) == [{"role": "user", "content": "Hi."}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.txt", None, "a readable file or folder"),
        ("bad.json", b"[", "valid JSON"),
        ("bad.txt", b"\xff\xfe\xff", "text in UTF-8"),
    ],
)
def test_contexts_that_cannot_be_read_are_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArgumentError, match=f"`context`: expected {message}"):
        context_of(tmp_path / name)


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="a folder with text or Markdown files"):
        context_of(tmp_path)


def test_an_answer_of_a_server_is_cited_and_saved(run, notes, work):
    pytest.importorskip("openai")
    with serving(reply) as server:
        options = ["--query", "What is red?", "--server", server.url, "--value", "exact", "--html", "a.html"]
        result = run("--context", str(notes), *options, "--json", "a.json")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("It is red. [1]\n\n- [1] a.txt: The key is red.")
    assert (work / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert Citations.from_json(work / "a.json").answer == "It is red."


def test_a_model_of_this_machine_is_cited_and_warnings_are_shown(run, models, tmp_path, work):
    path = tmp_path / "notes.txt"
    path.write_text(TEXT, encoding="utf-8")
    template = ["--template", "{context} {query}", "--answer", "good film"]
    result = run(
        "--context", str(path), "--query", "The key is red.", "--model", models["language"], *template, "--json", "-"
    )
    assert result.code == 0
    assert json.loads(result.out)["answer"] == "good film"
    assert result.err.startswith("Warning: The query stands inside source 1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Error: --model: expected one of --model and --server, got neither a model nor a server. See docs/cit"),
        (["--model", "gpt2", "--server", "http://a/v1"], "got a model and a server"),
        (["--model", "gpt2", "--value", "words"], "Error: --value: expected nothing without --server"),
        (["--model", "no/such/model"], "Error: --model: "),
        (["--server", "localhost"], "Error: --server: expected an address such as"),
        (["--server", "http://127.0.0.1:9/v1", "--endpoint", "talk"], "Error: --endpoint: expected 'chat'"),
        (["--server", "http://127.0.0.1:9/v1", "--html", "no/where.html"], "Error: --html: "),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run, notes, options, message):
    result = run("--context", str(notes), "--query", "What?", *options)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert message in result.err

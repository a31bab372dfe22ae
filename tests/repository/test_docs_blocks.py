"""Blocks of pages that are no Python: commands that exist, and messages that are what is said.

``integration/test_docs.py`` runs the Python blocks, ``test_docs_links.py`` reads the options of ``captum-spex``, and
``test_cli.py`` compares what the command line prints. Tables of measurements are of runs that take hours.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from captum_spex.errors import GameError, UnknownNameError
from captum_spex.games.components import modules
from captum_spex.games.remote.log_probs import question_of
from captum_spex.games.text import embedded_model

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BLOCKS = [
    (page.relative_to(ROOT).as_posix(), *found)
    for page in PAGES
    for found in BLOCK.findall(page.read_text(encoding="utf-8"))
]


def test_blocks_are_of_kinds_that_are_checked():
    assert {kind for _, kind, _ in BLOCKS} == {"python", "bash", "text"}
    with_text = {page for page, kind, _ in BLOCKS if kind == "text" and not page.startswith("docs/measurements/")}
    assert with_text == {
        "docs/architecture.md",  # test_layout.py
        "docs/command-line.md",  # test_cli.py
        "docs/components.md",  # below
        "docs/explain-an-llm.md",  # below
    }


def tox_environments() -> list[str]:
    """Return the environments of tox, those of several Pythons one by one."""
    found = ["py"]
    for name in re.findall(r"^\[testenv:(.+)\]", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE):
        before, brace, rest = name.partition("{")
        choices, _, after = rest.partition("}")
        found += [f"{before}{choice}{after}" for choice in choices.split(",")] if brace else [name]
    return found


def test_commands_in_blocks_exist():
    environments = tox_environments()
    extras = SETTINGS["project"]["optional-dependencies"]
    for page, kind, text in BLOCKS:
        for line in text.replace("\\\n", " ").splitlines() if kind == "bash" else []:
            if tox := re.fullmatch(r"python -m pip install tox && python -m tox run -e ([\w,-]+)", line):
                assert set(tox[1].split(",")) <= set(environments), page
            elif extra := re.fullmatch(r'pip install "\.\[(\w+)\]"', line):
                assert extra[1] in extras, page
            else:
                assert re.match(r"captum-spex |vllm serve |import json|for term in|    print", line), f"{page}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_scripts_and_extras_that_prose_names_exist(page):
    text = page.read_text(encoding="utf-8")
    scripts = re.findall(r"(?:benchmarks|integration|tests|tools)/[\w/]+\.py", text)
    scripts += [f"benchmarks/{name}.py" for name in re.findall(r"python -m benchmarks\.(\w+)", text)]
    assert [path for path in scripts if not (ROOT / path).exists()] == []
    extras = SETTINGS["project"]["optional-dependencies"]
    assert set(re.findall(r'pip install "\.\[(\w+)\]"', text)) <= set(extras)
    assert "captum-spex[" not in text, "it is installed from a checkout"


def shown(page: str) -> str:
    """Return the message in the text block of a page, on one line, up to its dots."""
    [text] = [text for name, kind, text in BLOCKS if (name, kind) == (page, "text")]
    return " ".join(text.split()).removesuffix(" ...")


def test_the_message_about_a_name_that_a_model_does_not_have():
    model, _ = embedded_model()
    with pytest.raises(UnknownNameError) as raised:
        modules(model, "bert.encoder.layer.2.atention")
    assert f"UnknownNameError: {raised.value}" == shown("docs/components.md")


def test_the_message_about_a_server_that_does_not_echo():
    question = question_of("completions", "echo", "m", " yes", None)
    with pytest.raises(GameError) as raised:
        question.log_probs({"choices": [{"text": "x", "logprobs": None}]}, "Is it?")
    assert f"GameError: {raised.value}" == shown("docs/explain-an-llm.md")

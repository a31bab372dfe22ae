"""Pages of ``docs/`` lead to each other: nothing is left out of the first page, and no link leads nowhere."""

from __future__ import annotations

import pickle
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import typer

import captum_spex
from captum_spex import cli, errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
API = sorted((DOCS / "api").glob("*.rst"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`]*`")


def links(path: Path) -> list[str]:
    """Return the relative links of a page, without those in code."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return [target for target in LINK.findall(text) if not re.match(r"\w+:", target)]


def anchors(path: Path) -> set[str]:
    """Return what headings are called in links, by the rule of code hosts."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page):
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = page.parent / target if target else page
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


def test_every_page_is_listed_on_the_first_one():
    listed = re.findall(r"^- \[.+?\]\(([\w-]+)\.md\)", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted(page.stem for page in PAGES if page.parent == DOCS)


@pytest.mark.parametrize("folder", sorted({page.parent for page in PAGES} - {DOCS}), ids=lambda folder: folder.name)
def test_every_page_of_a_folder_is_linked_from_the_page_of_its_name(folder):
    assert {f"{folder.name}/{page.name}" for page in folder.glob("*.md")} <= set(links(folder.with_suffix(".md")))


def test_every_page_of_the_reference_is_in_its_contents():
    contents = (DOCS / "api" / "index.rst").read_text(encoding="utf-8").partition(".. toctree::")[2].split()[1:]
    assert sorted([*contents, "index"]) == [page.stem for page in API]


def test_every_public_name_of_a_package_is_described():
    """A package's own list of names is what its page shows, so each package needs a page."""
    packages = {path.parent for path in (ROOT / "captum_spex").rglob("__init__.py")}
    names = {".".join(path.relative_to(ROOT).parts) for path in packages}
    text = "".join(page.read_text(encoding="utf-8") for page in API)
    shown = set(re.findall(r"automodule:: ([\w.]+)", text))
    inner = "approximators.spex approximators.proxyspex cli compat context.page exports frames games.text.embedded"
    parents = tuple(f"captum_spex.{name}" for name in [*inner.split(), "summaries", "benchmark"])  # shown elsewhere
    assert {name for name in names - shown if not name.startswith(parents)} == {"captum_spex.games"}
    assert all(import_module(module).__doc__ for module in shown)


def test_errors_name_pages_that_exist():
    own = [errors.ArgumentError, *errors.ArgumentError.__subclasses__(), errors.GameError]
    named = {*errors._PAGES.values(), *(kind.page for kind in own), "command-line"}
    assert {page for page in named if not (DOCS / f"{page}.md").exists()} == set()


def test_errors_say_which_page_helps():
    with pytest.raises(errors.BudgetError) as caught:
        captum_spex.explain(len, 5, budget=1)
    assert caught.value.__notes__ == ["See docs/costs.md"]
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.__notes__) == (str(caught.value), caught.value.__notes__)
    with pytest.raises(errors.OrderError) as caught:
        captum_spex.explain(len, 5, budget=10, max_order=9)
    assert caught.value.__notes__ == ["See docs/indices.md"]


def commands() -> list[tuple[str, list[str]]]:
    """Return every ``captum-spex`` command that a page shows, and where."""
    found = []
    for page in [ROOT / "README.md", *PAGES]:
        for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("captum-spex"):
                    found.append((page.name, shlex.split(line.split(" 2>")[0], comments=True)[1:]))
    return found


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: value if isinstance(value, str) else None)
def test_commands_that_pages_show_are_understood(page: str, words: list[str]) -> None:
    command = typer.main.get_command(cli.app)
    name, *arguments = words
    assert name in command.commands, page
    context = command.commands[name].make_context(name, arguments)
    assert not context.args

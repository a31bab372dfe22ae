"""Every python block of the pages runs; ``expression  # = text`` says what the expression prints as."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

mpl.use("Agg")

pytestmark = pytest.mark.filterwarnings("ignore:.*unknown to this model")  # the tiny model of some pages knows few

PAGES = sorted((Path(__file__).parents[1] / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"# = (.*)$")


def run_block(source: str, name: str, namespace: dict[str, object]) -> int:
    """Run a block statement by statement and compare what is marked; return how many were compared."""
    lines, compared = source.splitlines(), 0
    for statement in ast.parse(source).body:
        expected = EXPECTED.search(lines[statement.end_lineno - 1])
        if expected and isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), name, "eval", dont_inherit=True), namespace)
            assert str(value) == expected[1], f"{name}: {ast.unparse(statement)}"
            compared += 1
        else:
            assert not expected, f"{name}: only an expression can be compared: {ast.unparse(statement)}"
            exec(compile(ast.Module([statement], []), name, "exec", dont_inherit=True), namespace)
    return compared


def test_all_pages_are_found():
    assert {page.stem for page in PAGES} >= {"index", "quickstart", "indices", "how-proxyspex-works", "measurements"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run(page):
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    namespace: dict[str, object] = {"__name__": "__main__"}
    compared = sum(run_block(block, page.name, namespace) for block in blocks)
    plt.close("all")
    assert compared or not blocks


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+\.md)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_a_wrong_statement_on_a_page_is_noticed():
    with pytest.raises(AssertionError, match="1 \\+ 1"):
        run_block("1 + 1  # = 3", "page", {})

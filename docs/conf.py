"""The documentation site: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``, or ``tox -e docs``.

Pages are plain Markdown, which reads as well on a code host. They are no notebooks (so MyST's parser, not myst-nb):
their Python blocks are run by ``integration/test_docs.py``, which compares what they say with what comes out: once is
enough. Commands and messages in other blocks are checked by ``tests/repository/test_docs_blocks.py`` and
``tests/unit/cli/test_cli.py``.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

import captum_spex

project = "captum_spex"
author = "the authors of captum_spex"
version = release = captum_spex.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]

myst_heading_anchors = 3  # links such as how-proxyspex-works.md#6-indices

default_role = "py:obj"  # `Interactions` in a docstring is a link if there is such a thing, else code
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = False

nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # arguments in backticks
    ("py:(class|exc)", r"(?!captum_spex\.).*"),  # types of Python and of other packages: there is no network
    ("py:class", r"captum_spex\.(.*\.)?_.*"),  # shared bases, whose methods are shown with each class
    ("py:class", r"captum_spex\.(approximators|attr|benchmark|context|evaluation)\.(\w+\.)+\w+"),  # not exported
    ("py:class", r"captum_spex\.games\..*\.(Scored|Predictions)"),  # shapes of functions
    ("py:class", r"captum_spex\.(exports\.result\.Result|summaries\.aligned_rows\.AlignedRows)"),  # of `Interactions`
]

html_theme = "furo"
html_title = "captum_spex"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

_DOCS = Path(__file__).parent
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_OUTSIDE = re.compile(r"\[([^]]+)\]\(\.\./([^)]+)\)")
_LARGER = re.compile(r"\\[bB]igg?[lrm]?(?![a-zA-Z])")  # MathML's brackets grow by themselves
_ITEM = re.compile(r"^- \[(.+?)\]\(([\w/-]+)\.(?:md|rst)\)", re.MULTILINE)


def _adapt(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the contents: each list of pages on the first page, the folder of a page that has one.

    Links to files beside ``docs/`` become paths.
    """
    source[0] = _OUTSIDE.sub(r"\1, `\2`", source[0])
    for section, text in _SECTION.findall(source[0]) if page == "index" else ():
        entries = [f"{title.replace('`', '')} <{target}>" for title, target in _ITEM.findall(text)]
        source[0] += _contents(entries, section)
    source[0] += _contents([f"{page}/{path.stem}" for path in sorted((_DOCS / page).glob("*.md"))])


def _update_benchmark(app: Sphinx) -> None:
    """Write the results of the benchmark on its page, and their pictures, where they are not those of the file."""
    sys.path.append(str(_DOCS.parent))
    benchmark_page = import_module("tools.benchmark_page")
    if benchmark_page.RESULTS.exists():
        benchmark_page.update()


def _contents(entries: list[str], caption: str = "") -> str:
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["\n\n```{toctree}", *options, "", *entries, "```\n"]) if entries else ""


def _visit_math(translator: Any, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers show without a script from elsewhere."""
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(_LARGER.sub("", node.astext()), as_block=is_block)
    translator.body.append(f'<div class="math">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    app.connect("builder-inited", _update_benchmark)
    app.connect("source-read", _adapt)
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math, None))

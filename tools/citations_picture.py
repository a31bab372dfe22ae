"""The picture of ``docs/citations.md``: ``python -m tools.citations_picture`` writes ``docs/citations.png``.

An answer of three sentences is cited; which sources each needs is a formula, all 64 combinations are asked. It needs
Playwright and Chromium.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

import captum_spex
from captum_spex.context import Citations, Source
from captum_spex.context.answers import answer_spans

PICTURE = Path(__file__).parents[1] / "docs" / "citations.png"
QUERY = "Who has which key, and what does it open?"
ANSWER = "Ann has the red key. It opens the door in the hall. Nobody knows where the lamp is."
SOURCES = (
    Source("Ann was given the red key on Monday.", title="Diary"),
    Source("The red key is Ann's.", title="List of keys"),
    Source("Red keys open what Otto locked.", title="Handbook"),
    Source("Otto locked the door in the hall.", title="Log"),
    Source("The cat sleeps.", title="Diary"),
    Source("The lamp was here on Sunday.", title="Log"),
)


def log_probs(masks: np.ndarray) -> np.ndarray:
    """Either of two sources says the first sentence, the second needs two, and one speaks against the third."""
    diary, keys, handbook, log, cat, lamp = masks.astype(float).T
    return np.stack([6 * np.maximum(diary, keys), 5 * handbook * log + 0.5 * handbook, 0.3 * cat - 1.5 * lamp], axis=1)


def citations() -> Citations:
    """Return what the page shows."""
    results = captum_spex.explain(log_probs, len(SOURCES), budget=64)
    return Citations(ANSWER, QUERY, tuple(answer_spans(ANSWER, "sentence")), SOURCES, tuple(results))


def draw(path: Path) -> None:
    """Show the page, with the mouse over the second sentence."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        page_path = Path(folder) / "page.html"
        citations().to_html(page_path)
        browser = play.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1000, "height": 740})
        page.goto(page_path.as_uri())
        page.hover(".span >> nth=1")
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    draw(PICTURE)

"""Which part of the package may import which, and a picture of which does: ``python tools/architecture.py``.

Writes ``docs/architecture.png``. An arrow is an import that no chain of other arrows explains.
"""

from __future__ import annotations

import ast
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "captum_spex"
HOUSE = {
    "ground floor": (
        "lazy", "errors", "arrays", "checks", "statistics", "columns", "frames", "compat", "masks", "player_sets",
        "fourier", "terms", "indices", "threads",
    ),
    "asking": ("game", "designs", "evaluation"),
    "the recovered game": ("model",),
    "results": ("exports", "summaries", "interactions", "optimize", "plots"),
    "algorithms": ("approximators",),
    "the spine": ("budgets", "explaining", "metrics"),
    "front doors": ("games", "attr", "explainers", "context"),
    "tools": ("benchmark", "demo", "cli"),
}  # fmt: skip
"""The floors of the house, from the ground up: a part imports only from itself and from parts that stand before it."""

LAYERS = tuple(part for parts in HOUSE.values() for part in parts)
_GROUND = HOUSE["ground floor"]
_COLOURS = ("#dbe7f3", "#f3e6d3", "#dff0dd", "#f1dbe3", "#e4def2", "#f4f1cf", "#d9eeee", "#e6e6e6")


def files_of(part: str) -> list[Path]:
    """Return the modules of a part: those of a package, or the one of its name."""
    return sorted((PACKAGE / part).rglob("*.py")) or [PACKAGE / f"{part}.py"]


def imports_of(part: str) -> set[str]:
    """Return the other parts that a part imports from, within functions and for type checkers too."""
    found = set()
    for path in files_of(part):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("captum_spex"):
                names = [node.module] if node.module != "captum_spex" else [f"_.{name.name}" for name in node.names]
                found |= {name.split(".")[1] for name in names}
    return (found & set(LAYERS)) - {part}


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out the edges that longer ways explain."""

    def reached(part: str) -> set[str]:
        return edges[part].union(*(reached(other) for other in edges[part]))

    return {part: {b for b in ends if not any(b in reached(a) for a in ends - {b})} for part, ends in edges.items()}


def draw(path: Path) -> None:
    """Draw the house: the ground floor as one box, an arrow for each import that no others explain."""
    edges = reduced({part: imports_of(part) - set(_GROUND) for part in LAYERS if part not in _GROUND})
    figure, ax = plt.subplots(figsize=(12.5, 9))
    places = {}
    for height, (floor, parts) in enumerate(HOUSE.items()):
        ax.text(-6.7, height, floor, ha="right", va="center", style="italic", color="#555555")
        if parts is _GROUND:
            label = " · ".join(parts[:6]) + "\n" + " · ".join(parts[6:])
            _box(ax, 0, height, 8.0, label, _COLOURS[height])
            continue
        for place, part in enumerate(parts):
            places[part] = (2.6 * (place - (len(parts) - 1) / 2), height)
            n_lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files_of(part))
            _box(ax, *places[part], 2.0, f"{part}\n{n_lines:,} lines", _COLOURS[height])
    for part, ends in edges.items():
        for end in sorted(ends):
            _arrow(ax, places[part], places[end])
    ax.set(xlim=(-9.4, 6.6), ylim=(-0.6, len(HOUSE) - 0.4))
    ax.axis("off")
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _box(ax: Axes, x: float, y: float, width: float, label: str, colour: str) -> None:
    corner = (x - width / 2, y - 0.22)
    ax.add_patch(FancyBboxPatch(corner, width, 0.44, boxstyle="round,pad=0.03", fc=colour, ec="#888888"))
    ax.text(x, y, label, ha="center", va="center", fontsize=9)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line down, or sideways on one floor; it bends around what stands between."""
    (x1, y1), (x2, y2) = start, end
    side = 1.05 if x2 > x1 else -1.05
    ends = ((x1, y1 - 0.25), (x2, y2 + 0.25)) if y1 > y2 else ((x1 + side, y1), (x2 - side, y2))
    is_near = y1 - y2 == 1 or (y1 == y2 and abs(x1 - x2) < 3)
    bend = 0.0 if is_near else 0.15 if y1 > y2 else 0.25 * side
    style = {"connectionstyle": f"arc3,rad={bend}", "arrowstyle": "-|>", "mutation_scale": 10}
    ax.add_patch(FancyArrowPatch(*ends, **style, color="#777777", lw=0.8, zorder=0))


if __name__ == "__main__":
    draw(ROOT / "docs" / "architecture.png")

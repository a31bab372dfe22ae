"""Write ``docs/gallery.md`` and its pictures: ``python tools/make_gallery.py``.

The code on the page is the code that makes the pictures. ``--check`` writes nothing and fails if the page is not what
this script would write (its words and code; pictures depend on the version of matplotlib).
"""

from __future__ import annotations

import argparse
import io
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
DPI, COLOURS = 100, 256
LARGEST, LARGEST_TOTAL = 70_000, 1_000_000  # bytes

INTRODUCTION = """\
# Gallery

`captum_spex.plots` draws results with matplotlib. **Red raises the value, blue lowers it**, as in SHAP. A note below
each picture calls the numbers by their [index](indices.md), says whether they add up to f(all) - f(none), the output
with all players less that without any, and what was left out. A player can thus have two numbers: its Shapley value
in a network of SII, its k-SII in a waterfall, which is a sum.

Every function returns the axes, draws into your own axes with `ax=`, and changes no setting of matplotlib; without `ax`
it draws into the current axes if they are empty, else into a new figure. Save with `ax.figure.savefig("picture.png")`.

| you want to see | function |
|---|---|
| who interacts with whom | [`network`](#network), [`matrix`](#matrix) |
| the largest terms, with error bars | [`bar`](#bar), [`upset`](#upset) |
| how terms make up the prediction | [`waterfall`](#waterfall) |
| words, pixels | [`text`](#text), [`image`](#image) |
| how complex the game is | [`spectrum`](#spectrum) |
| many rows | [`bar`, `matrix`, `network` of many](#many-rows), [`beeswarm`](#beeswarm), [`scatter`](#scatter) |
| how two results differ | [`compare`](#compare) |

This page is made by `python tools/make_gallery.py`. The first pictures explain what a tiny classifier, which comes with
the package, says about one sentence:
"""


@dataclass(frozen=True)
class Part:
    """One section: two sentences or so, the code, and the picture that the code draws."""

    title: str
    words: str
    code: str
    picture: str = ""


PARTS = (
    Part(
        "",
        INTRODUCTION,
        """\
import captum_spex
from captum_spex import plots
from captum_spex.games.text import ClassificationGame, embedded_model

sentence = "The plot is slow but her acting never fails to move me"
game = ClassificationGame(*embedded_model(), sentence, target="positive")
result = captum_spex.explain(game, budget=600, random_state=0)
result.name_of(next(iter(result)))              # = never x fails
""",
    ),
    Part(
        "network",
        "Players stand on a circle: the size and colour of a node is its own value (of SII: its Shapley value), the "
        "width and colour of a link the interaction. Of more than 40 players, those with the largest involvement are "
        "drawn; `order=3` draws stars, and `positions=` places the players.",
        "ax = plots.network(result)\n",
        "network",
    ),
    Part(
        "matrix",
        "All pairs, with single players on the diagonal (of SII: Shapley values); white is 0. Of more than 30 players, "
        "those with the largest involvement are drawn; `diagonal=False` leaves out a diagonal that outshines the "
        "interactions.",
        "ax = plots.matrix(result)\n",
        "matrix",
    ),
    Part(
        "bar",
        "The largest terms of any order, or of one (`order=2`). Error bars, if the algorithm gives them, hold the "
        "true value nine times out of ten.",
        "ax = plots.bar(result, max_display=10)\n",
        "bar",
    ),
    Part(
        "upset",
        "The same for larger groups: the players of each bar are the dots below it. Here are terms up to order 3, "
        "which need no further evaluations; the function returns two axes, of the bars and of the dots.",
        """\
bars, dots = plots.upset(result.to("FSII", max_order=3))
""",
        "upset",
    ),
    Part(
        "waterfall",
        "From the value without any player to the prediction, term by term; the bars always add up exactly. SII is "
        "converted to k-SII, whose terms add up, so single words change their values: what they share moves to the "
        "pairs. An index that is no sum, such as BII, is refused.",
        """\
ax = plots.waterfall(result, max_display=7)
result.to("k-SII").index                        # = k-SII
""",
        "waterfall",
    ),
    Part(
        "text",
        "Words in reading order, coloured by their value, with arcs between those that interact: of k-SII if the "
        'result is of SII, so that colours and arcs add up; `index="SII"` draws the result\'s own. It breaks long '
        "texts into lines, and the figure grows with them.",
        """\
review = (
    "The first half of this film is slow and the jokes are not funny , but then her acting never fails to move me . "
    "I was not bored for a moment after that , the music is lovely and the ending is far from bad . Nobody would call "
    "the script clever ; still , it is a warm film that does not lie about what it wants to be ."
)
longer = ClassificationGame(*embedded_model(), review, target="positive")
of_review = captum_spex.explain(longer, budget=1000, random_state=0)
of_review.n_players                             # = 72
ax = plots.text(of_review, max_display=10)
""",
        "text",
    ),
    Part(
        "image",
        "The image in grey, its segments tinted by their value, and links between segments that interact. Here every "
        "pixel of a digit is a player, as on the [page about images](images.md).",
        """\
import torch
from sklearn.datasets import load_digits
from torch import nn
from captum_spex.games.image import ImageGame

pixels, digits = load_digits(return_X_y=True)
images = torch.tensor(pixels / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
with torch.random.fork_rng():                   # use your own classifier here
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), torch.tensor(digits)).backward()
        optimizer.step()
model.eval()
digit = ImageGame(model, images[4], (8, 8), fill="zero")
of_digit = captum_spex.explain(digit, budget=500, random_state=0)
ax = plots.image(of_digit, images[4], digit.segments)
""",
        "image",
    ),
    Part(
        "network at given positions",
        "The same result as a network, every pixel in its place. Players that are not drawn are small grey dots.",
        """\
places = [(number % 8, -(number // 8)) for number in range(64)]
ax = plots.network(of_digit, positions=places, max_display=20)
""",
        "network_positions",
    ),
    Part(
        "spectrum",
        "How complex the game is: which orders its variance comes from, and how many Fourier terms reach which R². "
        "The dotted lines mark 0.9 and 0.99; the function returns two axes.",
        "energy, faithfulness = plots.spectrum(result)\n",
        "spectrum",
    ),
    Part(
        "scatter",
        "One interaction over many rows of a table: the value against one feature, coloured by the other, from dark "
        "(low) to yellow (high), as red and blue are for signs. `results` is a list of results, one for each row; "
        "texts in the table are categories.",
        """\
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

table, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
regressor = GradientBoostingRegressor(random_state=0).fit(table.to_numpy(), target)
average = table.to_numpy().mean(axis=0)


def of_row(row):
    def game(masks):                            # absent features take their average
        return regressor.predict(np.where(masks, row, average))

    return captum_spex.explain(game, 10, budget=1024, names=list(table.columns))


of_rows = [of_row(row) for row in table.to_numpy()[:120]]
ax = plots.scatter(of_rows, ("bmi", "s5"), data=table[:120])
""",
        "scatter",
    ),
    Part(
        "many rows",
        "The same results as a network of mean absolute values, from the list of results or from their "
        "[summary](data-sets.md): red raises on average, blue lowers, and grey is what may do either. `bar` and "
        "`matrix` do the same.",
        """\
found = captum_spex.summary(of_rows)
ax = plots.network(found)
""",
        "rows",
    ),
    Part(
        "beeswarm",
        "Every row as a dot, for the largest terms of any order, coloured by the player's value or the product of a "
        "group's values; black are the means with their 90 % intervals.",
        """\
ax = plots.beeswarm(found, data=table[:120])
""",
        "beeswarm",
    ),
    Part(
        "compare",
        "Two rows, or two models on the same players: the terms that differ most, and the differences.",
        """\
ax = plots.compare(of_rows[0].compare(of_rows[1]), labels=("patient 0", "patient 1"))
""",
        "compare",
    ),
    Part(
        "A thousand players",
        "Pictures stay readable: they show the largest terms and say what they leave out. Here SPEX finds five terms "
        "among 1,000 players.",
        """\
from captum_spex.approximators import Spex


def sparse(masks):
    pairs = 2.0 * masks[:, 3] - 1.5 * (masks[:, 3] & masks[:, 8]) + 0.5 * (masks[:, 7] & masks[:, 500])
    return pairs + 2.0 * masks[:, [100, 200, 300]].all(axis=1) - masks[:, 999]


of_many = captum_spex.explain(sparse, 1000, budget=8000, approximator=Spex(), max_order=3, random_state=0)
ax = plots.network(of_many)
""",
        "thousand",
    ),
    Part(
        "Several pictures in one figure",
        "Pass your own axes as `ax`. `plt.close` frees the memory of the figures opened on this page.",
        """\
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
ax = plots.bar(result, max_display=6, ax=left)
ax = plots.network(result, max_display=6, ax=right)
""",
        "several",
    ),
)
CLOSING = """\
```python
plt.close("all")
```
"""


def page() -> str:
    """The page, as markdown."""
    sections = []
    for part in PARTS:
        words = textwrap.fill(part.words, 120) if part.title else part.words.rstrip()
        title = f"## {part.title}\n\n" if part.title else ""
        picture = f"\n![{part.title}](gallery/{part.picture}.png)\n" if part.picture else ""
        sections.append(f"{title}{words}\n\n```python\n{part.code}```\n{picture}")
    return "\n".join([*sections, CLOSING])


def pictures() -> dict[str, bytes]:
    """Run the code of the page in one namespace; after each part the current figure is its picture."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    made = {}
    for part in PARTS:
        exec(compile(part.code, f"gallery: {part.title}", "exec", dont_inherit=True), namespace)
        if part.picture:
            made[part.picture] = as_png(plt.gcf())
            plt.close("all")
    return made


def as_png(figure: plt.Figure) -> bytes:
    """A small PNG without a date or version in it."""
    raw = io.BytesIO()
    figure.savefig(raw, dpi=DPI, facecolor="white", metadata={"Software": None}, pil_kwargs={"optimize": True})
    if len(raw.getvalue()) <= LARGEST:
        return raw.getvalue()
    small = io.BytesIO()
    Image.open(raw).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def check_sizes(made: dict[str, bytes]) -> None:
    """Fail if the repository would grow too much."""
    too_large = {name: len(content) for name, content in made.items() if len(content) > LARGEST}
    if too_large or sum(map(len, made.values())) > LARGEST_TOTAL:
        raise SystemExit(f"too large: {too_large or sum(map(len, made.values()))} bytes")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not up to date")
    chosen = parser.parse_args(arguments)
    target = DOCS / "gallery.md"
    if chosen.check:
        if target.read_text(encoding="utf-8") != page():
            sys.exit("docs/gallery.md is not what tools/make_gallery.py writes: run it")
        return
    mpl.use("agg")
    made = pictures()
    check_sizes(made)
    (DOCS / "gallery").mkdir(exist_ok=True)
    for name, content in made.items():
        (DOCS / "gallery" / f"{name}.png").write_bytes(content)
        print(f"{name:<20} {len(content):>8,} bytes")
    target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

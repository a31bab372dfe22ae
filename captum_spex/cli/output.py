"""The explanation of a text in the terminal, as JSON and as a page."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from captum_spex import __version__
from captum_spex.errors import ArgumentError
from captum_spex.exports.result import BLUE, EXACT, MINUS, RED, clipped, heading, is_exact, sum_in_words
from captum_spex.games.text.text_game import unknown_in_words
from captum_spex.interactions import Interactions
from captum_spex.masks import ends

FORMAT, VERSION = "captum_spex.explanation", 1
_VALUES = {
    "logit": "Logit of",
    "margin": "Margin of",
    "log_prob": "Log-probability of",
    "mean": "Log-probability per token of",
    "sum": "Log-probability of",
    "cosine": "Cosine similarity to",
    "dot": "Dot product with",
}


@dataclass(frozen=True)
class _Style:
    """What the terminal shows; lengths in columns."""

    bar: int = 20
    narrow_bar: int = 10  # in a narrow terminal
    narrow: int = 70
    names: int = 60  # of the players of a term together
    strong: float = 0.25  # share of the largest value from which a player is bold
    still: float = 0.2  # difference of logits, 0.05 in probability, below which an answer does not move
    asked: int = 64  # players, of which each is looked at alone for that
    trusted: float = 0.8  # faithfulness below which a warning is shown


_STYLE = _Style()
_CONTROL = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"} | {13: " "}


def show(result: Interactions, game: Any, facts: Mapping[str, Any], *, top: int, to_stderr: bool, n_found: int) -> None:
    """Print the text coloured by the values of its players, and the largest terms of every order."""
    stream = sys.stderr if to_stderr else sys.stdout
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a character that the terminal cannot show must not fail the run
    console = Console(file=stream, highlight=False)
    console.print(_coloured(game, result.first_order(), console))
    console.print(_headline(result, facts))
    for line in _doubts(result, game, facts):
        console.print(Text(_printable(line), style="bold red"))
    for order in range(1, result.max_order + 1):
        table = _table(result, order, top, console)
        if table is not None:
            console.print()
            console.print(table)
    if n_found:
        console.print(f"\n{n_found:,} of the {result.n_evaluations:,} evaluations came from the store.")


def write_json(result: Interactions, game: Any, facts: Mapping[str, Any], path: str, *, max_terms: int) -> None:
    """Write the explanation in the format of ``docs/explanation.schema.json``."""
    content = document(result, game, facts, max_terms=max_terms)
    octets = (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")
    try:
        if path == "-":
            sys.stdout.buffer.write(octets)
            sys.stdout.flush()
        else:
            Path(path).write_bytes(octets)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ArgumentError("json", f"{path} ({error.strerror})", "a writable path") from error


def write_html(result: Interactions, facts: Mapping[str, Any], path: str, *, max_terms: int) -> None:
    """Write the explanation as a page."""
    title = f"{_VALUES[facts['output']]} {facts['target']!r}"
    try:
        result.to_html(path, title=title, index=result.index, max_terms=max_terms)
    except ArgumentError as error:
        raise error.renamed("html") if error.argument == "path" else error from None


def document(result: Interactions, game: Any, facts: Mapping[str, Any], *, max_terms: int) -> dict[str, Any]:
    """Return the explanation as JSON types."""
    of_text, of_nothing = _end_values(result)
    single = np.flatnonzero(result.orders == 1)
    groups = np.flatnonzero(result.orders > 1)[:max_terms]
    chosen = np.sort(np.concatenate([single, groups]))
    terms = zip(result.sets.take(chosen).tuples(), result.values[chosen], _errors(result, chosen), strict=True)
    return {
        "format": FORMAT,
        "version": VERSION,
        "captum_spex": __version__,
        "text": game.text,
        **facts,
        "players": [
            {"text": name, "start": start, "end": end}
            for name, (start, end) in zip(game.names, game.spans, strict=True)
        ],
        "value_of_text": of_text,
        "value_of_nothing": of_nothing,
        "index": result.index,
        "max_order": result.max_order,
        "baseline": float(result.baseline),
        "n_evaluations": result.n_evaluations,
        "faithfulness": None if math.isnan(result.faithfulness) else result.faithfulness,
        "terms": [
            {"players": list(players), "name": result.name_of(players), "value": float(value), "std_error": error}
            for players, value, error in terms
        ],
        "n_left_out": result.n_left_out + int(np.count_nonzero(result.orders > 1)) - len(groups),
    }


def _end_values(result: Interactions) -> tuple[float, float]:
    """Return the values of the complete text and of the text without players."""
    of_text, of_nothing = np.asarray(result.model(ends(result.n_players)))
    return float(of_text), float(of_nothing)


def _errors(result: Interactions, rows: Any) -> list[float | None]:
    errors = result.std_errors
    return [None] * len(rows) if errors is None else [float(error) for error in errors[rows]]


def _printable(text: str) -> str:
    """Replace characters that would move the cursor or change the terminal, one by one, so that spans stay valid."""
    return text.translate(_CONTROL)


def _coloured(game: Any, values: Any, console: Console) -> Text:
    """Return the text, each player in the colour of its sign, those with large values bold."""
    text = Text(_printable(game.text))
    largest = float(np.abs(values).max()) or 1.0
    for (start, end), value in zip(game.spans, values, strict=True):
        strong = "bold " if abs(value) > _STYLE.strong * largest else ""
        text.stylize(f"{strong}{_colour(value, console)}".strip(), start, end)
    return text


def _colour(value: float, console: Console) -> str:
    """Return red for a value that raises, blue for one that lowers, as names where a terminal has 16 colours."""
    raises, lowers = (RED, BLUE) if console.color_system in ("truecolor", "256") else ("bright_red", "bright_blue")
    return raises if value > 0 else lowers if value < 0 else ""


def _headline(result: Interactions, facts: Mapping[str, Any]) -> Text:
    of_text, of_nothing = _end_values(result)
    model = "embedded, a tiny classifier of review sentences" if facts["model"] == "embedded" else facts["model"]
    index = result.index if result.max_order == 1 else f"{result.index} up to order {result.max_order}"
    if is_exact(result):
        basis, unsure = f"{EXACT} ({result.n_evaluations:,})", False
    else:
        unsure = not result.faithfulness >= _STYLE.trusted  # also if it is unknown
        known = "unknown" if math.isnan(result.faithfulness) else f"{result.faithfulness:.4f}"
        basis = f"faithfulness {known} (R² on held-out masks), from {result.n_evaluations:,} evaluations"
    lines = Text(
        _printable(
            f"\n{_VALUES[facts['output']]} {facts['target']!r}: f(all) = {of_text:+.4f}\n"
            f"without the {result.n_players} {facts['unit']}s: f(none) = {of_nothing:+.4f} "
            f"(ablation: {facts['ablation']})\n"
            f"Model: {model}\n{index}: {basis}\n{_sentence(sum_in_words(result))}"
        )
    )
    if unsure:
        lines.append("\nToo few evaluations to rely on: increase --budget.", style="bold red")
    return lines


def _doubts(result: Interactions, game: Any, facts: Mapping[str, Any]) -> list[str]:
    """Return why there may be nothing to explain: words that a classifier does not know, an answer that stays."""
    if facts["task"] != "classification":
        return []
    doubts = [unknown_in_words(game, facts["unit"])] if game.n_unknown else []
    strongest = np.argsort(-np.abs(result.first_order()))[: _STYLE.asked]
    single = np.eye(result.n_players, dtype=np.bool_)[strongest]
    values = np.asarray(result.model(np.vstack([ends(result.n_players), single, ~single])))
    if values.max() - values.min() < _STYLE.still:
        span = (
            f"from {values.min():+.4f} to {values.max():+.4f} with all, no, single, or all but single {facts['unit']}s"
        )
        doubts.append(f"The answer hardly moves: {span}. There is little to explain.")
    return doubts


def _sentence(words: str) -> str:
    """Return words that begin with a capital and can be shown by any terminal."""
    return words[0].upper() + words[1:].replace(MINUS, "-")


def _table(result: Interactions, order: int, top: int, console: Console) -> Table | None:
    rows = np.flatnonzero(result.orders == order)[:top]
    if not len(rows):
        return None
    chosen = result.sets.take(rows)
    values = result.values[rows]
    errors = result.errors_of(chosen)
    title = _sentence(heading(result, order))
    n_more = int(np.count_nonzero(result.orders == order)) - len(rows)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("players")
    table.add_column("value", justify="right", no_wrap=True)
    if errors is not None:
        table.add_column("±", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    largest = float(np.abs(values).max()) or 1.0
    width = _STYLE.bar if console.width >= _STYLE.narrow else _STYLE.narrow_bar
    block = "█" if console.encoding.startswith("utf") else "#"
    for place, (players, value) in enumerate(zip(chosen.tuples(), values, strict=True)):
        bar = Text(block * round(width * abs(value) / largest), style=_colour(value, console))
        error = [] if errors is None else [f"{errors[place]:.2g}"]
        table.add_row(_named(result, players), f"{value:+.4f}", *error, bar)
    if n_more:
        table.add_row(Text(f"... and {n_more:,} more", style="dim"))
    return table


def _named(result: Interactions, players: tuple[int, ...]) -> Text:
    most = max(12, _STYLE.names // len(players))
    names = [" ".join(_printable(result.name_of((player,))).split()) for player in players]
    return Text(" x ".join(clipped(name, most) for name in names))

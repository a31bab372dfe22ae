"""``captum-spex benchmark``: from the options to the exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from captum_spex.cli.explain_command import INTERRUPTED, MODEL_FAILURE, OK, USAGE
from captum_spex.errors import DOCUMENTATION, ArgumentError

Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for results, plots and the page; created if new.")
]
Quick = Annotated[bool, typer.Option("--quick", help="Few games, budgets and seeds: three minutes on two cores.")]
Games = Annotated[Path | None, typer.Option(metavar="DIR", help="Also run the exact games of a folder.")]
Cases = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only these games, or a pattern: 'planted-*'. May be repeated.")
]
Methods = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only these methods, or a pattern: 'SHAP *'. May be repeated.")
]
Budgets = Annotated[
    str | None,
    typer.Option(metavar="N,N,...", help="Evaluations. Default: 0.5 to 100 for each player; --quick: 64, 128, 256."),
]
Seeds = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="How many. Default: 5, of slow methods 1; --quick: 1.")
]
Part = Annotated[
    str | None, typer.Option("--shard", metavar="N/M", help="Run one of M parts, in a folder of its own in --out.")
]
Merge = Annotated[bool, typer.Option("--merge", help="Merge the parts in --out, when all have run.")]
Restart = Annotated[bool, typer.Option("--restart", help="Discard the results of an earlier run in --out.")]
Listed = Annotated[bool, typer.Option("--list", help="List games and methods, and exit.")]


def run(options: Mapping[str, Any]) -> int:
    """Run the command, print what went wrong, and return the exit code."""
    try:
        if options["list"]:
            return _list(options)
        return _run(options)
    except ArgumentError as error:
        message = " ".join(str(error.renamed(f"--{error.argument}")).split()).replace("`", "", 2)
        print(f"Error: {message} See {DOCUMENTATION.format(page='benchmark')}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("Interrupted. Finished runs are saved: the same command resumes from there.", file=sys.stderr)
        return INTERRUPTED


def _run(options: Mapping[str, Any]) -> int:
    from rich.console import Console

    from captum_spex.benchmark import merge_shards, run_benchmark

    if options["out"] is None:
        raise ArgumentError("out", "nothing", "a folder for the results")
    names = "quick", "games", "cases", "methods", "seeds", "shard", "restart"
    chosen = {name: options[name] for name in names}
    budgets = _numbers(options["budgets"])
    console = Console(file=sys.stdout, highlight=False)
    if options["merge"]:
        given = [name for name in (*names, "budgets") if options[name]]
        if given:
            raise ArgumentError("merge", f"--{given[0]} besides", "--out alone: the parts know what they are of")
        return (
            OK if any(row.status == "done" for row in merge_shards(options["out"], console=console)) else MODEL_FAILURE
        )
    rows = run_benchmark(options["out"], **chosen, budgets=budgets, console=console)
    return OK if any(row.status == "done" for row in rows) else MODEL_FAILURE


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError("budgets", repr(text), "numbers separated by commas, such as 128,512") from None


def _list(options: Mapping[str, Any]) -> int:
    """Print the cases and methods that would run, and what is missing."""
    from captum_spex.benchmark.plan import plan_of

    chosen = {name: options[name] for name in ("quick", "games", "cases", "methods", "seeds")}
    plan = plan_of(**chosen, budgets=_numbers(options["budgets"]))
    _print("Games", [(one.name, one.missing() or one.about) for one in plan.sources])
    if plan.problems:
        _print("Damaged", [tuple(line.split(": ", 1)) for line in plan.problems])
    _print("Methods", [(one.name, one.missing() or one.package) for one in plan.methods])
    return OK


def _print(title: str, lines: Sequence[tuple[str, ...]]) -> None:
    width = max(len(line[0]) for line in lines)
    print(f"{title}:")
    for name, *about in lines:
        print(f"  {name:<{width}}  {' '.join(about)}")

"""The command line: ``captum-spex explain`` and ``captum-spex demo``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from captum_spex.cli._job import INTERRUPTED, MODEL_FAILURE, OK, USAGE, ExplainJob

app = typer.Typer(
    name="captum-spex",
    help="Find the interactions that matter, from few model evaluations.",
    epilog=f"Exit codes: {OK} done, {MODEL_FAILURE} the model failed, {USAGE} bad usage, {INTERRUPTED} interrupted.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=given, prog_name="captum-spex", obj=given)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else OK
    return OK


def _show_version(wanted: bool) -> None:
    if wanted:
        from captum_spex import __version__

        typer.echo(f"captum-spex {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of all commands."""


@app.command()
def demo(
    budget: Annotated[int, typer.Option(min=2, help="Model evaluations for each explainer.")] = 512,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training and of the masks.")] = 0,
) -> None:
    """Train a small network on real data and explain one prediction, next to Captum's KernelShap."""
    from captum_spex.demo import run_demo

    typer.echo(run_demo(budget=budget, seed=seed))


@app.command()
def explain(
    context: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The text to explain.", show_default=False)] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read the text from a UTF-8 file; - is standard input.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="ID|PATH", help="A transformers model. Default: the embedded review classifier."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="classification, answer (a language model's) or similarity. Default: as the model is made for."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Class, by label or number (default: the predicted one); or the answer (default: what the model "
            "generates); or the query that the text is compared with."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="Of a class: logit, margin, log_prob. Of an answer: mean, sum. Of a similarity: cosine, dot."
        ),
    ] = None,
    unit: Annotated[str, typer.Option(help="What a player is: word, token or sentence.")] = "word",
    ablation: Annotated[
        str | None,
        typer.Option(
            help="In place of absent players: mask, pad, unk, string, delete, hide. Default: mask, or delete."
        ),
    ] = None,
    replacement: Annotated[str | None, typer.Option(help="The text of --ablation string.")] = None,
    prefix: Annotated[str, typer.Option(help="Text before, which is never removed.")] = "",
    suffix: Annotated[str, typer.Option(help="Text after, which is never removed.")] = "",
    system: Annotated[str | None, typer.Option(help="System prompt of a chat model; implies --chat.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Put the text into the model's chat template.")] = False,
    index: Annotated[str, typer.Option(help="Interaction index: SII, STII, FSII, BII, Moebius, ...")] = "SII",
    order: Annotated[int | None, typer.Option(min=1, help="Largest order of an interaction. Default: 2.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="N|auto", help="Model evaluations. Default: max(512, 4 n log2 n), at most 2^n."),
    ] = None,
    faithfulness: Annotated[float, typer.Option(help="Where --budget auto stops.")] = 0.95,
    max_budget: Annotated[int | None, typer.Option(help="Most evaluations of --budget auto. Default: 10,000.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the masks.")] = 0,
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep evaluations here, and go on from what is there.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the explanation as JSON; - is standard output.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many terms of each order to show.")] = 10,
    max_terms: Annotated[int, typer.Option(min=1, help="How many interactions to write as JSON.")] = 1000,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ... Default: cuda if there is one.")] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32, float16, bfloat16. Default: float32 on a CPU, else the model's.")
    ] = None,
    tokens_per_batch: Annotated[
        int | None, typer.Option(help="Most tokens at once. Default: 2,048 on a CPU, else 65,536.")
    ] = None,
    compile_model: Annotated[bool, typer.Option("--compile", help="Compile the model by torch.compile.")] = False,
    progress: Annotated[
        bool | None, typer.Option("--progress/--no-progress", help="Show a progress bar. Default: in a terminal.")
    ] = None,
) -> None:
    """Explain what a transformer says of a text: which words drive it, and which words together."""
    options = {name: value for name, value in context.params.items() if name != "context"}
    raise typer.Exit(ExplainJob(options, arguments=list(context.obj or [])).run())


__all__ = ["app", "main"]

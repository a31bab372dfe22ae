"""The command line: ``captum-spex explain``, ``cite``, ``benchmark`` and ``demo``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

from captum_spex.cli import benchmark_command as _benchmark
from captum_spex.cli import cite_command as _cite
from captum_spex.cli import options as _options
from captum_spex.cli.explain_command import INTERRUPTED, MODEL_FAILURE, OK, USAGE, ExplainJob
from captum_spex.errors import DOCUMENTATION, LibraryError

app = typer.Typer(
    name="captum-spex",
    help="Find the interactions that matter, from few model evaluations.",
    epilog=f"Exit codes: {OK} done, {MODEL_FAILURE} the model failed, {USAGE} bad usage, {INTERRUPTED} interrupted. "
    f"Documentation: {DOCUMENTATION.format(page='command-line')}",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_BadUsage = cast(type[Exception], typer.BadParameter.__base__)  # of click, which typer may vendor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        code = app(args=given, prog_name="captum-spex", obj=given, standalone_mode=False)
    except _BadUsage as error:
        return _bad_usage(error)
    except LibraryError as error:
        typer.echo(f"Error: {error}", err=True)
        return USAGE
    except typer.Abort:
        return INTERRUPTED
    except SystemExit as end:
        code = end.code
    return code if isinstance(code, int) else OK


def _bad_usage(error: Any) -> int:
    """Print what is wrong in one line, and return the exit code."""
    where = getattr(error.ctx, "command_path", "captum-spex")
    message = error.format_message().rstrip(".")
    end = "" if message.endswith("?") else "."  # "Did you mean 'explain'?"
    typer.echo(f"Error: {message}{end} All options: {where} --help", err=True)
    return USAGE


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


def _page(name: str) -> str:
    """Return the line below the help of a command that names its page."""
    return f"Documentation: {DOCUMENTATION.format(page=name)}"


@app.command(epilog=_page("quickstart"))
def demo(
    budget: Annotated[int, typer.Option(min=2, help="Model evaluations for each explainer.")] = 512,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training and of the masks.")] = 0,
) -> None:
    """Train a small network on real data and explain one prediction, next to Captum's KernelShap."""
    from captum_spex.demo import run_demo

    typer.echo(run_demo(budget=budget, seed=seed))


@app.command(epilog=_page("command-line"))
def explain(
    context: typer.Context,
    text: _options.Text = None,
    file: _options.File = None,
    prefix: _options.Prefix = "",
    suffix: _options.Suffix = "",
    chat: _options.Chat = False,
    system: _options.System = None,
    model: _options.Model = None,
    task: _options.Task = None,
    target: _options.Target = None,
    output: _options.Output = None,
    unit: _options.Unit = "word",
    ablation: _options.Ablation = None,
    replacement: _options.Replacement = None,
    index: _options.Index = "k-SII",
    order: _options.Order = None,
    budget: _options.Budget = None,
    faithfulness: _options.Faithfulness = None,
    max_budget: _options.MaxBudget = None,
    effort: _options.Effort = "default",
    seed: _options.Seed = 0,
    store: _options.Store = None,
    json: _options.Json = None,
    html: _options.Html = None,
    top: _options.Top = 10,
    max_terms: _options.MaxTerms = 1000,
    progress: _options.Progress = None,
    device: _options.Device = None,
    dtype: _options.Dtype = None,
    tokens_per_batch: _options.TokensPerBatch = None,
    compile_model: _options.CompileModel = False,
) -> None:
    """Explain what a transformer says about a text: which words, and which of them together, drive it."""
    options = {name: value for name, value in context.params.items() if name != "context"}
    raise typer.Exit(ExplainJob(options, arguments=list(context.obj or sys.argv[1:])).run())


@app.command(epilog=_page("citations"))
def cite(
    context: typer.Context,
    context_file: _cite.Context,
    query: _cite.Query = None,
    model: _cite.Model = None,
    server: _cite.Server = None,
    server_model: _cite.ServerModel = None,
    value: _cite.Value = None,
    endpoint: _cite.Endpoint = "chat",
    answer: _cite.Answer = None,
    max_new_tokens: _cite.MaxNewTokens = 128,
    split: _cite.Split = None,
    removal: _cite.Removal = "leave out",
    template: _cite.Template = None,
    system: _cite.System = None,
    budget: _cite.Budget = None,
    seed: _options.Seed = 0,
    top: _cite.Top = 3,
    json: _options.Json = None,
    html: _options.Html = None,
    store: _options.Store = None,
    progress: _options.Progress = None,
    device: _options.Device = None,
) -> None:
    """Let a language model answer a question, and show which sources every sentence of the answer rests on."""
    raise typer.Exit(_cite.run({name: value for name, value in context.params.items() if name != "context"}))


@app.command(epilog=_page("benchmark"))
def benchmark(
    out: _benchmark.Out = None,
    quick: _benchmark.Quick = False,
    games: _benchmark.Games = None,
    cases: _benchmark.Cases = None,
    methods: _benchmark.Methods = None,
    budgets: _benchmark.Budgets = None,
    seeds: _benchmark.Seeds = None,
    shard: _benchmark.Part = None,
    merge: _benchmark.Merge = False,
    restart: _benchmark.Restart = False,
    list_: _benchmark.Listed = False,
) -> None:
    """Run this package and other explainers side by side on the same games, and compare their evaluations."""
    given = {"out": out, "quick": quick, "games": games, "cases": cases, "methods": methods, "budgets": budgets}
    raise typer.Exit(
        _benchmark.run(given | {"seeds": seeds, "shard": shard, "merge": merge, "restart": restart, "list": list_})
    )


__all__ = ["app", "main"]

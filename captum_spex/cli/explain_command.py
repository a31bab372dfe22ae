"""``captum-spex explain``: from the options to the exit code."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from captum_spex.cli.options import CHOICES
from captum_spex.errors import DOCUMENTATION, ArgumentError, GameError, LibraryError, UnknownNameError

OK, MODEL_FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130
_PAGE = DOCUMENTATION.format(page="command-line")
_TARGET_FAITHFULNESS = 0.95
_OPTIONS = {
    "max_order": "--order",
    "target_faithfulness": "--faithfulness",
    "random_state": "--seed",
    "answer": "--target",
    "query": "--target",
    "compile": "--compile",
    "tokenizer": "--model",
}
"""Options of arguments that are not their name with two dashes."""


class ExplainJob:
    """One run of the command.

    Evaluations are never lost: they are in the file that ``--store`` names, or in a temporary one, which moves to the
    working directory if the run fails.

    Args:
        options: the options by name.
        arguments: the command line, to be repeated in messages.
    """

    def __init__(self, options: Mapping[str, Any], arguments: list[str]) -> None:
        self._options = options
        self._arguments = arguments
        self._remove_folder = True

    def run(self) -> int:
        """Run, print what went wrong, and return the exit code."""
        try:
            _check_names(self._options)  # before the slow imports: a typo is reported at once
            budget = _budget(self._options)
        except ArgumentError as error:
            print(self._usage(error), file=sys.stderr)
            return USAGE
        folder = Path(tempfile.mkdtemp(prefix="captum-spex-"))
        try:
            return self._run(folder, budget)
        finally:
            if self._remove_folder:
                shutil.rmtree(folder, ignore_errors=True)

    def _usage(self, error: ArgumentError) -> str:
        return f"Error: {self._in_options(error)} See {_PAGE}"

    def _run(self, folder: Path, budget: Mapping[str, Any]) -> int:
        from captum_spex.evaluation.store import Store

        given = self._options["store"]
        store = Store(folder / "evaluations.db" if given is None else given)
        try:
            self._explain(store, budget)
        except ArgumentError as error:
            return self._failed(store, USAGE, self._usage(error))
        except LibraryError as error:
            return self._failed(store, USAGE, f"Error: {error}")
        except KeyboardInterrupt:
            return self._failed(store, INTERRUPTED, "Interrupted.")
        except BrokenPipeError:
            raise  # the reader is gone; typer ends quietly
        except GameError as error:
            return self._failed(store, MODEL_FAILURE, f"The model failed: {str(error).removeprefix('`game`: ')}")
        except Exception as error:  # whatever the model raises
            traceback.print_exc()
            return self._failed(store, MODEL_FAILURE, f"The model failed: {type(error).__name__}: {error}")
        return OK

    def _explain(self, store: Any, budget: Mapping[str, Any]) -> None:
        from captum_spex.approximators import ProxySpex
        from captum_spex.cli import output as _output
        from captum_spex.cli.game_from_options import game_of, text_of
        from captum_spex.explaining import explain
        from captum_spex.interactions import Interactions

        options = self._options
        _check_paths(options)
        text = text_of(options["text"], options["file"])
        game, facts = game_of(text, options)
        order = min(2, game.n_players) if options["order"] is None else options["order"]
        result = explain(
            game,
            **budget,
            index=options["index"],
            max_order=order,
            approximator=ProxySpex(effort=options["effort"]),
            random_state=options["seed"],
            show_progress=sys.stderr.isatty() if options["progress"] is None else options["progress"],
            store=store,
        )
        result = cast(Interactions, result)  # these games have one output
        facts = {**facts, "random_state": options["seed"]}
        if options["json"] is not None:
            _output.write_json(result, game, facts, options["json"], max_terms=options["max_terms"])
        if options["html"] is not None:
            _output.write_html(result, facts, options["html"], max_terms=options["max_terms"])
        _output.show(result, game, facts, top=options["top"], to_stderr=options["json"] == "-", n_found=store.n_found)

    def _failed(self, store: Any, code: int, message: str) -> int:
        """Print why, and how to resume if anything was evaluated, and return the exit code."""
        print(message, file=sys.stderr)
        if not store.n_found + store.n_added:
            return code
        path, arguments = store.path, self._arguments
        if self._options["store"] is None:
            path = self._moved(store.path)
            place = arguments.index("explain") + 1
            arguments = [*arguments[:place], "--store", str(path), *arguments[place:]]
        again = "(with the same text on standard input) " if self._options["file"] == "-" else ""
        print(
            f"Evaluations are saved in {path} ({store.n_added:,} of this run). "
            f"To resume {again}run:\n  {shlex.join(['captum-spex', *arguments])}",
            file=sys.stderr,
        )
        return code

    def _moved(self, temporary: Path) -> Path:
        """Move the evaluations to the working directory, unless it cannot be written to, and return their path."""
        path = Path(f"captum-spex-{temporary.parent.name[-8:]}.db")
        try:
            shutil.move(temporary, path)
        except OSError:
            self._remove_folder = False
            return temporary
        return path

    def _in_options(self, error: ArgumentError) -> str:
        """Return the message with options in place of arguments."""
        texts = "TEXT" if self._options["file"] is None else "--file"
        name = texts if error.argument == "text" else _option(error.argument)
        message = " ".join(str(error.renamed(name)).split())
        message = re.sub(r'`(\w+)="(\w+)"`', lambda found: f"{_option(found[1])} {found[2]}", message)
        known = "|".join(self._options)
        message = re.sub(rf"`({known})`", lambda found: _option(found[1]), message)
        return re.sub(r"(?<!')\bNone\b(?!')", "nothing", message)


def _check_names(options: Mapping[str, Any]) -> None:
    for name, choices in CHOICES.items():
        if options[name] is not None and options[name] not in choices:
            raise UnknownNameError(name, repr(options[name]), ", ".join(choices))


def _budget(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `explain` that limit evaluations."""
    given = options["budget"]
    if given != "auto":
        for name in ("faithfulness", "max_budget"):
            if options[name] is not None:
                raise ArgumentError(name, str(options[name]), 'nothing, unless `budget="auto"`')
        try:
            return {"budget": None if given is None else int(given)}
        except ValueError:
            raise ArgumentError("budget", repr(given), "a number of evaluations, or auto") from None
    faithfulness = _TARGET_FAITHFULNESS if options["faithfulness"] is None else options["faithfulness"]
    return {"budget": "auto", "target_faithfulness": faithfulness, "max_budget": options["max_budget"]}


def _check_paths(options: Mapping[str, Any]) -> None:
    """Refuse paths that cannot be written to, or would overwrite each other, before anything else."""
    from captum_spex.exports.page import check_writable

    if options["store"] is not None:
        check_writable("store", options["store"])
    for written, others in (("json", ("store", "file")), ("html", ("store", "file", "json"))):
        path = options[written]
        if path is None or (written == "json" and path == "-"):
            continue
        if path == "-":
            raise ArgumentError(written, "-", "a file", "Only `--json -` writes to standard output.")
        for name in others:
            other = options[name]
            if other not in (None, "-") and Path(other).resolve() == Path(path).resolve():
                raise ArgumentError(written, f"{path}, which is also --{name}", "another path")
        check_writable(written, path)


def _option(argument: str) -> str:
    return _OPTIONS.get(argument, f"--{argument.replace('_', '-')}")

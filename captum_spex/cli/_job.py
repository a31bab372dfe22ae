"""``captum-spex explain``: from the options to the exit code."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from captum_spex.errors import ArgumentError

OK, MODEL_FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130
_OPTIONS = {
    "max_order": "--order",
    "target_faithfulness": "--faithfulness",
    "random_state": "--seed",
    "answer": "--target",
    "query": "--target",
    "compile": "--compile",
}
"""What arguments of the library are called on the command line, where that is not their name with two dashes."""


class ExplainJob:
    """One run of the command.

    Whatever happens, what was evaluated is kept: in the file that ``--store`` names, else in a temporary one that is
    moved to the working directory when the run does not come to its end.

    Args:
        options: the options by name.
        arguments: the command line, to be repeated in advice.
    """

    def __init__(self, options: Mapping[str, Any], arguments: list[str]) -> None:
        self._options = options
        self._arguments = arguments

    def run(self) -> int:
        """Run, say what went wrong, and return the exit code."""
        folder = Path(tempfile.mkdtemp(prefix="captum-spex-"))
        try:
            return self._run(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, folder: Path) -> int:
        from captum_spex.store import Store

        given = self._options["store"]
        store = Store(folder / "evaluations.db" if given is None else given)
        try:
            self._explain(store)
        except ArgumentError as error:
            return self._ended(store, USAGE, f"Error: {_in_options(error)}")
        except KeyboardInterrupt:
            return self._ended(store, INTERRUPTED, "Interrupted.")
        except Exception as error:  # whatever the model raises
            traceback.print_exc()
            return self._ended(store, MODEL_FAILURE, f"The model failed: {error}")
        return OK

    def _explain(self, store: Any) -> None:
        from captum_spex.cli import _output
        from captum_spex.cli._game import game_of, text_of
        from captum_spex.explain import explain
        from captum_spex.interactions import Interactions

        options = self._options
        _output.check_writable(options["json"])
        text = text_of(options["text"], options["file"])
        budget = _budget(options["budget"])
        game, facts = game_of(text, options)
        order = min(2, game.n_players) if options["order"] is None else options["order"]
        result = explain(
            game,
            budget=budget,
            target_faithfulness=options["faithfulness"],
            max_budget=options["max_budget"],
            index=options["index"],
            max_order=order,
            random_state=options["seed"],
            show_progress=sys.stderr.isatty() if options["progress"] is None else options["progress"],
            store=store,
        )
        result = cast(Interactions, result)  # these games have one output
        facts = {**facts, "random_state": options["seed"]}
        _output.show(result, game, facts, top=options["top"], to_stderr=options["json"] == "-", n_found=store.n_found)
        if options["json"] is not None:
            _output.write_json(result, game, facts, options["json"], max_terms=options["max_terms"])

    def _ended(self, store: Any, code: int, message: str) -> int:
        print(message, file=sys.stderr)
        n_kept = store.n_found + store.n_added
        if code == USAGE or not n_kept or not store.path.exists():
            return code
        arguments, path = self._arguments, store.path
        if self._options["store"] is None:
            path = Path(shutil.move(store.path, f"captum-spex-{store.path.parent.name[-8:]}.db"))
            arguments = [*arguments, "--store", str(path)]
        command = shlex.join(["captum-spex", *arguments])
        print(f"{n_kept} evaluations are kept in {path}. To go on from there:\n  {command}", file=sys.stderr)
        return code


def _budget(given: str | None) -> Any:
    if given is None or given == "auto":
        return given
    try:
        return int(given)
    except ValueError:
        raise ArgumentError("budget", repr(given), "a number of evaluations, or auto") from None


def _in_options(error: ArgumentError) -> str:
    name = _OPTIONS.get(error.argument, f"--{error.argument.replace('_', '-')}")
    return str(error.renamed("TEXT" if error.argument == "text" else name))

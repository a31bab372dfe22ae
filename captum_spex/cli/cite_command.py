"""``captum-spex cite``: from the options to the exit code."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from captum_spex.cli.explain_command import INTERRUPTED, MODEL_FAILURE, OK, USAGE
from captum_spex.errors import DOCUMENTATION, ArgumentError, GameError, LibraryError

_asked = partial(typer.Option, rich_help_panel="The context and the question")
_model = partial(typer.Option, rich_help_panel="The model")
_removed = partial(typer.Option, rich_help_panel="What is removed")
_computed = partial(typer.Option, rich_help_panel="What is computed")

Context = Annotated[
    Path,
    _asked(
        "--context",
        metavar="FILE|DIR",
        help="A text or Markdown file, a folder of them, documents as .jsonl, or a chat or documents as .json.",
    ),
]
Query = Annotated[
    str | None, _asked(metavar="TEXT", help="The question; of a chat, default: the last message of the user.")
]
Answer = Annotated[str | None, _asked(metavar="TEXT", help="The answer. Default: what the model generates.")]
Split = Annotated[
    str | None, _asked(metavar="NAME", help="sentence or paragraph. Default: sentences of one file, else documents.")
]
Template = Annotated[str | None, _asked(metavar="TEXT", help="The prompt, with {context} and {query}.")]
System = Annotated[str | None, _asked(metavar="TEXT", help="System prompt, of a chat.")]
Model = Annotated[str | None, _model(metavar="ID|PATH", help="A causal language model of transformers.")]
Server = Annotated[str | None, _model(metavar="URL", help="An OpenAI-compatible server; the key is OPENAI_API_KEY.")]
ServerModel = Annotated[
    str | None, _model(metavar="NAME", help="The server's name for the model. Default: the first that it lists.")
]
Endpoint = Annotated[str, _model(metavar="NAME", help="Of the server: chat or completions.")]
Value = Annotated[
    str | None,
    _model(
        metavar="NAME",
        help="For servers without log-probabilities: how answers are compared: words, characters or exact.",
    ),
]
MaxNewTokens = Annotated[int, _model(metavar="N", min=1, help="Most tokens of a generated answer.")]
Removal = Annotated[str, _removed(metavar="NAME", help="leave out, or replace (by [...]).")]
Budget = Annotated[
    int | None, _computed(metavar="N", min=2, help="Prompts to ask. Default: 4 for every source, at least 64.")
]
Top = Annotated[int, _computed(metavar="N", min=1, help="Most sources, and groups, shown for a sentence.")]

_OPTIONS = {"base_url": "--server", "random_state": "--seed", "tokenizer": "--model", "value": "--value"}
_TEXTS = (".txt", ".md")
_PAGE = DOCUMENTATION.format(page="citations")


def run(options: Mapping[str, Any]) -> int:
    """Run the command, print what went wrong, and return the exit code."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            _cite(options)
    except ArgumentError as error:
        option = _OPTIONS.get(error.argument.partition("[")[0], f"--{error.argument.replace('_', '-')}")
        message = " ".join(str(error.renamed(option)).split()).replace("`", "", 2)
        print(f"Error: {message} See {_PAGE}", file=sys.stderr)
        return USAGE
    except LibraryError as error:
        print(f"Error: {error}", file=sys.stderr)
        return USAGE
    except GameError as error:
        print(f"The model failed: {error}", file=sys.stderr)
        return MODEL_FAILURE
    except KeyboardInterrupt:
        print("Interrupted. With --store, the same command resumes.", file=sys.stderr)
        return INTERRUPTED
    for text in dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning):
        print(f"Warning: {text}", file=sys.stderr)
    return OK


def _cite(options: Mapping[str, Any]) -> None:
    from captum_spex.exports.page import check_writable

    for name in ("html", "json", "store"):
        if options[name] not in (None, "-"):
            check_writable(name, options[name])
    context = context_of(options["context_file"])
    if (options["model"] is None) == (options["server"] is None):
        got = "neither a model nor a server" if options["model"] is None else "a model and a server"
        raise ArgumentError("model", got, "one of --model and --server")
    from captum_spex.context import cite

    model, own = _model_of(options)
    shared = ("answer", "split", "removal", "template", "system", "max_new_tokens", "budget", "store")
    found = cite(
        model,
        context,
        options["query"],
        **own,
        **{name: options[name] for name in shared},
        random_state=options["seed"],
        show_progress=sys.stderr.isatty() if options["progress"] is None else options["progress"],
    )
    if options["html"] is not None:
        found.to_html(options["html"])
    if options["json"] is not None and options["json"] != "-":
        found.to_json(options["json"])
    print(found.to_json() if options["json"] == "-" else found.to_markdown(top=options["top"]))


def _model_of(options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a model and its tokenizer, or a server."""
    if options["server"] is not None:
        from captum_spex.context import Server

        chosen = {"model": options["server_model"], "endpoint": options["endpoint"], "value": options["value"]}
        return Server(options["server"], **chosen), {}
    if options["value"] is not None:
        raise ArgumentError("value", repr(options["value"]), "nothing without --server")
    from captum_spex.cli.game_from_options import device_of, loaded_model

    device = device_of(options["device"])
    model, tokenizer, _ = loaded_model(options["model"], "answer", "auto")
    return model.to(device).eval(), {"tokenizer": tokenizer}


def context_of(path: Path) -> Any:
    """Return the context of a file or a folder: a text, documents, or the messages of a chat.

    Raises:
        ArgumentError: if there is none, or it cannot be read.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _TEXTS and file.is_file())
        if not files:
            raise ArgumentError("context", f"{path}, without any", "a folder with text or Markdown files")
        read = [(file, _text(file)) for file in files]
        return [{"text": text, "title": str(file.relative_to(path))} for file, text in read if text.strip()]
    text = _text(path)
    kind = path.suffix.lower()
    if kind not in (".json", ".jsonl"):
        return text
    try:
        if kind == ".json":
            return json.loads(text)
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except json.JSONDecodeError as error:
        raise ArgumentError("context", f"{path} ({error})", "valid JSON") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ArgumentError("context", f"{path} ({error.strerror})", "a readable file or folder") from error
    except UnicodeDecodeError as error:
        raise ArgumentError("context", f"{path} ({error.reason})", "text in UTF-8") from error

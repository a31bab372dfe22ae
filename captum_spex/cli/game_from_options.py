"""Build a game from the options of the command line."""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame
from captum_spex.games.text.embedded import EMBEDDED_MODEL

Loaded = tuple[Any, Any, str]
"""A model, its tokenizer and the text."""

_TASKS = {"classification": "SequenceClassification", "answer": "CausalLM", "similarity": ""}
_TEXT_OPTIONS = ("replacement", "prefix", "suffix", "system", "chat")
_MODELS = "the name of a model on the Hugging Face Hub, or the path of a folder with one"
_SHOWN_WEIGHTS = 3  # names of missing weights in a message
_EXCERPT = 300  # characters of the message of transformers about a model that it cannot load


def text_of(text: str | None, file: str | None) -> str:
    """Return the text: the argument, a file, or standard input, without the line break at its end."""
    if (text is None) == (file is None):
        got = "neither a text nor a file" if text is None else "a text and a file"
        raise ArgumentError("text", got, "one of TEXT and --file")
    try:
        if text is not None:
            octets = text.encode("utf-8", "surrogateescape")  # Python decodes invalid bytes of arguments to surrogates
        else:
            octets = sys.stdin.buffer.read() if file == "-" else Path(str(file)).read_bytes()
        return octets.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ArgumentError("file", f"{file} ({error.strerror})", "a readable file") from error
    except UnicodeDecodeError as error:
        got = f"byte {octets[error.start]:#04x} at {error.start}" + (f" of {file}" if file else "")
        hint = "Convert it first, for instance with `iconv`."
        raise ArgumentError("text" if file is None else "file", got, "text in UTF-8", hint) from error


def game_of(text: str, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Load the model and return the game and the settings to be printed and written as JSON."""
    device = device_of(options["device"])
    name = str(EMBEDDED_MODEL if options["model"] is None else options["model"])
    precision = options["dtype"] or ("float32" if device.type == "cpu" else None)
    dtype = "auto" if precision is None else getattr(torch, precision)
    model, tokenizer, task = loaded_model(name, options["task"], dtype)
    model = model.to(device).eval()
    shared = ("unit", "ablation", "replacement", "prefix", "suffix", "tokens_per_batch")
    settings = {key: options[key] for key in shared} | {"compile": options["compile_model"]}
    if options["output"] is not None:
        settings["output"] = options["output"]
    unused = [key for key in ("system", "chat") if options[key] and task != "answer"]
    if unused:
        got = f"{options[unused[0]]!r} for the task {task}"
        raise ArgumentError(unused[0], got, 'nothing, unless `task="answer"`')
    game, target = _GAMES[task]((model, tokenizer, text), options, settings)
    facts = {
        "model": "embedded" if options["model"] is None else name,
        "task": task,
        "target": target,
        "output": game.output,
        "unit": options["unit"],
        "ablation": game.ablation,
        **{key: options[key] for key in _TEXT_OPTIONS},
    }
    return game, facts


def _classification(loaded: Loaded, options: Mapping[str, Any], settings: dict[str, Any]) -> tuple[Any, str]:
    target = options["target"]
    if target is not None and target.isdecimal() and target not in loaded[0].config.label2id:
        target = int(target)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* unknown to this model")  # shown with the result
        game = ClassificationGame(*loaded, target=target, **settings)
    return game, game.labels[0]


def _answer(loaded: Loaded, options: Mapping[str, Any], settings: dict[str, Any]) -> tuple[Any, str]:
    if settings.get("output") == "tokens":
        raise UnknownNameError("output", "'tokens'", "'mean', 'sum'", "Use `AnswerGame` in Python for several outputs.")
    settings = settings | {"system": options["system"], "chat": options["chat"], "answer": options["target"]}
    game = AnswerGame(*loaded, **settings)
    return game, game.answer


def _similarity(loaded: Loaded, options: Mapping[str, Any], settings: dict[str, Any]) -> tuple[Any, str]:
    if options["target"] is None:
        raise ArgumentError("target", "nothing", "the query to compare the text with")
    return SimilarityGame(*loaded, options["target"], **settings), options["target"]


_GAMES = {"classification": _classification, "answer": _answer, "similarity": _similarity}


def device_of(given: str | None) -> torch.device:
    """Return the device of that name, which works; default: cuda if available."""
    name = given or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentError("device", repr(name), "a device of this machine, such as cpu", str(error)) from error
    return device


def loaded_model(name: str, task: str | None, dtype: Any) -> tuple[Any, Any, str]:
    """Return the model, its tokenizer and the task: the given one, or that of the model."""
    import transformers

    is_folder = Path(name).is_dir()
    if not is_folder and (name.count("/") != 1 or name.startswith((".", "/", "~"))) and ("/" in name or "\\" in name):
        raise ArgumentError("model", f"{name!r}, which does not exist", _MODELS)
    with _quiet(is_folder):
        used = _task(_from_pretrained(transformers.AutoConfig, name)) if task is None else task
        tokenizer = _from_pretrained(transformers.AutoTokenizer, name)
        auto = getattr(transformers, f"AutoModel{'For' if _TASKS[used] else ''}{_TASKS[used]}")
        model, report = _from_pretrained(auto, name, dtype=dtype, output_loading_info=True)
    missing = sorted(report["missing_keys"])
    if missing and used != "similarity":  # encoders often come without the pooler, which is not used here
        more = f" and {len(missing) - _SHOWN_WEIGHTS} more" if len(missing) > _SHOWN_WEIGHTS else ""
        got = f"{used!r} for a model without weights for it ({', '.join(missing[:_SHOWN_WEIGHTS])}{more})"
        raise ArgumentError("model" if task is None else "task", got, "a task that the model was trained for")
    return model, tokenizer, used


def _task(config: Any) -> str:
    architecture = (getattr(config, "architectures", None) or [""])[0]
    if architecture.endswith("ForSequenceClassification"):
        return "classification"
    return "answer" if architecture.endswith(("ForCausalLM", "LMHeadModel")) else "similarity"


def _from_pretrained(auto: Any, name: str, **settings: Any) -> Any:
    try:
        return auto.from_pretrained(name, **settings)
    except Exception as error:  # transformers raises many kinds for models that it cannot find or read
        hint = textwrap.shorten(str(error), _EXCERPT, placeholder=" ...")
        raise ArgumentError("model", repr(name), _MODELS, hint) from error


@contextmanager
def _quiet(is_folder: bool) -> Iterator[None]:
    """Silence the reports of transformers on what it loads, but not the progress bars of downloads."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # it has no annotations
    level, shows = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if is_folder:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if is_folder and shows:
            logging.enable_progress_bar()

"""From the options of the command line to a game."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame
from captum_spex.games.text.embedded import EMBEDDED_MODEL

_TASKS = {"classification": "SequenceClassification", "answer": "CausalLM", "similarity": ""}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_OUTPUTS = {"answer": ("mean", "sum")}


def text_of(text: str | None, file: str | None) -> str:
    """Return the text: the argument, a file, or standard input; the line break at its end is left out."""
    if (text is None) == (file is None):
        came = "neither a text nor a file" if text is None else "a text and a file"
        raise ArgumentError("text", came, "one of TEXT and --file")
    if text is not None:
        return text
    try:
        octets = sys.stdin.buffer.read() if file == "-" else Path(str(file)).read_bytes()
        return octets.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ArgumentError("file", f"{file} ({error.strerror})", "a file that can be read") from error
    except UnicodeDecodeError as error:
        came = f"{file}, of which byte {error.start} ({octets[error.start]:#04x}) is not UTF-8"
        raise ArgumentError("file", came, "text in UTF-8", "Convert it first, for instance by `iconv`.") from error


def game_of(text: str, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Load the model and return the game and, for people and for JSON, what was asked."""
    device, dtype = _device(options["device"]), options["dtype"]
    if dtype is not None and dtype not in _DTYPES:
        raise UnknownNameError("dtype", repr(dtype), ", ".join(_DTYPES))
    name = str(EMBEDDED_MODEL if options["model"] is None else options["model"])
    task = _task(name, options["task"])
    loads_as = "auto" if dtype is None and device.type != "cpu" else _DTYPES[dtype or "float32"]
    model, tokenizer = _loaded(name, task, loads_as)
    model = model.to(device).eval()
    shared = ("unit", "ablation", "replacement", "prefix", "suffix", "tokens_per_batch")
    settings = {key: options[key] for key in shared} | {"compile": options["compile_model"]}
    if options["output"] is not None:
        settings["output"] = options["output"]
    game, target = _GAMES[task](model, tokenizer, text, options, settings)
    facts = {
        "model": "embedded" if options["model"] is None else name,
        "task": task,
        "target": target,
        "output": game.output,
        "unit": options["unit"],
        "ablation": game.ablation,
    }
    return game, facts


def _classification(
    model: Any, tokenizer: Any, text: str, options: Mapping[str, Any], settings: dict[str, Any]
) -> tuple[Any, str]:
    _refuse(options, ("system", "chat"), "classification")
    target = options["target"]
    if target is not None and target.isdecimal() and target not in model.config.label2id:
        target = int(target)
    game = ClassificationGame(model, tokenizer, text, target=target, **settings)
    return game, game.labels[0]


def _answer(
    model: Any, tokenizer: Any, text: str, options: Mapping[str, Any], settings: dict[str, Any]
) -> tuple[Any, str]:
    if settings.get("output") == "tokens":
        raise UnknownNameError("output", "'tokens'", "'mean', 'sum'", "Several outputs are for `AnswerGame` in Python.")
    chat = {"system": options["system"], "chat": options["chat"]}
    game = AnswerGame(model, tokenizer, text, answer=options["target"], **chat, **settings)
    return game, game.answer


def _similarity(
    model: Any, tokenizer: Any, text: str, options: Mapping[str, Any], settings: dict[str, Any]
) -> tuple[Any, str]:
    _refuse(options, ("system", "chat"), "similarity")
    if options["target"] is None:
        raise ArgumentError("target", "nothing", "the query that the text is compared with")
    return SimilarityGame(model, tokenizer, text, options["target"], **settings), options["target"]


_GAMES = {"classification": _classification, "answer": _answer, "similarity": _similarity}


def _refuse(options: Mapping[str, Any], names: tuple[str, ...], task: str) -> None:
    for name in names:
        if options[name]:
            raise ArgumentError(name, repr(options[name]), f"no such option for the task {task}")


def _device(given: str | None) -> torch.device:
    name = given or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentError("device", repr(name), "a device of this machine, for instance cpu", str(error)) from error
    return device


def _task(name: str, task: str | None) -> str:
    """Return the task that is given, else what the model is made for."""
    if task is not None:
        if task not in _TASKS:
            raise UnknownNameError("task", repr(task), ", ".join(_TASKS))
        return task
    from transformers import AutoConfig

    architectures = getattr(_from_hub(AutoConfig, name), "architectures", None) or [""]
    if architectures[0].endswith("ForSequenceClassification"):
        return "classification"
    return "answer" if architectures[0].endswith(("ForCausalLM", "LMHeadModel")) else "similarity"


def _loaded(name: str, task: str, dtype: Any) -> tuple[Any, Any]:
    import transformers

    auto = getattr(transformers, f"AutoModel{'For' if _TASKS[task] else ''}{_TASKS[task]}")
    return _from_hub(auto, name, dtype=dtype), _from_hub(transformers.AutoTokenizer, name)


def _from_hub(auto: Any, name: str, **settings: Any) -> Any:
    try:
        return auto.from_pretrained(name, **settings)
    except (OSError, ValueError) as error:  # what the library raises for models that it cannot find or read
        allowed = "the name of a model that can be fetched, or the path of a folder with one"
        raise ArgumentError("model", repr(name), allowed, str(error)) from error

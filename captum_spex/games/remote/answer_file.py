"""Answers that were generated, in memory and in a file, whatever they are worth."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from captum_spex.arrays import type_of
from captum_spex.errors import StoreError
from captum_spex.evaluation.fingerprint import digest

_HEADER = {"captum_spex": "generated answers", "format": 1}


@dataclass(frozen=True)
class Answer:
    """A generated answer.

    Attributes:
        text: the answer, without thoughts before it.
        is_cut: whether it is longer than was asked for.
    """

    text: str
    is_cut: bool = False


class AnswerFile:
    """Answers by their questions; every answer is in the file when it is returned.

    The file is one JSON object a line. A line that a killed process left incomplete is passed over.

    Args:
        path: the file; it is made where it does not exist. Default: none, answers are kept in memory.

    Raises:
        StoreError: if the file is of another kind, or cannot be read or written.

    Example:
        >>> answers = AnswerFile(None)
        >>> answers.add("a question", Answer("yes"))
        >>> answers.find("a question", 0), answers.find("a question", 1)
        (Answer(text='yes', is_cut=False), None)
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        if not (path is None or isinstance(path, str | os.PathLike)):
            raise StoreError("answers", type_of(path), "a path, or None")
        self._path = None if path is None else Path(path)
        self._known: dict[str, list[Answer]] = defaultdict(list)
        self._lock = Lock()
        if self._path is not None:
            self._read(self._path)

    def find(self, question: str, place: int) -> Answer | None:
        """Return the answer to a question, the first or a later one; None where there are fewer."""
        answers = self._known.get(question, [])
        return answers[place] if place < len(answers) else None

    def add(self, question: str, answer: Answer) -> None:
        """Keep another answer to a question."""
        with self._lock:
            if self._path is not None:
                self._write(self._path, {"question": question, **asdict(answer)})
            self._known[question].append(answer)

    def _read(self, path: Path) -> None:
        try:
            if not path.exists():
                self._write(path, _HEADER)
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError("answers", f"{path} ({error})", "a file that can be read and written") from error
        if (_parsed(lines[1]) if len(lines) > 1 else None) != _HEADER:
            hint = "The file was not touched."
            raise StoreError("answers", f"{path}, a file of another kind", "generated answers, or a new file", hint)
        for line in map(_parsed, lines[2:]):
            if line is not None:
                self._known[line["question"]].append(Answer(line["text"], line["is_cut"]))

    def _write(self, path: Path, line: Mapping[str, Any]) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps(line)}")  # begins a line, whatever a killed process left before
        except OSError as error:
            raise StoreError("answers", f"{path} ({error})", "a file that can be written") from error


def question_key(server: str, body: Mapping[str, Any]) -> str:
    """Return what a question is known by: the server and the request."""
    return digest(server, json.dumps(dict(body), sort_keys=True))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None

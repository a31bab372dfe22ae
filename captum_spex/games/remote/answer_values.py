"""What a generated answer is worth: how similar it is to the answer to the complete text, or what a function says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import numpy as np

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest, digestible

Named = Literal["words", "characters", "exact", "cosine"]
Score = Callable[[str, str], Any]
Encoder = Callable[[list[str]], Any]
_NAMES = ("words", "characters", "exact", "cosine")
_WORD = re.compile(r"\w+")
_LONGEST_GRAM = 6


class AnswerValue:
    """The value of an answer beside a reference, as a number.

    ``"words"`` is the F1 score of the words in common, in lower case; ``"characters"`` the mean F1 score of runs of 1
    to 6 characters; ``"exact"`` 1 for the same text, else 0; ``"cosine"`` the cosine of an encoder's embeddings.

    Args:
        value: one of these, or a function of an answer and the reference.
        encoder: for ``"cosine"``: a function from a list of texts to embeddings ``(n_texts, n_features)``.

    References:
        "words": Rajpurkar et al., `SQuAD <https://arxiv.org/abs/1606.05250>`_, 2016. "characters": Popović,
        `chrF <https://aclanthology.org/W15-3049>`_, 2015, with equal weights of precision and recall.

    Example:
        >>> AnswerValue("words")("It is under the mat.", "Under the mat")
        0.75
    """

    def __init__(self, value: Named | Score, encoder: Encoder | None = None) -> None:
        if not callable(value):
            checks.choice("value", value, _NAMES, hint="Or a function of an answer and the reference.")
        if (value == "cosine") != (encoder is not None):
            expected = 'a function from texts to embeddings for `value="cosine"`, else None'
            raise ArgumentError("encoder", repr(encoder), expected)
        if encoder is not None and not callable(encoder):
            raise ArgumentError("encoder", type_of(encoder), "a function from texts to embeddings")
        self._value, self._encoder = value, encoder
        if encoder is not None:
            self._score: Score = partial(_cosine, encoder)
        else:
            self._score = _SCORES[value] if isinstance(value, str) else value

    def __call__(self, answer: str, reference: str) -> float:
        """Return the value of an answer."""
        if not callable(self._value):
            return float(self._score(answer, reference))
        number = checks.returned_numbers("value", self._score(answer, reference))
        if number.size != 1:
            raise GameError(f"`value`: expected it to return one number, got {number.size}.", "value")
        return float(number.reshape(()))

    def described(self) -> str:
        """Return what a fingerprint says of the value."""
        parts = [digestible(one) for one in (self._value, self._encoder)]
        return self._value if isinstance(self._value, str) and self._encoder is None else digest(*parts)


def _cosine(encoder: Encoder, answer: str, reference: str) -> float:
    if not answer.strip():
        return 0.0  # encoders differ in what they make of no text
    rows = checks.returned_numbers("encoder", encoder([answer, reference]))
    if rows.ndim != 2 or len(rows) != 2:
        raise GameError(f"`encoder`: expected embeddings (2, n_features) of 2 texts, got {rows.shape}.", "encoder")
    lengths = np.linalg.norm(rows, axis=1)
    if not lengths.all():
        raise GameError("`encoder`: expected embeddings that are not 0, got one that is.", "encoder")
    return float(rows[0] @ rows[1] / lengths.prod())


def _exact(answer: str, reference: str) -> bool:
    return answer.strip() == reference.strip()


def _word_overlap(answer: str, reference: str) -> float:
    return _overlap(_WORD.findall(answer.lower()), _WORD.findall(reference.lower()))


def _character_overlap(answer: str, reference: str) -> float:
    answer, reference = answer.strip(), reference.strip()
    longest = min(_LONGEST_GRAM, max(len(answer), len(reference), 1))
    sizes = range(1, longest + 1)
    return float(np.mean([_overlap(_grams(answer, size), _grams(reference, size)) for size in sizes]))


_SCORES: dict[str, Score] = {"words": _word_overlap, "characters": _character_overlap, "exact": _exact}


def _overlap(ours: Iterable[str], theirs: Iterable[str]) -> float:
    """Return the F1 score of what two have in common, with how often."""
    one, other = Counter(ours), Counter(theirs)
    n_all = one.total() + other.total()
    return 2 * (one & other).total() / n_all if n_all else 1.0


def _grams(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(len(text) - size + 1)]

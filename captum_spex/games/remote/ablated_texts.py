"""Texts with parts removed, without a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captum_spex.errors import ArgumentError, UnknownNameError
from captum_spex.games.text.units import Span, spans_of
from captum_spex.masks import Masks


class AblatedTexts:
    """Texts under masks: absent players are deleted with the white space before them, or replaced.

    Example:
        >>> import numpy as np
        >>> masks = np.array([[True, False, True, True], [False, True, False, True]])
        >>> AblatedTexts("a very good film", "word").under(masks)
        ['a good film', 'very film']
    """

    def __init__(self, text: str, unit: str | Sequence[Span], replacement: str | None = None) -> None:
        if not isinstance(text, str) or not text.strip():
            raise ArgumentError("text", repr(text), "a text with at least two players")
        if unit == "token":
            hint = "Only the server knows its tokens."
            raise UnknownNameError("unit", "'token'", "'word', 'sentence', or a list of (start, end)", hint)
        self.text = text
        self.spans = tuple(spans_of(text, unit) or ())
        self.names = tuple(text[start:end] for start, end in self.spans)
        if len(self.spans) < 2:
            raise ArgumentError("text", f"{len(self.spans)}", "at least two players", "Is `unit` right?")
        ends = [0, *(end for _, end in self.spans)]
        gaps = [text[end:start] for end, (start, _) in zip(ends, self.spans, strict=False)]
        self._end = text[ends[-1] :]
        absent = [gap + replacement if replacement is not None else gap if gap.strip() else "" for gap in gaps]
        self._present = np.array([gap + name for gap, name in zip(gaps, self.names, strict=True)], dtype=object)
        self._absent = np.array(absent, dtype=object)

    def under(self, masks: Masks) -> list[str]:
        """Return the text under every mask."""
        pieces = np.where(masks, self._present, self._absent)
        texts = ["".join(row) + self._end for row in pieces]
        return texts if self.text[0].isspace() else [text.lstrip() for text in texts]

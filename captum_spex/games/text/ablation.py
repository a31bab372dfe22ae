"""Ablations: masks over players become rows of tokens, with replacements for absent players."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.games.text.tokens import FIXED, Align, Rows, Tokens, padded
from captum_spex.masks import Masks

Ablation = Literal["mask", "pad", "unk", "string", "delete", "hide"]
_TOKENS = {"mask": "mask_token_id", "pad": "pad_token_id", "unk": "unk_token_id"}
_ABLATIONS = (*_TOKENS, "string", "delete", "hide")


@dataclass(frozen=True, eq=False)
class Template:
    """All tokens that a row may hold, in order: a mask selects the tokens of its row.

    Attributes:
        ids, types: the tokens.
        players: the player of each, or `FIXED`.
        if_absent: whether the token is there when its player is absent, instead of present.
        hides: whether absent tokens stay in the row and are excluded by the attention mask.
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64] | None
    players: NDArray[np.int64]
    if_absent: NDArray[np.bool_]
    hides: bool

    def lengths(self, masks: Masks) -> NDArray[np.int64]:
        """Return the number of tokens of every row, int64 ``(n_masks,)``."""
        if self.hides:
            return np.full(len(masks), len(self.ids))
        present, absent = self._counts()
        return self.n_fixed + absent.sum() + masks @ (present - absent)

    def longest(self) -> int:
        """Return the largest number of tokens of any row."""
        return self.n_fixed + int(np.maximum(*self._counts()).sum())

    @property
    def n_fixed(self) -> int:
        """Number of tokens that are in every row."""
        return int(np.count_nonzero(self.players == FIXED))

    def extremes(self) -> Masks:
        """Return the masks of the longest and of the shortest row."""
        present, absent = self._counts()
        return np.stack([present >= absent, present < absent])

    def _counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of tokens of each player when it is present, and of its replacement when it is absent."""
        removable = self.players != FIXED
        count = np.zeros((2, int(self.players.max()) + 1), dtype=np.int64)
        np.add.at(count, (self.if_absent[removable].astype(np.intp), self.players[removable]), 1)
        return count[0], count[1]

    def rows(self, masks: Masks, *, fill: int = 0, align: Align = "left") -> Rows:
        """Return the tokens under every mask, padded on the side that they are not aligned to."""
        removable = self.players != FIXED
        shown = np.ones((len(masks), len(self.ids)), dtype=np.bool_)
        shown[:, removable] = masks[:, self.players[removable]] != self.if_absent[removable]
        if self.hides:
            types = None if self.types is None else np.broadcast_to(self.types, shown.shape)
            positions = np.broadcast_to(np.arange(len(self.ids)), shown.shape)
            return Rows(np.broadcast_to(self.ids, shown.shape), shown.astype(np.int64), positions, types)
        chosen = np.nonzero(shown)[1]  # row by row
        types = None if self.types is None else self.types[chosen]
        return padded(self.ids[chosen], shown.sum(axis=1), types=types, fill=fill, align=align)

    def followed_by(self, ids: NDArray[np.int64]) -> Template:
        """Return the template with further fixed tokens at its end."""
        types = None if self.types is None else np.concatenate([self.types, np.full(len(ids), self.types[-1])])
        players = np.concatenate([self.players, np.full(len(ids), FIXED)])
        if_absent = np.concatenate([self.if_absent, np.zeros(len(ids), dtype=np.bool_)])
        return Template(np.concatenate([self.ids, ids]), types, players, if_absent, self.hides)

    def without_first(self, n_tokens: int) -> Template:
        """Return the template without its first tokens."""
        types = None if self.types is None else self.types[n_tokens:]
        return Template(self.ids[n_tokens:], types, self.players[n_tokens:], self.if_absent[n_tokens:], self.hides)


def template_of(tokenizer: Any, tokens: Tokens, ablation: str, replacement: str | None) -> Template:
    """Return the template of a text and its `checked_ablation`.

    Raises:
        ArgumentError: if the model would read nothing when all players are absent.
    """
    removable = tokens.players != FIXED
    if leaves_nothing(tokenizer, ablation, replacement):
        if removable.all():
            works = [name for name in _TOKENS if _token(tokenizer, name) is not None]
            expected = f"{', '.join(map(repr, [*works, 'string']))} with a `replacement`, or a `prefix`"
            hint = "The text has no fixed token: without players the model would read nothing."
            got = repr(ablation) if replacement is None else f"{ablation!r} with {replacement!r}"
            raise ArgumentError("ablation", got, expected, hint)
        return Template(tokens.ids, tokens.types, tokens.players, np.zeros_like(removable), ablation == "hide")
    if ablation == "string":
        new = tokenizer(replacement, add_special_tokens=False)["input_ids"]
        # The replacement goes where the first token of each player was.
        places = np.flatnonzero(removable)[np.unique(tokens.players[removable], return_index=True)[1]]
    else:
        new = [getattr(tokenizer, _TOKENS[ablation])]
        places = np.flatnonzero(removable)
    return _with_replacements(
        tokens, np.repeat(places, len(new)), np.tile(np.asarray(new, dtype=np.int64), len(places))
    )


def leaves_nothing(tokenizer: Any, ablation: str, replacement: str | None) -> bool:
    """Return whether absent players are replaced by no token that the model reads."""
    if replacement is None:
        return ablation in ("delete", "hide")
    return not tokenizer(replacement, add_special_tokens=False)["input_ids"]


def _with_replacements(tokens: Tokens, places: NDArray[np.intp], new: NDArray[np.int64]) -> Template:
    """Insert, before the tokens at some places, new ones that are there when the player is absent."""
    where = np.concatenate([np.arange(len(tokens.ids)), places])
    if_absent = np.repeat([False, True], [len(tokens.ids), len(places)])
    order = np.lexsort((~if_absent, where))
    return Template(
        np.concatenate([tokens.ids, new])[order],
        None if tokens.types is None else tokens.types[where][order],
        tokens.players[where][order],
        if_absent[order],
        hides=False,
    )


def checked_ablation(tokenizer: Any, ablation: str | None, replacement: str | None) -> str:
    """Return the ablation, or the tokenizer's default: ``"mask"`` if it has a mask token, else ``"delete"``.

    Raises:
        UnknownNameError: for an unknown ablation.
        ArgumentError: if the tokenizer has no such token, or a replacement is missing or unused.
    """
    if ablation is None:
        ablation = "string" if replacement is not None else "delete" if _token(tokenizer, "mask") is None else "mask"
    ablation = checks.choice("ablation", ablation, _ABLATIONS)
    if ablation in _TOKENS and _token(tokenizer, ablation) is None:
        works = [name for name in _ABLATIONS if name not in _TOKENS or _token(tokenizer, name) is not None]
        raise ArgumentError("ablation", f"{ablation!r} for a tokenizer without it", ", ".join(map(repr, works)))
    if (ablation == "string") != isinstance(replacement, str):
        got = "None" if replacement is None else f"{replacement!r} with ablation {ablation!r}"
        raise ArgumentError("replacement", got, 'a text if `ablation="string"`, else None')
    return ablation


def _token(tokenizer: Any, ablation: str) -> int | None:
    return getattr(tokenizer, _TOKENS[ablation], None)

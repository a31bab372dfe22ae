"""What stands in place of absent players: masks over players become rows of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.games.text.token_rows import Align, Rows, filled_up
from captum_spex.games.text.tokens import FIXED, Tokens
from captum_spex.masks import Masks

Ablation = Literal["mask", "pad", "unk", "string", "delete", "hide"]
_TOKENS = {"mask": "mask_token_id", "pad": "pad_token_id", "unk": "unk_token_id"}
_ABLATIONS = (*_TOKENS, "string", "delete", "hide")


@dataclass(frozen=True, eq=False)
class Template:
    """All tokens that a row may hold, in order: a row under a mask is a choice of them.

    Attributes:
        ids, types: the tokens.
        players: the player of each, or `FIXED`.
        of_absent: whether the token stands there when its player is absent, instead of present.
        hides: whether tokens stay in their places and the model is told not to look at them.
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64] | None
    players: NDArray[np.int64]
    of_absent: NDArray[np.bool_]
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
        """Number of tokens that stand in every row."""
        return int(np.count_nonzero(self.players == FIXED))

    def extremes(self) -> Masks:
        """Return the masks of the longest and of the shortest row."""
        present, absent = self._counts()
        return np.stack([present >= absent, present < absent])

    def _counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of tokens of each player where it is present, and in its place where it is absent."""
        own = self.players != FIXED
        count = np.zeros((2, int(self.players.max()) + 1), dtype=np.int64)
        np.add.at(count, (self.of_absent[own].astype(np.intp), self.players[own]), 1)
        return count[0], count[1]

    def rows(self, masks: Masks, *, fill: int = 0, align: Align = "left") -> Rows:
        """Lay out the tokens under every mask, filled up on the other side than they are aligned to."""
        own = self.players != FIXED
        kept = np.ones((len(masks), len(self.ids)), dtype=np.bool_)
        kept[:, own] = masks[:, self.players[own]] != self.of_absent[own]
        if self.hides:
            everywhere = np.broadcast_to(np.arange(len(self.ids)), kept.shape)
            return Rows(
                np.broadcast_to(self.ids, kept.shape),
                kept.astype(np.int64),
                everywhere,
                None if self.types is None else np.broadcast_to(self.types, kept.shape),
            )
        chosen = np.nonzero(kept)[1]  # row by row
        types = None if self.types is None else self.types[chosen]
        return filled_up(self.ids[chosen], kept.sum(axis=1), types=types, fill=fill, align=align)

    def followed_by(self, ids: NDArray[np.int64]) -> Template:
        """Return the template with further tokens at its end, which stand in every row."""
        types = None if self.types is None else np.concatenate([self.types, np.full(len(ids), self.types[-1])])
        players = np.concatenate([self.players, np.full(len(ids), FIXED)])
        of_absent = np.concatenate([self.of_absent, np.zeros(len(ids), dtype=np.bool_)])
        return Template(np.concatenate([self.ids, ids]), types, players, of_absent, self.hides)

    def after(self, n_tokens: int) -> Template:
        """Return the template without its first tokens."""
        types = None if self.types is None else self.types[n_tokens:]
        return Template(self.ids[n_tokens:], types, self.players[n_tokens:], self.of_absent[n_tokens:], self.hides)


def template_of(tokenizer: Any, tokens: Tokens, ablation: str, replacement: str | None) -> Template:
    """Lay out what stands in place of absent players, by a `checked_ablation`.

    Raises:
        ArgumentError: if nothing would be left of a text without players.
    """
    own = tokens.players != FIXED
    if leaves_nothing(tokenizer, ablation, replacement):
        nowhere = np.zeros(len(own), dtype=np.bool_)
        if not (~own).any():
            came = f"{ablation!r} for a text of which no token is fixed: without players nothing would be left"
            works = [name for name in _TOKENS if _token(tokenizer, name) is not None]
            allowed = f"{', '.join(map(repr, [*works, 'string']))} with a `replacement`, or a `prefix`"
            raise ArgumentError("ablation", came, allowed)
        return Template(tokens.ids, tokens.types, tokens.players, nowhere, ablation == "hide")
    if ablation == "string":
        new = tokenizer(replacement, add_special_tokens=False)["input_ids"]
        places = np.flatnonzero(own)[np.unique(tokens.players[own], return_index=True)[1]]  # first token of each player
    else:
        new = [getattr(tokenizer, _TOKENS[ablation])]
        places = np.flatnonzero(own)
    return _with_twins(tokens, np.repeat(places, len(new)), np.tile(np.asarray(new, dtype=np.int64), len(places)))


def leaves_nothing(tokenizer: Any, ablation: str, replacement: str | None) -> bool:
    """Return whether the model sees no token in place of absent players."""
    if replacement is None:
        return ablation in ("delete", "hide")
    return not tokenizer(replacement, add_special_tokens=False)["input_ids"]


def _with_twins(tokens: Tokens, places: NDArray[np.intp], new: NDArray[np.int64]) -> Template:
    """Insert, before the tokens at some places, tokens that stand there when the player is absent."""
    where = np.concatenate([np.arange(len(tokens.ids)), places])
    of_absent = np.repeat([False, True], [len(tokens.ids), len(places)])
    order = np.lexsort((~of_absent, where))
    return Template(
        np.concatenate([tokens.ids, new])[order],
        None if tokens.types is None else tokens.types[where][order],
        tokens.players[where][order],
        of_absent[order],
        hides=False,
    )


def checked_ablation(tokenizer: Any, ablation: str | None, replacement: str | None) -> str:
    """Return the ablation, or the tokenizer's default: ``"mask"`` if it has a mask token, else ``"delete"``.

    Raises:
        UnknownNameError: for an unknown ablation.
        ArgumentError: if the tokenizer has no such token, or a replacement is missing or given in vain.
    """
    if ablation is None:
        ablation = "string" if replacement is not None else "delete" if _token(tokenizer, "mask") is None else "mask"
    ablation = checks.choice("ablation", ablation, _ABLATIONS)
    if ablation in _TOKENS and _token(tokenizer, ablation) is None:
        works = [name for name in _ABLATIONS if name not in _TOKENS or _token(tokenizer, name) is not None]
        came = f"{ablation!r} for a tokenizer without such a token"
        raise ArgumentError("ablation", came, ", ".join(map(repr, works)))
    if (ablation == "string") != isinstance(replacement, str):
        came = "None" if replacement is None else f"{replacement!r} with ablation {ablation!r}"
        allowed = 'a text if `ablation="string"`, else None'
        raise ArgumentError("replacement", came, allowed)
    return ablation


def _token(tokenizer: Any, ablation: str) -> int | None:
    return getattr(tokenizer, _TOKENS[ablation], None)

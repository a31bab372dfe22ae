"""The tokens of a prompt with the player of each, and rows of tokens padded to one length."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import type_of
from captum_spex.errors import ArgumentError
from captum_spex.games.text.prompts import Encoded, Prompt, encoded
from captum_spex.games.text.units import Span, spans_of

FIXED = -1
"""The player of a token that is never removed."""

Align = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of a prompt in the order of the model.

    Attributes:
        ids: the tokens, int64 ``(n_tokens,)``.
        players: the player of each token, or `FIXED`.
        types: token types (first or second text), if the tokenizer returns them.
        spans: where each player is in the text.
        names: the players as text.
        n_unknown: how many of the players hold a token that stands for all that the tokenizer does not know.
    """

    ids: NDArray[np.int64]
    players: NDArray[np.int64]
    types: NDArray[np.int64] | None
    spans: tuple[Span, ...]
    names: tuple[str, ...]
    n_unknown: int = 0

    @property
    def n_players(self) -> int:
        """Number of players."""
        return len(self.names)


def tokens_of(tokenizer: Any, prompt: Prompt, unit: str | Sequence[Span]) -> Tokens:
    """Tokenize a prompt and assign each token to the player that holds its first visible character.

    A token of white space alone goes with the token after it, so that a word is removed with the space before it.

    Raises:
        ArgumentError: if the tokenizer returns no offsets, or there are fewer than two players.
    """
    if not getattr(tokenizer, "is_fast", False):
        hint = "`AutoTokenizer.from_pretrained(...)` returns one."
        raise ArgumentError("tokenizer", type_of(tokenizer), "a fast tokenizer, which returns offsets", hint)
    spans = spans_of(prompt.text, unit)
    found = encoded(tokenizer, prompt)
    places = places_in_text(prompt, found)
    if spans is None:
        spans, owners = _token_players(places)
    else:
        spans, owners = _span_players(places, spans, given=not isinstance(unit, str))
    names = tuple(prompt.text[start:end] for start, end in spans)
    _check_count(names, unit)
    ids, players = np.asarray(found.ids, dtype=np.int64), np.asarray(_with_blanks(owners), dtype=np.int64)
    is_unknown = ids == getattr(tokenizer, "unk_token_id", None)
    return Tokens(
        ids=ids,
        players=players,
        types=None if found.types is None else np.asarray(found.types, dtype=np.int64),
        spans=tuple(spans),
        names=names,
        n_unknown=len(set(players[is_unknown].tolist()) - {FIXED}),
    )


def places_in_text(prompt: Prompt, found: Encoded) -> list[Span | None]:
    """Return the span of the visible part of each token: empty for white space, ``None`` outside of the text."""
    before, length = len(prompt.before), len(prompt.text)
    places: list[Span | None] = []
    for place in found.places:
        if place is None:
            places.append(None)
            continue
        start, end = place
        piece = prompt.complete[start:end]
        visible = start + len(piece) - len(piece.lstrip()) - before
        within = 0 <= visible < length if piece.strip() else before < end <= before + length
        places.append((visible, min(end - before, length)) if within else None)
    return places


def _token_players(places: Sequence[Span | None]) -> tuple[list[Span], list[int | None]]:
    """Return the players and the owner of each token, if every visible token is a player."""
    visible = [position for position, place in enumerate(places) if place is not None and place[0] < place[1]]
    players = {position: player for player, position in enumerate(visible)}
    return [places[position] or (0, 0) for position in visible], _owners(places, players)


def _span_players(
    places: Sequence[Span | None], spans: Sequence[Span], *, given: bool
) -> tuple[list[Span], list[int | None]]:
    """Return the same for spans: a token belongs to the one in which it begins.

    Words in which no token begins are dropped; ``given`` spans are refused then.
    """
    starts = [start for start, _ in spans]
    span_of = {}
    for position, place in enumerate(places):
        if place is not None and place[0] < place[1]:
            span = bisect_right(starts, place[0]) - 1
            span_of[position] = span if span >= 0 and place[0] < spans[span][1] else FIXED
    used = sorted(set(span_of.values()) - {FIXED})
    if given and len(used) < len(spans):
        empty = spans[min(set(range(len(spans))) - set(used))]
        raise ArgumentError("unit", f"{empty}, in which no token begins", "spans in each of which a token begins")
    number = {FIXED: FIXED, **{span: player for player, span in enumerate(used)}}
    players = {position: number[span] for position, span in span_of.items()}
    return [spans[span] for span in used], _owners(places, players)


def span_owners(places: Sequence[Span | None], spans: Sequence[Span]) -> list[int]:
    """Return the span in which each token begins, or `FIXED`; white space goes with the token after it.

    Args:
        places: the visible part of each token: empty for white space, ``None`` outside of the text.
        spans: those of the players, in order.

    Raises:
        ArgumentError: about ``unit``, if no token begins in a span.

    Example:
        >>> span_owners([(0, 1), (1, 1), (2, 4), (4, 5)], [(0, 1), (2, 5)])
        [0, 1, 1, 1]
    """
    return _with_blanks(_span_players(places, spans, given=True)[1])


def _owners(places: Sequence[Span | None], players: Mapping[int, int]) -> list[int | None]:
    """Return the player of each token: `FIXED` outside of the text, ``None`` for white space in it."""
    return [FIXED if place is None else players.get(position) for position, place in enumerate(places)]


def _with_blanks(owners: Sequence[int | None]) -> list[int]:
    """Assign white space to the player after it, or, at the end of the text, to the one before."""
    complete = list(owners)
    for position in range(len(complete) - 2, -1, -1):
        if complete[position] is None and complete[position + 1] not in (None, FIXED):
            complete[position] = complete[position + 1]
    for position in range(1, len(complete)):
        if complete[position] is None:
            complete[position] = complete[position - 1]
    return [FIXED if owner is None else owner for owner in complete]


def _check_count(names: tuple[str, ...], unit: str | Sequence[Span]) -> None:
    if len(names) >= 2:
        return
    kind = unit if isinstance(unit, str) else "span"
    got = f"one {kind} ({names[0]!r})" if names else f"no {kind}"
    finer = {"sentence": 'unit="word"', "word": 'unit="token"'}.get(kind)
    hint = f"`{finer}` may divide it further." if finer else ""
    raise ArgumentError("text", got, f"at least two players, here {kind}s", hint)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of tokens for a model, all ``(n_rows, length)``.

    Attributes:
        ids: tokens.
        attention: the attention mask: 1 for tokens, 0 for padding and hidden tokens.
        positions: positions in the row, padding not counted.
        types: token types, if the tokenizer returns them.
    """

    ids: NDArray[np.int64]
    attention: NDArray[np.int64]
    positions: NDArray[np.int64]
    types: NDArray[np.int64] | None


def padded(
    ids: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    types: NDArray[np.int64] | None = None,
    fill: int = 0,
    align: Align = "left",
) -> Rows:
    """Return rows of tokens, given one row after the other, padded on the side that they are not aligned to."""
    columns = np.arange(lengths.max())
    shift = (lengths.max() - lengths if align == "right" else 0 * lengths)[:, None]
    is_token = (columns >= shift) & (columns < shift + lengths[:, None])
    rows = np.full(is_token.shape, fill, dtype=np.int64)
    rows[is_token] = ids
    row_types = None
    if types is not None:
        row_types = np.zeros_like(rows)
        row_types[is_token] = types
    return Rows(rows, is_token.astype(np.int64), np.maximum(columns - shift, 0), row_types)

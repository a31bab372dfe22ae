"""Which tokens of a server's reply spell a text: the proof that a log-probability is the answer's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

_UNKNOWN = "\ufffd"  # what servers put in place of a part of a character
_IN_WORDS = re.compile(r"bytes:( ?)((?:\\x[0-9a-fA-F]{2})+)")  # as the first servers of this kind wrote bytes
_BYTE = re.compile(r"<0x([0-9a-fA-F]{2})>")  # as SentencePiece writes them
_ID = re.compile(r"token_id:\d+")
_LONGEST_PART = 3  # bytes of a character that is not complete
_LONGEST_TOKEN = 128  # bytes, and one word


def _byte_alphabet() -> dict[str, int]:
    """Return the characters by which byte-level tokenizers write bytes: printable ones are themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


_ALPHABET = _byte_alphabet()


@dataclass(frozen=True)
class Token:
    """A token as a server shows it: its string, ``None`` where it shows none, and from some servers its bytes."""

    string: str | None
    raw: bytes | None = None

    @property
    def is_id(self) -> bool:
        """Whether the string is the token's number."""
        return self.string is not None and _ID.fullmatch(self.string) is not None

    @property
    def is_part(self) -> bool:
        """Whether the string may be that of a part of a character."""
        return not self.string or _UNKNOWN in self.string

    def spellings(self) -> list[bytes]:
        """Return the bytes that the string may stand for, in the ways in which tokenizers write bytes."""
        ways = [self.raw, *(way(self.string) for way in _WAYS)]
        return [way for way in dict.fromkeys(ways) if way is not None]


def find_answer(tokens: Sequence[Token], before: str | None, answer: str) -> slice | None:
    """Return the tokens that overlap the answer, if the tokens are proved to spell what comes before it, and it.

    The bytes are aligned from the end. Tokens that precede the text, such as ``<s>``, are allowed.

    Args:
        tokens: those of the whole text; without a generated one.
        before: the text before the answer; ``None`` if only the server knows it.
        answer: the answer, with which the text ends.

    Returns:
        Where the answer's tokens are; ``None`` where no way to read the tokens spells the text, or several do that
        disagree on them.

    Example:
        >>> strings = ["<s>", "\u0120caf", "\u00c3", "\u00a9", "!"]
        >>> find_answer([Token(string) for string in strings], " caf", "\u00e9!")
        slice(2, 5, None)
    """
    head = (before or "").encode()
    marked = any(mark in head.decode() + answer for mark in "\u2581\u0120\ufffd")
    for pieces in _readings(tokens):
        if marked and any(piece.fixed is None or piece.may_lack_space for piece in pieces if piece.string is not None):
            continue  # the text itself holds what stands for a space or for a part of a character
        for blank in (b"",) if marked else (b"", b" "):  # some tokenizers put a space before every text
            whole = blank + head + answer.encode()
            found = _aligned(pieces, whole, len(blank + head), is_open=before is None)
            if found is not None:
                return found
    return None


@dataclass(frozen=True)
class _Piece:
    """A token in one way to read it: ``fixed`` bytes, or a string in which parts of characters are missing."""

    fixed: bytes | None
    string: str | None
    may_lack_space: bool = False

    def starts(self, text: bytes, end: int, is_open: bool) -> set[int]:
        """Return where the token may start in the text if it ends there."""
        if self.string is None:  # the first token of all, which has no log-probability
            return {0} if end <= _LONGEST_TOKEN and len(text[:end].split()) <= 1 else set()
        if self.fixed is None:
            found = self._undecoded_starts(text, end)
            return found | {start - 1 for start in found if self.may_lack_space and text[start - 1 : start] == b" "}
        start = end - len(self.fixed)
        if start < 0:  # it may begin before a text of which the beginning is unknown
            return {0} if is_open and self.fixed.endswith(text[:end]) else set()
        if not text.endswith(self.fixed, 0, end):
            return set()
        return {start, start - 1} if self.may_lack_space and text[start - 1 : start] == b" " else {start}

    def _undecoded_starts(self, text: bytes, end: int) -> set[int]:
        string = self.string or ""
        known, n_parts = len(string.replace(_UNKNOWN, "").encode(errors="replace")), string.count(_UNKNOWN)
        sizes = range(known + n_parts, min(known + _LONGEST_PART * n_parts, end) + 1)
        return {end - size for size in sizes if text[end - size : end].decode(errors="replace") == string}


def _readings(tokens: Sequence[Token]) -> Iterator[list[_Piece]]:
    if all(token.raw is not None for token in tokens):
        yield [_Piece(token.raw, token.string) for token in tokens]
    for way in _WAYS:
        yield [_Piece(way(token.string), token.string) for token in tokens]
    yield [_Piece(_plain(token.string), token.string, may_lack_space=True) for token in tokens]


def _aligned(pieces: Sequence[_Piece], text: bytes, border: int, is_open: bool) -> slice | None:
    ends = [{len(text)}]  # where tokens may end, from the last
    for piece in reversed(pieces):
        if 0 in ends[-1]:
            break
        ends.append({start for end in ends[-1] for start in piece.starts(text, end, is_open)})
    if 0 not in ends[-1]:
        return None
    n_before = len(pieces) - len(ends) + 1
    used, unused = pieces[n_before:], pieces[n_before - 1 : n_before] if is_open else pieces[:n_before]
    bounds = [{0}]
    for piece, possible in zip(used, ends[-2::-1], strict=True):
        bounds.append({end for end in possible if piece.starts(text, end, is_open) & bounds[-1]})
    inside = [
        {end > border and start < len(text) for end in stops for start in starts} for starts, stops in pairwise(bounds)
    ]
    if any(len(one) > 1 for one in inside):
        return None
    chosen = [len(pieces) - len(used) + place for place, one in enumerate(inside) if one == {True}]
    has_parts = any(pieces[place].fixed is None for place in chosen)
    if has_parts and any(piece.fixed is None and piece.string is not None for piece in unused):
        return None  # fewer parts of characters than there are spell the text
    if _may_hide_a_part(pieces, chosen[0], text, border) or (pieces[0].may_lack_space and text[:border][-1:] == b" "):
        return None
    return slice(chosen[0], chosen[-1] + 1)


def _may_hide_a_part(pieces: Sequence[_Piece], first: int, text: bytes, border: int) -> bool:
    """Whether the token before the answer's may hold the first part of its first character.

    Some servers show a character with the token that completes it, and nothing of it before.
    """
    shown = pieces[first].string or ""
    fixed = pieces[first].fixed
    if text[border] < 128 or first == 0 or _UNKNOWN in shown or (fixed is not None and fixed != shown.encode()):
        return False
    before = pieces[first - 1].string
    return before is not None and not before.endswith(("\n", ">")) and (first > 1 or bool(before))


def _plain(string: str | None) -> bytes | None:
    if string is None or _UNKNOWN in string:
        return None
    if (written := _IN_WORDS.fullmatch(string)) is not None:
        return written[1].encode() + bytes.fromhex(written[2].replace("\\x", ""))
    return string.encode(errors="replace")


def _byte_level(string: str | None) -> bytes | None:
    if string is None or _UNKNOWN in string:
        return None
    return b"".join(bytes([_ALPHABET[one]]) if one in _ALPHABET else one.encode(errors="replace") for one in string)


def _sentence_piece(string: str | None) -> bytes | None:
    if string is not None and (written := _BYTE.fullmatch(string)) is not None:
        return bytes.fromhex(written[1])
    return _plain(None if string is None else string.replace("\u2581", " "))


_WAYS: tuple[Callable[[str | None], bytes | None], ...] = (_plain, _byte_level, _sentence_piece)


def places_of(tokens: Sequence[Token], answer: str) -> list[tuple[int, int]] | None:
    """Return where the tokens that overlap an answer are in it, in characters; ``None`` if they do not spell it.

    A token that begins before the answer is at its beginning; one that is a part of a character, where that is.

    Example:
        >>> places_of([Token("\u0120Oh"), Token("\u0120yes"), Token(".")], "Oh yes.")
        [(0, 2), (2, 6), (6, 7)]
    """
    whole = answer.encode()
    raw = [[token.raw for token in tokens], *([way(token.string) for token in tokens] for way in _WAYS)]
    for pieces in raw:
        known = [piece for piece in pieces if piece is not None]
        spelt = b"".join(known)
        if len(known) == len(pieces) and spelt.rstrip().endswith(whole.rstrip()):
            lead = spelt.rstrip().rindex(whole.rstrip())
            ends = [max(0, end - lead) for end in accumulate(map(len, known))]
            bounds = [len(whole[:end].decode(errors="ignore")) for end in [0, *ends]]
            return list(pairwise(bounds))
    return None

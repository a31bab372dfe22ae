"""Evaluated masks on disk: a run that was stopped goes on without repeating an evaluation."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from captum_spex.errors import StoreError
from captum_spex.masks import Keys, PackedMasks, mask_keys
from captum_spex.supports import Floats

_APPLICATION = 0x53504558  # "SPEX", in the header of the file
_FORMAT = 1
_MAGIC = b"SQLite format 3\x00"
_PATIENCE = 60.0  # seconds to wait for another process that writes
_SHOWN = 60
_SCHEMA = f"""
    PRAGMA application_id = {_APPLICATION};
    PRAGMA user_version = {_FORMAT};
    CREATE TABLE game (fingerprint TEXT NOT NULL, description TEXT NOT NULL, n_players INTEGER NOT NULL);
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY, replicate INTEGER NOT NULL, masks BLOB NOT NULL, outputs BLOB NOT NULL
    );
"""
"""One row per evaluated batch: packed masks one after the other, and their values as little-endian float64."""


class Store:
    """A file of evaluated masks of one game (SQLite), which several processes may share.

    Every batch is in the file before the next is evaluated, so that a process may be killed at any point: run again, it
    evaluates the remaining masks only, with the same result. (After a power failure the last batches may be missing.)
    The file must lie on a local disk.

    Args:
        path: the file; it is created when it does not exist.
        fingerprint: what tells this game from all others, a text or a mapping of texts; default: the game's own
            attribute ``fingerprint``. A function has none, and needs one given.

    Attributes:
        n_found: how many evaluations the last run took from the file.
        n_added: how many evaluations the last run added to it.

    Raises:
        StoreError: when it is opened: the file belongs to another game or another program, is damaged, or cannot be
            written; the file is left as it is.

    Example:
        >>> import tempfile, captum_spex
        >>> def game(masks):
        ...     return 2.0 * masks[:, 0] * masks[:, 1]
        >>> path = Path(tempfile.mkdtemp()) / "game.db"
        >>> for _ in range(2):
        ...     store = Store(path, fingerprint="a product")
        ...     result = captum_spex.explain(game, 2, budget=4, store=store)
        ...     print(result[(0, 1)], store.n_found, store.n_added)
        2.0 0 4
        2.0 4 0
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: str | Mapping[str, str] | None = None) -> None:
        if not isinstance(path, str | os.PathLike):
            raise StoreError("store", f"a {type(path).__name__}", "a path or a `captum_spex.store.Store`")
        self.path = Path(path)
        self.fingerprint = fingerprint
        self.n_found = 0
        self.n_added = 0
        self._connection: sqlite3.Connection | None = None

    def open(self, game: Any, n_players: int) -> Store:
        """Open or create the file for a game; use it as a context manager, which closes it."""
        description = _description(self.fingerprint, game)
        self.n_found = self.n_added = self._last = 0
        self._n_players = n_players
        self._keys: Keys = np.zeros(0, dtype=np.uint64)  # sorted; what the file held when it was last read
        self._values: Floats = np.zeros((0, 0))
        if not self.path.exists():
            _create(self.path, description, n_players)
        _check_header(self.path)
        self._connection = _connected(self.path)
        try:
            self._check_game(description)
            self._read_new()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, keys: Keys) -> tuple[NDArray[np.bool_], Floats]:
        """Return which masks, given by their `mask_keys`, the file holds, and the values of those.

        What this run added itself is not looked up: who evaluates a mask keeps its value.
        """
        self._read_new()
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.bool_), np.zeros((0, 0))
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[place] == keys
        self.n_found += int(found.sum())
        return found, self._values[place[found]]

    def find_replicate(self, replicate: int, masks: PackedMasks) -> Floats | None:
        """Return the values of the batch that was evaluated as this replicate, if the file holds it."""
        query = "SELECT outputs FROM batches WHERE replicate = ? AND masks = ? ORDER BY id"
        row = self._run(query, (replicate, masks.packed.tobytes())).fetchone()
        if row is None:
            return None
        self.n_found += len(masks)
        return _numbers(row[0]).reshape(len(masks), -1)

    def add(self, masks: PackedMasks, values: Floats, replicate: int = 0) -> None:
        """Write an evaluated batch ``(n_masks, n_outputs)``; it is on disk when this returns."""
        outputs = np.ascontiguousarray(values, dtype="<f8").tobytes()
        query = "INSERT INTO batches (replicate, masks, outputs) VALUES (?, ?, ?)"
        added = self._run(query, (replicate, masks.packed.tobytes(), outputs)).lastrowid
        self.n_added += len(masks)
        if added == self._last + 1:  # else another process wrote in between, and its batches are still to be read
            self._last = added

    def _run(self, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        if self._connection is None:
            raise StoreError("store", "a closed store", "one that `open` was called on")
        try:
            return self._connection.execute(query, values)
        except sqlite3.Error as error:
            hint = "What was evaluated before is in the file; run again to go on."
            raise StoreError("store", f"{self.path}: {error}", "a file that can be read and written", hint) from error

    def _read_new(self) -> None:
        """Read the batches that came into the file since the last look."""
        rows = self._run("SELECT id, replicate, masks, outputs FROM batches WHERE id > ? ORDER BY id", (self._last,))
        batches = rows.fetchall()
        if not batches:
            return
        self._last = batches[-1][0]
        first = [(masks, outputs) for _, replicate, masks, outputs in batches if replicate == 0]
        if not first:
            return
        packed = np.frombuffer(b"".join(masks for masks, _ in first), dtype=np.uint8)
        masks = PackedMasks(packed.reshape(-1, -(-self._n_players // 8)), self._n_players)
        values = _numbers(b"".join(outputs for _, outputs in first)).reshape(len(masks), -1)
        keys = np.concatenate([self._keys, mask_keys(masks.unpack())])
        self._keys, rows_of = np.unique(keys, return_index=True)
        self._values = np.concatenate([self._values, values] if len(self._values) else [values])[rows_of]

    def _check_game(self, description: Mapping[str, str]) -> None:
        fingerprint, stored, n_players = self._run("SELECT fingerprint, description, n_players FROM game").fetchone()
        wanted = _fingerprint(description)
        if fingerprint != wanted or n_players != self._n_players:
            theirs = {**json.loads(stored), "players": str(n_players)}
            ours = {**description, "players": str(self._n_players)}
            raise StoreError(
                "store",
                f"{self.path}, which holds evaluations of game {fingerprint}",
                f"a store of game {wanted}",
                f"They differ in {_difference(theirs, ours)}. Give another file for this game.",
            )


def _description(fingerprint: str | Mapping[str, str] | None, game: Any) -> Mapping[str, str]:
    """Return what tells the game from others: what is given, or what the game says of itself."""
    given = getattr(game, "fingerprint", None) if fingerprint is None else fingerprint
    if given is None:
        hint = (
            "Give `store=captum_spex.store.Store(path, fingerprint=...)` with a text that changes when the game does."
        )
        raise StoreError("store", "a game without a fingerprint", "a game with an attribute `fingerprint`", hint)
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    return {"fingerprint": str(given)}


def _fingerprint(description: Mapping[str, str]) -> str:
    content = json.dumps(dict(description), sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _difference(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    return "; ".join(f"{key}: {_short(theirs.get(key))} there, {_short(ours.get(key))} here" for key in keys)


def _short(text: str | None) -> str:
    if text is None:
        return "nothing"
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _create(path: Path, description: Mapping[str, str], n_players: int) -> None:
    """Make the file under another name first, so that no killed process leaves half of it."""
    new = path.with_name(f"{path.name}.{uuid4().hex}.new")
    try:
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.executescript(_SCHEMA)
            row = (_fingerprint(description), json.dumps(dict(description), sort_keys=True), n_players)
            connection.execute("INSERT INTO game VALUES (?, ?, ?)", row)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        os.link(new, path)
    except FileExistsError:
        pass  # another process was quicker; its game is checked next
    except (OSError, sqlite3.Error) as error:
        raise StoreError("store", f"{path} ({error})", "a path where a file can be made, on a local disk") from error
    finally:
        new.unlink(missing_ok=True)


def _check_header(path: Path) -> None:
    """Refuse a file that is no store, or no whole one, before a database would touch it."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
        size, waiting = path.stat().st_size, _size(path.with_name(path.name + "-wal"))
    except OSError as error:
        raise StoreError("store", f"{path} ({error})", "a file that can be read and written") from error
    allowed = "a store that captum_spex made, or the name of a new file"
    if len(header) == 100 and (header[:16] != _MAGIC or _number(header, 68) != _APPLICATION):
        raise StoreError("store", f"{path}, a file of another kind", allowed, "The file was not touched.")
    page = int.from_bytes(header[16:18], "big")
    whole = _number(header, 28) * (65536 if page == 1 else page)
    if len(header) < 100 or (size < whole and not waiting):  # a waiting log completes the file
        came = f"{path}, of which only {size} bytes are there"
        raise StoreError("store", came, allowed, "The file was not touched.")
    if _number(header, 60) != _FORMAT:
        raise StoreError("store", f"{path} in format {_number(header, 60)}", f"format {_FORMAT}", "Give a new file.")


def _connected(path: Path) -> sqlite3.Connection:
    connection = None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", _PATIENCE, isolation_level=None, uri=True)
        if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the file is damaged")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")  # fails now if the file cannot be written
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise StoreError("store", f"{path} ({error})", "a whole store that can be read and written") from error
    return connection


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _numbers(octets: bytes) -> Floats:
    return np.frombuffer(octets, dtype="<f8").astype(np.float64)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

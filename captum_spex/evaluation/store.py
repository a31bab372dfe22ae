"""Evaluated masks on disk: a run that was stopped resumes without repeating an evaluation."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from captum_spex.arrays import Floats, Ints, type_of
from captum_spex.errors import StoreError
from captum_spex.evaluation.game_adapter import fingerprint_of
from captum_spex.masks import Keys, PackedMasks, mask_keys

_APPLICATION = 0x53504558  # "SPEX", in the header of the file
_FORMAT = 1
_MAGIC = b"SQLite format 3\x00"
_WAIT_SECONDS = 60.0  # for another process that writes
_SHOWN = 60  # characters of a fingerprint in a message
_SCHEMA = f"""
    PRAGMA application_id = {_APPLICATION};
    PRAGMA user_version = {_FORMAT};
    CREATE TABLE game (
        fingerprint TEXT NOT NULL, description TEXT NOT NULL, n_players INTEGER NOT NULL, n_outputs INTEGER, layout TEXT
    );
    CREATE TABLE evaluations (
        id INTEGER PRIMARY KEY, replicate INTEGER NOT NULL, mask BLOB NOT NULL, outputs BLOB NOT NULL
    );
"""
"""One row per evaluation: a packed mask, how often it was evaluated before, its outputs as little-endian float64."""


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
        is_shared: whether another process has added to it since it was opened.

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
            raise StoreError("store", type_of(path), "a path or a `captum_spex.evaluation.Store`")
        self.path = Path(path)
        self.fingerprint = fingerprint
        self.n_found = 0
        self.n_added = 0
        self.is_shared = False
        self._connection: sqlite3.Connection | None = None

    def open(self, game: Any, n_players: int) -> Store:
        """Open or create the file for a game; use it as a context manager, which closes it."""
        description = _description(self.fingerprint, game)
        self.n_found = self.n_added = self._last = 0
        self.is_shared = False
        self._n_players = n_players
        self._keys: Keys = np.zeros(0, dtype=np.uint64)  # sorted; what the file held when it was last read
        self._values: Floats = np.zeros((0, 0))
        self._replicates: dict[tuple[int, int], Floats] = {}
        if not os.path.lexists(self.path):
            _create(self.path, description, n_players)
        _check_header(self.path)
        _tidy(self.path)
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

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def n_outputs(self) -> int | None:
        """Number of outputs of the game, if the file knows it."""
        n_outputs: int | None = self._run("SELECT n_outputs FROM game").fetchone()[0]
        return n_outputs

    @property
    def layout(self) -> str | None:
        """What the game said of the layout of its outputs, if it did."""
        layout: str | None = self._run("SELECT layout FROM game").fetchone()[0]
        return layout

    def find(self, keys: Keys, replicates: Ints | None = None) -> tuple[NDArray[np.bool_], Floats]:
        """Return which evaluations the file holds, and the values of those.

        What this run added itself is not looked up: who evaluates a mask keeps its value.

        Args:
            keys: the masks, by their `mask_keys`.
            replicates: for each which evaluation of the mask is meant: 1 is the first that repeats one. Default: the
                first of all.
        """
        self._read_new()
        if replicates is not None:
            outputs = [self._replicates.get(one) for one in zip(keys.tolist(), replicates.tolist(), strict=True)]
            found = np.asarray([values is not None for values in outputs], dtype=np.bool_)
            self.n_found += int(found.sum())
            return found, np.array([values for values in outputs if values is not None])
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.bool_), np.zeros((0, 0))
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[place] == keys
        self.n_found += int(found.sum())
        return found, self._values[place[found]]

    def add(
        self, masks: PackedMasks, values: Floats, replicates: Ints | None = None, layout: str | None = None
    ) -> None:
        """Write evaluated masks with their values ``(n_masks, n_outputs)``; they are on disk when this returns."""
        outputs = np.ascontiguousarray(values, dtype="<f8")
        counts = [0] * len(masks) if replicates is None else replicates.tolist()
        rows = [
            (count, mask.tobytes(), row.tobytes())
            for count, mask, row in zip(counts, masks.packed, outputs, strict=True)
        ]
        self._run("BEGIN IMMEDIATE")
        before = self._run("SELECT coalesce(max(id), 0) FROM evaluations").fetchone()[0]
        query = "UPDATE game SET n_outputs = ?, layout = ? WHERE n_outputs IS NULL"
        self._run(query, (values.shape[1], layout))
        self._run("INSERT INTO evaluations (replicate, mask, outputs) VALUES (?, ?, ?)", rows)
        self._run("COMMIT")
        self.n_added += len(masks)
        if before == self._last:  # else another process wrote in between, and what it wrote is still to be read
            self._last += len(rows)

    def choice(self, name: str) -> bool | None:
        """Return what an earlier run, or another process, chose about a name; ``None`` if nothing was."""
        self._run("CREATE TABLE IF NOT EXISTS choices (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
        found = self._run("SELECT value FROM choices WHERE name = ?", (name,)).fetchone()
        return None if found is None else bool(found[0])

    def choose(self, name: str, value: bool) -> bool:
        """Write a choice, and return the one that holds: the first that any process wrote."""
        known = self.choice(name)
        if known is None:
            self._run("INSERT OR IGNORE INTO choices (name, value) VALUES (?, ?)", (name, int(value)))
        return bool(self.choice(name))

    def _run(self, query: str, values: tuple[Any, ...] | list[tuple[Any, ...]] = ()) -> sqlite3.Cursor:
        if self._connection is None:
            raise StoreError("store", "a closed store", "an open one")
        try:
            many = isinstance(values, list)
            return self._connection.executemany(query, values) if many else self._connection.execute(query, values)
        except sqlite3.Error as error:
            hint = "What was evaluated before is in the file: run again to resume."
            raise StoreError("store", f"{self.path}: {error}", "a file that can be read and written", hint) from error

    def _read_new(self) -> None:
        """Read what was added to the file since it was last read."""
        query = "SELECT id, replicate, mask, outputs FROM evaluations WHERE id > ? ORDER BY id"
        rows = self._run(query, (self._last,)).fetchall()
        if not rows:
            return
        self.is_shared = self.n_added > 0 or self._last > 0 or self.is_shared
        self._last = rows[-1][0]
        ids, replicates, masks, outputs = zip(*rows, strict=True)
        packed = np.frombuffer(b"".join(masks), dtype=np.uint8).reshape(len(ids), -1)
        keys = mask_keys(PackedMasks(packed, self._n_players).unpack())
        values = np.frombuffer(b"".join(outputs), dtype="<f8").astype(np.float64).reshape(len(ids), -1)
        first = np.asarray(replicates) == 0
        for row in np.flatnonzero(~first):
            self._replicates.setdefault((int(keys[row]), replicates[row]), values[row])
        known = [self._values] if len(self._values) else []
        all_keys = np.concatenate([self._keys, keys[first]])
        self._keys, rows_of = np.unique(all_keys, return_index=True)
        self._values = np.concatenate([*known, values[first]])[rows_of]

    def _check_game(self, description: Mapping[str, str]) -> None:
        fingerprint, stored, n_players = self._run("SELECT fingerprint, description, n_players FROM game").fetchone()
        wanted = _fingerprint(description)
        if fingerprint != wanted or n_players != self._n_players:
            theirs = {**json.loads(stored), "players": str(n_players)}
            ours = {**description, "players": str(self._n_players)}
            got = f"{self.path}, which holds evaluations of game {fingerprint}"
            hint = f"They differ in {_difference(theirs, ours)}. Give another file for this game."
            raise StoreError("store", got, f"a store of game {wanted}", hint)


def _description(fingerprint: str | Mapping[str, str] | None, game: Any) -> Mapping[str, str]:
    """Return what tells the game from others: what is given, or what the game says of itself."""
    given = fingerprint_of(game) if fingerprint is None else fingerprint
    if given is None:
        hint = (
            "Give `store=captum_spex.evaluation.Store(path, fingerprint=...)` with a text that changes with the game."
        )
        raise StoreError("store", "a game without one", "a game with an attribute `fingerprint`", hint)
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    if not isinstance(given, str):
        raise StoreError("store", f"{type_of(given)} as the game's fingerprint", "a text or a mapping of texts")
    return {"fingerprint": given}


def _fingerprint(description: Mapping[str, str]) -> str:
    content = json.dumps(dict(description), sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _difference(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    return "; ".join(f"{key}: {_short(theirs.get(key))} in the store, {_short(ours.get(key))} here" for key in keys)


def _short(text: str | None) -> str:
    if text is None:
        return "nothing"
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _create(path: Path, description: Mapping[str, str], n_players: int) -> None:
    """Make the file under another name first, so that no killed process leaves half of it."""
    new = path.with_name(f".{_short_name(path)}-{uuid4().hex}.new")
    try:
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.executescript(_SCHEMA)
            row = (_fingerprint(description), json.dumps(dict(description), sort_keys=True), n_players)
            connection.execute("INSERT INTO game (fingerprint, description, n_players) VALUES (?, ?, ?)", row)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        _publish(new, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError("store", f"{path} ({error})", "a path where a file can be made, on a local disk") from error
    finally:
        with suppress(OSError):
            new.unlink()


def _tidy(path: Path) -> None:
    """Remove what a process left behind that was killed while it made the file."""
    for leftover in path.parent.glob(f".{_short_name(path)}-*.new*"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _WAIT_SECONDS:
                leftover.unlink()


def _short_name(path: Path) -> str:
    return hashlib.blake2b(path.name.encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _publish(new: Path, path: Path) -> None:
    """Give a file its name, unless another process was quicker, whose game is checked next."""
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not os.path.lexists(path):
            new.rename(path)


def _check_header(path: Path) -> None:
    """Refuse a file that is not a store, or not a complete one, before a database would touch it."""
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
    complete_size = _number(header, 28) * (65536 if page == 1 else page)
    if len(header) < 100 or (size < complete_size and not waiting):  # a waiting log completes the file
        raise StoreError("store", f"{path}, truncated to {size} bytes", allowed, "The file was not touched.")
    if _number(header, 60) != _FORMAT:
        raise StoreError("store", f"{path} in format {_number(header, 60)}", f"format {_FORMAT}", "Give a new file.")


def _connected(path: Path) -> sqlite3.Connection:
    connection = None
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, timeout=_WAIT_SECONDS, isolation_level=None, uri=True)
        if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the file is damaged")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE game SET n_players = n_players")  # fails now if the file cannot be written
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise StoreError("store", f"{path} ({error})", "an undamaged store that can be read and written") from error
    return connection


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

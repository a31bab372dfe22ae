"""The only place where a game is called: distinct masks, batches, budget, store, progress, checks."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from captum_spex import checks
from captum_spex.arrays import Floats
from captum_spex.errors import ArgumentError, BudgetError, GameError, UnknownNameError
from captum_spex.evaluation.batches import Evaluated, Failure, as_numbers
from captum_spex.evaluation.processes import Processes
from captum_spex.evaluation.store import Store
from captum_spex.game import Game
from captum_spex.masks import Keys, MaskBlocks, Masks, PackedMasks, as_masks, find_rows, first_rows, mask_keys

DEFAULT_BATCH_SIZE = 1024
_SHOWN_PLAYERS = 20
_BATCH_BYTES = 1 << 26  # most bytes of packed masks in a batch


class Evaluator:
    """Calls a game on masks, each distinct mask once, and never more often than the budget allows.

    Args:
        game: the value function.
        n_players: width of the masks.
        budget: largest number of distinct masks that may be evaluated.
        batch_size: masks per call of the game; default: the batches that the game's method ``plan_batches`` returns,
            else 1,024.
        show_progress: show a progress bar on standard error, until `close` is called.
        store: an open store, which is asked first and told every batch before the next is evaluated.
        backend: where the game is called: None, in this process, or ``"joblib"``, in processes as joblib is configured
            (by `joblib.parallel_config`; default: one for each processor of this machine).

    Example:
        >>> evaluator = Evaluator(lambda masks: masks.sum(axis=1), n_players=2, budget=4)
        >>> evaluator(np.array([[True, True], [True, True], [False, True]])).ravel(), evaluator.n_evaluations
        (array([2., 2., 1.]), 2)
    """

    def __init__(
        self,
        game: Game,
        n_players: int,
        *,
        budget: int,
        batch_size: int | None = None,
        show_progress: bool = False,
        store: Store | None = None,
        backend: Literal["joblib"] | None = None,
    ) -> None:
        if not callable(game):
            raise ArgumentError("game", f"a {type(game).__name__}", "a callable from masks to values")
        check_backend(backend, game)
        if batch_size is not None and hasattr(game, "in_batches_of"):  # of its own workers
            game, batch_size = game.in_batches_of(batch_size), None
        self._game = game
        self._n_players = n_players
        self._budget = budget
        self._plan = getattr(game, "plan_batches", None) if batch_size is None else None
        self._answer_each: Callable[[Any], Any] | None = getattr(game, "answer_each", None)
        self._batch_size = checks.integer("batch_size", DEFAULT_BATCH_SIZE if batch_size is None else batch_size)
        self._is_size_given = batch_size is not None
        # Even a bar that is switched off takes a lock that forked processes share: one of them killed there stops all.
        self._bar = tqdm(total=0, desc="evaluations", unit="eval") if show_progress else None
        self._store = store
        self._layout(None if store is None else store.layout)
        self._processes = None if backend is None else Processes(game)
        self._chunks: list[tuple[Keys, Floats]] = []  # joined when they are read: a game may have many batches
        self._n_evaluations = 0
        self._again: dict[int, int] = {}  # how often masks were evaluated again, by their keys
        self._has_outputs = False

    def close(self) -> None:
        """End the progress bar."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def n_evaluations(self) -> int:
        """Number of distinct masks evaluated so far."""
        return self._n_evaluations

    @property
    def has_outputs(self) -> bool:
        """Whether the game returns a row of several outputs per mask."""
        return self._has_outputs

    def __call__(self, masks: ArrayLike | MaskBlocks) -> Floats:
        """Return the values of the masks, float64 ``(n_masks, n_outputs)``.

        Masks that come as `MaskBlocks` are laid out batch by batch; a game that has a method ``evaluate_packed``
        receives them as `PackedMasks`, any other as bool arrays.

        Raises:
            MaskError: if the masks have another width than the game.
            BudgetError: if more new masks are asked for than the budget has left.
            GameError: if the game returns the wrong length, NaN or infinity, or changes its number of outputs.
        """
        source = _ArrayBlocks(as_masks(masks, self._n_players)) if not isinstance(masks, MaskBlocks) else masks
        keys = source.keys()
        distinct, inverse = first_rows(keys)
        new = distinct[find_rows(keys[distinct], self._known()[0]) < 0]
        left = self._budget - self.n_evaluations
        if len(new) > left:
            raise BudgetError("masks", f"{len(new)} new masks", f"{left}, what the budget of {self._budget} leaves")
        self._evaluate(source, new, keys)
        known_keys, values = self._known()
        return values[find_rows(keys[distinct], known_keys)][inverse]

    def again(self, masks: Masks) -> Floats:
        """Return the values of another evaluation of masks; each counts, and what was known of them stays.

        Raises:
            BudgetError: if the budget has fewer evaluations left.
        """
        left = self._budget - self.n_evaluations
        if len(masks) > left:
            raise BudgetError("masks", f"{len(masks)} masks", f"{left}, what the budget of {self._budget} leaves")
        self._expect(len(masks))
        keys, source = mask_keys(masks), _ArrayBlocks(masks)
        batches = list(self._batches(source, np.arange(len(masks))))
        counts = self._counted_again(np.concatenate(batches), keys)
        values: list[Floats | None] = [None] * len(masks)
        if self._store is not None:
            values = [self._store.find_replicate(*of) for of in zip(keys.tolist(), counts.tolist(), strict=True)]
        is_missing = np.asarray([outputs is None for outputs in values])
        self._count(int((~is_missing).sum()))
        missing = [rows[is_missing[rows]] for rows in batches if is_missing[rows].any()]
        with closing(self._fresh(source, missing)) as evaluated:
            for rows, fresh in evaluated:
                if self._store is not None:
                    self._store.add(PackedMasks.of(masks[rows]), fresh, counts[rows], self._layout())
                self._count(len(rows))
                for row, outputs in zip(rows.tolist(), fresh, strict=True):
                    values[row] = outputs
        return np.stack([outputs for outputs in values if outputs is not None])

    def _counted_again(self, rows: NDArray[np.intp], keys: Keys) -> NDArray[np.int64]:
        """Count how often every mask is evaluated again, this time included; the store knows its values by that."""
        counts = np.zeros(len(keys), dtype=np.int64)
        for row in rows.tolist():
            key = int(keys[row])
            self._again[key] = self._again.get(key, 0) + 1
            counts[row] = self._again[key]  # a mask may come twice
        return counts

    def _stored_outputs(self) -> int | None:
        return None if self._store is None else self._store.n_outputs

    def _known(self) -> tuple[Keys, Floats]:
        """Join what was evaluated so far."""
        if not self._chunks:
            return np.zeros(0, dtype=np.uint64), np.zeros((0, 0))
        keys, values = zip(*self._chunks, strict=True)
        self._chunks = [(np.concatenate(keys), np.concatenate(values))]
        return self._chunks[0]

    def _expect(self, n_more: int) -> None:
        if self._bar is not None:
            self._bar.total += n_more
            self._bar.refresh()

    def _evaluate(self, source: MaskBlocks | _ArrayBlocks, rows: NDArray[np.intp], keys: Keys) -> None:
        self._expect(len(rows))
        way = self._streamed if self._answer_each is not None else self._batched
        way = way if self._processes is None else self._spread
        with closing(way(source, rows, keys)) as evaluated:  # a failure ends what is under way
            for chosen, values in evaluated:
                self._chunks.append((keys[chosen], values))
                self._count(len(chosen))

    def _batched(
        self, source: MaskBlocks | _ArrayBlocks, rows: NDArray[np.intp], keys: Keys
    ) -> Generator[tuple[NDArray[np.intp], Floats]]:
        pending = list(self._batches(source, rows))[::-1]
        order = np.random.default_rng(os.getpid())  # of the evaluations only: no value depends on it
        while pending:
            shared = self._store is not None and self._store.is_shared
            chosen = pending.pop(int(order.integers(len(pending))) if shared else -1)  # not what the others do now
            yield chosen, self._batch_values(source, chosen, keys[chosen])

    def _spread(
        self, source: MaskBlocks | _ArrayBlocks, rows: NDArray[np.intp], keys: Keys
    ) -> Generator[tuple[NDArray[np.intp], Floats]]:
        """Let processes evaluate the batches; the store is told each as soon as it is done."""
        pending = []
        for batch in self._batches(source, rows):
            found, stored, missing = self._looked_up(batch, keys)
            if len(found):
                yield found, stored
            if len(missing):
                pending.append(missing)
        for chosen, values in self._fresh(source, pending):
            if self._store is not None:
                self._store.add(_packed(source.block(chosen)), values, layout=self._layout())
            yield chosen, values

    def _fresh(
        self, source: MaskBlocks | _ArrayBlocks, batches: list[NDArray[np.intp]]
    ) -> Generator[tuple[NDArray[np.intp], Floats]]:
        """Evaluate batches whatever is known of them, here or in processes; these answer in any order."""
        if self._processes is None:
            yield from ((rows, self._call(source.block(rows))) for rows in batches)
            return
        with closing(self._processes.answers(source.block(rows) for rows in batches)) as answers:
            for place, answer in answers:
                yield batches[place], self._received(answer, source.block(batches[place]))

    def _received(self, answer: Evaluated | Failure, batch: Masks | PackedMasks) -> Floats:
        if isinstance(answer, Failure):
            with self._failures_explained(len(batch)):
                raise answer.error()
        self._layout(answer.layout)
        return self._checked(answer.values, batch)

    def _looked_up(self, rows: NDArray[np.intp], keys: Keys) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
        """Return which rows the store holds, their values, and the other rows."""
        if self._store is None:
            return rows[:0], np.zeros((0, 0)), rows
        found, stored = self._store.find(keys[rows])
        if found.any():
            self._has_outputs = stored.shape[1] > 1
        return rows[found], stored, rows[~found]

    def _streamed(
        self, source: MaskBlocks | _ArrayBlocks, rows: NDArray[np.intp], keys: Keys
    ) -> Generator[tuple[NDArray[np.intp], Floats]]:
        """Take every answer as soon as the game has it; the store is told it before the next is taken."""
        for block in self._blocks(rows):
            found, stored, missing = self._looked_up(block, keys)
            if len(found):
                yield found, stored
            masks = source.block(missing)
            if not getattr(self._game, "takes_packed", False):
                masks = _unpacked(masks)
            for places, raw in self._answers(masks) if len(masks) else ():
                some = masks.block(places) if isinstance(masks, PackedMasks) else masks[places]
                values = self._checked(raw, some)
                if self._store is not None:
                    self._store.add(_packed(some), values, layout=self._layout())
                yield missing[places], values

    def _answers(self, masks: Masks | PackedMasks) -> Iterator[tuple[NDArray[np.intp], Any]]:
        """The game's answers, each mask once: rows and their values."""
        answered = np.zeros(len(masks), dtype=np.bool_)
        with self._failures_explained(len(masks)):
            for answer, raw in self._answer_each(masks):  # type: ignore[misc]  # `_evaluate` looked
                is_batch = np.ndim(answer) > 0
                places = np.atleast_1d(np.asarray(answer, dtype=np.intp))
                for place in places.tolist():
                    if not 0 <= place < len(masks):
                        raise GameError(f"`game.answer_each`: answered row {place} of {len(masks)}.")
                    if answered[place]:
                        raise GameError(f"`game.answer_each`: answered row {place} twice.")
                    answered[place] = True
                yield places, raw if is_batch else [raw]
        if not answered.all():
            raise GameError(f"`game.answer_each`: gave no answer for {int((~answered).sum())} of {len(masks)} masks.")

    def _count(self, n_evaluations: int) -> None:
        self._n_evaluations += n_evaluations
        if self._bar is not None:
            self._bar.update(n_evaluations)

    def _batches(self, source: MaskBlocks | _ArrayBlocks, rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """Split rows into the calls of the game, whatever of them is stored: so a resumed run repeats its batches."""
        if self._plan is None:
            yield from self._blocks(rows, self._size_for(len(rows)))
            return
        for block in self._blocks(rows):
            batches = _checked_plan(self._plan(_unpacked(source.block(block))), len(block))
            yield from (block[batch] for batch in batches)

    def _size_for(self, n_rows: int) -> int:
        if self._processes is None or self._is_size_given:
            return self._batch_size
        return self._processes.batch_size(n_rows, self._batch_size)

    def _blocks(self, rows: NDArray[np.intp], size: int | None = None) -> Iterator[NDArray[np.intp]]:
        """Split rows into blocks whose masks fit into memory."""
        largest = max(1, _BATCH_BYTES // max(1, self._n_players // 8))
        size = largest if size is None else min(size, largest)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))

    def _batch_values(self, source: MaskBlocks | _ArrayBlocks, rows: NDArray[np.intp], keys: Keys) -> Floats:
        if self._store is None:
            return self._call(source.block(rows))
        found, stored = self._store.find(keys)
        if found.all():
            self._has_outputs = stored.shape[1] > 1
            return stored
        missing = source.block(rows[~found])
        fresh = self._call(missing)
        self._store.add(_packed(missing), fresh, layout=self._layout())
        if not found.any():
            return fresh
        values = np.empty((len(rows), fresh.shape[1]))
        values[found], values[~found] = stored, fresh
        return values

    def _layout(self, known: str | None = None) -> str | None:
        """Tell the game what is known of the layout of its outputs, and return what it knows."""
        if known is not None and hasattr(self._game, "output_layout"):
            self._game.output_layout = known
        return getattr(self._game, "output_layout", None)

    def _call(self, batch: Masks | PackedMasks) -> Floats:
        with self._failures_explained(len(batch)):
            raw = self._game_values(batch)
        return self._checked(raw, batch)

    def _checked(self, raw: Any, batch: Masks | PackedMasks) -> Floats:
        values = as_numbers(raw)
        self._check(values, batch)
        return values.reshape(len(batch), -1)

    @contextmanager
    def _failures_explained(self, n_masks: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            error.add_note(
                f"captum_spex: the game failed on a batch of {n_masks} masks, "
                f"after {self.n_evaluations} of at most {self._budget} evaluations."
            )
            raise

    def _game_values(self, batch: Masks | PackedMasks) -> ArrayLike:
        if not isinstance(batch, PackedMasks):
            return self._game(batch)
        evaluate_packed = getattr(self._game, "evaluate_packed", None)
        return self._game(batch.unpack()) if evaluate_packed is None else evaluate_packed(batch)

    def _check(self, values: Floats, batch: Masks | PackedMasks) -> None:
        if values.ndim not in (1, 2) or len(values) != len(batch) or values.size == 0:
            raise GameError(
                f"`game`: expected values of shape ({len(batch)},) or ({len(batch)}, n_outputs), "
                f"got {values.shape} for {len(batch)} masks."
            )
        n_outputs = values.size // len(batch)
        before = self._chunks[0][1].shape[1] if self._chunks else self._stored_outputs() or n_outputs
        if n_outputs != before:
            raise GameError(
                f"`game`: returned {n_outputs} outputs per mask after {before} in the batches before; "
                "a game must keep its number of outputs."
            )
        self._has_outputs = n_outputs > 1
        finite = np.isfinite(values).reshape(len(batch), -1).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            wrong = values[row] if values.ndim == 1 else values[row][~np.isfinite(values[row])][0]
            raise GameError(
                f"`game`: returned {wrong} for the mask with {describe_mask(_row(batch, row))}; values must be finite. "
                f"{self.n_evaluations} evaluations were done before this batch."
            )


def _checked_plan(plan: Any, n_rows: int) -> list[NDArray[np.intp]]:
    """Return a game's plan if it holds every row once; empty batches are left out."""
    try:
        batches = [batch for batch in map(np.asarray, plan) if batch.size]
        rows = np.concatenate(batches)
        whole = rows.dtype.kind in "iu" and np.array_equal(np.sort(rows), np.arange(n_rows))
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise GameError("`game.plan_batches`: must return arrays of row numbers that hold every row once.")
    return batches


def _unpacked(batch: Masks | PackedMasks) -> Masks:
    return batch.unpack() if isinstance(batch, PackedMasks) else batch


def _packed(batch: Masks | PackedMasks) -> PackedMasks:
    return batch if isinstance(batch, PackedMasks) else PackedMasks.of(batch)


@dataclass(frozen=True, eq=False)
class _ArrayBlocks:
    """Masks that are there as an array already."""

    masks: Masks

    def keys(self) -> Keys:
        return mask_keys(self.masks)

    def block(self, rows: NDArray[np.intp]) -> Masks:
        return self.masks[rows]


def _row(batch: Masks | PackedMasks, row: int) -> NDArray[np.bool_]:
    if isinstance(batch, PackedMasks):
        return PackedMasks(batch.packed[row : row + 1], batch.n_players).unpack()[0]
    return batch[row]


def describe_mask(mask: np.ndarray) -> str:
    """Say which players a mask keeps, in words of bounded length."""
    present, absent = np.flatnonzero(mask), np.flatnonzero(~mask)
    if not len(absent):
        return "all players present"
    if not len(present):
        return "no player present"
    word, players = ("present", present) if len(present) <= len(absent) else ("absent", absent)
    more = f" and {len(players) - _SHOWN_PLAYERS} more" if len(players) > _SHOWN_PLAYERS else ""
    return f"players {players[:_SHOWN_PLAYERS].tolist()}{more} {word}"


def check_backend(backend: Any, game: Any = None) -> None:
    """Raise an error if a backend is unknown, or is none for a game that looks after its workers itself."""
    if backend is None:
        return
    if backend != "joblib":
        hint = 'Dask and Ray: `with joblib.parallel_config(backend="dask"): ...`, or `captum_spex.evaluation.RayGame`.'
        raise UnknownNameError("backend", repr(backend), 'None, "joblib"', hint)
    if hasattr(game, "answer_each"):
        came = f"{backend!r} for a {type(game).__name__}, which answers many masks at a time itself"
        raise ArgumentError("backend", came, "None for this game")

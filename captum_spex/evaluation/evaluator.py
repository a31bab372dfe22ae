"""The only place where a game is called: distinct masks, budget, store, progress, checks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing

import numpy as np
from numpy.typing import ArrayLike

from captum_spex.arrays import Floats, Ints, Rows
from captum_spex.errors import BudgetError, GameError
from captum_spex.evaluation.executors import Answer, Backend, executor_of
from captum_spex.evaluation.game_adapter import GameAdapter
from captum_spex.evaluation.independence import Pair, are_alike, check_alone
from captum_spex.evaluation.progress import Progress, progress_of
from captum_spex.evaluation.store import Store
from captum_spex.game import Game
from captum_spex.masks import (
    ChosenRows,
    DenseMasks,
    Keys,
    MaskBlocks,
    Masks,
    describe_mask,
    find_rows,
    first_rows,
    mask_blocks,
)

Keep = Callable[[Rows, Floats], None]


class Evaluator:
    """Calls a game on masks, each distinct mask once, and never more often than the budget allows.

    Args:
        game: the value function.
        n_players: width of the masks.
        budget: largest number of distinct masks that may be evaluated.
        batch_size: masks per call of the game; default: the batches that the game's method ``plan_batches`` returns,
            else 1,024.
        show_progress: show a progress line on standard error, until `close` is called; a text is its title.
        store: an open store, in which masks are looked up before they are evaluated, and to which every batch is
            added before the next is evaluated.
        backend: where the game is called: None, in this process, or ``"joblib"``, in processes as joblib is configured
            (by `joblib.parallel_config`; default: one for each processor of this machine).
        asks_alone: whether two masks of a game that names a ``batch_argument`` are also evaluated alone, once, which
            the budget does not count.

    Example:
        >>> evaluator = Evaluator(lambda masks: masks.sum(axis=1), n_players=2, budget=4)
        >>> evaluator(np.array([[True, True], [True, True], [False, True]])).ravel(), evaluator.n_evaluations
        (array([2., 2., 1.]), 2)
    """

    def __init__(
        self,
        game: Game | GameAdapter,
        n_players: int,
        *,
        budget: int,
        batch_size: int | None = None,
        show_progress: bool | str | Progress = False,
        store: Store | None = None,
        backend: Backend = None,
        asks_alone: bool = True,
    ) -> None:
        self._game = GameAdapter.of(game)
        self._n_players = n_players
        self._budget = budget
        self._store = store
        if store is not None:
            self._game.set_layout(store.layout)  # before a copy of the game goes to workers
        self._executor = executor_of(self._game, batch_size, backend)
        self.progress = progress_of(show_progress)
        self._chunks: list[tuple[Keys, Floats]] = []  # joined when they are read: a game may have many batches
        self._n_evaluations = 0
        self._n_replicates: dict[int, int] = {}  # how often masks were evaluated again, by their keys
        self._n_outputs: int | None = None
        self._paces: list[tuple[float, int]] = []  # seconds for an evaluation, and how many took so long
        self._asks_alone = asks_alone and self._game.batch_argument is not None

    def close(self) -> None:
        """End the progress line."""
        if self.progress is not None:
            self.progress.close()

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def n_evaluations(self) -> int:
        """Number of masks evaluated so far."""
        return self._n_evaluations

    @property
    def seconds_per_evaluation(self) -> float | None:
        """What an evaluation takes: the mean of the faster half, as first calls load things; ``None``: nothing ran."""
        paces, counts = np.array(sorted(self._paces)).reshape(-1, 2).T
        faster = np.cumsum(counts) - counts < counts.sum() / 2
        return float(np.average(paces[faster], weights=counts[faster])) if len(counts) else None

    def extend(self, budget: int) -> None:
        """Allow more evaluations."""
        self._budget = budget

    @property
    def has_outputs(self) -> bool:
        """Whether the game returns a row of several outputs per mask."""
        return (self._n_outputs or 1) > 1

    def __call__(self, masks: ArrayLike | MaskBlocks) -> Floats:
        """Return the values of the masks, float64 ``(n_masks, n_outputs)``.

        Masks that come as `MaskBlocks` are laid out batch by batch; a game that has a method ``evaluate_packed``
        receives them as `PackedMasks`, any other as bool arrays.

        Raises:
            MaskError: if the masks have another width than the game.
            BudgetError: if there are more new masks than the budget allows.
            GameError: if the game returns the wrong length, NaN or infinity, or changes its number of outputs.
        """
        blocks = mask_blocks(masks, self._n_players)
        keys = blocks.keys()
        distinct, inverse = first_rows(keys)
        new = distinct[find_rows(keys[distinct], self._known()[0]) < 0]
        self._reserve(len(new), "new masks")
        batches = list(self._executor.batches(blocks, new))

        def keep(rows: Rows, values: Floats) -> None:
            self._chunks.append((keys[rows], values))

        if self._asks_alone:
            batches = self._compared(blocks, batches, keys, keep)
        self._evaluate(blocks, batches, keys, keep)
        known_keys, values = self._known()
        return values[find_rows(keys[distinct], known_keys)][inverse]

    def again(self, masks: Masks) -> Floats:
        """Return the values of another evaluation of masks; each counts, and their first values stay as they are.

        Raises:
            BudgetError: if there are more masks than the budget allows.
        """
        self._reserve(len(masks), "masks")
        blocks = DenseMasks(masks)
        keys = blocks.keys()
        batches = list(self._executor.batches(blocks, np.arange(len(masks))))
        values: list[Floats] = [np.zeros(0)] * len(masks)

        def keep(rows: Rows, fresh: Floats) -> None:
            for row, outputs in zip(rows.tolist(), fresh, strict=True):
                values[row] = outputs

        self._evaluate(blocks, batches, keys, keep, self._replicates(batches, keys))
        return np.stack(values)

    def repeats(self, masks: Masks, values: Floats) -> bool:
        """Whether two masks that are evaluated once more, beside the budget, have their values again, up to rounding.

        Args:
            masks: evaluated masks, after the full and the empty one, whose values a game may keep.
            values: their values ``(n_masks, n_outputs)``.
        """
        blocks, rows = DenseMasks(masks), np.arange(2, min(4, len(masks)))
        answers = self._answered(blocks, self._executor.batches(blocks, rows))
        return all(are_alike(again, values[some], values, self._game.rounding) for some, again in answers)

    def _replicates(self, batches: list[Rows], keys: Keys) -> Ints:
        """Count how often every mask is evaluated again, this time included; the store knows its values by that."""
        counts = np.zeros(len(keys), dtype=np.int64)
        for row in np.concatenate(batches).tolist():
            key = int(keys[row])
            self._n_replicates[key] = self._n_replicates.get(key, 0) + 1
            counts[row] = self._n_replicates[key]  # a mask may occur twice
        return counts

    def _known(self) -> tuple[Keys, Floats]:
        """Join what was evaluated so far."""
        if not self._chunks:
            return np.zeros(0, dtype=np.uint64), np.zeros((0, 0))
        keys, values = zip(*self._chunks, strict=True)
        self._chunks = [(np.concatenate(keys), np.concatenate(values))]
        return self._chunks[0]

    def _reserve(self, n_masks: int, what: str) -> None:
        """Check that the budget allows so many more evaluations, and let the progress bar expect them."""
        remaining = self._budget - self._n_evaluations
        if n_masks > remaining:
            expected = f"at most {remaining}, the rest of the budget of {self._budget}"
            raise BudgetError("masks", f"{n_masks} {what}", expected)
        if self.progress is not None:
            self.progress.expect(n_masks)

    def _compared(self, masks: MaskBlocks, batches: list[Rows], keys: Keys, keep: Keep) -> list[Rows]:
        """Evaluate the batches of two masks, compare these with what they are alone, and return the other batches."""
        batches = [self._not_stored(batch, keys, keep, None) for batch in batches]
        pair = Pair.among(masks, batches)
        if pair is None:
            return batches
        together = list(self._answered(masks, [batches[number] for number in sorted(pair.batches)]))
        alone = list(self._answered(masks, pair.rows[:, None]))
        check_alone(str(self._game.batch_argument), alone, together, self._game.rounding)
        self._asks_alone = False
        for rows, values in together:
            self._take(masks, rows, values, keep)
        return [batch for number, batch in enumerate(batches) if number not in pair.batches]

    def _evaluate(
        self, masks: MaskBlocks, batches: list[Rows], keys: Keys, keep: Keep, replicates: Ints | None = None
    ) -> None:
        """Keep the values of all batches, from the store or else from the game, in the order in which they arrive."""
        missing = (self._not_stored(batch, keys, keep, replicates) for batch in self._in_turn(batches))
        with closing(self._answered(masks, (rows for rows in missing if len(rows)))) as answers:
            for rows, values in answers:
                self._take(masks, rows, values, keep, replicates)

    def _answered(self, masks: MaskBlocks, batches: Iterable[Rows]) -> Generator[tuple[Rows, Floats]]:
        """Yield rows with their values as the game returns them; a batch is taken when the executor is free for it."""
        asked: list[Rows] = []

        def chosen() -> Iterator[ChosenRows]:
            for rows in batches:
                asked.append(rows)
                yield ChosenRows(masks, rows)

        last = time.perf_counter()
        with closing(self._executor.evaluate(chosen())) as answers:  # a failure ends what is under way
            for answer in answers:
                rows = asked[answer.batch][answer.rows]
                if answer.error is not None:
                    raise self._noted(answer.error, len(asked[answer.batch]))
                now = time.perf_counter()
                self._paces.append(((now - last) / max(1, len(rows)), len(rows)))
                last = now
                yield rows, self._checked(answer, masks, rows)

    def _take(self, masks: MaskBlocks, rows: Rows, values: Floats, keep: Keep, replicates: Ints | None = None) -> None:
        """Store and keep values of the game."""
        if self._store is not None:
            counts = None if replicates is None else replicates[rows]
            self._store.add(masks.block(rows).pack(), values, counts, self._game.layout)
        self._count(values)
        keep(rows, values)

    def _in_turn(self, batches: list[Rows]) -> Iterator[Rows]:
        """Yield batches in order, or at random once other processes share the store: they are to take others."""
        remaining = batches[::-1]
        order = np.random.default_rng(os.getpid())  # no value depends on it
        while remaining:
            is_shared = self._store is not None and self._store.is_shared
            yield remaining.pop(int(order.integers(len(remaining))) if is_shared else -1)

    def _not_stored(self, rows: Rows, keys: Keys, keep: Keep, replicates: Ints | None) -> Rows:
        """Keep the values of rows that the store holds, and return the other rows."""
        if self._store is None:
            return rows
        found, values = self._store.find(keys[rows], None if replicates is None else replicates[rows])
        if found.any():
            self._count(values)
            keep(rows[found], values)
        return rows[~found]

    def _count(self, values: Floats) -> None:
        self._n_outputs = values.shape[1]
        self._n_evaluations += len(values)
        if self.progress is not None:
            self.progress.advance(len(values))

    def _noted(self, error: Exception, n_masks: int) -> Exception:
        error.add_note(
            f"captum_spex: the game failed on a batch of {n_masks} masks, "
            f"after {self._n_evaluations} of at most {self._budget} evaluations."
        )
        return error

    def _checked(self, answer: Answer, masks: MaskBlocks, rows: Rows) -> Floats:
        """Return the values of an answer, ``(n_rows, n_outputs)``, if they fit the masks and are finite."""
        values = answer.values
        if values.ndim not in (1, 2) or len(values) != len(rows) or values.size == 0:
            expected = f"values of shape ({len(rows)},) or ({len(rows)}, n_outputs)"
            raise GameError(f"`game`: expected {expected}, got {values.shape} for {len(rows)} masks.", "game")
        self._game.set_layout(answer.layout)
        values = values.reshape(len(rows), -1)
        before = self._n_outputs or (None if self._store is None else self._store.n_outputs)
        if before not in (None, values.shape[1]):
            expected = f"{before} outputs per mask, as in the batches before"
            raise GameError(f"`game`: expected {expected}, got {values.shape[1]}.", "game")
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            wrong = values[row][~np.isfinite(values[row])][0]
            mask = masks.block(rows[row : row + 1]).unpack()[0]
            raise GameError(
                f"`game`: expected finite values, got {wrong} for the mask with {describe_mask(mask)}. "
                f"{self._n_evaluations} evaluations were done before this batch.",
                "game",
            )
        return values

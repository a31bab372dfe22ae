"""Progress on standard error: one line that says what is done, how much of it, and since when."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tqdm.auto import tqdm

from captum_spex.arrays import scalar
from captum_spex.errors import ArgumentError

T = TypeVar("T")


class Progress(Protocol):
    """What is told of the progress of one explanation."""

    def expect(self, count: int) -> None:
        """Expect so many more evaluations."""

    def advance(self, count: int) -> None:
        """Count evaluations that were done."""

    def say(self, what: str) -> None:
        """Say what else is being done, "fitting 3/28"; an empty text: nothing else."""

    def close(self) -> None:
        """End it."""


class ProgressLine:
    """A line that counts steps. It is drawn again every second, so that nothing is silent for longer.

    Args:
        title: what it begins with.
        unit: what is counted.
        total: how many steps there are, as far as it is known.
        delay: seconds before it appears.

    Example:
        >>> line = ProgressLine("evaluating", delay=60)
        >>> line.expect(512)
        >>> line.advance(312)
        >>> line.close()
    """

    interval = 1.0  # seconds between two drawings of an unchanged line
    pause = 0.1  # seconds after which what is being done is drawn again at once

    def __init__(self, title: str, unit: str = "eval", total: int = 0, delay: float = 0.0) -> None:
        self._title, self._unit = title, unit
        self._done, self._total, self._what = 0, total, ""
        self._started, self._delay, self._drawn = 0.0, delay, 0.0
        self._bar: Any = None
        self._lock = threading.RLock()
        self._ended: threading.Event | None = None

    def expect(self, count: int) -> None:
        """Expect so many more steps; the first time, begin."""
        self._total += count
        if self._ended is None:
            self._started, self._ended = time.time(), threading.Event()
            threading.Thread(target=_draw_again, args=(weakref.ref(self), self._ended), daemon=True).start()
        self.draw()

    def advance(self, count: int = 1) -> None:
        """Count steps."""
        with self._lock:
            self._done += count
            if self._bar is None:
                self.draw()
            else:
                self._bar.update(count)

    def say(self, what: str) -> None:
        """Say what is being done behind the counted steps."""
        self._what = what
        if self._ended is not None and time.time() - self._drawn > self.pause:
            self.draw()

    def each(self, items: Sequence[T]) -> Iterator[T]:
        """Yield items, each of which is a step."""
        self.expect(len(items))
        try:
            for item in items:
                yield item
                self.advance()
        finally:
            self.close()

    def close(self) -> None:
        """Draw it a last time."""
        if self._ended is not None:
            self._ended.set()
        with self._lock:
            self._what = ""
            if self._bar is not None:
                self.draw()
                self._bar.close()
            self._bar, self._delay = None, float("inf")

    def draw(self) -> None:
        """Draw it as it is now, unless it is too early."""
        with self._lock:
            self._drawn = time.time()
            if self._bar is None:
                if self._drawn - self._started < self._delay:
                    return
                self._bar = tqdm(total=self._total, desc=self._title, unit=self._unit, dynamic_ncols=True)
                self._bar.start_t = self._started
                self._bar.update(self._done)
            self._bar.total = self._total
            self._bar.set_postfix_str(self._what, refresh=False)
            self._bar.refresh()


@dataclass
class PartOfLine:
    """The progress of one of the explanations that a line counts: "evaluating 312/512" behind its steps."""

    line: ProgressLine
    done: int = 0
    total: int = 0

    def expect(self, count: int) -> None:
        """See `Progress`; so are the others."""
        self.total += count
        self.advance(0)

    def advance(self, count: int) -> None:
        """Count evaluations."""
        self.done += count
        self.line.say(f"evaluating {self.done:,}/{self.total:,}")

    def say(self, what: str) -> None:
        """Say it behind the steps of the line."""
        self.line.say(what)

    def close(self) -> None:
        """Leave the line to the next."""
        self.line.say("")


def progress_of(shown: Any, title: str = "evaluating") -> Progress | None:
    """Return what shows progress: nothing, a line with a title, or what was given."""
    plain = scalar(shown)
    if plain is False or plain == "":
        # Even a bar that is switched off takes a lock that forked processes share: one of them killed there stops all.
        return None
    if plain is True or isinstance(plain, str):
        return ProgressLine(title if plain is True else plain)
    if not callable(getattr(shown, "advance", None)):
        raise ArgumentError("show_progress", repr(shown), "True, False, or a title")
    given: Progress = shown
    return given


def _draw_again(line: weakref.ref[ProgressLine], ended: threading.Event) -> None:
    while not ended.wait(ProgressLine.interval):
        shown = line()
        if shown is None:
            return
        shown.draw()
        del shown

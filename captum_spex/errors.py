"""The package's exceptions: every message names the argument, what is expected, what came and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

DOCUMENTATION = "docs/{page}.md"  # in the repository
_PAGES = {  # which page explains an argument; of all others, that of the error's class
    "ablation": "texts",
    "address": "distributed",
    "backend": "distributed",
    "budget": "costs",
    "build_game": "distributed",
    "chat": "explain-an-llm",
    "chat_template_kwargs": "explain-an-llm",
    "components": "components",
    "context": "citations",
    "costs": "best-subsets",
    "explained": "metrics",
    "fill": "images",
    "form": "shap",
    "game": "write-your-own-game",
    "gpus_per_worker": "distributed",
    "index": "indices",
    "interaction_index": "indices",
    "log_probs": "explain-an-llm",
    "masker": "shap",
    "max_budget": "costs",
    "max_cost": "best-subsets",
    "max_evals": "costs",
    "max_order": "indices",
    "max_size": "best-subsets",
    "n_samples": "costs",
    "other": "data-sets",
    "removal": "citations",
    "results": "data-sets",
    "segments": "images",
    "size": "best-subsets",
    "special_tokens": "explain-an-llm",
    "spans": "citations",
    "spectrum": "best-subsets",
    "store": "resume-a-run",
    "system": "explain-an-llm",
    "template": "citations",
    "target_faithfulness": "faithfulness",
    "unit": "texts",
    "untrainable": "training-data",
}


def with_page(error: Exception, page: str) -> Exception:
    """Return the error with a note, below its message, that says which page helps."""
    error.add_note(f"See {DOCUMENTATION.format(page=page)}")
    return error


class _DocumentedError(ValueError):
    """An error that says, in a note below its message, which page helps."""

    page: ClassVar[str] = "index"

    def __init__(self, message: str, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument
        with_page(self, _PAGES.get(argument.partition("[")[0], self.page))


class ArgumentError(_DocumentedError):
    """An argument that cannot be used, found before the first evaluation."""

    def __init__(self, argument: str, got: str, expected: str, hint: str = "") -> None:
        self.argument = argument
        self._parts = (got, expected, hint)
        message = f"`{argument}`: expected {expected}, got {got}."
        super().__init__(f"{message} {hint}" if hint else message, argument)

    def __reduce__(self) -> tuple[type[ArgumentError], tuple[str, ...]]:
        return type(self), (self.argument, *self._parts)  # an error of another process arrives as it was

    def renamed(self, argument: str) -> ArgumentError:
        """Return the same error about an argument that the caller knows by another name."""
        return type(self)(argument, *self._parts)


class BudgetError(ArgumentError):
    """A number of evaluations that cannot be used."""

    page = "costs"


class UnknownNameError(ArgumentError):
    """A name (of an index, a design, ...) that is not one of the allowed ones."""


class UnexpectedArgumentError(ArgumentError, TypeError):
    """A keyword argument that a function does not have."""

    page = "shap"


@contextmanager
def in_words(words: Mapping[str, str]) -> Iterator[None]:
    """Let errors name arguments (``"mask"``, ``"mask[1]"``) as the caller knows them: ``{our name: the caller's}``."""
    try:
        yield
    except ArgumentError as error:
        name, bracket, place = error.argument.partition("[")
        if name not in words:
            raise
        raise error.renamed(f"{words[name]}{bracket}{place}") from None


class OrderError(ArgumentError):
    """An interaction order that is out of range or that a view cannot show."""

    page = "indices"


class MaskError(ArgumentError):
    """Masks, feature masks or players that do not fit the game."""

    page = "write-your-own-game"


class StoreError(ArgumentError):
    """A file of evaluated masks that cannot be used."""

    page = "resume-a-run"


class LibraryError(ImportError):
    """A library that is missing, too old or too new for the part of the package that needs it."""


class GameError(_DocumentedError):
    """A game that returned values which cannot be used (wrong length, NaN, another number of outputs)."""

    page = "write-your-own-game"

"""What is asked of a data frame of any library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from captum_spex.arrays import Ints, Rows
from captum_spex.errors import ArgumentError


class Frame(Protocol):
    """Rows and columns of a data frame.

    Attributes:
        native: the data frame itself.
        names: of the columns, as they are.
        library: its module, such as ``"pandas"``.
    """

    native: Any
    names: list[Any]
    library: str

    def __len__(self) -> int:
        """Return the number of rows."""

    def column(self, place: int) -> Any:
        """Return a column as the library has it."""

    def array(self, place: int) -> NDArray[Any]:
        """Return a column as an array, one of numbers only if that holds all of them exactly."""

    def rows(self, places: Rows) -> Any:
        """Return some rows, as a data frame of the library."""

    def like(self, values: NDArray[Any]) -> Frame:
        """Return rows of an array ``(n_rows, n_columns)`` as such a frame."""

    def pool(self, background: Frame, argument: str, *, keeps_dtypes: bool) -> Pool:
        """Return these rows and those of a background of the same columns in one pool.

        Args:
            background: of the same library.
            argument: its name, for refusals.
            keeps_dtypes: whether these rows' dtypes come first where the two differ, else the background's.
        """


class Pool(Protocol):
    """Rows of one frame and then of another, from which rows are put together cell by cell.

    Attributes:
        codes: for every column a number for each row, the same for the same value.
        has_index: whether rows have labels of their own.
    """

    codes: list[Ints]

    @property
    def has_index(self) -> bool:
        """See above."""

    def take(self, places: Sequence[Rows], own: int) -> Any:
        """Return a data frame whose column ``c`` holds the rows ``places[c]``, with the index of row ``own``."""


def without_dtype(argument: str, name: Any, own: Any, other: Any) -> ArgumentError:
    """Return the error for two columns that no dtype holds."""
    got = f"a column {str(name)!r} of {own} where the background's is {other}, and no dtype that holds both exactly"
    return ArgumentError(argument, got, "the same dtype in the rows and in the background")

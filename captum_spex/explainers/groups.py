"""Players that are several columns, steps, channels or windows of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, scalar, type_of
from captum_spex.errors import ArgumentError
from captum_spex.explainers.masked_inputs import MaskedInputs
from captum_spex.masks import Masks

_EXPECTED = (
    "a dictionary or list of groups of columns, 'one-hot', 'steps', 'channels', `Windows(length)`, or an array of "
    "integers in the shape of a row, the player of each value"
)
_JOIN = " + "
_NAMED = 3  # columns of a group without a name up to which it is named by all of them


@dataclass(frozen=True)
class Windows:
    """Players that are windows of a row along one of its axes.

    Args:
        length: how many steps are one player; the last window may be shorter.
        axis: of a row, without the axis of the rows; 0 is time in rows ``(steps, channels)``.
        per_channel: whether each place along the other axes has windows of its own.

    Example:
        >>> import numpy as np
        >>> from captum_spex.explainers import ProxySpexExplainer, Windows
        >>> series = np.ones((1, 6, 2))  # one row of six steps and two channels
        >>> explainer = ProxySpexExplainer(lambda x: x[:, :3].sum(axis=(1, 2)), 0 * series, groups=Windows(3))
        >>> found = explainer(series)
        >>> found.feature_names, found.values
        (['steps 0 to 2', 'steps 3 to 5'], array([[6., 0.]]))
    """

    length: int = 1
    axis: int = 0
    per_channel: bool = False

    def __post_init__(self) -> None:
        checks.integer("length", self.length)
        checks.integer("axis", self.axis, -10)
        checks.flag("per_channel", self.per_channel)


def _spanned(thing: str, start: int, stop: int) -> str:
    return f"{thing} {start}" if stop - start == 1 else f"{thing}s {start} to {stop - 1}"


@dataclass(frozen=True, eq=False)
class Groups:
    """A player for each value of a row, and a name for each player.

    Attributes:
        player_of: for every position its player, ``(n_positions,)``.
        names: of the players.
        one_hot: for players that are one-hot columns, what each position stands for; else empty.
        are_columns: whether the positions are columns with meanings of their own, not steps of a series.
    """

    player_of: Ints
    names: list[str]
    one_hot: Mapping[int, str] = field(default_factory=dict)
    are_columns: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def shown(self, values: Any) -> NDArray[Any]:
        """Return what a row's players hold, ``(n_players,)``.

        That is a column's value, the category of one-hot columns, all values of other columns in words, and the mean of
        the values of a series or an image.
        """
        flat = np.asarray(values).ravel()
        if not self.are_columns and flat.dtype.kind in "biuf":
            counts = np.bincount(self.player_of, minlength=len(self))
            return np.asarray(np.bincount(self.player_of, flat.astype(np.float64), minlength=len(self)) / counts)
        members = [np.flatnonzero(self.player_of == player) for player in range(len(self))]
        cells = [self._cell(flat, own) for own in members]
        if all(len(own) == 1 for own in members):
            return flat[[int(own[0]) for own in members]]
        shown = np.empty(len(self), dtype=object)
        shown[:] = cells
        return shown

    def _cell(self, flat: NDArray[Any], own: NDArray[np.intp]) -> Any:
        if len(own) == 1:
            return scalar(flat[own[0]])
        if int(own[0]) in self.one_hot:
            return next((self.one_hot[int(column)] for column in own if flat[column]), "none")
        return ", ".join(f"{value:.4g}" if checks.is_number(value) else str(value) for value in flat[own].tolist())


def groups_of(given: Any, shape: tuple[int, ...], names: Sequence[str] | None, rows: Sequence[NDArray[Any]]) -> Groups:
    """Return the groups that an argument ``groups`` stands for.

    Args:
        given: the argument.
        shape: of a row.
        names: of its columns, if there are any.
        rows: tables of rows and background, ``(n, n_columns)``, in which one-hot columns are sought.

    Raises:
        ArgumentError: if it cannot be used for such rows.
    """
    if isinstance(given, Groups):
        return given
    if isinstance(given, str) and given in ("steps", "channels"):
        given = Windows(axis=0 if given == "steps" else -1)
    if isinstance(given, Windows):
        return _of_windows(given, shape)
    if isinstance(given, np.ndarray) or (hasattr(given, "detach") and hasattr(given, "shape")):
        return _labelled(given, shape, names)
    if len(shape) != 1:
        got = f"{type_of(given)} for rows of shape {shape}"
        raise ArgumentError("groups", got, "'steps', 'channels', `Windows(length)`, or an array of the players")
    if isinstance(given, str) and given == "one-hot":
        return _one_hot(names, rows)
    if isinstance(given, Mapping):
        return _with_categories(_of_columns(list(given.values()), list(map(str, given)), shape[0], names), names, rows)
    if isinstance(given, list | tuple):
        return _with_categories(_of_columns(list(given), None, shape[0], names), names, rows)
    raise ArgumentError("groups", repr(given) if isinstance(given, str) else type_of(given), _EXPECTED)


def _of_windows(windows: Windows, shape: tuple[int, ...]) -> Groups:
    """Return the windows of a row of some shape."""
    if not -len(shape) <= windows.axis < len(shape):
        got = f"axis {windows.axis} for rows of shape {shape}"
        raise ArgumentError("groups", got, f"an axis from 0 to {len(shape) - 1}")
    axis = windows.axis % len(shape)
    number = np.arange(shape[axis]) // windows.length
    along = np.broadcast_to(number.reshape(-1, *[1] * (len(shape) - 1 - axis)), shape)
    thing = "step" if axis < len(shape) - 1 or len(shape) == 1 else "channel"
    names = [
        _spanned(thing, start, min(start + windows.length, shape[axis]))
        for start in range(0, shape[axis], windows.length)
    ]
    if not windows.per_channel:
        return Groups(along.ravel(), names)
    others = np.indices(shape)[[k for k in range(len(shape)) if k != axis]].reshape(len(shape) - 1, -1)
    place = np.ravel_multi_index(tuple(others), tuple(np.delete(shape, axis)))
    other_names = [f"channel {k[0]}" if len(k) == 1 else str(tuple(k)) for k in np.unique(others, axis=1).T.tolist()]
    labels = [f"{other}: {name}" for other in other_names for name in names]
    return Groups(place * len(names) + along.ravel(), labels)


def _labelled(given: Any, shape: tuple[int, ...], names: Sequence[str] | None) -> Groups:
    labels = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    n_players = int(labels.max(initial=-1)) + 1 if labels.dtype.kind in "iu" else 0
    if labels.shape != shape or not n_players or labels.min() < 0 or len(np.unique(labels)) != n_players:
        got = f"shape {labels.shape}, {labels.dtype}"
        expected = f"integers of shape {shape}, the player of each value, that number the players 0, 1, ..."
        raise ArgumentError("groups", got, expected)
    if len(shape) == 1:
        return _of_columns([np.flatnonzero(labels == player) for player in range(n_players)], None, shape[0], names)
    return Groups(labels.ravel().astype(np.int64), [f"player {number}" for number in range(n_players)])


def _of_columns(groups: list[Any], own_names: list[str] | None, n_columns: int, names: Sequence[str] | None) -> Groups:
    """Return groups of columns, and a player for every column that is in none."""
    player_of = np.full(n_columns, -1, dtype=np.int64)
    labels: list[str] = []
    for number, group in enumerate(groups):
        columns = _columns(group, n_columns, names)
        if not columns:
            raise ArgumentError("groups", f"{group!r}, which is none", "at least one column in each group")
        taken = [column for column in columns if player_of[column] >= 0 or columns.count(column) > 1]
        if taken:
            got = f"column {_name(taken[0], names)!r} twice"
            raise ArgumentError("groups", got, "each column in one group at most")
        player_of[columns] = number
        labels.append(own_names[number] if own_names is not None else _label(columns, names))
    for column in np.flatnonzero(player_of < 0).tolist():
        player_of[column] = len(labels)
        labels.append(_name(column, names))
    return Groups(player_of, labels, are_columns=True)


def _with_categories(groups: Groups, names: Sequence[str] | None, rows: Sequence[NDArray[Any]]) -> Groups:
    """Return groups that know which of them are one-hot columns, and of what."""
    categories: dict[int, str] = {}
    for player in range(len(groups)):
        own = np.flatnonzero(groups.player_of == player).tolist()
        labels = [] if names is None else [names[column] for column in own]
        prefix = max(
            (prefix for prefix in _prefixes(labels[:1]) if all(x.startswith(prefix) for x in labels)),
            key=len,
            default="",
        )
        if len(own) > 1 and prefix and _is_one_hot(own, rows, exactly=False):
            categories |= {column: label.removeprefix(prefix) for column, label in zip(own, labels, strict=True)}
    return replace(groups, one_hot=categories)


def _label(columns: list[int], names: Sequence[str] | None) -> str:
    shown = [_name(column, names) for column in columns[:_NAMED]]
    more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
    return _JOIN.join(shown) + more


def _name(column: int, names: Sequence[str] | None) -> str:
    return f"Feature {column}" if names is None else names[column]


def _columns(group: Any, n_columns: int, names: Sequence[str] | None) -> list[int]:
    """Return the columns that are given by names, positions or a pattern such as ``"colour_*"``."""
    known = [] if names is None else list(names)
    if isinstance(group, str) and group not in known and "*" in group:
        return [column for column, name in enumerate(known) if fnmatchcase(name, group)]
    single = isinstance(group, str) or np.ndim(group) == 0 or (isinstance(group, tuple) and str(group) in known)
    found = []
    for one in [group] if single else list(group):
        if known.count(str(one)) == 1:
            found.append(known.index(str(one)))
        elif checks.is_integer(one) and -n_columns <= one < n_columns:
            found.append(int(one) % n_columns)
        else:
            columns = f"names of columns, such as {known[:5]}, or " if known else ""
            raise ArgumentError("groups", f"column {one!r}", f"{columns}positions 0 to {n_columns - 1}")
    return found


def _one_hot(names: Sequence[str] | None, rows: Sequence[NDArray[Any]]) -> Groups:
    """Return groups of columns ``prefix_category`` of zeros and ones, at most one of them 1 in a row.

    Raises:
        ArgumentError: if there are no names, or no such columns.
    """
    if names is None:
        raise ArgumentError("groups", "'one-hot' for columns without names", "a data frame, or `feature_names`")
    # Categories may hold underscores, so a shorter prefix comes first, but only if it always has exactly one 1.
    prefixes = sorted(_prefixes(names), key=len)
    found: dict[int, str] = {}
    for exactly in (True, False):
        for prefix in prefixes:
            own = [k for k, name in enumerate(names) if name.startswith(prefix) and k not in found]
            if len(own) > 1 and _is_one_hot(own, rows, exactly=exactly):
                found |= dict.fromkeys(own, prefix)
    if not found:
        expected = "columns `prefix_category` of zeros and ones, at most one of them 1 in a row"
        raise ArgumentError("groups", "'one-hot' for columns none of which are", expected, "Give the groups by name.")
    owners = list(names)
    for column, prefix in found.items():
        owners[column] = prefix[:-1] if prefix[:-1] not in names else f"{prefix}*"
    labels = list(dict.fromkeys(owners))
    number = {label: player for player, label in enumerate(labels)}
    player_of = np.array([number[owner] for owner in owners], dtype=np.int64)
    categories = {column: names[column].removeprefix(prefix) for column, prefix in found.items()}
    return Groups(player_of, labels, categories, are_columns=True)


def _prefixes(names: Sequence[str]) -> list[str]:
    """Return what comes before the underscores in some names, with the underscore."""
    return list(dict.fromkeys(
        name[: place + 1] for name in names for place, letter in enumerate(name) if letter == "_" and place
    ))  # fmt: skip


def _is_one_hot(columns: list[int], rows: Sequence[NDArray[Any]], *, exactly: bool) -> bool:
    for table in rows:
        cells = table[:, columns]
        if not np.isin(cells, (0, 1)).all():
            return False
        sums = cells.astype(np.float64).sum(axis=1)
        if (sums > 1).any() or (exactly and (sums < 1).any()):
            return False
    return True


@dataclass(frozen=True, eq=False)
class GroupedInputs:
    """A row whose players are groups of positions."""

    inputs: MaskedInputs
    groups: Groups

    @property
    def n_positions(self) -> int:
        """How many groups there are."""
        return len(self.groups)

    @property
    def varying(self) -> Ints:
        """The groups with a position that varies."""
        return np.unique(self.groups.player_of[self.inputs.varying])

    @property
    def n_rows(self) -> int:
        """As without groups; so are the others."""
        return self.inputs.n_rows

    @property
    def background_kind(self) -> str | None:
        """As without groups."""
        return self.inputs.background_kind

    @property
    def is_table(self) -> bool:
        """As without groups."""
        return self.inputs.is_table

    @property
    def weights(self) -> Floats | None:
        """As without groups."""
        return self.inputs.weights

    def __call__(self, masks: Masks) -> tuple[tuple[Any, ...], Ints]:
        """Show and hide all positions of a group together."""
        return self.inputs(masks[:, np.searchsorted(self.varying, self.groups.player_of[self.inputs.varying])])

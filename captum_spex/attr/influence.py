"""`ProxySpexInfluence`: training points that matter, and how they interact, as a ``captum.influence.DataInfluence``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from torch import Tensor
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    default_collate,
)

from captum_spex import checks
from captum_spex.approximators import Approximator
from captum_spex.arrays import scalar, type_of
from captum_spex.attr.request import Request
from captum_spex.checks import RandomState
from captum_spex.compat import captum
from captum_spex.errors import ArgumentError, GameError, in_words
from captum_spex.evaluation.fingerprint import digest
from captum_spex.explaining import default_budget
from captum_spex.games.training import OnTest, TrainingGame
from captum_spex.indices import resolve_index
from captum_spex.interactions import Interactions

_TRACINS_WORDS = {"data": "train_dataset", "fit": "model", "X": "inputs", "y": "inputs"}
_SETTINGS = ("seeds", "untrainable", "n_jobs")


class ProxySpexInfluence(captum.DataInfluence):  # type: ignore[misc]
    """Values and interactions of training points, by retraining on subsets, with the interface of Captum's TracIn.

    Args:
        model: an estimator of scikit-learn, or a function of the columns of the training data that trains a model and
            returns it.
        train_dataset: the training data: a tuple of columns such as ``(X, y)``, a dictionary of them, or a ``Dataset``
            or ``DataLoader`` of torch, of tuples or dictionaries, whose values are the columns in their order. A loader
            that shuffles, changes or leaves out rows is refused, as points are known by their numbers.
        value: the number that is explained for each test point: for estimators a value of
            `captum_spex.games.training.OnTest`, default ``"margin"`` for classifiers and ``"prediction"`` for others;
            else a function of the trained model and the test inputs.
        groups: a label for each training point: points with the same label are one player.
        index: ``"SII"``: influences are Shapley values, which weigh all sizes of subsets alike; ``"BII"``: Banzhaf
            values, of uniformly random subsets (about half of the data), which need fewer trainings.
        approximator: the algorithm with its settings; default `captum_spex.approximators.ProxySpex()`.
        n_samples: trainings; default ``max(512, 4 n log2(n))`` for n players.
        random_state: seed of the subsets.
        settings: ``seeds``, ``untrainable``, ``n_jobs`` of `captum_spex.games.training.TrainingGame`.

    Attributes:
        names: the players.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 6.0])
        >>> influence = ProxySpexInfluence(Ridge(alpha=0.1, fit_intercept=False), (X, y))
        >>> influence.influence(np.array([[1.0]]), k=1).indices
        tensor([[2]])
        >>> len(influence.interactions(np.array([[1.0]])))
        1
    """

    def __init__(
        self,
        model: Any,
        train_dataset: Any,
        *,
        value: str | Callable[..., Any] | None = None,
        groups: ArrayLike | None = None,
        index: str = "SII",
        approximator: Approximator | None = None,
        n_samples: int | None = None,
        random_state: RandomState = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.train_dataset = train_dataset
        self._is_estimator = hasattr(model, "fit") and hasattr(model, "get_params") and not isinstance(model, type)
        self._columns = _columns("train_dataset", train_dataset, as_arrays=self._is_estimator)
        self._value = self._checked_value(value)
        self._groups = groups
        index = checks.choice("index", index, ("SII", "BII"))
        self._request = Request(n_samples=n_samples, interaction_index=index, random_state=random_state)
        self._approximator = approximator
        self._settings = dict(settings or {})
        for name in self._settings:
            checks.choice("settings", name, _SETTINGS, error=ArgumentError)
        labels = np.asarray(self._columns[1])[:1] if len(self._columns) > 1 else np.zeros(0)
        one = OnTest([0], labels if len(labels) else [0]) if isinstance(self._value, str) else self._evaluation(())
        self.names = self._game(one, closed_form=False).names  # checks the data before the first training
        self._last: tuple[str, list[Interactions]] | None = None

    def influence(
        self,
        inputs: Any,
        k: int | None = None,
        proponents: bool = True,
        show_progress: bool = False,
    ) -> Any:
        """Return the influence of every training point, or group, on every test point.

        Args:
            inputs: the test points: a tuple of columns ``(X, y)``, or one column where the value needs no labels; or in
                any form of the training data.
            k: how many training points to return for each test point. Default: None, all scores.
            proponents: with ``k``: those with the largest scores, else those with the smallest. Default: True
            show_progress: show a progress bar. Default: False

        Returns:
            A tensor ``(n_test, n_players)``; with ``k`` a ``KMostInfluentialResults`` of ``indices`` and
            ``influence_scores``, both ``(n_test, k)``, the most extreme first.

        Raises:
            ArgumentError: an argument that cannot be used, before anything is trained.
        """
        n_returned = None if k is None else checks.integer("k", k, 1, len(self.names))
        largest = checks.flag("proponents", proponents)
        results = self._explained(inputs, show_progress)
        scores = torch.from_numpy(np.stack([result.first_order() for result in results]))
        if n_returned is None:
            return scores
        found, indices = torch.topk(scores, n_returned, dim=1, largest=largest)
        return captum.KMostInfluentialResults(indices, found)

    def interactions(
        self, inputs: Any, *, index: str | None = None, max_order: int | None = None, show_progress: bool = False
    ) -> list[Interactions]:
        """Return the interactions between training points, one result for each test point.

        For points that raise the value, a positive interaction is synergy (they do more together) and a negative one
        redundancy (one makes up for the other, as duplicates do). Trainings for the last test points are reused.

        Args:
            inputs: the test points, as in `influence`.
            index: an interaction index, see `captum_spex.indices.NAMES`; default: that of the influences.
            max_order: largest order; default 2, or 1 for a single player.
            show_progress: show a progress bar.
        """
        n_players = len(self.names)
        index = self._request.interaction_index if index is None else index
        wanted = resolve_index(index, min(2, n_players) if max_order is None else scalar(max_order), n_players)
        results = self._explained(inputs, show_progress)
        return [
            result
            if (wanted.name, wanted.max_order) == (result.index, result.max_order)
            else result.to(wanted.name, max_order=wanted.max_order)
            for result in results
        ]

    def _explained(self, inputs: Any, show_progress: bool) -> list[Interactions]:
        tests = _columns("inputs", inputs, as_arrays=self._is_estimator)
        key = _key(tests)
        if self._last is not None and key is not None and self._last[0] == key:
            return self._last[1]
        with in_words(_TRACINS_WORDS):
            game = self._game(self._evaluation(tests))
        request = replace(self._request, show_progress=show_progress)
        results = request.explained(game, self._approximator, default_budget(game.n_players))
        self._last = None if key is None else (key, results)
        return results

    def _game(self, evaluate: Callable[[Any], Any], closed_form: bool = True) -> TrainingGame:
        settings = {**self._settings, "closed_form": closed_form}
        with in_words(_TRACINS_WORDS):
            return TrainingGame(self.model, evaluate, self._columns, groups=self._groups, **settings)

    def _evaluation(self, tests: tuple[Any, ...]) -> Callable[[Any], Any]:
        value = self._value
        if isinstance(value, str):
            return OnTest(tests[0], tests[1] if len(tests) > 1 else None, value)  # type: ignore[arg-type]

        def evaluate(model: Any) -> Any:
            numbers = checks.returned_numbers("value", value(model, *tests))
            n_tests = _n_rows(tests[0], numbers.size)
            if numbers.size != n_tests or numbers.ndim > 1:
                raise GameError(f"`value`: returned shape {numbers.shape} for {n_tests} test points.")
            return numbers

        return evaluate

    def _checked_value(self, value: Any) -> str | Callable[..., Any]:
        if value is None and self._is_estimator:
            value = "margin" if hasattr(self.model, "predict_proba") else "correct"
            value = value if is_classifier(self.model) else "prediction"
        if not callable(value) and not (isinstance(value, str) and self._is_estimator):
            allowed = "a function of the trained model and the test inputs"
            raise ArgumentError("value", repr(value), allowed + (", or a name" if self._is_estimator else ""))
        if not isinstance(value, str):
            return value
        if not is_classifier(self.model):
            return checks.choice("value", value, ("prediction", "margin"))
        has_shares = hasattr(self.model, "predict_proba")
        return checks.choice("value", value, ("margin", "probability", "correct") if has_shares else ("correct",))


def _columns(argument: str, data: Any, *, as_arrays: bool) -> tuple[Any, ...]:
    """Return the columns of data, gathered from a torch data set or loader if it is one, of a dictionary its values."""
    if isinstance(data, DataLoader):
        data = _read(argument, data)
    elif isinstance(data, Dataset):
        if not data:
            raise ArgumentError(argument, "no rows", "a data set with at least one row")
        data = default_collate([data[row] for row in range(len(data))])  # type: ignore[arg-type]
    columns = tuple(_parts(data).values())
    if not as_arrays:
        return columns
    return tuple(column.detach().cpu().numpy() if isinstance(column, Tensor) else column for column in columns)


def _parts(data: Any) -> Mapping[Any, Any]:
    """Return the columns of rows, by their names or numbers."""
    if isinstance(data, Mapping):
        return data
    return dict(enumerate(data if isinstance(data, tuple | list) else [data]))


def _read(argument: str, loader: DataLoader[Any]) -> dict[Any, Any]:
    """Return the columns of all rows of a loader, which must be those of its data set, in the same order each time.

    Raises:
        ArgumentError: if it draws, shuffles, changes or leaves out rows, so that they are not those of their numbers.
    """
    expected = "a loader of all rows in their order: `shuffle=False`, `drop_last=False`"
    got = _out_of_order(loader)
    if got:
        raise ArgumentError(argument, got, expected)
    with torch.random.fork_rng(devices=[]):  # loaders draw from the global state, shuffled or not
        columns = _gathered(argument, loader)
        is_stream = isinstance(loader.dataset, IterableDataset)  # which may end with its first reading
        is_same = is_stream or _key(tuple(columns.values())) == _key(tuple(_gathered(argument, loader).values()))
    if not is_same:
        raise ArgumentError(argument, "a loader whose rows change from one reading to the next", expected)
    return columns


def _out_of_order(loader: DataLoader[Any]) -> str:
    """Return in words why the rows of a loader are not those of its data set in their order, as far as it can tell."""
    if isinstance(loader.dataset, IterableDataset):
        return "a loader with `drop_last=True`" if loader.drop_last else ""
    sampler = getattr(loader.batch_sampler, "sampler", loader.sampler)
    if isinstance(sampler, RandomSampler | SubsetRandomSampler | WeightedRandomSampler):
        return f"a loader with `shuffle=True`, {type_of(sampler)}"
    batches = [loader.sampler] if loader.batch_sampler is None else loader.batch_sampler
    rows = [row for batch in batches for row in batch]
    n_rows = len(loader.dataset)  # type: ignore[arg-type]
    if rows == list(range(n_rows)):
        return ""
    n_missing = len(set(range(n_rows)) - set(rows))
    return f"a loader that leaves out {n_missing} of {n_rows} rows" if n_missing else "a loader with another order"


def _gathered(argument: str, loader: DataLoader[Any]) -> dict[Any, Any]:
    batches = [_parts(batch) for batch in loader]
    if not batches:
        raise ArgumentError(argument, "no rows", "a loader with at least one row")
    names = list(batches[0])
    if any(list(batch) != names for batch in batches):
        raise ArgumentError(argument, "batches of different columns", "batches of the same columns")
    return {name: _joined([batch[name] for batch in batches]) for name in names}


def _joined(pieces: list[Any]) -> Any:
    """Return the rows of all batches of a column."""
    if isinstance(pieces[0], Tensor):
        return torch.cat(pieces)
    return np.concatenate(pieces) if isinstance(pieces[0], np.ndarray) else [row for piece in pieces for row in piece]


def _n_rows(column: Any, otherwise: int) -> int:
    """Return the number of rows of a column, or ``otherwise`` for one without a length."""
    if hasattr(column, "shape"):
        return int(column.shape[0])
    return len(column) if hasattr(column, "__len__") else otherwise


def _key(tests: tuple[Any, ...]) -> str | None:
    """Return what identifies test points, or ``None`` if their content cannot be read."""
    try:
        return digest([_content(column) for column in tests])
    except TypeError:
        return None


def _content(column: Any) -> Any:
    """Return the complete content of a column: `digest` samples long tensors and arrays."""
    if isinstance(column, Tensor):
        octets = column.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        return str(column.dtype), tuple(column.shape), octets.numpy().tobytes()
    if hasattr(column, "to_numpy"):  # data frames
        return list(getattr(column, "columns", ())), _content(column.to_numpy())
    if isinstance(column, np.ndarray):
        return column.tolist() if column.dtype.hasobject else (str(column.dtype), column.shape, column.tobytes())
    return [_content(one) for one in column] if isinstance(column, list | tuple) else column

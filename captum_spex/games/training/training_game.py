"""Training, as a game over the training data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from types import BuiltinFunctionType, FunctionType
from typing import Any, Literal

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from torch import Tensor

from captum_spex import checks
from captum_spex.arrays import Floats, Ints, real_numbers, scalar, type_of
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest, game_identity
from captum_spex.games.training.closed_form import ClosedForm, closed_form_of
from captum_spex.games.training.on_test import OnTest
from captum_spex.games.training.training_data import Players, TrainingData, content_of, dense_array, described
from captum_spex.masks import Masks, as_masks, in_batches

Fit = Callable[..., Any]
_SHOWN = 3  # classes in a message
_BATCH_SIZES = {"by training": 64, "in closed form": 1024}  # a store saves every batch


class TrainingGame:
    """The value of a model trained on a part of the data: players are training points, or groups of them.

    Ridge, kernel ridge and nearest neighbours with uniform weights (`sklearn.linear_model.Ridge`,
    `sklearn.kernel_ridge.KernelRidge`, `sklearn.neighbors.KNeighborsClassifier`, ``KNeighborsRegressor``) are
    retrained in closed form, many subsets at once, with the same predictions, except that ties between points at
    exactly the same distance may be broken differently than by scikit-learn.

    Args:
        fit: a scikit-learn estimator, which is cloned for every training, or a function of the columns of ``data`` that
            returns a trained model (of torch, or anything else).
        evaluate: `OnTest`, or a function of the trained model that returns a number, or one for each output.
        data: the training data: a tuple of columns with a row for each point, as ``fit`` takes them: ``(X, y)``.
        groups: a label for each point (its class, source, cluster, ...): points with the same label are one player.
            Default: every point is a player.
        seeds: train once with each seed and average. An estimator gets it as every parameter ``random_state``, a
            function as the argument ``seed``. Default: parameters ``random_state`` that are ``None`` are set to 0, a
            function is called without a seed.
        untrainable: the value of subsets that cannot be trained on: the empty one, and those for which ``fit`` or
            ``evaluate`` raises a ``ValueError`` (one class remaining, fewer points than neighbours) although it does
            not for all the data. A number, or one for each output; ``"prior"``: that of a model that knows only the
            mean of all targets, or the shares of all classes; ``"raise"``: an error. Default: ``"prior"`` for
            estimators with `OnTest`, else ``"raise"``.
        closed_form: whether to retrain in closed form if possible.
        n_jobs: number of processes that train in parallel, as in scikit-learn.
        batch_size: trainings per call, after which a store saves them; default 64, or 1,024 in closed form.

    Attributes:
        n_players, names: the players.

    Raises:
        ArgumentError: for an invalid argument.
        MaskError: if there is not a group for each point.

    Example:
        >>> import captum_spex
        >>> from sklearn.linear_model import Ridge
        >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 6.0])
        >>> game = TrainingGame(Ridge(alpha=0.1, fit_intercept=False), OnTest([[1.0]]), (X, y))
        >>> captum_spex.explain(game, budget=8).first_order().round(2)
        array([-0.73, -0.8 ,  0.16])

    References:
        Ilyas et al., "Datamodels", ICML 2022; Ghorbani, Zou, "Data Shapley", ICML 2019.
    """

    def __init__(
        self,
        fit: Any,
        evaluate: Callable[[Any], Any],
        data: Any,
        *,
        groups: ArrayLike | None = None,
        seeds: Sequence[int] | None = None,
        untrainable: float | Sequence[float] | Literal["prior", "raise"] | None = None,
        closed_form: bool = True,
        n_jobs: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        self._data = TrainingData.of(data)
        self._players = Players.of(groups, self._data.n_points)
        self.names = self._players.names
        self.n_players = len(self.names)
        self._fit = fit
        self._is_estimator = _checked_fit(fit)
        if not callable(evaluate):
            raise ArgumentError("evaluate", type_of(evaluate), "`OnTest`, or a function of the model")
        self._evaluate = evaluate
        self._check_labels()
        self._seeds = _checked_seeds(seeds)
        self._untrainable = self._checked_untrainable(untrainable)
        self._n_jobs = n_jobs
        self._closed_form: ClosedForm | None = None
        if closed_form and self._is_estimator and isinstance(evaluate, OnTest):
            self._closed_form = closed_form_of(fit, self._data.columns, evaluate)
        default = _BATCH_SIZES["by training" if self._closed_form is None else "in closed form"]
        self._batch_size = default if batch_size is None else checks.integer("batch_size", batch_size)
        self._complete_value: Floats | None = None  # of all the data, once it is needed

    @property
    def is_closed_form(self) -> bool:
        """Whether subsets are retrained in closed form."""
        return self._closed_form is not None

    def __call__(self, masks: Masks) -> Floats:
        """Return the values, float64 ``(n_masks,)`` or ``(n_masks, n_outputs)``."""
        points = self._players.points(as_masks(masks, self.n_players))
        if not len(points):
            return np.zeros(0)
        if self._closed_form is None or not isinstance(self._evaluate, OnTest):
            return self._stacked(self._trained(points))
        predictions, is_known = self._closed_form(points)
        values = self._evaluate.values(predictions)
        others = np.flatnonzero(~is_known)
        if len(others):  # empty, too few points, or ill-conditioned
            values[others] = self._stacked(self._trained(points[others]))
        return values

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call."""
        return in_batches(len(masks), self._batch_size)

    def value(self, points: ArrayLike) -> Floats:
        """Return the value of one subset, by training; ``points`` are the row numbers of its training points."""
        return self._value(np.asarray(points, dtype=np.int64))

    @property
    def fingerprint(self) -> dict[str, str] | None:
        """The identity of this game, for a store; ``None`` for functions, and for data without an identity."""
        if not self._is_estimator or not isinstance(self._evaluate, OnTest):
            return None
        try:
            data, value = digest([content_of(column) for column in self._data.columns]), self._evaluate.fingerprint
            settings = _settings_of(self._fit)
        except TypeError:
            return None
        parts = {
            "model": f"{type(self._fit).__name__} {settings}",
            "data": data,
            "groups": digest(self._players.of_point),
            "seeds": repr(self._seeds),
            "untrainable": repr(self._untrainable),
            "value": value,
        }
        return game_identity(self, parts)

    def _trained(self, points: Masks) -> list[Floats]:
        rows = [np.flatnonzero(mask) for mask in points]
        if self._n_jobs in (None, 1):
            return [self._value(one) for one in rows]
        self._value_of_all()  # else every process would train for it
        return list(Parallel(n_jobs=self._n_jobs)(delayed(self._value)(one) for one in rows))

    def _value(self, rows: Ints) -> Floats:
        if not len(rows):
            return self._fallback(rows, None)
        try:
            return self._trained_once(rows)
        except (ArgumentError, GameError):
            raise
        except ValueError as error:
            if len(rows) == self._data.n_points:
                raise
            return self._fallback(rows, error)

    def _trained_once(self, rows: Ints) -> Floats:
        """Return the value of some rows, the mean over the seeds."""
        seeds: Sequence[int | None] = (None,) if self._seeds is None else self._seeds
        values = [checks.returned_numbers("evaluate", self._evaluate(self._model(rows, seed))) for seed in seeds]
        return np.asarray(np.mean(values, axis=0), dtype=np.float64)

    def _value_of_all(self) -> Floats:
        """Return the value of all the data, trained once; an error here is raised, as no subset is to blame."""
        if self._complete_value is None:
            self._complete_value = self._trained_once(np.arange(self._data.n_points))
        return self._complete_value

    def _model(self, rows: Ints, seed: int | None) -> Any:
        columns = self._data.take(rows)
        if not self._is_estimator:
            return self._fit(*columns) if seed is None else self._fit(*columns, seed=seed)
        model = clone(self._fit)
        known = {key: value for key, value in model.get_params().items() if key.split("__")[-1] == "random_state"}
        if seed is None:
            model.set_params(**{key: 0 for key, value in known.items() if value is None})
        else:
            model.set_params(**dict.fromkeys(known, seed))
        return model.fit(*columns)

    def _fallback(self, rows: Ints, error: ValueError | None) -> Floats:
        """Return the value of a subset that cannot be trained on, if all the data can be."""
        if self._untrainable == "prior":
            if error is not None:
                self._value_of_all()
            return self._prior
        shape = self._value_of_all().shape
        if self._untrainable == "raise":
            reason = "" if error is None else f": it raised {str(error).rstrip('.')!r}"
            raise GameError(
                f"`fit`: cannot train on {described(rows)}{reason}. "
                "Give `untrainable`, the value of such subsets, or larger groups."
            ) from error
        try:
            return np.broadcast_to(np.asarray(self._untrainable, dtype=np.float64), shape)
        except ValueError:
            expected = f"one value, or one for each of the {np.prod(shape)} outputs"
            raise ArgumentError("untrainable", f"{np.size(self._untrainable)}", expected) from None

    @cached_property
    def _prior(self) -> Floats:
        dummy = DummyClassifier(strategy="prior") if is_classifier(self._fit) else DummyRegressor()
        return np.asarray(self._evaluate(dummy.fit(*self._data.columns[:2])), dtype=np.float64)

    def _check_labels(self) -> None:
        """Refuse test labels that have no class in common with the training points: mostly another type of label."""
        if not isinstance(self._evaluate, OnTest) or not is_classifier(self._fit) or len(self._data.columns) < 2:
            return
        known, tested = dense_array(self._data.columns[1]), self._evaluate.y
        if known is not None and tested is not None and known.ndim == tested.ndim == 1:
            classes = np.unique(known)
            if not np.isin(tested, classes).any():
                shown = ", ".join(map(repr, classes[:_SHOWN].tolist()))
                raise ArgumentError("y", repr(tested.tolist()[0]), f"classes that are in `data`, such as {shown}")

    def _checked_untrainable(self, untrainable: Any) -> Any:
        has_prior = self._is_estimator and isinstance(self._evaluate, OnTest) and len(self._data.columns) > 1
        if untrainable is None:
            return "prior" if has_prior else "raise"
        if isinstance(untrainable, str):
            names = ("prior", "raise") if has_prior else ("raise",)
            if untrainable not in names:
                expected = f"{', '.join(map(repr, names))}, a number, or one for each output"
                raise ArgumentError("untrainable", repr(untrainable), expected)
            return untrainable
        array = real_numbers("untrainable", untrainable)
        if array.ndim > 1 or not np.isfinite(array).all():
            raise ArgumentError("untrainable", repr(untrainable), "a finite number, or one for each output")
        return array.tolist()

    @staticmethod
    def _stacked(values: list[Floats]) -> Floats:
        shapes = sorted({value.shape for value in values})
        if len(shapes) > 1 or len(shapes[0]) > 1:
            expected = "always a number, or always as many, one for each output"
            raise GameError(f"`evaluate`: expected it to return {expected}, got shapes {', '.join(map(str, shapes))}.")
        return np.stack(values)


def _settings_of(estimator: Any) -> str:
    """Return a digest of the parameters of an estimator and of those inside it.

    Raises:
        TypeError: for a parameter without an identity, such as a lambda or a random generator.
    """
    settings = {"": estimator, **estimator.get_params(deep=True)}
    return digest([[key, _identity(settings[key])] for key in sorted(settings)])


def _identity(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_identity(one) for one in value]
    if isinstance(value, dict):
        return [[_identity(key), _identity(one)] for key, one in value.items()]
    if hasattr(value, "get_params") and not isinstance(value, type):  # its parameters are listed too
        return _identity(type(value))
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
        name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}"
        if "<" in name:
            raise TypeError(f"{name} has no identity")
        return name
    try:
        digest(value)
    except TypeError:
        if type(value).__module__.startswith("numpy.random") or not hasattr(value, "__dict__"):
            raise  # a generator changes whenever it is used
        return [_identity(type(value)), _identity(vars(value))]
    return value


def _checked_fit(fit: Any) -> bool:
    """Return whether it is an estimator and not a function."""
    if hasattr(fit, "fit") and hasattr(fit, "get_params") and not isinstance(fit, type):
        return True
    if isinstance(fit, type) or not callable(fit):
        got = f"the class {fit.__name__}" if isinstance(fit, type) else type_of(fit)
        raise ArgumentError("fit", got, "a scikit-learn estimator, or a function of the data")
    return False


def _checked_seeds(seeds: Any) -> tuple[int, ...] | None:
    if seeds is None:
        return None
    are_several = isinstance(seeds, Sequence | np.ndarray | Tensor) and not isinstance(seeds, str)
    given = tuple(map(scalar, seeds)) if are_several and getattr(seeds, "ndim", 1) == 1 else ()
    if not given or not all(map(checks.is_integer, given)):
        raise ArgumentError("seeds", repr(seeds), "a sequence of integers, such as `range(5)`")
    return given

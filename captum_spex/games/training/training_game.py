"""Training as a game over the training data."""

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

from captum_spex import checks
from captum_spex.arrays import Floats, Ints
from captum_spex.errors import ArgumentError, GameError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.numbers import numbers_of
from captum_spex.games.training.closed_form import ClosedForm, closed_form_of
from captum_spex.games.training.on_test import OnTest
from captum_spex.games.training.training_data import Players, TrainingData, as_array, content_of, described
from captum_spex.masks import Masks, as_masks, in_batches

Fit = Callable[..., Any]
_SHOWN = 3  # classes in a message


class TrainingGame:
    """What a model says that was trained on some of the data: players are training points, or groups of them.

    Ridge, kernel ridge and nearest neighbours with uniform weights (`sklearn.linear_model.Ridge`,
    `sklearn.kernel_ridge.KernelRidge`, `sklearn.neighbors.KNeighborsClassifier`, ``KNeighborsRegressor``) are
    retrained in closed form, many subsets at once, with the same answers; of points at exactly the same distance, the
    nearest neighbours may be others than those that scikit-learn takes.

    Args:
        fit: an estimator of scikit-learn, which is cloned for every training, or a function of the columns of ``data``
            that returns a trained model (torch, or anything).
        evaluate: `OnTest`, or a function of the trained model that returns a number or several, the outputs.
        data: the training data: a tuple of columns with a row for each point, as ``fit`` takes them: ``(X, y)``.
        groups: a label for each point (its class, source, cluster, ...): points with the same label are one player.
            Default: every point is a player.
        seeds: train once with each seed and average. An estimator gets it as every parameter ``random_state``, a
            function as the argument ``seed``. Default: parameters ``random_state`` that are ``None`` are set to 0, a
            function is called without a seed.
        untrainable: the value of subsets that cannot be trained on: the empty one, and those for which ``fit`` or
            ``evaluate`` raises a ``ValueError`` (one class left, fewer points than neighbours) while all the data can
            be. A number, or one for each output; ``"prior"``: that of a model that knows the mean of all targets, or
            the shares of all classes, only; ``"raise"``: an error. Default: ``"prior"`` for estimators with `OnTest`,
            else ``"raise"``.
        closed_form: whether to retrain in closed form where that is possible.
        n_jobs: how many processes train at the same time, as in scikit-learn.
        batch_size: trainings per call, after which a store keeps them; default 64, or 1,024 in closed form.

    Attributes:
        n_players, names: the players.

    Raises:
        ArgumentError: for an argument that cannot be used.
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
            raise ArgumentError("evaluate", f"a {type(evaluate).__name__}", "`OnTest`, or a function of the model")
        self._evaluate = evaluate
        self._check_labels()
        self._seeds = _checked_seeds(seeds)
        self._untrainable = self._checked_untrainable(untrainable)
        self._n_jobs = n_jobs
        self._closed_form: ClosedForm | None = None
        if closed_form and self._is_estimator and isinstance(evaluate, OnTest):
            self._closed_form = closed_form_of(fit, self._data.columns, evaluate)
        default = 64 if self._closed_form is None else 1024
        self._batch_size = default if batch_size is None else checks.integer("batch_size", batch_size)
        self._of_all: Floats | None = None  # the value of all the data, once it was needed

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
        answers, is_known = self._closed_form(points)
        values = self._evaluate.values(answers)
        others = np.flatnonzero(~is_known)
        if len(others):  # empty, too few points, or badly conditioned
            values[others] = self._stacked(self._trained(points[others]))
        return values

    def plan_batches(self, masks: Masks) -> list[NDArray[np.intp]]:
        """Return the rows of each call."""
        return in_batches(len(masks), self._batch_size)

    def value(self, points: ArrayLike) -> Floats:
        """Return the value of one subset, by training; ``points`` are the numbers of its training points."""
        return self._value(np.asarray(points, dtype=np.int64))

    @property
    def fingerprint(self) -> dict[str, str] | None:
        """What tells this game from others; ``None`` for functions, and for data without an identity."""
        from captum_spex import __version__

        if not self._is_estimator or not isinstance(self._evaluate, OnTest):
            return None
        try:
            data, value = digest([content_of(column) for column in self._data.columns]), self._evaluate.fingerprint
            settings = _settings_of(self._fit)
        except TypeError:
            return None
        return {
            "captum_spex": __version__,
            "game": type(self).__name__,
            "model": f"{type(self._fit).__name__} {settings}",
            "data": data,
            "groups": digest(self._players.of_point),
            "seeds": repr(self._seeds),
            "untrainable": repr(self._untrainable),
            "value": value,
        }

    def _trained(self, points: Masks) -> list[Floats]:
        rows = [np.flatnonzero(mask) for mask in points]
        if self._n_jobs in (None, 1):
            return [self._value(one) for one in rows]
        self._whole()  # else every process would train for it
        return list(Parallel(n_jobs=self._n_jobs)(delayed(self._value)(one) for one in rows))

    def _value(self, rows: Ints) -> Floats:
        """Train on some rows and evaluate."""
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
        values = [numbers_of(self._evaluate(self._model(rows, seed)), "evaluate") for seed in seeds]
        return np.asarray(np.mean(values, axis=0), dtype=np.float64)

    def _whole(self) -> Floats:
        """Return the value of all the data, trained once: an error here is nobody's fault but the model's."""
        if self._of_all is None:
            self._of_all = self._trained_once(np.arange(self._data.n_points))
        return self._of_all

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
        """The value of a subset that cannot be trained on, if all the data can be."""
        if self._untrainable == "prior":
            if error is not None:
                self._whole()
            return self._prior
        shape = self._whole().shape
        if self._untrainable == "raise":
            reason = "there is nothing to train on." if error is None else f"it raised {str(error).rstrip('.')!r}."
            raise GameError(
                f"`fit`: cannot train on {described(rows)}: {reason} "
                "Give `untrainable`, the value of such subsets, or groups that leave enough points."
            ) from error
        try:
            return np.broadcast_to(np.asarray(self._untrainable, dtype=np.float64), shape)
        except ValueError:
            came = f"{np.size(self._untrainable)} values"
            raise ArgumentError("untrainable", came, f"one, or one for each of the {np.prod(shape)} outputs") from None

    @cached_property
    def _prior(self) -> Floats:
        dummy = DummyClassifier(strategy="prior") if is_classifier(self._fit) else DummyRegressor()
        return np.asarray(self._evaluate(dummy.fit(*self._data.columns[:2])), dtype=np.float64)

    def _check_labels(self) -> None:
        """Refuse test points none of which is of a class of the training points: labels of another type, mostly."""
        if not isinstance(self._evaluate, OnTest) or not is_classifier(self._fit) or len(self._data.columns) < 2:
            return
        known, wanted = as_array(self._data.columns[1]), self._evaluate.y
        if known is not None and wanted is not None and known.ndim == wanted.ndim == 1:
            classes = np.unique(known)
            if not np.isin(wanted, classes).any():
                shown = ", ".join(map(repr, classes[:_SHOWN].tolist()))
                came = f"classes such as {wanted.tolist()[0]!r}, none of which is in `data`"
                raise ArgumentError("y", came, f"classes of `data`, such as {shown}")

    def _checked_untrainable(self, untrainable: Any) -> Any:
        has_prior = self._is_estimator and isinstance(self._evaluate, OnTest) and len(self._data.columns) > 1
        if untrainable is None:
            return "prior" if has_prior else "raise"
        if isinstance(untrainable, str):
            allowed = '"raise", a number, or one for each output' + (', or "prior"' if has_prior else "")
            if untrainable not in (("prior", "raise") if has_prior else ("raise",)):
                raise ArgumentError("untrainable", repr(untrainable), allowed)
            return untrainable
        try:
            array = np.asarray(untrainable, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.array(np.nan)
        if array.ndim > 1 or not np.isfinite(array).all():
            raise ArgumentError("untrainable", repr(untrainable), "finite numbers, one or one for each output")
        return array.tolist()

    @staticmethod
    def _stacked(values: list[Floats]) -> Floats:
        shapes = sorted({value.shape for value in values})
        if len(shapes) > 1 or len(shapes[0]) > 1:
            raise GameError(
                f"`evaluate`: returned shapes {', '.join(map(str, shapes))}; "
                "it must return a number, or one for each output, always as many."
            )
        return np.stack(values)


def _settings_of(estimator: Any) -> str:
    """Return a digest of the parameters of an estimator and of those inside it.

    Raises:
        TypeError: for a parameter that cannot be told from others, such as a lambda or a random generator.
    """
    settings = {"": estimator, **estimator.get_params(deep=True)}
    return digest([[key, _identity(settings[key])] for key in sorted(settings)])


def _identity(value: Any) -> Any:
    """Return what a digest must know of a parameter."""
    if isinstance(value, list | tuple):
        return [_identity(one) for one in value]
    if isinstance(value, dict):
        return [[_identity(key), _identity(one)] for key, one in value.items()]
    if hasattr(value, "get_params") and not isinstance(value, type):  # its parameters are listed too
        return _identity(type(value))
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
        name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}"
        if "<" in name:
            raise TypeError(f"cannot tell what identifies {name}")
        return name
    try:
        digest(value)
    except TypeError:
        if type(value).__module__.startswith("numpy.random") or not hasattr(value, "__dict__"):
            raise  # a generator is never twice the same
        return [_identity(type(value)), _identity(vars(value))]
    return value


def _checked_fit(fit: Any) -> bool:
    """Whether it is an estimator, else a function."""
    if hasattr(fit, "fit") and hasattr(fit, "get_params") and not isinstance(fit, type):
        return True
    if isinstance(fit, type) or not callable(fit):
        came = f"the class {fit.__name__}" if isinstance(fit, type) else f"a {type(fit).__name__}"
        raise ArgumentError("fit", came, "an estimator of scikit-learn, or a function of the data")
    return False


def _checked_seeds(seeds: Any) -> tuple[int, ...] | None:
    if seeds is None:
        return None
    given = tuple(seeds) if isinstance(seeds, Sequence | np.ndarray) and not isinstance(seeds, str) else None
    if not given or not all(isinstance(seed, int | np.integer) and not isinstance(seed, bool) for seed in given):
        raise ArgumentError("seeds", repr(seeds), "a sequence of integers, such as `range(5)`")
    return tuple(int(seed) for seed in given)

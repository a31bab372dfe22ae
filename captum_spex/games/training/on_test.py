"""Value functions of a trained model: its predictions on test points, each an output of the game, or its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from torch import Tensor

from captum_spex import checks
from captum_spex.arrays import Floats, type_of
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.fingerprint import digest
from captum_spex.games.training.training_data import content_of
from captum_spex.statistics import r_squared

VALUES = ("prediction", "probability", "margin", "correct", "score")
_LEAST_PROBABILITY = 1e-9  # so that margins are finite, between -20.7 and 20.7


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of models on the test points.

    Attributes:
        numbers: class probabilities ``(n_models, n_test, n_classes)`` of classifiers, else predictions
            ``(n_models, n_test)`` or ``(n_models, n_test, n_targets)``.
        classes: the classes, ``None`` for regressors.
    """

    numbers: Floats
    classes: NDArray[Any] | None = None


class OnTest:
    r"""The predictions of scikit-learn models on test points; every point is an output of the game.

    Args:
        X: the test points.
        y: their labels or target values; not needed for ``"prediction"``.
        value: ``"prediction"`` of a regressor; ``"probability"`` of the true class by a classifier; ``"margin"``: its
            log-odds :math:`\log p / (1 - p)`, at most 20.7 in size, or, for a regressor trained on +1 and -1, y times
            the prediction, or, for one trained on one-hot rows, the prediction of the true class minus the largest
            other; ``"correct"``: 1 where the most probable class is the true one, else 0; ``"score"``: a single output,
            the accuracy, or the coefficient of determination of a regressor.

    Raises:
        ArgumentError: if there is not a label for each point.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> points = np.array([[0.0], [1.0]])
        >>> OnTest(points, value="prediction")(Ridge(alpha=1e-9).fit(points, [1.0, 2.0])).round(3)
        array([1., 2.])
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        value: Literal["prediction", "probability", "margin", "correct", "score"] = "prediction",
    ) -> None:
        self.value = checks.choice("value", value, VALUES)
        self.X = X
        self.n_points = int(X.shape[0]) if hasattr(X, "shape") else len(X)
        if not self.n_points:
            raise ArgumentError("X", "none", "at least one test point")
        if y is None and value != "prediction":
            raise ArgumentError("y", "None", f"the true labels, for the value {value!r}")
        self.y: NDArray[Any] | None = None if y is None else np.asarray(y.cpu() if isinstance(y, Tensor) else y)
        if self.y is not None and self.y.dtype.hasobject:
            self.y = np.array(self.y.tolist())  # numbers or texts that pandas stores as objects
        if self.y is not None and (self.y.ndim not in (1, 2) or len(self.y) != self.n_points):
            raise ArgumentError("y", f"shape {self.y.shape}", f"({self.n_points},): one for each test point")

    def __call__(self, model: Any) -> Floats:
        """Return the values of a trained model, float64 ``(n_test,)``, or ``()`` for the score."""
        return self.values(self.predictions(model))[0]

    def predictions(self, model: Any) -> Predictions:
        """Return the predictions of a trained model.

        Raises:
            ArgumentError: if a classifier has no probabilities, and the value needs them.
        """
        if not is_classifier(model):
            return Predictions(np.asarray(model.predict(self.X), dtype=np.float64)[None])
        if not hasattr(model, "predict_proba"):
            if self.value in ("correct", "score"):
                classes, chosen = np.unique(model.predict(self.X), return_inverse=True)
                return Predictions(np.eye(len(classes))[chosen.reshape(-1)][None], classes)
            got = f"{self.value!r} for {type_of(model)} without probabilities"
            raise ArgumentError("value", got, "'correct' or 'score'", "Or give a function of the model as `evaluate`.")
        return Predictions(np.asarray(model.predict_proba(self.X), dtype=np.float64)[None], np.asarray(model.classes_))

    def values(self, predictions: Predictions) -> Floats:
        """Return the values of several models, float64 ``(n_models, n_test)``, or ``(n_models,)`` for the score.

        Raises:
            ArgumentError: if the value does not fit the kind of model.
        """
        if predictions.classes is None:
            return self._regressor_values(predictions.numbers)
        if self.value == "prediction" or self.y is None:
            expected = "'probability', 'margin', 'correct' or 'score'"
            raise ArgumentError("value", "'prediction' for a classifier", expected)
        if self.y.ndim != 1:
            raise ArgumentError("y", f"shape {self.y.shape}", f"({self.n_points},): a class for each test point")
        # A class without a training point has probability 0: one more column, to which such test points refer.
        numbers, classes = predictions.numbers, predictions.classes
        columns = np.append(numbers, np.zeros((*numbers.shape[:2], 1)), axis=2)
        column = np.full(self.n_points, len(classes))
        rows, known = np.nonzero(self.y[:, None] == classes)
        column[rows] = known
        if self.value in ("correct", "score"):
            correct = (numbers.argmax(axis=2) == column).astype(np.float64)
            return correct if self.value == "correct" else correct.mean(axis=1)
        of_true_class = columns[:, np.arange(self.n_points), column]
        if self.value == "probability":
            return np.asarray(of_true_class, dtype=np.float64)
        clipped = np.clip(of_true_class, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)

    @property
    def fingerprint(self) -> str:
        """The identity of this value function.

        Raises:
            TypeError: for points that cannot be digested.
        """
        return f"{self.value} {digest(content_of(self.X), None if self.y is None else content_of(self.y))}"

    def _regressor_values(self, predictions: Floats) -> Floats:
        if self.value == "prediction":
            return predictions.reshape(len(predictions), -1)
        if self.value not in ("margin", "score") or self.y is None:
            raise ArgumentError("value", f"{self.value!r} for a regressor", "'prediction', 'margin' or 'score'")
        if self.y.shape != predictions.shape[1:]:
            got = f"shape {self.y.shape} for predictions of shape {predictions.shape[1:]}"
            raise ArgumentError("y", got, "the true values, in the same shape")
        truth = self.y.astype(np.float64)
        if self.value == "score":
            targets, shape = truth.reshape(self.n_points, -1).T, (len(predictions), self.n_points, -1)
            scores = [list(map(r_squared, targets, columns.T)) for columns in predictions.reshape(shape)]
            return np.mean(scores, axis=1)
        if truth.ndim == 1:
            return np.asarray(truth * predictions, dtype=np.float64)
        others = np.where(truth == truth.max(axis=1, keepdims=True), -np.inf, predictions).max(axis=2)
        return np.asarray((predictions * (truth > 0)).sum(axis=2) - others, dtype=np.float64)

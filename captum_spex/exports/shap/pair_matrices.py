"""Matrices of pairs, which most plots of SHAP would misread: they are told apart there and refused."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from captum_spex.compat.shap import Explanation, operations
from captum_spex.errors import ArgumentError

_TAKES_ROWS = "summary_legacy"
_PLOTS = "shap.plots."
_INSTEAD = {
    "_scatter": '`explanation[:, i, j]` for the pair (i, j), or `to_shap("terms", data=X)`',
    "_text": '`to_shap("values", data=words)` of one row',
    "_image": '`to_shap("values")`, reshaped to the image',
}
_DEFAULT = '`to_shap("terms")`, which has pairs as features, or `explanation[:, :, j]` for the pairs of player j'


class PairExplanation(Explanation):  # type: ignore[misc]
    """A ``shap.Explanation`` of pairs ``(rows, n, n)``, in SHAP's convention.

    ``shap.summary_plot`` draws it, ``shap.plots.decision`` its arrays. Plots that would fail or, worse, read players
    as rows or classes, are refused with a message that names the right call. Slices such as ``explanation[:, :, j]``,
    by number, are drawn by every plot.
    """

    def __copy__(self) -> PairExplanation:
        copied: PairExplanation = super().__copy__()
        copied.__class__ = type(self)
        return copied

    @property
    def values(self) -> Any:
        """The values."""
        self._refuse(sys._getframe(1))
        return self._own("values")

    @values.setter
    def values(self, new: Any) -> None:
        Explanation.values.fset(self, new)

    @property
    def base_values(self) -> Any:
        """The base values."""
        self._refuse(sys._getframe(1))
        return self._own("base_values")

    @base_values.setter
    def base_values(self, new: Any) -> None:
        Explanation.base_values.fset(self, new)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        self._refuse(sys._getframe(1))
        return self._own_shape()

    def sum(self, axis: int | None = None, grouping: Any = None) -> Explanation:
        """Return the sums; over one axis of players these are the Shapley values, with base values and data."""
        shape = self._own_shape()
        if grouping is not None or len(shape) not in (3, 4) or axis not in (1, 2):
            return super().sum(axis=axis, grouping=grouping)
        facts = {"data": self.data, "feature_names": self.feature_names}
        return Explanation(self._own("values").sum(axis=axis), self._own("base_values"), **facts)

    def _own(self, name: str) -> Any:
        """Return what SHAP's property gives, whoever asks."""
        return getattr(Explanation, name).fget(self)

    def _own_shape(self) -> tuple[int, ...]:
        return tuple(self._own("shape"))

    def _refuse(self, asking: FrameType) -> None:
        """Raise if a plot asks that does not know pairs."""
        module = asking.f_globals.get("__name__", "")
        if not module.startswith(_PLOTS) or not self._has_pairs():
            return
        function, plot_type = asking.f_code.co_name, asking.f_locals.get("plot_type")
        if function == _TAKES_ROWS and plot_type != "bar" and len(self._own_shape()) == 3:
            return
        name = f'{function}(plot_type="{plot_type}")' if function == _TAKES_ROWS and plot_type else function
        came = f"pairs of players, shape {self._own_shape()}, in SHAP's `{name}`"
        raise ArgumentError("shap_values", came, _INSTEAD.get(module.removeprefix(_PLOTS), _DEFAULT))

    def _has_pairs(self) -> bool:
        """Whether both axes of players are still there, or would be taken for rows and players."""
        shape = self._own_shape()
        if len(shape) != 2 or shape[0] != shape[1]:
            return len(shape) > 2
        return any(
            len(item.prev_shape) > 2
            and (item.collapsed_instances or (item.name == "__getitem__" and isinstance(item.args[0][0], int)))
            for item in operations(self)
        )

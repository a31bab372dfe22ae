"""Matrices of pairs, which most plots of SHAP would misread: those plots are refused."""

from __future__ import annotations

from typing import Any

from captum_spex.compat.shap import Explanation, operations
from captum_spex.errors import ArgumentError
from captum_spex.exports.shap.asking import asking
from captum_spex.exports.shap.tables import TableExplanation

_TAKES_ROWS = "summary_legacy"
_INSTEAD = {
    "plots._scatter": '`explanation[:, i, j]` for the pair (i, j), or `to_shap("terms", data=X)`',
    "plots._text": '`to_shap("values", data=words)` of one row',
    "plots._image": '`to_shap("values")`, reshaped to the image',
}
_DEFAULT = '`to_shap("terms")`, which has pairs as features, or `explanation[:, :, j]` for the pairs of player j'


def _guarded(name: str) -> property:
    """Return SHAP's property, whose value plots get only if they know pairs."""
    own = getattr(Explanation, name)
    return property(lambda explanation: explanation._given(name), own.fset, doc=own.__doc__)


class PairExplanation(TableExplanation):
    """A ``shap.Explanation`` of pairs ``(rows, n, n)``, in SHAP's convention.

    ``shap.summary_plot`` draws it, ``shap.plots.decision`` its arrays. Plots that would fail or, worse, take players
    for rows or classes, get an error that names the right call. Slices such as ``explanation[:, :, j]``, by number,
    are drawn by every plot.
    """

    values = _guarded("values")
    base_values = _guarded("base_values")
    shape = _guarded("shape")

    def sum(self, axis: int | None = None, grouping: Any = None) -> Explanation:
        """Return the sums; over one axis of players these are the Shapley values, with base values and data."""
        shape = tuple(self._read("shape"))
        if grouping is not None or len(shape) not in (3, 4) or axis not in (1, 2):
            return super().sum(axis=axis, grouping=grouping)
        facts = {"data": self.data, "feature_names": self.feature_names}
        sums = TableExplanation(self._read("values").sum(axis=axis), self._read("base_values"), **facts)
        return sums.with_categories(self._categories)

    def _given(self, name: str) -> Any:
        """Return what SHAP's property gives, unless a plot asks that does not know pairs."""
        plot = asking(self)
        if plot is not None and plot.is_plot and self._has_pairs():
            of_rows, shape = plot.function == _TAKES_ROWS, tuple(self._read("shape"))
            if of_rows and plot.plot_type != "bar" and len(shape) == 3:
                return self._read(name)
            call = plot.call if of_rows else plot.function
            got = f"pairs of players, shape {shape}, in SHAP's `{call}`"
            raise ArgumentError("shap_values", got, _INSTEAD.get(plot.module, _DEFAULT))
        return self._read(name)

    def _has_pairs(self) -> bool:
        """Whether there are still two axes of players, which may look like rows and players."""
        shape = tuple(self._read("shape"))
        if len(shape) != 2 or shape[0] != shape[1]:
            return len(shape) > 2
        return any(
            len(item.prev_shape) > 2
            and (item.collapsed_instances or (item.name == "__getitem__" and isinstance(item.args[0][0], int)))
            for item in operations(self)
        )

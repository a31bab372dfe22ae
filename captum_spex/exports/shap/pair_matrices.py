"""Matrices of pairs, which most plots of SHAP would misread: those plots are refused."""

from __future__ import annotations

from inspect import currentframe
from typing import Any, NamedTuple

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


def _guarded(name: str) -> property:
    """Return SHAP's property, whose value plots get only if they know pairs."""
    own = getattr(Explanation, name)
    return property(lambda explanation: explanation._given(name), own.fset, doc=own.__doc__)


class PairExplanation(Explanation):  # type: ignore[misc]
    """A ``shap.Explanation`` of pairs ``(rows, n, n)``, in SHAP's convention.

    ``shap.summary_plot`` draws it, ``shap.plots.decision`` its arrays. Plots that would fail or, worse, take players
    for rows or classes, get an error that names the right call. Slices such as ``explanation[:, :, j]``, by number,
    are drawn by every plot.
    """

    values = _guarded("values")
    base_values = _guarded("base_values")
    shape = _guarded("shape")

    def __copy__(self) -> PairExplanation:
        copied: PairExplanation = super().__copy__()
        copied.__class__ = type(self)
        return copied

    def sum(self, axis: int | None = None, grouping: Any = None) -> Explanation:
        """Return the sums; over one axis of players these are the Shapley values, with base values and data."""
        shape = tuple(self._own("shape"))
        if grouping is not None or len(shape) not in (3, 4) or axis not in (1, 2):
            return super().sum(axis=axis, grouping=grouping)
        facts = {"data": self.data, "feature_names": self.feature_names}
        return Explanation(self._own("values").sum(axis=axis), self._own("base_values"), **facts)

    def _given(self, name: str) -> Any:
        """Return what SHAP's property gives, unless a plot asks that does not know pairs."""
        plot = asking_plot()
        if plot is not None and self._has_pairs():
            of_rows, shape = plot.function == _TAKES_ROWS, tuple(self._own("shape"))
            if of_rows and plot.plot_type != "bar" and len(shape) == 3:
                return self._own(name)
            call = f'{plot.function}(plot_type="{plot.plot_type}")' if of_rows and plot.plot_type else plot.function
            got = f"pairs of players, shape {shape}, in SHAP's `{call}`"
            raise ArgumentError("shap_values", got, _INSTEAD.get(plot.module, _DEFAULT))
        return self._own(name)

    def _own(self, name: str) -> Any:
        """Return what SHAP's property gives, whoever asks."""
        return getattr(Explanation, name).fget(self)

    def _has_pairs(self) -> bool:
        """Whether there are still two axes of players, which may look like rows and players."""
        shape = tuple(self._own("shape"))
        if len(shape) != 2 or shape[0] != shape[1]:
            return len(shape) > 2
        return any(
            len(item.prev_shape) > 2
            and (item.collapsed_instances or (item.name == "__getitem__" and isinstance(item.args[0][0], int)))
            for item in operations(self)
        )


class Plot(NamedTuple):
    """A plot of SHAP: its module below ``shap.plots``, its function, and its argument ``plot_type``."""

    module: str
    function: str
    plot_type: str | None


def asking_plot() -> Plot | None:
    """Return the plot of SHAP that reads a property of this module's class, ``None`` if anybody else does.

    Only the caller tells them apart: plots and users read the same properties of the same object, SHAP passes on
    neither the plot nor its ``plot_type``, and what a plot misreads it misreads later, in plain arrays.
    """
    frame = currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    module = "" if frame is None else frame.f_globals.get("__name__", "")
    if frame is None or not module.startswith(_PLOTS):
        return None
    return Plot(module.removeprefix(_PLOTS), frame.f_code.co_name, frame.f_locals.get("plot_type"))

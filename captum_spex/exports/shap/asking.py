"""Which part of SHAP reads a property of an explanation: plots and users read the same properties of one object."""

from __future__ import annotations

from inspect import currentframe
from typing import Any, NamedTuple

_HERE = "captum_spex.exports.shap."
_COHORTS = "_auto_cohorts"


class Asking(NamedTuple):
    """A part of SHAP: its module below ``shap``, its function, and what of its arguments matters.

    Attributes:
        plot_type: its argument of this name.
        is_colour: whether the explanation is its argument ``color``.
    """

    module: str
    function: str
    plot_type: str | None
    is_colour: bool

    @property
    def is_plot(self) -> bool:
        """Whether it draws."""
        return self.module.startswith("plots.")

    @property
    def call(self) -> str:
        """The call as the user made it."""
        function = {"summary_legacy": "summary_plot"}.get(self.function, self.function)
        return f'{function}(plot_type="{self.plot_type}")' if self.plot_type else function


def asking(explanation: Any) -> Asking | None:
    """Return the part of SHAP that reads a property for what it draws or sorts, ``None`` if anybody else does.

    Only the caller tells them apart: SHAP passes on neither the plot nor its ``plot_type``, and what a plot misreads
    it misreads later, in plain arrays.
    """
    frame = currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_HERE):
        frame = frame.f_back
    module = "" if frame is None else frame.f_globals.get("__name__", "")
    if frame is None or not module.startswith("shap."):
        return None
    module, function, known = module.removeprefix("shap."), frame.f_code.co_name, frame.f_locals
    if module.startswith("plots.") or module == "utils._general" or function == _COHORTS:
        return Asking(module, function, known.get("plot_type"), known.get("shap_values2") is explanation)
    return None

"""Pictures of results: functions that take an `Interactions` and return matplotlib axes.

`bar`, `matrix` and `network` also take a whole data set: a `captum_spex.Summary`, or the results of many rows.
Red raises the value and blue lowers it, as in SHAP. Each function draws into ``ax``; without it into the current axes
if they are empty, else into a new figure of a fitting size. Nothing is shown or saved, and no setting of matplotlib is
changed.
"""

from captum_spex.plots.bar_plot import bar
from captum_spex.plots.beeswarm_plot import beeswarm
from captum_spex.plots.compare_plot import compare
from captum_spex.plots.image_plot import image
from captum_spex.plots.matrix_plot import matrix
from captum_spex.plots.network_plot import network
from captum_spex.plots.scatter_plot import scatter
from captum_spex.plots.spectrum_plot import spectrum
from captum_spex.plots.text_plot import text
from captum_spex.plots.upset_plot import upset
from captum_spex.plots.waterfall_plot import waterfall

__all__ = [
    "bar",
    "beeswarm",
    "compare",
    "image",
    "matrix",
    "network",
    "scatter",
    "spectrum",
    "text",
    "upset",
    "waterfall",
]

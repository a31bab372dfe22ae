"""Pictures of results: functions that take an `Interactions` and return matplotlib axes.

Red raises the value and blue lowers it, as in SHAP. Each function draws into ``ax``; without it into the current axes
if they are empty, else into a new figure of a fitting size. Nothing is shown or saved, and no setting of matplotlib is
changed.
"""

from captum_spex.plots.bar import bar
from captum_spex.plots.image import image
from captum_spex.plots.matrix import matrix
from captum_spex.plots.network import network
from captum_spex.plots.scatter import scatter
from captum_spex.plots.spectrum import spectrum
from captum_spex.plots.text import text
from captum_spex.plots.upset import upset
from captum_spex.plots.waterfall import waterfall

__all__ = ["bar", "image", "matrix", "network", "scatter", "spectrum", "text", "upset", "waterfall"]

"""captum_spex: the interactions that matter, among thousands of players, from few model evaluations."""

from captum_spex.explain import explain
from captum_spex.indices import IndexTerms
from captum_spex.interactions import Interactions
from captum_spex.model import GameModel, Spectrum

__version__ = "0.1.0"

__all__ = ["GameModel", "IndexTerms", "Interactions", "Spectrum", "__version__", "explain"]

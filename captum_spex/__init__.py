"""captum_spex: the interactions that matter, among thousands of players, from few model evaluations."""

from typing import TYPE_CHECKING

from captum_spex.lazy import lazily

if TYPE_CHECKING:
    from captum_spex.explaining import explain, explain_table
    from captum_spex.indices import IndexTerms
    from captum_spex.interactions import Interactions
    from captum_spex.model import GameModel, Spectrum
    from captum_spex.summaries import Comparison, Summary, summary

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "GameModel",
    "IndexTerms",
    "Interactions",
    "Spectrum",
    "Summary",
    "__version__",
    "explain",
    "explain_table",
    "summary",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "Comparison": "summaries",
        "GameModel": "model",
        "IndexTerms": "indices",
        "Interactions": "interactions",
        "Spectrum": "model",
        "Summary": "summaries",
        "explain": "explaining",
        "explain_table": "explaining",
        "summary": "summaries",
    },
)

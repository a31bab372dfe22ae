"""captum_spex: the interactions that matter, among thousands of players, from few model evaluations."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captum_spex.explaining import explain
    from captum_spex.indices import IndexTerms
    from captum_spex.interactions import Interactions
    from captum_spex.model import GameModel, Spectrum

__version__ = "0.1.0"

__all__ = ["GameModel", "IndexTerms", "Interactions", "Spectrum", "__version__", "explain"]

_HOMES = {
    "GameModel": "model",
    "IndexTerms": "indices",
    "Interactions": "interactions",
    "Spectrum": "model",
    "explain": "explaining",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the libraries behind it take seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

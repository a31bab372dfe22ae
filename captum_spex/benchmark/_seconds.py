"""How long runs take on a core, about: measured once, to say beforehand how long a benchmark will take."""

from __future__ import annotations

_EVALUATION = {"encoder-24": 0.010, "encoder-48": 0.020, "encoder-96": 0.040, "heads-72": 0.030}
_COMPILING = {"shapiq SPEX": 40.0, "sparse-transform SPEX": 40.0}  # galois, for a field or two
_UNKNOWN = (1.0, 0.5, 0.5)
_LAWS: dict[str, tuple[float, float, float]] = {
    "Spex": (0.05, 0.2, 0.5),
    "ProxySpex": (1.5, 0.35, 1.0),
    "ProxySpex gaussian-process": (1.4, 0.35, 1.0),
    "ProxySpex boosted-trees": (0.8, 0.3, 0.8),
    "ProxySpex as published": (17.0, 0.1, 0.3),
    "Captum KernelShap": (0.06, 0.7, 0.6),
    "Captum Lime": (0.06, 0.7, 0.6),
    "Captum ShapleyValueSampling": (0.02, 0.7, 1.0),
    "Captum FeatureAblation": (0.002, 1.0, 0.0),
    "SHAP PermutationExplainer": (0.005, 0.7, 1.0),
    "SHAP KernelExplainer": (0.02, 1.2, 0.8),
    "SHAP KernelExplainer without l1": (0.02, 1.2, 0.8),
    "SHAP PartitionExplainer": (0.05, 0.9, 0.7),
    "SHAP ExactExplainer": (0.1, 0.5, 1.0),
    "shapiq SPEX": (15.0, 0.5, 0.7),
    "shapiq ProxySPEX": (5.0, 0.2, 0.5),
    "shapiq KernelSHAPIQ": (0.5, 2.5, 1.3),
    "shapiq SVARMIQ": (6.0, 2.5, 1.0),
    "shapiq RegressionFSII": (0.1, 2.5, 1.2),
    "shapiq RegressionFBII": (0.1, 2.5, 1.2),
    "sparse-transform SPEX": (4.0, 0.5, 0.7),
}
"""Of every method: seconds for 30 players and 512 evaluations, and the powers of players and of evaluations."""


def of_an_evaluation(case: str) -> float:
    """Return how many seconds an evaluation of a game takes."""
    return _EVALUATION.get(case, 1e-4)


def of_an_explanation(method: str, n_players: int, budget: int) -> float:
    """Return how many seconds a method takes itself."""
    seconds, of_players, of_budget = _LAWS.get(method, _UNKNOWN)
    return float(seconds * (n_players / 30) ** of_players * (budget / 512) ** of_budget)


def of_compiling(method: str) -> float:
    """Return how many seconds more a method takes where it has not compiled its parts yet."""
    return _COMPILING.get(method, 0.0)


def in_words(seconds: float) -> str:
    """Say how long something takes.

    Example:
        >>> in_words(42.3), in_words(600), in_words(20_000)
        ('42 s', '10 min', '5.6 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

"""The algorithms: masks out, values in, a recovered game back."""

from captum_spex.approximators.base import Again, Approximator, Observed, Problem, Recovered, Run, SingleRound
from captum_spex.approximators.exact import Exact
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.approximators.proxyspex.gaussian_process.proxy import GaussianProcess
from captum_spex.approximators.proxyspex.proxyspex import ProxySpex
from captum_spex.approximators.proxyspex.published_trees import PublishedTrees
from captum_spex.approximators.spex.spex import Spex

__all__ = [
    "Again",
    "Approximator",
    "BoostedTrees",
    "Exact",
    "GaussianProcess",
    "Observed",
    "Problem",
    "ProxySpex",
    "PublishedTrees",
    "Recovered",
    "Run",
    "SingleRound",
    "Spex",
]

"""The algorithms: masks out, values in, an estimated game back."""

from captum_spex.approximators.base import (
    Again,
    Approximator,
    Estimate,
    Problem,
    Run,
    SingleRound,
    TableApproximator,
)
from captum_spex.approximators.exact import Exact
from captum_spex.approximators.proxyspex.averaged_process import AveragedProcess
from captum_spex.approximators.proxyspex.boosted_trees import BoostedTrees
from captum_spex.approximators.proxyspex.gaussian_process.gaussian_process import GaussianProcess
from captum_spex.approximators.proxyspex.proxy import Expected, FittedProxy, Proxy, ProxyData
from captum_spex.approximators.proxyspex.proxyspex import ProxySpex
from captum_spex.approximators.proxyspex.published_trees import PublishedTrees
from captum_spex.approximators.proxyspex.settings import FitLimits
from captum_spex.approximators.spex.spex import Spex
from captum_spex.game import ValueTable

__all__ = [
    "Again",
    "Approximator",
    "AveragedProcess",
    "BoostedTrees",
    "Estimate",
    "Exact",
    "Expected",
    "FitLimits",
    "FittedProxy",
    "GaussianProcess",
    "Problem",
    "Proxy",
    "ProxyData",
    "ProxySpex",
    "PublishedTrees",
    "Run",
    "SingleRound",
    "Spex",
    "TableApproximator",
    "ValueTable",
]

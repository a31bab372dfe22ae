"""The algorithms: masks out, values in, a recovered game back."""

from captum_spex.approximators._boosted import BoostedTrees
from captum_spex.approximators.base import Approximator, Problem, Recovered, Run, SingleRound
from captum_spex.approximators.exact import Exact
from captum_spex.approximators.proxyspex import ProxySpex
from captum_spex.approximators.spex import Spex

__all__ = ["Approximator", "BoostedTrees", "Exact", "Problem", "ProxySpex", "Recovered", "Run", "SingleRound", "Spex"]

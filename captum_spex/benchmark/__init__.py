"""Explainers side by side: the same games, equal numbers of evaluations, the methods of this package and of others.

`run_benchmark` runs methods on cases and writes a line of ``results.csv`` for each run; `Case` is a game of one's own,
`Method` what an explainer of one's own must be.
"""

from captum_spex.benchmark.cases import catalogue, from_folder
from captum_spex.benchmark.merge import merge_shards
from captum_spex.benchmark.methods import all_methods
from captum_spex.benchmark.protocol import Answer, Case, Method, Request, Row
from captum_spex.benchmark.results import read_results
from captum_spex.benchmark.runner import run_benchmark

__all__ = [
    "Answer",
    "Case",
    "Method",
    "Request",
    "Row",
    "all_methods",
    "catalogue",
    "from_folder",
    "merge_shards",
    "read_results",
    "run_benchmark",
]

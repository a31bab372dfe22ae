"""Several results at once: what is common to the rows of a data set, and how two results differ."""

from captum_spex.summaries.comparison import Comparison, compare
from captum_spex.summaries.data_set import Summary, summary

__all__ = ["Comparison", "Summary", "compare", "summary"]

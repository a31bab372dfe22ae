"""Which sources of a context made a model say what it said: sets of sources, and pairs that act together."""

from captum_spex.context.pairs import NamedPair, named_pairs
from captum_spex.context.sets import SourceSet, necessary_set, sufficient_set

__all__ = ["NamedPair", "SourceSet", "named_pairs", "necessary_set", "sufficient_set"]

"""Which sources of a context made a language model say what it says: alone, in sets, and in pairs that act together."""

from captum_spex.context.citations import Citations
from captum_spex.context.cite import cite
from captum_spex.context.cited import Cited
from captum_spex.context.context_game import ContextGame
from captum_spex.context.pairs import NamedPair, named_pairs
from captum_spex.context.servers import Server
from captum_spex.context.sets import SourceSet, necessary_set, sufficient_set
from captum_spex.context.sources import Source, as_sources

__all__ = [
    "Citations",
    "Cited",
    "ContextGame",
    "NamedPair",
    "Server",
    "Source",
    "SourceSet",
    "as_sources",
    "cite",
    "named_pairs",
    "necessary_set",
    "sufficient_set",
]

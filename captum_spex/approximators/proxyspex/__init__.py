"""ProxySPEX: a fitted surrogate whose spectrum and indices are read off, and which chooses what to ask next."""

from captum_spex.approximators.proxyspex.estimation import Shared
from captum_spex.approximators.proxyspex.proxyspex import ProxySpex

__all__ = ["ProxySpex", "Shared"]

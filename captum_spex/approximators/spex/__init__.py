"""SPEX: sparse Fourier decoding with error-correcting codes."""

from captum_spex.approximators.spex.spex import Spex

__all__ = ["Spex"]

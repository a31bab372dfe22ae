"""What a fitted proxy is, to those who combine several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from captum_spex.approximators.proxyspex.gaussian_process.conditioning import Conditioned
from captum_spex.arrays import Floats
from captum_spex.model import Part


@dataclass(frozen=True, eq=False)
class FittedProxy:
    """A fitted proxy: a game for every output, and how well it predicts what it did not see.

    Attributes:
        name: for people.
        parts: for every output, the parts whose sum is the surrogate.
        left_out: predictions of every value by fits that did not use it, ``(n_masks, n_outputs)``: a little worse than
            the surrogate's, as these had fewer values to learn from.
        reused: the same where only the last step left the value out, but hyper-parameters were learnt from all: a
            little better than the surrogate's.
        conditioned: the Gaussian process, where it is one of the values themselves.
    """

    name: str
    parts: Sequence[tuple[Part, ...]]
    left_out: Floats
    reused: Floats
    conditioned: Conditioned | None = None

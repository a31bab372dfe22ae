"""What a user's function returned, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from captum_spex.arrays import Floats
from captum_spex.errors import GameError


def numbers_of(value: Any, function: str) -> Floats:
    """Return tensors (also those with gradients, of any precision), arrays or numbers as a float64 array.

    Raises:
        GameError: for anything else; ``function`` says who returned it.
    """
    try:
        plain = value.detach().cpu().double() if isinstance(value, Tensor) else value
        return np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise GameError(f"`{function}`: returned a {type(value).__name__}; it must return numbers.") from error

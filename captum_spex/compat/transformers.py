"""What differs between versions of transformers, 4.56 to 5.24; it is not imported here, as that takes seconds."""

from __future__ import annotations

from inspect import signature
from typing import Any

from captum_spex.compat.versions import TRANSFORMERS, check_version

__all__ = ["cache_argument", "cache_of"]

check_version(TRANSFORMERS)

# Keys and values of earlier tokens: "past_key_values" until 5.23; "cache" from 5.24 on, the old name until 5.40.
_CACHES = ("cache", "past_key_values")


def cache_argument(model: Any) -> str | None:
    """Return the argument by which a model takes keys and values of earlier tokens; None if it takes none."""
    accepted = signature(model.forward).parameters
    return next((name for name in _CACHES if name in accepted), None)


def cache_of(outputs: Any) -> Any:
    """Return the keys and values in a model's output; None if there are none."""
    return next((outputs[name] for name in _CACHES if outputs.get(name) is not None), None)

"""Links: functions of the model's outputs whose values are explained."""

from __future__ import annotations

from typing import Any

import numpy as np

from captum_spex.errors import ArgumentError

_PROBED = np.array([[0.25, 0.5, 0.75], [0.5, 0.125, 0.875]])  # in the domain of logits and of most other links
_ALLOWED = "`shap.links.identity`, `shap.links.logit`, or another function that takes each number of an array by itself"


def checked_link(link: Any) -> Any:
    """Return a link after a trial: each number of an array by itself, compiled or not.

    Raises:
        ArgumentError: if it is no function, fails, or its values depend on other numbers of the array.
    """
    if not callable(link):
        raise ArgumentError("link", repr(link), _ALLOWED)
    name = getattr(link, "__name__", type(link).__name__)
    with np.errstate(all="ignore"):  # of links with another domain
        try:
            values = np.asarray(link(_PROBED.copy()), dtype=np.float64)
            single = np.array([np.asarray(link(np.array([number])), dtype=np.float64) for number in _PROBED.flat])
        except Exception as error:  # whatever a user's function raises
            came = f"{name!r}, which fails for an array of numbers ({type(error).__name__}: {error})"
            raise ArgumentError("link", came, _ALLOWED) from error
    if values.shape != _PROBED.shape or single.shape != (_PROBED.size, 1):
        came = f"{name!r}, which makes shape {values.shape} of shape {_PROBED.shape}"
        raise ArgumentError("link", came, _ALLOWED)
    if not np.allclose(values.ravel(), single.ravel(), rtol=1e-6, atol=1e-9, equal_nan=True):
        came = f"{name!r}, whose value for a number depends on the others in an array"
        raise ArgumentError("link", came, _ALLOWED)
    return link

"""Links: functions of the model's outputs whose values are explained, and their mean over background rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from captum_spex.arrays import Floats, Ints
from captum_spex.compat.shap import is_identity
from captum_spex.errors import ArgumentError, GameError

_PROBED = np.array([[0.25, 0.5, 0.75], [0.5, 0.125, 0.875]])  # in the domain of logits and of most other links
_ALLOWED = "`shap.links.identity`, `shap.links.logit`, or another function that acts on each number by itself"
_STEP = 1e-4  # of the difference quotient that linearises a link, as in SHAP


def checked_link(link: Any) -> Any:
    """Return a link after a trial: it acts on each number of an array by itself, compiled or not.

    Raises:
        ArgumentError: if it is not a function, fails, or if its values depend on other numbers of the array.
    """
    if not callable(link):
        raise ArgumentError("link", repr(link), _ALLOWED)
    name = getattr(link, "__name__", type(link).__name__)
    with np.errstate(all="ignore"):  # for links with another domain
        try:
            values = np.asarray(link(_PROBED.copy()), dtype=np.float64)
            single = np.array([np.asarray(link(np.array([number])), dtype=np.float64) for number in _PROBED.flat])
        except Exception as error:  # whatever a user's function raises
            got = f"{name!r}, which fails for an array of numbers ({type(error).__name__}: {error})"
            raise ArgumentError("link", got, _ALLOWED) from error
    if values.shape != _PROBED.shape or single.shape != (_PROBED.size, 1):
        got = f"{name!r}, which returns shape {values.shape} for shape {_PROBED.shape}"
        raise ArgumentError("link", got, _ALLOWED)
    if not np.allclose(values.ravel(), single.ravel(), rtol=1e-6, atol=1e-9, equal_nan=True):
        got = f"{name!r}, whose value for a number depends on the others in an array"
        raise ArgumentError("link", got, _ALLOWED)
    return link


class LinkedMean:
    r"""The link of the mean output over the background rows of each mask.

    With ``linearize`` the mean :math:`\operatorname{link}(\overline{f})` becomes a weighted mean of
    :math:`\operatorname{link}(f)`, the weights from a linear approximation of the link about the mean output over the
    background, so that the link does not bring interactions of its own.

    Args:
        link: a link of SHAP.
        linearize: whether to linearise it.
        background: the model's outputs with no input present, ``(n_rows,)`` or ``(n_rows, n_outputs)``.
        weights: of the background rows, ``(n_rows,)``; they sum to 1. Default: all alike.
    """

    def __init__(self, link: Any, linearize: bool, background: Floats, weights: Floats | None = None) -> None:
        self._link = None if is_identity(link) else link
        self._of_rows = weights
        self._weights = None if self._link is None or not linearize else _linear_weights(background, link, weights)

    def __call__(self, outputs: Floats, counts: Ints) -> Floats:
        """Return one value, or row of values, for each mask; ``counts`` says how many rows of outputs each has."""
        if self._link is None:
            return _checked(_means(outputs, counts, self._of_rows), outputs)
        if self._weights is None:
            means = _means(outputs, counts, self._of_rows)
            return _checked(self._linked(means), means)
        if (counts != len(self._weights)).any():
            message = "`masker`: returned another number of rows than before; a linearised link needs the same."
            raise GameError(f"{message} Set `linearize_link=False`.")
        weights = np.tile(self._weights, (len(counts), *[1] * (outputs.ndim - 1)))
        return _checked(_means(weights * self._linked(outputs), counts, self._of_rows), outputs)

    def _linked(self, values: Floats) -> Floats:
        with np.errstate(all="ignore"):  # values that are not finite are reported by `_checked`
            return np.asarray(self._link(values), dtype=np.float64)  # type: ignore[misc]


def _means(outputs: Floats, counts: Ints, weights: Floats | None) -> Floats:
    if weights is not None:
        return np.asarray(np.einsum("mr...,r->m...", outputs.reshape(len(counts), -1, *outputs.shape[1:]), weights))
    if len(counts) == 1 or (counts == counts[0]).all():
        return np.asarray(outputs.reshape(len(counts), -1, *outputs.shape[1:]).mean(axis=1))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(outputs, starts, axis=0)
    return np.asarray(sums / counts.reshape(-1, *[1] * (outputs.ndim - 1)))


def _linear_weights(background: Floats, link: Any, of_rows: Floats | None) -> Floats:
    """Weights whose product with ``link(p)`` has the mean ``link(mean(p))`` for the background's outputs ``p``.

    1 where p is the mean: SHAP's ``link_reweighting`` divides 0 by 0 there, always for a single background row.
    """
    mean = np.average(background, axis=0, weights=of_rows)
    with np.errstate(all="ignore"):
        upward, downward = link(mean + _STEP) - link(mean), link(mean) - link(mean - _STEP)
        slope = np.where(np.isfinite(upward), upward, downward) / _STEP
        weights = slope * (background - mean) / (link(background) - link(mean))
    weights = np.where(np.abs(background - mean) <= 1e-12 * np.abs(mean), 1.0, weights)
    return np.asarray(weights / np.average(weights, axis=0, weights=of_rows))


def _checked(values: Floats, outputs: Floats) -> Floats:
    """Raise a `GameError` that names the output for which a value is not finite."""
    if np.isfinite(values).all():
        return values
    wrong = outputs[~np.isfinite(outputs)]
    if wrong.size:
        raise GameError(f"`model`: returned {wrong.flat[0]}; outputs must be finite.")
    message = f"`link`: is not finite for outputs between {outputs.min():.6g} and {outputs.max():.6g} of the model."
    raise GameError(f"{message} `shap.links.logit` needs probabilities strictly between 0 and 1.")

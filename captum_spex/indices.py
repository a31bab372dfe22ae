r"""Interaction indices: names, orders and the exact weights that turn any part of a model into index values.

Every index here is, for every set of players :math:`S`, a linear functional :math:`\lambda_s` of one polynomial,

.. math:: I(S) = \lambda_{|S|}(g_S), \qquad g_S(p) = \mathbb E\,[\Delta_S f(T)],

where every player outside :math:`S` joins :math:`T` independently with probability :math:`p` and
:math:`\Delta_S f(T) = \sum_{L \subseteq S} (-1)^{|S| - |L|} f(T \cup L)`. A functional is a polynomial density on
:math:`[0, 1]` plus a few Taylor coefficients at points (`Functional`), in exact rational arithmetic. From it follow

- the weight of a Fourier term (`Index.fourier_weights`), where :math:`g_S = (-2)^s F(U) (1-2p)^{u-s}` for
  :math:`S \subseteq U`;
- the weight of one coalition's value (`Index.coalition_weights`), where
  :math:`g_S = (-1)^{s-a} p^{t-a} (1-p)^{n-s-t+a}`;
- and, for any other part, a quadrature over :math:`p`.

References:
    Fumagalli et al., "SHAP-IQ", NeurIPS 2023 (SII, STII, FSII as cardinal interaction indices).
    Tsai, Yeh, Ravikumar, "Faith-Shap", JMLR 2023, Theorem 19 (FSII of every order).
    Bordt, von Luxburg, "From Shapley Values to Generalized Additive Models and back", AISTATS 2023 (k-SII).
    Kang et al., "SPEX", ICML 2025, Appendix C (Fourier to every index).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import zip_longest
from math import comb, factorial

import numpy as np
from scipy.special import beta

from captum_spex import checks
from captum_spex.arrays import Floats, scalar
from captum_spex.errors import OrderError, UnknownNameError
from captum_spex.masks import Masks
from captum_spex.player_sets import PlayerSets
from captum_spex.terms import Terms

Polynomial = tuple[Fraction, ...]
"""Coefficients in powers of ``x = 1 - 2p``."""

NAMES = (
    "SV", "BV", "SII", "BII", "CHII", "k-SII", "STII", "FSII", "FBII", "kADD-SHAP", "Moebius", "Co-Moebius", "Fourier",
)  # fmt: skip
"""Allowed index names, as shapiq spells them; ``"BII(p=0.3)"`` is the p-weighted Banzhaf interaction index."""

_WEIGHTED_BANZHAF = re.compile(r"BII\(p=([0-9]*\.?[0-9]+)\)")
_CHECKED = 8  # degrees above the largest order for which sums are checked; those that fail do so at the first two
_MIDDLE, _ABSENT, _PRESENT = Fraction(0), Fraction(1), Fraction(-1)  # the points p = 1/2, 0, 1 as x = 1 - 2p


@dataclass(frozen=True)
class Functional:
    r""":math:`\lambda(g) = \int_0^1 \rho(1-2p)\,g(p)\,dp + \sum_j w_j\, g^{(k_j)}(p_j) / k_j!`.

    ``density`` holds the coefficients of :math:`\rho`, ``points`` the triples ``(1 - 2 p_j, k_j, w_j)``.
    """

    density: Polynomial = ()
    points: tuple[tuple[Fraction, int, Fraction], ...] = ()

    def __add__(self, other: Functional) -> Functional:
        return Functional(_add(self.density, other.density), self.points + other.points)

    def scaled(self, factor: Fraction) -> Functional:
        """Return ``factor`` times the functional."""
        points = tuple((x, k, w * factor) for x, k, w in self.points)
        return Functional(tuple(c * factor for c in self.density), points)

    def equals(self, other: Functional) -> bool:
        """Whether both give the same number for every polynomial."""
        difference = self + other.scaled(Fraction(-1))
        at_points: dict[tuple[Fraction, int], Fraction] = defaultdict(Fraction)
        for x, k, weight in difference.points:
            at_points[x, k] += weight
        return not any(difference.density) and not any(at_points.values())

    def of_derivative(self, order: int) -> Functional:
        r"""Return :math:`g \mapsto \lambda(g^{(j)} / j!)`, by partial integration where there is a density.

        :math:`g_S^{(j)} / j!` is the sum of :math:`g_{S \cup L}` over the :math:`L` of ``order`` further players.
        """
        if order == 0:
            return self
        points = [(x, k + order, w * comb(k + order, order)) for x, k, w in self.points]
        density, sign = self.density, Fraction(1)
        for step in range(order - 1, -1, -1):
            scale = sign * Fraction(factorial(step), factorial(order))
            points.append((_PRESENT, step, scale * _value(density, _PRESENT)))
            points.append((_ABSENT, step, -scale * _value(density, _ABSENT)))
            density, sign = _derivative_in_p(density), -sign
        tail = tuple(c * sign / factorial(order) for c in density)
        return Functional(tail, tuple(point for point in points if point[2]))

    def of_character(self, r: int) -> Fraction:
        r"""Return :math:`\lambda((1-2p)^r)`."""
        total = sum((c / (k + r + 1) for k, c in enumerate(self.density) if (k + r) % 2 == 0), Fraction(0))
        for x, k, w in self.points:
            if k <= r:
                total += w * (-2) ** k * comb(r, k) * x ** (r - k)
        return total

    def of_coalition(self, inside: Floats, outside: Floats) -> Floats:
        r"""Return :math:`\lambda(p^{t} (1-p)^{m})` for arrays of counts ``inside`` = t and ``outside`` = m."""
        total = np.zeros(np.broadcast(inside, outside).shape)
        for k, coefficient in enumerate(self.density):
            for i in range(k + 1):
                # (1 - 2p)^k = ((1 - p) - p)^k, and each product of powers integrates to a beta function.
                sign_and_count = float(coefficient * comb(k, i) * (-1) ** i)
                total += sign_and_count * beta(inside + i + 1, outside + k - i + 1)
        for x, k, w in self.points:
            total += float(w) * _taylor_of_powers(inside, outside, float((1 - x) / 2), k)
        return total

    def rule(self, n_nodes: int) -> list[tuple[float, float]]:
        """Return the inclusion probabilities and weights of a quadrature for the functional.

        Values at points are taken as they are; a density and derivatives are applied to the polynomial through
        ``n_nodes`` Gauss-Lobatto nodes, 0 and 1 among them, so they are exact up to degree ``n_nodes - 1`` (a constant
        density up to ``2 n_nodes - 3``).
        """
        direct = [(float((1 - x) / 2), float(weight)) for x, k, weight in self.points if k == 0]
        rest = Functional(self.density, tuple(point for point in self.points if point[1] > 0))
        if not rest.density and not rest.points:
            return direct
        inner = np.polynomial.legendre.Legendre.basis(n_nodes - 1).deriv().roots()
        nodes = np.concatenate([[-1.0], np.sort(inner.real), [1.0]])
        moments = [float(rest.of_character(r)) for r in range(n_nodes)]
        weights = np.linalg.solve(np.vander(nodes, increasing=True).T, moments)
        return [*direct, *zip(((1 - nodes) / 2).tolist(), weights.tolist(), strict=True)]


@dataclass(frozen=True)
class Index:
    """An interaction index up to an order, resolved from its name by `resolve_index`."""

    name: str
    max_order: int

    def functional(self, order: int) -> Functional:
        """Return the functional of sets of ``order`` players; order 0 is the baseline."""
        return _functional(self.name, order, self.max_order)

    def value_name(self, order: int, *, plural: bool = False) -> str:
        """Return what the value of a set of ``order`` players is called.

        The name of the index, or ``"Shapley value"`` or ``"Banzhaf value"`` where its functional is theirs.

        Example:
            >>> [resolve_index(name, 2, 5).value_name(1) for name in ("SII", "k-SII", "BII", "Fourier")]
            ['Shapley value', 'k-SII', 'Banzhaf value', 'Fourier coefficient']
        """
        name = _value_name(self, order)
        return f"{name}s" if plural and " " in name else name

    def adds_up(self, n_players: int) -> bool:
        """Whether the values of all sets add up to f(all) - f(none), whatever the game of so many players is."""
        return all(_adds_up(self, degree) for degree in range(1, min(n_players, self.max_order + _CHECKED) + 1))

    def fourier_weights(self, order: int, max_degree: int) -> Floats:
        r"""Return :math:`w(s, u)` of :math:`I(S) = \sum_{U \supseteq S} F(U)\, w(s, u)`, for u = 0..``max_degree``."""
        return np.array([float(_fourier_weight(self, order, degree)) for degree in range(max_degree + 1)])

    def coalition_weights(self, order: int, n_players: int) -> Floats:
        """Return the weight of the value of one coalition T in I(S).

        Shape ``(order + 1, n_players + 1)``: by ``a`` = players of S in T, and size of T. Impossible pairs are 0.
        """
        return _coalition_weights(self, order, n_players)

    def coefficients(self, masks: Masks, sets: PlayerSets) -> Floats:
        """Return the weight of every coalition in the indices of sets of one order, ``(n_masks, n_sets)``."""
        order, _, block = next(sets.by_order())
        inside = sum((masks[:, column].astype(np.int64) for column in block.T), np.zeros((len(masks), 1), np.int64))
        return self.coalition_weights(order, masks.shape[1])[inside, masks.sum(axis=1)[:, None]]


class IndexTerms(Terms):
    """Values of an interaction index: terms of order 1 to ``max_order``, and the baseline from which they build.

    Attributes:
        index: name of the index.
        max_order: largest order that was asked for.
        resolved_index: the index itself, up to that order.
        baseline: value of the empty set, which is the game without any player, except for ``"FBII"`` (intercept of
            the faithful approximation), ``"Co-Moebius"`` (value with all players) and ``"Fourier"`` (mean over all
            masks).
    """

    index: str
    max_order: int
    resolved_index: Index
    baseline: float

    def __init__(
        self, index: Index, sets: PlayerSets, values: Floats, baseline: float, *, is_sorted: bool = False
    ) -> None:
        super().__init__(sets, values, is_sorted=is_sorted)
        self._set(index=index.name, max_order=index.max_order, resolved_index=index, baseline=baseline)


def resolve_index(name: str, max_order: int, n_players: int) -> Index:
    """Check an index name and order, and return the index.

    ``"SV"`` and ``"BV"`` are of order 1, whatever ``max_order`` says.

    Raises:
        UnknownNameError: if the name is not in `NAMES` (nor a p-weighted ``"BII(p=...)"``).
        OrderError: if ``max_order`` is not an integer from 1 to ``n_players``.
    """
    weighted = _WEIGHTED_BANZHAF.fullmatch(name) if isinstance(name, str) else None
    if name not in NAMES and not (weighted and 0 < Fraction(weighted[1]) < 1):
        allowed = ", ".join(map(repr, NAMES)) + ", or 'BII(p=0.3)' with 0 < p < 1"
        raise UnknownNameError("index", repr(name), allowed)
    order = scalar(max_order)
    if not checks.is_integer(order) or not 1 <= order <= n_players:
        raise OrderError("max_order", repr(order), f"an integer from 1 to the number of players, {n_players}")
    return Index(name, 1 if name in ("SV", "BV") else order)


# --- the functional of every index ---------------------------------------------------------------------------


@cache
def _functional(name: str, s: int, top: int) -> Functional:
    weighted = _WEIGHTED_BANZHAF.fullmatch(name)
    if s == 0 and name not in ("FBII", "Fourier", "Co-Moebius"):
        return _point(_ABSENT)
    if weighted:
        return _point(1 - 2 * Fraction(weighted[1]))
    return _BUILDERS[name](s, top)


def _point(x: Fraction, weight: Fraction = Fraction(1)) -> Functional:
    return Functional(points=((x, 0, weight),))


def _uniform(s: int, top: int) -> Functional:
    return Functional(density=(Fraction(1),))


def _chaining(s: int, top: int) -> Functional:
    """Density ``s p^(s-1)``."""
    return Functional(density=tuple(s * c for c in _power_of_p(s - 1)))


def _taylor(s: int, top: int) -> Functional:
    """STII: Moebius below the top order, density ``l (1-p)^(l-1)`` at the top."""
    if s < top:
        return _point(_ABSENT)
    return Functional(density=tuple(abs(top * c) for c in _power_of_p(top - 1)))  # 1 - p = (1 + x) / 2


def _faithful_banzhaf(s: int, top: int) -> Functional:
    """Fourier terms up to degree ``top`` only: the Taylor polynomial at p = 1/2, evaluated at p = 0."""
    return Functional(points=tuple((_MIDDLE, k, Fraction(-1, 2) ** k) for k in range(top - s + 1)))


def _faithful_shapley(s: int, top: int) -> Functional:
    r"""FSII of every order as a density: the partial fractions of its Moebius weights.

    Theorem 19 of Faith-Shap gives the weight of a Moebius coefficient of size t >= s as
    :math:`c \prod_{j \le l, j \ne s} (t - j) / \prod_{i=1}^{l+s-1} (t - s + i)`, and
    :math:`1 / (t - s + i) = \int p^{t-s+i-1} dp`.
    """
    poles = range(1, top + s)
    sign = (-1) ** (top - s)
    constant = sign * Fraction(s, top + s) * comb(top, s) * Fraction(factorial(top + s), factorial(top))
    density: Polynomial = ()
    for i in poles:
        residue = constant
        for j in range(1, top + 1):
            residue *= (s - i - j) if j != s else 1
        for j in poles:
            residue /= (j - i) if j != i else 1
        density = _add(density, tuple(residue * c for c in _power_of_p(i - 1)))
    return Functional(density=density)


def _k_sii(s: int, top: int) -> Functional:
    """SII plus Bernoulli numbers times the SII of the supersets with j more players."""
    total = Functional()
    for j, number in enumerate(_bernoulli(top - s)):
        total += _uniform(s, top).of_derivative(j).scaled(number)
    return total


def _kadd(s: int, top: int) -> Functional:
    """SII of the faithful (FSII) approximation of order ``top``."""
    total = Functional()
    for j in range(top - s + 1):
        total += _faithful_shapley(s + j, top).of_derivative(j).scaled(Fraction(1, j + 1))
    return total


_BUILDERS: dict[str, Callable[[int, int], Functional]] = {
    "SV": _uniform,
    "SII": _uniform,
    "BV": lambda s, top: _point(_MIDDLE),
    "BII": lambda s, top: _point(_MIDDLE),
    "CHII": _chaining,
    "k-SII": _k_sii,
    "STII": _taylor,
    "FSII": _faithful_shapley,
    "FBII": _faithful_banzhaf,
    "kADD-SHAP": _kadd,
    "Moebius": lambda s, top: _point(_ABSENT),
    "Co-Moebius": lambda s, top: _point(_PRESENT),
    "Fourier": lambda s, top: _point(_MIDDLE, Fraction(-1, 2) ** s),
}


@cache
def _value_name(index: Index, order: int) -> str:
    if order == 1:
        for value, name in (("SV", "Shapley value"), ("BV", "Banzhaf value")):
            if index.functional(1).equals(_functional(value, 1, 1)):
                return name
    return "Fourier coefficient" if index.name == "Fourier" else index.name


@cache
def _adds_up(index: Index, degree: int) -> bool:
    """Whether the values add up for a game that is one Fourier term of this degree."""
    orders = range(1, min(index.max_order, degree) + 1)
    total = sum((comb(degree, s) * _fourier_weight(index, s, degree) for s in orders), Fraction(0))
    return total == (-1) ** degree - 1


# --- weights ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=100_000)
def _fourier_weight(index: Index, s: int, u: int) -> Fraction:
    return (-2) ** s * index.functional(s).of_character(u - s) if u >= s else Fraction(0)


@lru_cache(maxsize=256)
def _coalition_weights(index: Index, s: int, n: int) -> Floats:
    a = np.arange(s + 1, dtype=np.float64)[:, None]
    inside = np.arange(n + 1, dtype=np.float64) - a  # players of T outside S
    outside = n - s - inside  # players neither in T nor in S
    possible = (inside >= 0) & (outside >= 0)
    weights = index.functional(s).of_coalition(np.where(possible, inside, 0), np.where(possible, outside, 0))
    weights = np.where(possible, (-1.0) ** (s - a) * weights, 0.0)
    weights.flags.writeable = False
    return weights


def _taylor_of_powers(t: Floats, m: Floats, p: float, k: int) -> Floats:
    """Taylor coefficient of order ``k`` at ``p`` of ``p^t (1-p)^m``."""
    total = np.zeros(np.broadcast(t, m).shape)
    for i in range(k + 1):
        count = _falling_binomial(t, i) * _falling_binomial(m, k - i) * (-1.0) ** (k - i)
        with np.errstate(under="ignore"):
            total += count * p ** np.maximum(t - i, 0) * (1 - p) ** np.maximum(m - k + i, 0)
    return total


def _falling_binomial(n: Floats, k: int) -> Floats:
    """``C(n, k)`` for an array of counts and a small ``k``; 0 where ``n < k``."""
    value = np.ones_like(n)
    for i in range(k):
        value = value * (n - i) / (i + 1)
    return np.where(n >= k, value, 0.0)


# --- polynomials in x = 1 - 2p -------------------------------------------------------------------------------------


def _add(a: Polynomial, b: Polynomial) -> Polynomial:
    return tuple(x + y for x, y in zip_longest(a, b, fillvalue=Fraction(0)))


def _power_of_p(k: int) -> Polynomial:
    """``p^k = ((1 - x) / 2)^k``."""
    return tuple(Fraction((-1) ** i * comb(k, i), 2**k) for i in range(k + 1))


def _value(a: Polynomial, x: Fraction) -> Fraction:
    return sum((c * x**k for k, c in enumerate(a)), Fraction(0))


def _derivative_in_p(a: Polynomial) -> Polynomial:
    return tuple(-2 * k * c for k, c in enumerate(a))[1:]


def _bernoulli(highest: int) -> list[Fraction]:
    """Bernoulli numbers 0 to ``highest``, with ``B_1 = -1/2``."""
    numbers = [Fraction(1)]
    for m in range(1, highest + 1):
        numbers.append(-sum((comb(m + 1, j) * numbers[j] for j in range(m)), Fraction(0)) / (m + 1))
    return numbers

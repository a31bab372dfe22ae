"""Slow twins of the formulas, straight from the definitions, for games of at most 8 players.

A game is a table of length ``2**n``: entry ``code(T)`` is the value of the coalition ``T``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain, combinations, permutations
from math import comb, factorial

import numpy as np

Players = tuple[int, ...]
Values = dict[Players, float]


# --- sets -------------------------------------------------------------------------------------------------------------


def code(players: Iterable[int]) -> int:
    return sum(1 << player for player in players)


def subsets(players: Iterable[int]) -> Iterator[Players]:
    players = tuple(players)
    return chain.from_iterable(combinations(players, size) for size in range(len(players) + 1))


def sets_of(n: int, low: int, high: int) -> list[Players]:
    return [players for order in range(low, high + 1) for players in combinations(range(n), order)]


def others(n: int, players: Players) -> Players:
    return tuple(player for player in range(n) if player not in players)


def every_mask(n: int) -> np.ndarray:
    return np.array([[bool(row >> player & 1) for player in range(n)] for row in range(1 << n)])


def as_game(table: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def game(masks: np.ndarray) -> np.ndarray:
        return table[[code(np.flatnonzero(mask)) for mask in masks]]

    return game


# --- derivatives and cardinal indices ---------------------------------------------------------------------------------


def derivative(table: np.ndarray, players: Players, at: Players) -> float:
    """Sum of ``(-1)**(s - |L|) f(T + L)`` over the subsets L of the players S, at the coalition T."""
    return sum((-1) ** (len(players) - len(part)) * table[code(at) + code(part)] for part in subsets(players))


def cardinal(table: np.ndarray, n: int, players: Players, weight: Callable[[int, int, int], float]) -> float:
    """Sum of ``weight(n, s, t)`` times the derivative, over the coalitions T of the other players."""
    return sum(weight(n, len(players), len(at)) * derivative(table, players, at) for at in subsets(others(n, players)))


def sii_weight(n: int, s: int, t: int) -> float:
    return factorial(n - s - t) * factorial(t) / factorial(n - s + 1)


def chii_weight(n: int, s: int, t: int) -> float:
    return s * factorial(n - s - t) * factorial(s + t - 1) / factorial(n)


def banzhaf_weight(p: float) -> Callable[[int, int, int], float]:
    return lambda n, s, t: p**t * (1 - p) ** (n - s - t)


def stii_top_weight(n: int, s: int, t: int) -> float:
    return s / n / comb(n - 1, t)


def of_every_set(weight: Callable[[int, int, int], float]) -> Callable[[np.ndarray, int, int], Values]:
    def index(table: np.ndarray, n: int, top: int) -> Values:
        return {players: cardinal(table, n, players, weight) for players in sets_of(n, 1, top)}

    return index


sii = of_every_set(sii_weight)
bii = of_every_set(banzhaf_weight(0.5))
chii = of_every_set(chii_weight)


def moebius(table: np.ndarray, n: int, top: int) -> Values:
    return {players: derivative(table, players, ()) for players in sets_of(n, 1, top)}


def co_moebius(table: np.ndarray, n: int, top: int) -> Values:
    return {players: derivative(table, players, others(n, players)) for players in sets_of(n, 1, top)}


def stii(table: np.ndarray, n: int, top: int) -> Values:
    highest = {players: cardinal(table, n, players, stii_top_weight) for players in sets_of(n, top, top)}
    return moebius(table, n, top - 1) | highest


def fourier_coefficient(table: np.ndarray, n: int, players: Players) -> float:
    return sum((-1) ** len(set(players) & set(at)) * table[code(at)] for at in subsets(range(n))) / 2**n


def fourier(table: np.ndarray, n: int, top: int) -> Values:
    return {players: fourier_coefficient(table, n, players) for players in sets_of(n, 1, top)}


def shapley_by_permutations(table: np.ndarray, n: int) -> np.ndarray:
    """Average of the marginal contributions over all orders in which the players can arrive."""
    total = np.zeros(n)
    for arrival in permutations(range(n)):
        for place, player in enumerate(arrival):
            before = code(arrival[:place])
            total[player] += table[before + (1 << player)] - table[before]
    return total / factorial(n)


# --- aggregation ------------------------------------------------------------------------------------------------------


def bernoulli_numbers(highest: int) -> list[float]:
    """Bernoulli numbers with ``B_1 = -1/2``, by the recursion that defines them."""
    numbers = [Fraction(1)]
    for m in range(1, highest + 1):
        numbers.append(-sum(comb(m + 1, j) * numbers[j] for j in range(m)) / Fraction(m + 1))
    return [float(number) for number in numbers]


def k_sii(table: np.ndarray, n: int, top: int) -> Values:
    """Start every set at its SII when k reaches its order, then add Bernoulli times the SII of larger sets."""
    bernoulli = bernoulli_numbers(top)
    base = sii(table, n, top)
    values: Values = {}
    for k in range(1, top + 1):
        for players in list(values):
            more = combinations(others(n, players), k - len(players))
            values[players] += bernoulli[k - len(players)] * sum(base[tuple(sorted(players + extra))] for extra in more)
        values |= {players: base[players] for players in sets_of(n, k, k)}
    return values


# --- faithful approximations ------------------------------------------------------------------------------------------


def and_basis(n: int, sets: list[Players]) -> np.ndarray:
    """``(2**n, n_sets)``: whether all players of the set are present."""
    return np.array([[row & code(players) == code(players) for players in sets] for row in range(1 << n)], dtype=float)


def faithful_banzhaf(table: np.ndarray, n: int, top: int) -> Values:
    """Least squares over all masks, every mask weighing the same; holds the intercept at ``()``."""
    sets = sets_of(n, 0, top)
    return dict(zip(sets, np.linalg.lstsq(and_basis(n, sets), table, rcond=None)[0], strict=True))


def faithful_shapley(table: np.ndarray, n: int, top: int) -> Values:
    """Least squares under the Shapley kernel, exact on the empty and the full mask; holds ``f(none)`` at ``()``."""
    sets = sets_of(n, 1, top)
    basis = and_basis(n, sets)
    sizes = [row.bit_count() for row in range(1 << n)]
    inner = [row for row in range(1 << n) if 0 < sizes[row] < n]
    root = np.array([((n - 1) / (comb(n, t) * t * (n - t))) ** 0.5 for t in (sizes[row] for row in inner)])
    # All coefficients sum to f(all) - f(none): the first one follows from the others.
    total = table[-1] - table[0]
    design = (basis[inner][:, 1:] - basis[inner][:, :1]) * root[:, None]
    right = (table[inner] - table[0] - total * basis[inner][:, 0]) * root
    rest = np.linalg.lstsq(design, right, rcond=None)[0]
    return dict(zip([(), *sets], [table[0], total - rest.sum(), *rest], strict=True))


def fbii(table: np.ndarray, n: int, top: int) -> Values:
    return {players: value for players, value in faithful_banzhaf(table, n, top).items() if players}


def fsii(table: np.ndarray, n: int, top: int) -> Values:
    return {players: value for players, value in faithful_shapley(table, n, top).items() if players}


def kadd_shap(table: np.ndarray, n: int, top: int) -> Values:
    """SII of the game that the FSII coefficients make."""
    surrogate = faithful_shapley(table, n, top)
    sets = list(surrogate)
    return sii(and_basis(n, sets) @ np.array([surrogate[players] for players in sets]), n, top)


INDICES: dict[str, Callable[[np.ndarray, int, int], Values]] = {
    "SV": lambda table, n, top: sii(table, n, 1),
    "BV": lambda table, n, top: bii(table, n, 1),
    "SII": sii,
    "BII": bii,
    "BII(p=0.3)": of_every_set(banzhaf_weight(0.3)),
    "CHII": chii,
    "k-SII": k_sii,
    "STII": stii,
    "FSII": fsii,
    "FBII": fbii,
    "kADD-SHAP": kadd_shap,
    "Moebius": moebius,
    "Co-Moebius": co_moebius,
    "Fourier": fourier,
}
"""Every index name, and its twin: ``(table, n, max_order) -> {players: value}`` for orders 1 to ``max_order``."""


def baseline(name: str, table: np.ndarray, n: int, top: int) -> float:
    """Value of the empty set."""
    if name == "Co-Moebius":
        return float(table[-1])
    if name == "Fourier":
        return float(np.mean(table))
    return float(faithful_banzhaf(table, n, top)[()] if name == "FBII" else table[0])


# --- exact weights of Fourier terms -----------------------------------------------------------------------------------


def solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Gauss-Jordan elimination in exact arithmetic."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(len(rows)):
        pivot = next(row for row in range(column, len(rows)) if rows[row][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [entry / rows[column][column] for entry in rows[column]]
        for row in range(len(rows)):
            if row != column and rows[row][column]:
                factor = rows[row][column]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    return [row[-1] for row in rows]


def fsii_weights_by_least_squares(top: int, u: int) -> list[Fraction]:
    """Weights of orders 1 to ``top`` < u of a Fourier term of degree u.

    They are the coefficients, in the basis ``C(k, s)``, of the polynomial q of degree ``top`` with ``q(0) = 1`` and
    ``q(u) = (-1)**u`` that minimises the sum of ``(q(k) - (-1)**k)**2 / (k (u - k))``.
    """
    orders = range(1, top + 1)
    inner = range(1, u)
    weight = {k: Fraction(1, k * (u - k)) for k in inner}
    matrix = [
        [*(2 * sum(weight[k] * comb(k, s) * comb(k, r) for k in inner) for r in orders), Fraction(comb(u, s))]
        for s in orders
    ]
    matrix.append([*(Fraction(comb(u, r)) for r in orders), Fraction(0)])
    right = [2 * sum(weight[k] * comb(k, s) * ((-1) ** k - 1) for k in inner) for s in orders]
    return solve(matrix, [*right, Fraction((-1) ** u - 1)])[:-1]

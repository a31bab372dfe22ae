r"""From syndromes to error positions, many words at once: locator polynomials and their roots.

A set of elements :math:`X_1, ..., X_d` of GF(2^m) is known by its odd power sums (syndromes)
:math:`p_{2j+1} = \sum_i X_i^{2j+1}`. `berlekamp_massey` finds the polynomial :math:`\prod_i (y - X_i)`, `roots` its
roots: by formula up to degree 3, beyond by splitting it with traces, in a time that hardly grows with the field.
"""

from __future__ import annotations

import numpy as np

from captum_spex.approximators.spex.galois import Elements, Field

_BY_FORMULA = 3  # highest degree for which roots are looked up in a table of the field


def berlekamp_massey(field: Field, odd: Elements) -> tuple[Elements, Elements]:
    """Find the locators of words from their odd syndromes ``(n, t)``.

    Returns:
        The coefficients of ``y^d, y^(d-1), ...``, ``(n, t + 1)``, and the degrees d, -1 where no set of up to t
        elements has these syndromes.

    References:
        Massey, "Shift-register synthesis and BCH decoding", IEEE Trans. Inf. Theory 1969.
    """
    n_words, t = odd.shape
    sums = power_sums(field, odd)
    locator = np.zeros((n_words, t + 1), dtype=np.int64)
    locator[:, 0] = 1
    before = locator.copy()
    scale = np.ones(n_words, dtype=np.int64)
    length = np.zeros(n_words, dtype=np.int64)
    # `locator` is the shortest recurrence of the power sums so far, `before` the last one that was shorter, shifted to
    # where it failed by `scale`. A discrepancy is cancelled by adding enough of it.
    for step in range(2 * t):
        before = np.concatenate([np.zeros_like(before[:, :1]), before[:, :-1]], axis=1)
        used = min(step, t) + 1
        window = sums[:, step::-1][:, :used]
        discrepancy = np.bitwise_xor.reduce(field.multiply(locator[:, :used], window), axis=1)
        updated = locator ^ field.multiply(field.divide(discrepancy, scale)[:, None], before)
        grows = (discrepancy != 0) & (2 * length <= step)
        before = np.where(grows[:, None], locator, before)
        scale = np.where(grows, discrepancy, scale)
        length = np.where(grows, step + 1 - length, length)
        locator = updated
    degrees = t - np.argmax(locator[:, ::-1] != 0, axis=1)
    return locator, np.where((length <= t) & (degrees == length), degrees, -1)


def power_sums(field: Field, odd: Elements) -> Elements:
    """Return the power sums 1 to 2t: the even ones are squares."""
    sums = np.zeros((len(odd), 2 * odd.shape[1]), dtype=np.int64)
    sums[:, 0::2] = odd
    for k in range(2, sums.shape[1] + 1, 2):
        sums[:, k - 1] = field.power(sums[:, k // 2 - 1], 2)
    return sums


def roots(field: Field, locators: Elements, odd: Elements) -> Elements:
    """Return the roots of locators of one degree, ``(n, d)``; a row of -1 where they are not d distinct elements.

    Args:
        field: the field.
        locators: coefficients of ``y^d .. y^0``, ``(n, d + 1)``, the first of them 1.
        odd: the odd power sums of the roots, ``(n, t)``.
    """
    degree = locators.shape[1] - 1
    if degree > _BY_FORMULA:
        found = _split(field, locators, odd)
    elif degree > 1:
        found = (_quadratic if degree == 2 else _cubic)(field, locators[:, 1:])
    else:
        found = locators[:, 1:]
    ordered = np.sort(found, axis=1)
    good = (found > 0).all(axis=1) & (np.diff(ordered, axis=1) != 0).all(axis=1)
    return np.where(good[:, None], found, -1)


def _quadratic(field: Field, coefficients: Elements) -> Elements:
    """Solve y^2 + a y + b: with y = a z, z^2 + z = b / a^2 is looked up."""
    a, b = coefficients.T
    scale = np.where(a != 0, a, 1)
    z = field.halves[field.divide(b, field.power(scale, 2))]
    solvable = (a != 0) & (z >= 0)
    root = field.multiply(scale, np.maximum(z, 0))
    return np.where(solvable[:, None], np.stack([root, root ^ scale], axis=1), -1)


def _cubic(field: Field, coefficients: Elements) -> Elements:
    """Solve y^3 + a y^2 + b y + c: y = u + a gives u^3 + p u + q, and u = sqrt(p) z a looked-up z^3 + z."""
    a, b, c = coefficients.T
    p = field.power(a, 2) ^ b
    q = field.multiply(a, b) ^ c
    scale = field.square_root(np.where(p != 0, p, 1))
    z = field.thirds[field.divide(q, field.power(scale, 3))]
    u = field.multiply(scale[:, None], np.maximum(z, 0))
    u = np.where(z >= 0, u, -1)
    u = np.where((p != 0)[:, None], u, _cube_roots(field, q))
    return np.where(u >= 0, u ^ a[:, None], -1)


def _cube_roots(field: Field, q: Elements) -> Elements:
    """Return the three cube roots of every element, or -1 where there are not three."""
    if field.order % 3:
        return np.full((len(q), 3), -1, dtype=np.int64)
    third = field.order // 3
    found = field.exp[(field.log[q] // 3)[:, None] + third * np.arange(3)]
    return np.where(((q != 0) & (field.log[q] % 3 == 0))[:, None], found, -1)


def _split(field: Field, locators: Elements, odd: Elements) -> Elements:
    r"""Split polynomials by the traces of their roots until the pieces are solved by formula.

    The trace of ``b y`` is 0 or 1 at every root y, so the power sums of the roots where it is 1 are
    :math:`q_k = \sum_i T_i p_{k+i}`, with T the trace reduced by the polynomial; their locator is found as that of a
    word is. Every b of a basis splits about half of the polynomials that are not split yet.

    References:
        Berlekamp, "Factoring polynomials over large finite fields", Math. Comp. 1970.
    """
    degree = locators.shape[1] - 1
    found = np.full((len(locators), degree), -1, dtype=np.int64)
    images, splits = _images(field, locators)
    # A locator that does not split into distinct linear factors, or has the root 0, belongs to no set of positions.
    open_rows = np.flatnonzero(splits & (locators[:, -1] != 0))
    sums = _sums_from_zero(field, locators, odd)
    for power in range(field.m):
        if not len(open_rows):
            break
        # The trace of b y is the sum of all (b y)^(2^j): a combination of the images of y, here for b = alpha^power.
        weights = field.exp[(power << np.arange(field.m)) % field.order]
        trace = np.bitwise_xor.reduce(field.multiply(weights[:, None, None], images[:, open_rows]), axis=0)
        # Power sums add up over the roots, so those of the roots with trace 0 are the rest of all.
        chosen = _chosen_sums(field, trace, sums[open_rows], odd.shape[1])
        rest = odd[open_rows] ^ chosen
        locators_1, degrees_1 = berlekamp_massey(field, chosen)
        locators_2, degrees_2 = berlekamp_massey(field, rest)
        # Both pieces are of a smaller degree, so the recursion ends; a row whose roots all have one trace waits for
        # the next b, and some b of a basis tells any two roots apart.
        divided = (degrees_1 > 0) & (degrees_2 > 0) & (degrees_1 + degrees_2 == degree)
        pieces = [
            _padded_roots(field, chosen[divided], locators_1[divided], degrees_1[divided], degree),
            _padded_roots(field, rest[divided], locators_2[divided], degrees_2[divided], degree),
        ]
        found[open_rows[divided]] = np.concatenate(pieces, axis=1)[_joined(degrees_1[divided], degree)]
        open_rows = open_rows[~divided]
    return found


def _images(field: Field, locators: Elements) -> tuple[Elements, np.ndarray]:
    """Return ``y^(2^j)`` reduced by every polynomial, ``(m, n, d)``, and whether ``y^(2^m) = y``: it splits."""
    degree = locators.shape[1] - 1
    low_first = locators[:, :0:-1]
    reduced = [low_first]  # y^d, y^(d+1), ...: each is the one before times y
    for _ in range(degree - 2):
        last = reduced[-1]
        shifted = np.concatenate([np.zeros_like(last[:, :1]), last[:, :-1]], axis=1)
        reduced.append(shifted ^ field.multiply(last[:, -1:], low_first))
    identity = np.zeros_like(low_first)
    identity[:, 1] = 1
    images = [identity]
    for _ in range(field.m):
        squares = field.power(images[-1], 2)
        image = np.zeros_like(low_first)
        image[:, 0::2] = squares[:, : (degree + 1) // 2]
        for k in range((degree + 1) // 2, degree):
            image ^= field.multiply(squares[:, k, None], reduced[2 * k - degree])
        images.append(image)
    return np.stack(images[:-1]), (images[-1] == identity).all(axis=1)


def _sums_from_zero(field: Field, locators: Elements, odd: Elements) -> Elements:
    """Return the power sums 0 to 2t + d of the roots, the later ones by Newton's recurrence."""
    degree = locators.shape[1] - 1
    first = np.full((len(odd), 1), degree % 2, dtype=np.int64)
    sums = [first, *(column[:, None] for column in power_sums(field, odd).T)]
    for _ in range(degree):
        window = np.concatenate(sums[: -degree - 1 : -1], axis=1)
        following = np.bitwise_xor.reduce(field.multiply(locators[:, 1:], window), axis=1)
        sums.append(following[:, None])
    return np.concatenate(sums, axis=1)


def _chosen_sums(field: Field, trace: Elements, sums: Elements, t: int) -> Elements:
    """Return the odd power sums of the roots at which the trace is 1."""
    degree = trace.shape[1]
    return np.stack(
        [np.bitwise_xor.reduce(field.multiply(trace, sums[:, k : k + degree]), axis=1) for k in range(1, 2 * t, 2)],
        axis=1,
    )


def _padded_roots(field: Field, odd: Elements, locators: Elements, degrees: Elements, width: int) -> Elements:
    """Return the roots of locators of any degrees, padded with -1 to ``width`` columns."""
    found = np.full((len(odd), width), -1, dtype=np.int64)
    for degree in np.unique(degrees):
        rows = np.flatnonzero(degrees == degree)
        found[rows, :degree] = roots(field, locators[rows, : degree + 1], odd[rows])
    return found


def _joined(first: Elements, degree: int) -> tuple[Elements, Elements]:
    """Index that joins two blocks padded to ``degree`` columns: ``first`` columns of one, then the other's."""
    column = np.arange(degree)
    picked = np.where(column < first[:, None], column, degree + column - first[:, None])
    return np.arange(len(first))[:, None], picked

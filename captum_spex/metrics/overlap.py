"""Comparison of terms: recovery of known interactions, agreement of two results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from captum_spex import checks
from captum_spex.errors import ArgumentError
from captum_spex.metrics.explanations import Explained, canonical, terms_of, top_of
from captum_spex.metrics.scores import rank_correlation


@dataclass(frozen=True)
class Agreement:
    """How far two explanations agree: ``share`` of common top k terms, ``rank_correlation`` of the terms in either."""

    share: float
    rank_correlation: float
    common: tuple[tuple[int, ...], ...]


def recovery(
    explained: Explained,
    known: Iterable[Iterable[int]],
    k: int = 10,
    *,
    counted: Literal["interactions", "players"] = "interactions",
    min_order: int = 2,
) -> float:
    r"""Return recovery@k: the share of known interactions, or of their players, among the k largest interactions.

    .. math:: |K \cap T_k| / |K|, \quad\text{or}\quad |\bigcup K \cap \bigcup T_k| / |\bigcup K|

    Args:
        explained: a result, a spectrum, a mapping or first-order attributions.
        known: the sets to be found.
        k: how many terms are considered, the largest absolute values first; values of 0 are never found.
        counted: whether sets or single players are counted.
        min_order: the smallest order of the terms considered, and of the known ones.

    Raises:
        ArgumentError: if an argument cannot be used.

    Example:
        >>> found = {(0, 1): 3.0, (2, 4): -2.0, (0,): 9.0}
        >>> recovery(found, [(1, 0), (2, 3)]), recovery(found, [(1, 0), (2, 3)], counted="players")
        (0.5, 0.75)
    """
    checks.choice("counted", counted, ("interactions", "players"))
    top, sets = top_of(explained, k, min_order), {canonical(players, "known") for players in known}
    if not sets or min(map(len, sets)) < min_order:
        got = f"{min(sets, key=len)}" if sets else "no set"
        raise ArgumentError("known", got, f"one or more sets of at least `min_order` = {min_order} players")
    if counted == "interactions":
        return len(sets & set(top)) / len(sets)
    players = set().union(*sets)
    return len(players & set().union(*top)) / len(players)


def recovery_rate(explained: Explained, annotated: Iterable[int], k: int = 10, *, min_order: int = 2) -> float:
    r"""Return how much of the k largest interactions lies inside a set of players marked by people.

    .. math:: \frac1k \sum_{i \le k} |A \cap T_i| / |T_i|

    If there are fewer than k interactions, the missing ones count as 0. Arguments and errors are those of `recovery`.

    Example:
        >>> recovery_rate({(0, 1): 3.0, (1, 2): -2.0}, annotated=[0, 1], k=2)
        0.75

    References:
        Kang et al., "SPEX", ICML 2025: recovery rate@10 on HotpotQA.
    """
    top, marked = top_of(explained, k, min_order), set(canonical(annotated, "annotated"))
    if not marked:
        raise ArgumentError("annotated", "no player", "one or more players")
    return sum(len(marked.intersection(players)) / len(players) for players in top) / k


def agreement(one: Explained, other: Explained, k: int = 10, *, min_order: int = 1) -> Agreement:
    r"""Return how far the largest terms of two explanations agree.

    .. math:: share = |T_k \cap T'_k| / \max(|T_k|, |T'_k|)

    The rank correlation is Spearman's, between the values of all terms in either top k; missing terms are 0. NaN where
    one explanation gives them all the same value.

    Raises:
        ArgumentError: if an argument cannot be used.

    Example:
        >>> found = agreement({(0,): 3.0, (0, 1): -2.0, (2,): 1.0}, {(0,): 2.0, (0, 1): -3.0, (1,): 0.5}, k=2)
        >>> found.share, found.common, round(found.rank_correlation, 9)
        (1.0, ((0,), (0, 1)), 1.0)

    References:
        Krishna et al., "The Disagreement Problem in Explainable Machine Learning", TMLR 2024.
    """
    tops = [top_of(explained, k, min_order) for explained in (one, other)]
    union = list(tops[0] | tops[1])
    values = [np.array([terms.get(term, 0.0) for term in union]) for terms in (terms_of(one), terms_of(other))]
    common = tuple(term for term in tops[0] if term in tops[1])
    share = len(common) / max(map(len, tops)) if union else 1.0
    return Agreement(share, rank_correlation(*values), common)

"""A group and a feature that should not matter together: ``python -m benchmarks.fairness``.

Applications for a loan are generated. The score depends on honest features, one pair of them together; in the records
to learn from, the ``postcode`` counts against one ``group`` only. Boosted trees learn that. An audit flips the group of
applicants held out, takes those of the group whose score changes most, and asks `ProxySpexExplainer` with 500
evaluations which pairs of features their scores hang on. The planted pair should be among the three strongest, for one
applicant, and for the means over the applicants. ``any`` are applicants of the group taken at random, whatever their
postcode: of one whose postcode is that of the reference the pair is no part of the score.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from captum_spex.explainers import ProxySpexExplainer
from captum_spex.interactions import Interactions

HONEST = ("income", "debt", "savings", "years employed", "late payments", "age")
GROUP, POSTCODE = 0, 1
N_FEATURES = (12, 24)
N_TRAIN, N_HELD_OUT, N_BACKGROUND = 4000, 1000, 20
EVALUATIONS = 500
N_APPLICANTS = 5
STRONGEST = 3
PLANTED = (GROUP, POSTCODE)
GROUP_PAIR = "group x postcode"
UNFAIR = 1.5  # log-odds that a unit of the postcode costs the group


@dataclass(frozen=True, eq=False)
class Records:
    """Generated applications, and who was granted the loan."""

    rows: np.ndarray
    granted: np.ndarray
    names: tuple[str, ...]


def records(rng: np.random.Generator, n_rows: int, n_features: int) -> Records:
    """Return applications; features behind the honest ones are noise, some of it related to income."""
    names = ("group", "postcode", *HONEST)
    names += tuple(f"field {number}" for number in range(n_features - len(names)))
    rows = rng.normal(size=(n_rows, n_features))
    rows[:, GROUP] = rng.random(n_rows) < 0.5
    rows[:, 8::3] += 0.7 * rows[:, [2]]
    income, debt, savings, years, late, _ = rows[:, 2:8].T
    log_odds = 0.8 * income - 0.8 * debt + 0.5 * savings + 0.4 * years - 0.5 * late + 0.5 * income * debt
    log_odds -= UNFAIR * rows[:, GROUP] * rows[:, POSTCODE]
    return Records(rows, rng.random(n_rows) < expit(log_odds), names)


def audited(model: HistGradientBoostingClassifier, rows: np.ndarray) -> np.ndarray:
    """Return the applicants of the group whose score changes most when nothing but the group does."""
    members = rows[rows[:, GROUP] == 1]
    flipped = members.copy()
    flipped[:, GROUP] = 0
    changes = np.abs(model.decision_function(members) - model.decision_function(flipped))
    return members[np.argsort(-changes, kind="stable")[:N_APPLICANTS]]


def mean_strengths(results: Sequence[Interactions]) -> dict[tuple[int, ...], float]:
    """Return the mean size of every pair over several applicants."""
    strengths: dict[tuple[int, ...], float] = {}
    for result in results:
        for pair, value in result.top(len(result), order=2).items():
            strengths[pair] = strengths.get(pair, 0.0) + abs(value) / len(results)
    return strengths


def rank(strengths: dict[tuple[int, ...], float]) -> int:
    """Return the rank of the planted pair by size, from 1; behind all others if it is not there."""
    own = abs(strengths.get(PLANTED, 0.0))
    return 1 + sum(abs(value) >= own for pair, value in strengths.items() if pair != PLANTED)


@dataclass(frozen=True)
class Audit:
    """Ranks of the planted pair for the audited applicants, for means over them, and for others; accuracy held out."""

    seed: int
    n_features: int
    ranks: tuple[int, ...]
    rank_of_means: int
    ranks_of_any: tuple[int, ...]
    faithfulness: float
    accuracy: float
    strongest: str
    seconds: float


def audit(seed: int, n_features: int, evaluations: int = EVALUATIONS) -> Audit:
    """Generate, train, and explain."""
    rng = np.random.default_rng([seed, n_features])
    train, held_out = records(rng, N_TRAIN, n_features), records(rng, N_HELD_OUT, n_features)
    model = HistGradientBoostingClassifier(max_leaf_nodes=8, min_samples_leaf=40, early_stopping=False, random_state=0)
    model.fit(train.rows, train.granted)
    background = train.rows[rng.choice(N_TRAIN, N_BACKGROUND, replace=False)]
    explainer = ProxySpexExplainer(model.decision_function, background, feature_names=list(train.names), seed=seed)
    begin = time.perf_counter()
    applicants = audited(model, held_out.rows)
    members = held_out.rows[held_out.rows[:, GROUP] == 1]
    anyone = members[rng.choice(len(members), N_APPLICANTS, replace=False)]
    results, others = (
        explainer.interactions(rows, max_evals=evaluations, index="SII", max_order=2, silent=True)
        for rows in (applicants, anyone)
    )
    means = mean_strengths(results)
    return Audit(
        seed,
        n_features,
        tuple(rank(one.top(len(one), order=2)) for one in results),
        rank(means),
        tuple(rank(one.top(len(one), order=2)) for one in others),
        float(np.mean([one.faithfulness for one in results])),
        float(model.score(held_out.rows, held_out.granted)),
        " x ".join(train.names[player] for player in max(means, key=lambda pair: means[pair])),
        time.perf_counter() - begin,
    )


def share_found(ranks: Sequence[int]) -> float:
    """Return the share of ranks among the strongest."""
    return float(np.mean([one <= STRONGEST for one in ranks]))


HEADING = "features  seed  ranks of the audited   of their means  ranks of any         faithfulness  accuracy  seconds"


def line(one: Audit) -> str:
    """Return the line of one audit."""
    ranks, others = (" ".join(f"{number:3d}" for number in found) for found in (one.ranks, one.ranks_of_any))
    return (
        f"{one.n_features:8d}  {one.seed:4d}  {ranks:<21}  {one.rank_of_means:14d}  {others:<19}  "
        f"{one.faithfulness:12.3f}  {one.accuracy:8.3f}  {one.seconds:7.1f}"
    )


def shares(audits: Sequence[Audit]) -> Iterator[str]:
    """Yield, for every number of features, how often the planted pair is among the strongest."""
    for n_features in sorted({one.n_features for one in audits}):
        own = [one for one in audits if one.n_features == n_features]
        yield (
            f"{n_features} features, {len(own)} seeds: {GROUP_PAIR} among the {STRONGEST} strongest pairs of "
            f"{share_found([number for one in own for number in one.ranks]):.0%} of the audited applicants, of "
            f"{share_found([one.rank_of_means for one in own]):.0%} of the means over them, of "
            f"{share_found([number for one in own for number in one.ranks_of_any]):.0%} of any applicants"
        )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--features", type=int, nargs="+", default=list(N_FEATURES))
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS)
    options = parser.parse_args(arguments)
    audits = []
    print(HEADING, flush=True)
    for seed in range(options.seeds):
        for n_features in options.features:
            audits.append(audit(seed, n_features, options.evaluations))
            print(line(audits[-1]), flush=True)
    print("\n".join(shares(audits)))


if __name__ == "__main__":
    main()

"""Measure citations of a context: ``python -m benchmarks.context``.

A small language model is trained here to answer questions over a context of sentences (`tools.context_model`): one fact
is told twice (redundant), one takes two sentences (complementary), the others are not asked for. The players are the
sentences; the values are the log-probabilities of the two answers, and their sum.

``pairs``: in how many contexts both planted pairs are found first, each of its own answer, and both of the sum.
``scores``: against ContextCite's LASSO, on as many ablations: the linear data-modelling score on fresh random
ablations, and the drop of the log-probability when the top 1, 3 and 5 sentences are removed.
``planted``: in how many contexts the sufficient and the necessary set are the planted sentences, exactly.
``sets``: sufficient and necessary sets of short contexts beside brute force over all sets.
Without any of these: all of them. Means over contexts, with standard errors.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import accumulate, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import Lasso
from threadpoolctl import threadpool_limits
from transformers.utils import logging

import captum_spex
from benchmarks.lines import verdict
from captum_spex.arrays import Floats
from captum_spex.context import named_pairs, necessary_set, sufficient_set
from captum_spex.games.text import AnswerGame
from captum_spex.masks import Masks, all_masks, ends
from captum_spex.metrics import data_modelling_score, log_prob_drop
from tools.context_model import ASK, STEPS, Context, context, trained_gpt2

BUDGETS = (32, 64, 128, 256)
SENTENCES = tuple(range(20, 60, 2))
SHORT = (8, 10, 12)
ANSWERS = ("redundant", "complementary", "sum")
REMOVED = (1, 3, 5)
FRESH = 100
SHARES = (0.5, 0.9)
ALPHA = 0.01  # ContextCite's


@dataclass(frozen=True)
class Line:
    """One line of a table: a mean with its standard error, or a count."""

    what: str
    value: float
    std_error: float | None = None
    target: str = ""
    reached: bool | None = None

    def __str__(self) -> str:
        error = "" if self.std_error is None else f"± {self.std_error:.3f}"
        return f"{self.what:<72} {self.value:>9.3f} {error:<9} {self.target:>8}  {verdict(self.reached)}".rstrip()


class Answers:
    """A context as a game of three outputs: the log-probability of each answer, and the sum of both."""

    def __init__(self, one: Context, steps: int) -> None:
        model, tokenizer = trained_gpt2(steps=steps)
        stops = list(accumulate(len(sentence) + 1 for sentence in one.sentences))
        self.n_players = len(stops)
        self.names = one.sentences
        self._game = AnswerGame(
            model,
            tokenizer,
            one.text,
            unit=[(start, stop - 1) for start, stop in zip([0, *stops], stops, strict=False)],
            ablation="delete",
            prefix="<s> ",
            suffix=f" {ASK} {one.asked[0]}",
            answer=f" {one.answers[0]} {ASK} {one.asked[1]} {one.answers[1]}",
            output="tokens",
        )
        self._results: dict[int, list[captum_spex.Interactions]] = {}

    def explained(self, chosen: argparse.Namespace, budget: int) -> list[captum_spex.Interactions]:
        """Return what ProxySPEX finds, of all answers from the same evaluations; each once."""
        if budget not in self._results:
            game = self._logits if chosen.logits else self
            found = captum_spex.explain(game, self.n_players, budget=budget, index=chosen.index, random_state=0)
            self._results[budget] = list(found)  # type: ignore[arg-type]
        return self._results[budget]

    def _logits(self, masks: Masks) -> Floats:
        each = logits_of(self(masks)[:, :2])
        return np.column_stack([each, each.sum(axis=1)])

    def __call__(self, masks: Masks) -> Floats:
        batches = np.array_split(masks, max(1, len(masks) // 64))
        each = np.concatenate([np.asarray(self._game(batch), dtype=np.float64) for batch in batches])[:, [0, 3]]
        return np.column_stack([each, each.sum(axis=1)])


def of_output(game: Any, output: int) -> Any:
    """Return one output of a game."""
    return lambda masks: game(masks)[:, output]


def logits_of(log_probs: Floats) -> Floats:
    """Return the logits of probabilities, as ContextCite's outputs are."""
    bounded = np.minimum(log_probs, -1e-12)
    return np.asarray(bounded - np.log(-np.expm1(bounded)))


def lasso(masks: Masks, log_probs: Floats) -> Floats:
    """Return ContextCite's attributions: a LASSO of the logit on standardised ablations."""
    centre, scale = masks.mean(axis=0), np.maximum(masks.std(axis=0), 1e-12)
    fitted = Lasso(alpha=ALPHA, max_iter=10_000).fit((masks - centre) / scale, logits_of(log_probs))
    return np.asarray(fitted.coef_ / scale)


@cache
def contexts(sizes: tuple[int, ...], seed: int, steps: int) -> tuple[tuple[Context, Answers], ...]:
    """Draw a context of each number of sentences; the network has seen none of them."""
    rng = np.random.default_rng([seed, 7])
    drawn = [context(rng, size) for size in sizes]
    return tuple((one, Answers(one, steps)) for one in drawn)


def mean_line(what: str, values: Iterable[float], **target: Any) -> Line:
    """Return the mean of values with its standard error."""
    given = np.array(list(values), dtype=np.float64)
    error = float(given.std(ddof=1) / np.sqrt(len(given))) if len(given) > 1 else None
    return Line(what, float(given.mean()), error, **target)


def found_first(one: Context, results: list[captum_spex.Interactions]) -> dict[str, bool]:
    """Return whether the planted pairs are the largest interactions, and whether they are named so."""
    planted = (one.redundant, one.complementary)
    tops = [next(iter(result.top(1, order=2)), None) for result in results]
    named = [(named_pairs(result, max_pairs=1) or (None,))[0] for result in results[:2]]
    said = [(pair.kind, pair.players) if pair is not None else None for pair in named]
    return {
        "redundant": tops[0] == planted[0],
        "complementary": tops[1] == planted[1],
        "both": tops[0] == planted[0] and tops[1] == planted[1],
        "both, in the sum": set(results[2].top(2, order=2)) == set(planted),
        "both, named as what they are": said == [("redundant", planted[0]), ("complementary", planted[1])],
    }


def pairs(chosen: argparse.Namespace) -> Iterator[Line]:
    """Count the contexts in which the planted pairs are found first."""
    games = contexts(tuple(chosen.sentences), chosen.seed, chosen.steps)
    for budget in chosen.budgets:
        found = [found_first(one, game.explained(chosen, budget)) for one, game in games]
        for what in found[0]:
            count, goal = sum(each[what] for each in found), 0.9 * len(found)
            target = {"target": f">= {goal:g}", "reached": count >= goal} if what == "both" else {}
            yield Line(f"{budget} evaluations: {what}, found first, of {len(found)} contexts", count, **target)


def random_masks(seed: int, budget: int, n_players: int) -> tuple[Masks, Masks]:
    """Return ablations to measure on, and those of a LASSO; of a smaller budget the first."""
    rng = np.random.default_rng(seed)
    fresh, masks = (rng.random((count, n_players)) < 0.5 for count in (FRESH, budget))
    return fresh, masks


def scores_of(chosen: argparse.Namespace, game: Answers, budget: int, seed: int) -> dict[tuple[str, str, str], float]:
    """Return all scores of one context: ``(method, answer, measure)``."""
    fresh, masks = random_masks(seed, budget, game.n_players)
    known, values = game(fresh), game(masks)
    results = game.explained(chosen, budget)
    scores = {}
    for output, answer in enumerate(ANSWERS):
        ways = {"ProxySPEX": results[output], "LASSO": lasso(masks, values[:, output])}
        for method, way in ways.items():
            scores[method, answer, "LDS"] = float(data_modelling_score(way, known[:, output], masks=fresh))
            drops = log_prob_drop(way, of_output(game, output), REMOVED).drops
            scores.update(
                {(method, answer, f"drop at {k}"): float(drop) for k, drop in zip(REMOVED, drops, strict=True)}
            )
    return scores


def scores(chosen: argparse.Namespace) -> Iterator[Line]:
    """Compare with the LASSO."""
    games = [game for _, game in contexts(tuple(chosen.sentences), chosen.seed, chosen.steps)]
    means: dict[tuple[int, str, str, str], float] = {}
    for budget in chosen.budgets:
        all_scores = [scores_of(chosen, game, budget, seed) for seed, game in enumerate(games)]
        for answer, measure in product(ANSWERS, ["LDS", *(f"drop at {k}" for k in REMOVED)]):
            for method in ("ProxySPEX", "LASSO"):
                line = mean_line(
                    f"{budget} ablations: {answer}, {measure}, {method}",
                    (each[method, answer, measure] for each in all_scores),
                )
                means[budget, answer, measure, method] = line.value
                yield line
            ahead = [each["ProxySPEX", answer, measure] - each["LASSO", answer, measure] for each in all_scores]
            goal = means[budget, answer, measure, "ProxySPEX"] > means[budget, answer, measure, "LASSO"]
            target = {"target": "> 0", "reached": goal} if answer == "redundant" and measure != "LDS" else {}
            yield mean_line("  ahead of the LASSO", ahead, **target)
            before = means.get((budget // 2, answer, measure, "ProxySPEX"))
            if before is not None and measure == "LDS":
                gain = before - means[budget, answer, measure, "LASSO"]
                yield Line("  of half as many ablations, ahead of the LASSO", gain, None, ">= 0", gain >= 0)


def least_size(kind: str, values: Floats, masks: Masks, share: float) -> int:
    """Return the size of the smallest set by brute force, from the values of all masks."""
    sizes = masks.sum(axis=1)
    nobody, everybody = float(values[sizes == 0][0]), float(values[sizes == masks.shape[1]][0])
    kept = (values - nobody) / (everybody - nobody)
    if kind == "sufficient":
        return int(sizes[kept >= share - 1e-9].min())
    return int(masks.shape[1] - sizes[kept <= 1 - share + 1e-9].max())


def sets(chosen: argparse.Namespace) -> Iterator[Line]:
    """Compare sufficient and necessary sets with brute force over all sets."""
    searches = {"sufficient": sufficient_set, "necessary": necessary_set}
    games = [game for _, game in contexts(tuple(chosen.short), chosen.seed, chosen.steps)]
    tables = [game(all_masks(game.n_players)) for game in games]
    for budget in chosen.budgets:
        results = [
            captum_spex.explain(_Table(one), budget=budget, index=chosen.index, random_state=0) for one in tables
        ]
        for kind, share in product(searches, SHARES):
            found = []
            for table, of_all in zip(tables, results, strict=True):
                game = _Table(table)
                for output in range(len(ANSWERS)):
                    one = searches[kind](of_all, game, share=share, output=output)
                    least = least_size(kind, table[:, output], all_masks(game.n_players), share)
                    found.append((len(one) - least, one.is_verified, one.is_minimal, one.n_evaluations))
            larger, verified, minimal, asked = np.array(found).T
            equal = larger == 0
            what = f"{budget} evaluations: {kind} sets, share {share}"
            target = {"target": "1", "reached": bool(equal.all())}
            yield mean_line(f"{what}, as small as by brute force, of {len(found)}", equal, **target)
            yield mean_line("  larger than by brute force", larger)
            yield mean_line("  verified", verified)
            yield mean_line("  no member can be dropped", minimal)
            yield mean_line("  evaluations on top", asked)


def planted(chosen: argparse.Namespace) -> Iterator[Line]:
    """Count planted sets that are found exactly in long contexts; of a LASSO: its first two sentences."""
    games = contexts(tuple(chosen.sentences), chosen.seed, chosen.steps)
    for budget in chosen.budgets:
        found: dict[str, list[tuple[bool, float]]] = {}
        for seed, (one, game) in enumerate(games):
            masks = random_masks(seed, budget, game.n_players)[1]
            first = [np.argsort(-lasso(masks, known))[:2] for known in game(masks).T[:2]]
            with_all, with_none = game(ends(game.n_players))
            for output, pair in enumerate((one.redundant, one.complementary)):
                if with_all[output] <= with_none[output]:
                    continue  # the network does not know the answer
                what = f"the {ANSWERS[output]} pair"
                found.setdefault(f"LASSO: {what}", []).append((set(first[output]) == set(pair), 0))
                result = game.explained(chosen, budget)[output]
                for share, search in product(SHARES, (sufficient_set, necessary_set)):
                    each = search(result, of_output(game, output), share=share)
                    takes_one = (each.kind == "sufficient") == (output == 0)
                    is_exact = len(each) == 1 and each.players[0] in pair if takes_one else each.players == pair
                    name = f"{each.kind}, share {share}: {'one of ' if takes_one else ''}{what}"
                    found.setdefault(name, []).append((is_exact, each.n_evaluations))
        for name, of_all in found.items():
            exact, asked = np.array(of_all, dtype=np.float64).T
            yield Line(f"{budget} evaluations: {name}, of {len(exact)}", float(exact.sum()))
            yield mean_line("  evaluations on top", asked)


class _Table:
    """Known values of all masks, as a game."""

    def __init__(self, values: Floats) -> None:
        self._values = values
        self.n_players = int(np.log2(len(values)))

    def __call__(self, masks: Masks) -> Floats:
        return self._values[masks @ (1 << np.arange(self.n_players))]


PARTS = {"pairs": pairs, "scores": scores, "planted": planted, "sets": sets}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure")
    parser.add_argument("--budgets", nargs="*", type=int, default=list(BUDGETS), help="evaluations")
    parser.add_argument("--sentences", nargs="*", type=int, default=list(SENTENCES), help="of each context")
    parser.add_argument("--short", nargs="*", type=int, default=list(SHORT) * 4, help="of those with brute force")
    parser.add_argument("--index", default="SII", help="the interaction index")
    parser.add_argument("--logits", action="store_true", help="explain logits, not log-probabilities")
    parser.add_argument("--seed", type=int, default=0, help="of the contexts")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the training")
    parser.add_argument("--quick", action="store_true", help="small and few: to see whether it runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        chosen.budgets, chosen.sentences, chosen.short, chosen.steps = [32, 64], [12], [6], 120
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    lines: list[Line] = []
    with threadpool_limits(1):
        for part in chosen.parts or PARTS:
            for line in PARTS[part](chosen):
                print(line, flush=True)
                lines.append(line)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""ProxySPEX beside the methods that every lens has of its own: ``python -m benchmarks.lenses [prompts heads points]``.

``prompts``: words of texts, removed from a classifier, a language model that looks keys up, and a sentence encoder.
ProxySPEX (asked for Shapley interactions, the default, and for Banzhaf's, whose masks are uniformly random), the
published algorithm, LASSO on ablations (ContextCite), KernelSHAP and leave-one-out: R² and rank correlation (LDS) on
random masks that the method has not seen, and how far the value falls without the set of one, three and five words
whose removal lowers the explanation's prediction most.

``heads``: circuits of a classifier's and an encoder's heads, found on some inputs and scored on these and on others, by
CPR and CMD of MIB. Subsets of ProxySPEX's recovered game, its Shapley values, COAR (linear regression on random
ablations, of a tenth and of half of the heads), attribution patching (gradient times clean minus ablated), and
integrated gradients over nodes (EAP-IG without edges).

``points``: LDS of training points: ProxySPEX, its single values, LASSO datamodels, influence functions, leave-one-out,
TRAK (random projections of gradients, of one training and of as many).

Every figure is a mean over games and seeds, with its standard error; then the paired differences.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from transformers.utils import logging

import captum_spex
from benchmarks.data_attribution import Problem, gradients, kernel_of, lasso, leave_one_out, problem
from benchmarks.head_pruning import climbed, largest
from captum_spex.benchmark.cases.language_models import ENCODER, contrast, embeddings_of, encoder, texts
from captum_spex.benchmark.cases.source import CaseSource, Remembered
from captum_spex.benchmark.methods import all_methods
from captum_spex.benchmark.methods.adapter import Additive
from captum_spex.benchmark.protocol import OURS, PUBLISHED, Answer, Request
from captum_spex.game import Game
from captum_spex.games.components import ComponentGame, heads, logit_difference
from captum_spex.games.components.hooks import hooks, sites_of
from captum_spex.games.components.model_inputs import ModelInputs
from captum_spex.games.components.reference import mean_activations
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame, embedded_model
from captum_spex.masks import Masks, mask_keys
from captum_spex.metrics import circuit_score, data_modelling_score, greedy_ranking
from captum_spex.metrics.rankings import masks_without
from captum_spex.metrics.scores import rank_correlation
from captum_spex.statistics import r_squared
from tools import key_value_model
from tools.train_embedded import make_review

LENSES = ("prompts", "heads", "points")
HALVES, VALUES = f"{OURS}, BII", f"{OURS}, values"
N_UNSEEN = 300  # masks that predictions are measured on
N_SLOW = 3  # games for the published algorithm, which takes ten seconds for each
REMOVED, MOST_SETS = (1, 3, 5), 20_000  # words, and sets of them that are all tried
N_DIMS = 16  # of TRAK's projections: of 4, 8, 16, 32 and 48 the best for it
LEAST = -1.0  # R² below is this: of methods that do not mean to predict such masks


# --- figures and tables ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """What a method came to on one game: ``figures`` by their names, ``cost`` in words."""

    group: str
    game: str
    method: str
    cost: str
    figures: Mapping[str, float]


def mean_and_error(values: Sequence[float]) -> str:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{np.mean(values):+.3f} ± {error:.3f}"


def table(found: Sequence[Found], ours: Mapping[str, str]) -> Iterator[str]:
    """Yield the means of a group, and by how much the better of ours is larger, with how often.

    Args:
        found: of one group.
        ours: which method of ours each figure is compared with.
    """
    names, methods = list(found[0].figures), list(dict.fromkeys(one.method for one in found))
    of = {(one.method, one.game): one for one in found}
    games = list(dict.fromkeys(one.game for one in found))
    yield f"{found[0].group}: {len(games)} games"
    yield f"  {'':<30}{'cost':<34}" + "".join(f"{name:>25}" for name in names)
    for method in methods:
        own = [one for one in found if one.method == method]
        cells = [mean_and_error([one.figures[name] for one in own]) for name in names]
        name = method if len(own) == len(games) else f"{method}, {len(own)} only"
        yield f"  {name:<30}{own[0].cost:<34}" + "".join(f"{cell:>25}" for cell in cells)
    yield f"  {'ours minus the rival (ahead)':<64}" + "".join(f"{ours[name]:>25}" for name in names)
    for method in (method for method in methods if not method.startswith(OURS) or method == PUBLISHED):
        cells = []
        for name in names:
            both = [(of[ours[name], game], of[method, game]) for game in games if (method, game) in of]
            more = [mine.figures[name] - other.figures[name] for mine, other in both]
            ahead = sum(one < 0 if name.startswith("CMD") else one > 0 for one in more)
            cells.append(f"{mean_and_error(more)} ({ahead:>2}/{len(more):>2})")
        yield f"  {method:<64}" + "".join(f"{cell:>25}" for cell in cells)


# --- prompts ---------------------------------------------------------------------------------------------------------


def halves(game: Game, request: Request) -> Answer:
    """Explain by uniformly random masks, which R² and LDS are about."""
    result = captum_spex.explain(game, request.n_players, budget=request.budget, index="BII", random_state=request.seed)
    return Answer(result.model)


def prompt_methods() -> dict[str, Callable[[Game, Request], Answer]]:
    known = {method.name: method for method in all_methods()}
    return {
        OURS: known[OURS],
        HALVES: halves,
        PUBLISHED: known[PUBLISHED],
        "LASSO on ablations": known["LASSO on ablations"],
        "KernelSHAP": known["SHAP KernelExplainer without l1"],
        "leave-one-out": known["Captum FeatureAblation"],
    }


def reviews(n_games: int, fewest: int = 14, most: int = 26) -> Iterator[tuple[str, Game]]:
    """Yield logits of the embedded classifier for reviews of its grammar."""
    drawn = (make_review(random.Random(seed)).text for seed in range(10_000))
    texts = [text for text in drawn if fewest <= len(text.split()) <= most][:n_games]
    for number, text in enumerate(texts):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown words
            yield f"review {number}", ClassificationGame(*embedded_model(), text)


def riddles(n_games: int) -> Iterator[tuple[str, Game]]:
    """Yield log-probabilities of a value that stands in the text behind the asked key."""
    model, tokenizer = key_value_model.trained_gpt2()
    rng = np.random.default_rng(1)
    for number in range(n_games):
        one = key_value_model.riddle(rng, 5, 8)
        game = AnswerGame(model, tokenizer, one.text, answer=one.answer(0), suffix=one.question(0))
        yield f"riddle {number}", game


def passages(n_games: int, n_words: int = 24) -> Iterator[tuple[str, Game]]:
    """Yield similarities of parts of passages to their queries, by the sentence encoder."""
    model, tokenizer = encoder()
    parts = [
        (" ".join(words[start : start + n_words]), passage["query"])
        for passage in texts()["passages"]
        for words in [passage["text"].split()]
        for start in range(0, len(words) - n_words + 1, n_words)
    ]
    for number, (text, query) in enumerate(parts[:n_games]):
        yield f"passage {number}", SimilarityGame(model, tokenizer, text, query)


def prompts(quick: bool) -> Iterator[list[Found]]:
    """Yield what all methods found, by groups of games and budgets."""
    sources = {"reviews": (reviews, 2 if quick else 6)}
    if not quick:
        sources["riddles"] = (riddles, 6)
    if not quick and CaseSource("", "", 1, "", Remembered, ENCODER).missing() is None:
        sources["passages"] = (passages, 4)
    for name, (make, n_games) in sources.items():
        games = [(title, Remembered(game.n_players, game)) for title, game in make(n_games)]
        for budget in (64,) if quick else (64, 256):
            group = f"{name}, {budget} evaluations"
            found = []
            for seed, (title, game) in enumerate(games):
                found += of_prompt(group, title, game, budget, seed)
            yield found


def of_prompt(group: str, title: str, game: Remembered, budget: int, seed: int) -> Iterator[Found]:
    """Explain one text by every method."""
    n = game.n_players
    masks = np.random.default_rng([seed, n]).random((N_UNSEEN, n)) < 0.5
    for name, explain in prompt_methods().items():
        if name == PUBLISHED and seed >= N_SLOW:
            continue
        seen = Counted(game)
        answer = explain(seen, Request(n, budget, seed))
        unseen = masks[~np.isin(mask_keys(masks), mask_keys(seen.distinct))]
        cost = f"{len(seen.distinct)} evaluations"
        assert answer.predict is not None
        yield Found(group, title, name, cost, figures_of(answer.predict, game, unseen))
        if name == OURS:
            assert answer.shapley is not None
            values = Additive(float(game(np.zeros((1, n), dtype=bool))[0]), answer.shapley)
            yield Found(group, title, VALUES, cost, figures_of(values, game, unseen))


def figures_of(predict: Callable[[Masks], np.ndarray], game: Remembered, unseen: Masks) -> dict[str, float]:
    """Return how well an explanation predicts, and how far the value falls without what it would remove."""
    values, predicted, n = game(unseen), predict(unseen), game.n_players
    full, *others = game(np.array([np.ones(n, dtype=bool), *(lowest(predict, n, size) for size in REMOVED)]))
    found = {f"fall, {size}": float(full - other) for size, other in zip(REMOVED, others, strict=True)}
    ranks = float(np.nan_to_num(rank_correlation(values, predicted)))  # 0 for a constant
    return {"R²": max(LEAST, r_squared(values, predicted)), "LDS": ranks} | found


def lowest(predict: Callable[[Masks], np.ndarray], n_players: int, size: int) -> np.ndarray:
    """Return who is left where a prediction is lowest: the best of all sets that are removed, of too many by swaps."""
    if comb(n_players, size) <= MOST_SETS:
        tried = masks_without(list(combinations(range(n_players), size)), n_players)
        return tried[predict(tried).argmin()]
    first = greedy_ranking(predict, "removal", n_players=n_players, n_greedy=size)[:size]
    return climbed(lambda masks: -predict(masks), ~np.isin(np.arange(n_players), first))[0]


class Counted:
    """A game that remembers which masks it was asked about."""

    def __init__(self, game: Game) -> None:
        self.game, self.masks = game, list[Masks]()

    def __call__(self, masks: Masks) -> np.ndarray:
        self.masks.append(np.asarray(masks, dtype=bool))
        return self.game(masks)

    @property
    def distinct(self) -> Masks:
        return np.unique(np.concatenate(self.masks), axis=0)


# --- heads -----------------------------------------------------------------------------------------------------------

PAIRS = (
    ("The cat sleeps on the sofa.", "A kitten is napping on the couch."),
    ("He lost his job last week.", "Last week the company fired him."),
    ("The train arrived two hours late.", "Our train had a long delay."),
    ("She plays the violin every evening.", "Each night she practises her violin."),
    ("Prices of food have risen sharply.", "Groceries became much more expensive."),
    ("The doctor told him to rest.", "His physician advised him to take a break."),
    ("Heavy rain flooded the streets.", "The roads were under water after the storm."),
    ("They bought a house near the sea.", "The couple purchased a home by the ocean."),
    ("The match ended without a winner.", "Both teams drew the game."),
    ("The lamp in the kitchen is broken.", "Our kitchen light does not work."),
)


@dataclass(frozen=True, eq=False)
class Heads:
    """Heads of a model, and the value of its scores for some inputs."""

    model: nn.Module
    inputs: dict[str, Tensor]
    value: Callable[[Tensor], Any]
    forward: Callable[..., Tensor]
    ablation: str

    @cached_property
    def game(self) -> ComponentGame:
        reference = None if self.ablation == "zero" else self.inputs
        return ComponentGame(
            self.model,
            self.inputs,
            heads(self.model),
            self.value,
            forward=self.forward,
            ablation=self.ablation,
            reference=reference,
            batch_size=128,
        )

    @cached_property
    def absent(self) -> list[list[Tensor]] | None:
        """Activations of absent heads, by modules."""
        if self.ablation == "zero":
            return None
        sites = sites_of(self.model, heads(self.model))
        return mean_activations(sites, self.forward, ModelInputs.of(self.inputs, "inputs"), 64, by_position=False)

    def mixed(self, shares: Tensor) -> Tensor:
        """Return the value when every head is its own activation times its share, and that of its absence for the rest.

        Where all shares are 0 or 1 it is the game's; in between it has a gradient.
        """
        sites, absent = sites_of(self.model, heads(self.model)), self.absent
        with_rest = torch.cat([shares, shares.new_ones(1)])  # the owner of channels that belong to no head

        def mix(number: int, tensor: Tensor) -> Tensor:
            starts = torch.tensor([*sites[number].starts, tensor.shape[-1]])
            share = with_rest[sites[number].owners[:, 0]].repeat_interleave(starts.diff()).to(tensor)
            other = 0.0 if absent is None else absent[number][0].to(tensor)
            return share * tensor + (1 - share) * other

        with torch.enable_grad(), hooks(sites, mix):
            return self.value(self.forward(**self.inputs)[None])[0]

    def patched(self, n_steps: int = 0) -> np.ndarray:
        """Return the gradient times clean minus ablated of every head, from one forward and one backward pass.

        With ``n_steps``, the mean over as many mixtures of all heads from ablated to clean, which adds up to the
        difference of both (integrated gradients).
        """
        found = torch.zeros(self.game.n_players, dtype=torch.float64)
        for step in (np.arange(n_steps) + 0.5) / n_steps if n_steps else [1.0]:
            shares = torch.full_like(found, step).requires_grad_()
            [gradient] = torch.autograd.grad(self.mixed(shares), shares)
            found += gradient / max(n_steps, 1)
        return found.numpy()


def coar(game: Game, n_players: int, budget: int, ablated: float, rng: np.random.Generator) -> np.ndarray:
    """Return the weights of a linear fit to random ablations of a share of the components."""
    masks = np.ones((budget, n_players), dtype=bool)
    masks[:, : max(1, round(ablated * n_players))] = False
    masks = rng.permuted(masks, axis=1)
    return np.asarray(RidgeCV(np.logspace(-3, 3, 13)).fit(masks.astype(float), game(masks)).coef_)


def circuits(values: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    return [largest(values, size) for size in sizes]


def best_circuits(value: Callable[[Masks], np.ndarray], effects: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """Return the subset of every size for which a function of masks is largest: swaps from two beginnings."""
    n, found = len(effects), []
    least_missed = greedy_ranking(lambda masks: -value(masks), "removal", n_players=n)
    for size in sizes:
        left = np.isin(np.arange(n), least_missed[n - size :])
        found.append(max((climbed(value, mask) for mask in (largest(effects, size), left)), key=lambda one: one[1])[0])
    return found


def found_circuits(
    lens: Heads, sizes: Sequence[int], budget: int, seed: int
) -> Iterator[tuple[str, str, list[np.ndarray], list[np.ndarray]]]:
    """Yield for every method its cost, and its circuits for CPR and for CMD, which ranks by absolute values."""
    game, rng = lens.game, np.random.default_rng([seed, 1])
    n, cost = game.n_players, f"{budget} evaluations"
    result = captum_spex.explain(game, budget=budget, random_state=seed)
    shapley, everything = result.to("SV", max_order=1).first_order(), result.model(np.ones((1, n), dtype=bool))

    def nearness(masks: Masks) -> np.ndarray:
        return -np.abs(result.model(masks) - everything)

    yield OURS, cost, best_circuits(result.model, shapley, sizes), best_circuits(nearness, shapley, sizes)
    ranked = {
        VALUES: (cost, shapley),
        "COAR, a tenth ablated": (cost, coar(game, n, budget, 0.1, rng)),
        "COAR, half ablated": (cost, coar(game, n, budget, 0.5, rng)),
        "attribution patching": ("1 forward and backward", lens.patched()),
        "EAP-IG, nodes": ("5 forward and backward", lens.patched(5)),
    }
    for name, (spent, values) in ranked.items():
        yield name, spent, circuits(values, sizes), circuits(np.abs(values), sizes)


def classifier_heads(seed: int, ablation: str) -> tuple[Heads, Heads]:
    """Return the classifier's heads on 8 reviews, and on 32 others."""
    model, tokenizer = embedded_model()
    rng = random.Random(seed)

    def on(n_reviews: int) -> Heads:
        phrases = [make_review(rng) for _ in range(n_reviews)]
        labels = [int(phrase.sign > 0) for phrase in phrases]
        inputs = dict(tokenizer([phrase.text for phrase in phrases], return_tensors="pt", padding=True))
        value = logit_difference(labels, [1 - label for label in labels])
        return Heads(model, inputs, value, lambda **given: model(**given).logits, ablation)

    return on(8), on(32)


def encoder_heads(seed: int, ablation: str) -> tuple[Heads, Heads]:
    """Return the encoder's heads on 5 pairs of sentences with the same meaning, and on 5 others."""
    model, tokenizer = encoder()
    order = np.random.default_rng([seed, 2]).permutation(len(PAIRS))

    def on(numbers: np.ndarray) -> Heads:
        sentences = [sentence for number in numbers for sentence in PAIRS[number]]
        inputs = dict(tokenizer(sentences, return_tensors="pt", padding=True))
        return Heads(model, inputs, contrast, partial(embeddings_of, model), ablation)

    return on(order[:5]), on(order[5:])


def of_heads(quick: bool) -> Iterator[list[Found]]:
    """Yield what all methods found, by models, ablations and budgets."""
    plans = [(classifier_heads, 12, (96,), 1 if quick else 6)]
    if not quick and CaseSource("", "", 1, "", Remembered, ENCODER).missing() is None:
        plans.append((encoder_heads, 72, (288,), 2))
    for make, n_heads, budgets, n_seeds in plans:
        sizes = np.unique(np.linspace(1, n_heads - 1, 11).round().astype(int)).tolist()
        for budget in budgets:
            for ablation in ("zero", "mean"):
                found = []
                for seed in range(n_seeds):
                    lens, others = make(seed, ablation)
                    for name, cost, larger, nearer in found_circuits(lens, sizes, budget, seed):
                        figures = {}
                        for where, game in {"": lens.game, ", others": others.game}.items():
                            scores = [circuit_score(map(np.flatnonzero, one), game) for one in (larger, nearer)]
                            figures |= {f"CPR{where}": scores[0].cpr, f"CMD{where}": scores[1].cmd}
                        group = f"{n_heads} heads, {ablation} ablation"
                        found.append(Found(group, f"seed {seed}", name, cost, figures))
                yield found


# --- training points -------------------------------------------------------------------------------------------------


def features(drawn: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return features of training and test points in which the model is linear; those of a kernel by its root."""
    both = np.concatenate([drawn.rows, drawn.test_rows])
    if drawn.kind == "logistic":
        found = np.column_stack([both, np.ones(len(both))])
    else:
        values, vectors = np.linalg.eigh(kernel_of(drawn.model, both, both))
        found = vectors * np.sqrt(np.clip(values, 0.0, None))
    return found[: len(drawn.rows)], found[len(drawn.rows) :]


def pulls(drawn: Problem, kept: np.ndarray) -> np.ndarray:
    """Train on some points, and return how hard every training point pulls at the margin of every test point.

    It is the derivative of its loss by that margin, without features: ``(n_train, n_test)``.
    """
    model = clone(drawn.model).fit(drawn.rows[kept], drawn.targets[kept])
    if drawn.kind == "logistic":
        left = drawn.targets - model.predict_proba(drawn.rows)[:, 1]
        return left[:, None] * np.where(drawn.test_targets > 0, 1.0, -1.0)
    left, told = drawn.targets - model.predict(drawn.rows), model.predict(drawn.test_rows)
    rival = np.where(drawn.test_targets > 0, -np.inf, told).argmax(axis=1)
    return left[:, drawn.test_labels] - left[:, rival]


def trak(drawn: Problem, n_models: int, n_dims: int, rng: np.random.Generator) -> np.ndarray:
    """Return TRAK's scores: gradients projected at random, whitened by those of the points trained on.

    One model is trained on all points, several on random halves; the mean of the whitened products times the mean
    of the pulls.
    """
    own, tests = features(drawn)
    n_train = len(own)
    products, pulled = np.zeros((n_train, len(tests))), np.zeros((n_train, len(tests)))
    for _ in range(n_models):
        kept = np.arange(n_train) if n_models == 1 else rng.permutation(n_train)[: n_train // 2]
        random_map = rng.normal(size=(own.shape[1], n_dims)) / np.sqrt(n_dims)
        of_train, of_tests = own @ random_map, tests @ random_map
        products += of_train @ np.linalg.pinv(of_train[kept].T @ of_train[kept], hermitian=True) @ of_tests.T
        pulled += pulls(drawn, kept)
    return products * pulled / n_models**2


def of_points(quick: bool) -> Iterator[list[Found]]:
    """Yield the LDS of all methods, by models and budgets."""
    n_train, n_tests, multiples, n_seeds = (40, 2, (4,), 1) if quick else (100, 4, (2, 5), 3)
    for kind in ("ridge", "kernel ridge", "logistic"):
        for budget in (multiple * n_train for multiple in multiples):
            found = []
            for seed in range(n_seeds):
                found += lds(problem(kind, seed, n_train, n_tests), budget, seed)
            yield found


def lds(drawn: Problem, budget: int, seed: int) -> Iterator[Found]:
    """Yield the LDS of every method for every test point, over random halves of the training points."""
    game, rng = drawn.game, np.random.default_rng([seed, 3])
    n = game.n_players
    masks = np.random.default_rng([seed, 4]).permuted(np.tile(np.arange(n) < n // 2, (N_UNSEEN, 1)), axis=1)
    values, cost = game(masks), f"{budget} trainings"
    results, spread = (
        captum_spex.explain(game, budget=budget, index=index, max_order=1, random_state=seed) for index in ("BV", "SV")
    )
    explained: dict[str, tuple[str, Any]] = {
        OURS: (cost, results),
        VALUES: (cost, [[one[(player,)] for player in range(n)] for one in results]),
        f"{OURS}, SV": (cost, spread),
        "LASSO datamodels": (cost, lasso(game, budget, rng).T),
        "leave-one-out": (f"{n + 1} trainings", leave_one_out(game).T),
        "influence": ("1 training, Hessian", gradients(drawn)["influence"].T),
        "TRAK, 1 model": ("1 training, gradients", trak(drawn, 1, N_DIMS, rng).T),
        "TRAK": (f"{budget} trainings, gradients", trak(drawn, budget, N_DIMS, rng).T),
    }
    for name, (spent, one) in explained.items():
        scores = data_modelling_score(list(one), values, masks=masks).value
        for number, score in enumerate(np.atleast_1d(scores)):
            group = f"{drawn.kind}, {n} points, {budget} trainings"
            yield Found(group, f"seed {seed}, test {number}", name, spent, {"LDS": float(score)})


# --- all together ----------------------------------------------------------------------------------------------------

MEASURED = {"prompts": prompts, "heads": of_heads, "points": of_points}
COMPARED = {  # which of ours is compared: where masks are drawn uniformly at random, that which is asked about them
    "prompts": {"R²": HALVES, "LDS": HALVES} | {f"fall, {size}": OURS for size in REMOVED},
    "heads": dict.fromkeys(("CPR", "CMD", "CPR, others", "CMD, others"), OURS),
    "points": {"LDS": OURS},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lenses", nargs="*", choices=[*LENSES, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="small and few: to see whether it runs")
    chosen = parser.parse_args(arguments)
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for lens in chosen.lenses or LENSES:
            begin = time.perf_counter()
            for found in MEASURED[lens](chosen.quick):
                print("\n".join(table(found, COMPARED[lens])), end="\n\n", flush=True)
            print(f"{lens}: {time.perf_counter() - begin:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()

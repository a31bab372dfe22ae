"""Prune heads of a transformer that is trained here: ``python -m benchmarks.head_pruning``.

A network reads a list of symbols, then questions such as "what stands before c?"; a question is one token. To answer, a
head of a later layer must use what a head of an earlier one brought along, so heads matter together. Which heads to
keep is chosen with the same number of evaluations by: `ProxySpex`, a search for the best subset of the recovered game;
LASSO, the largest main effects on uniformly random masks; the same on the masks of `ProxySpex`; the largest Shapley
values of the recovered game; and the best of random subsets. All see the log-probability of answers on training lists;
accuracy and loss are measured on others. Written to ``--out``: the figures and a plot.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LassoCV
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

import captum_spex
from captum_spex.games.components import ComponentGame, accuracy, heads, log_prob, loss
from captum_spex.interactions import Interactions
from captum_spex.statistics import r_squared

SYMBOLS, LENGTH, QUESTIONS = 12, 9, 16
STEPS_AWAY = (-2, -1, 1)  # the answer stands so many places behind what is asked about
LAYERS, HEADS, WIDTH = 3, 8, 64
TRAINING_STEPS, PER_STEP, RATE = 900, 64, 4e-3
N_TRAIN, N_HELD_OUT = 32, 256  # lists
BUDGET = 500  # evaluations, of every method
SHARES = (0.25, 0.33, 0.5, 0.66, 0.83)  # of the heads that stay
METHODS = ("ProxySPEX", "LASSO", "LASSO, same masks", "Shapley", "random")
ABLATIONS = ("zero", "mean")
MOST_TERMS = 1 << 14
Masks = np.ndarray


# --- the task and the network --------------------------------------------------------------------------------------


def lists(rng: np.random.Generator, n_lists: int) -> tuple[Tensor, Tensor]:
    """Return tokens ``(n_lists, LENGTH + QUESTIONS)`` and answers ``(n_lists, QUESTIONS)``."""
    order = rng.random((n_lists, SYMBOLS)).argsort(axis=1)[:, :LENGTH]
    asked = rng.integers(-min(STEPS_AWAY), LENGTH - max(STEPS_AWAY), (n_lists, QUESTIONS))
    kind = rng.integers(0, len(STEPS_AWAY), (n_lists, QUESTIONS))
    answers = np.take_along_axis(order, asked + np.array(STEPS_AWAY)[kind], axis=1)
    questions = SYMBOLS * (1 + kind) + np.take_along_axis(order, asked, axis=1)
    return torch.from_numpy(np.concatenate([order, questions], axis=1)), torch.from_numpy(answers)


@cache
def trained(seed: int, steps: int = TRAINING_STEPS) -> LlamaForCausalLM:
    """Train a network of the Llama type, about half a minute on one thread."""
    config = LlamaConfig(
        vocab_size=SYMBOLS * (1 + len(STEPS_AWAY)),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=LENGTH + QUESTIONS,
        initializer_range=0.08,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 50) * max(0.05, 1 - step / steps)
    )
    for _ in range(steps):
        tokens, answers = lists(rng, PER_STEP)
        error = nn.functional.cross_entropy(scores(network)(tokens).flatten(0, 1), answers.flatten())
        optimizer.zero_grad()
        error.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def scores(network: LlamaForCausalLM) -> Callable[[Tensor], Tensor]:
    """Return the function that gives the scores of all answers."""
    return lambda tokens: network(input_ids=tokens, logits_to_keep=QUESTIONS, use_cache=False).logits


def game_of(
    network: LlamaForCausalLM, tokens: Tensor, value: Callable[[Tensor], Any], ablation: str, reference: Tensor
) -> ComponentGame:
    """Return the game whose players are the heads."""
    return ComponentGame(
        network,
        tokens,
        heads(network),
        value=value,
        forward=scores(network),
        ablation=ablation,
        reference=None if ablation == "zero" else reference,
    )


# --- choosing subsets ----------------------------------------------------------------------------------------------


def largest(effects: np.ndarray, size: int) -> Masks:
    """Return the mask that keeps the largest effects."""
    mask = np.zeros(len(effects), dtype=bool)
    mask[np.argsort(-effects, kind="stable")[:size]] = True
    return mask


def best_swap(value: Callable[[Masks], np.ndarray], mask: Masks) -> tuple[Masks, float]:
    """Return the best mask that differs by one head in and one head out, and its value."""
    inside, outside = np.flatnonzero(mask), np.flatnonzero(~mask)
    swaps = np.repeat(mask[None], len(inside) * len(outside), axis=0)
    rows = np.arange(len(swaps))
    swaps[rows, np.repeat(inside, len(outside))] = False
    swaps[rows, np.tile(outside, len(inside))] = True
    values = value(swaps)
    return swaps[values.argmax()], float(values.max())


def climbed(value: Callable[[Masks], np.ndarray], mask: Masks) -> tuple[Masks, float]:
    """Swap heads while that raises the value."""
    reached = float(value(mask[None])[0])
    while True:
        swapped, raised = best_swap(value, mask)
        if raised <= reached:
            return mask, reached
        mask, reached = swapped, raised


def shrunk(value: Callable[[Masks], np.ndarray], n_players: int, size: int) -> Masks:
    """Leave out one head after the other, each time the one that is missed least."""
    mask = np.ones(n_players, dtype=bool)
    for _ in range(n_players - size):
        kept = np.flatnonzero(mask)
        smaller = np.repeat(mask[None], len(kept), axis=0)
        smaller[np.arange(len(kept)), kept] = False
        mask = smaller[value(smaller).argmax()]
    return mask


def best_of_model(result: Interactions, effects: np.ndarray, size: int, rng: np.random.Generator) -> Masks:
    """Return the subset of a size whose value in the recovered game is largest: swaps from several beginnings."""
    n_players = len(effects)
    begins = [largest(effects, size), shrunk(result.model, n_players, size)]
    begins += [largest(rng.random(n_players), size) for _ in range(6)]
    return max((climbed(result.model, mask) for mask in begins), key=lambda found: found[1])[0]


def main_effects(masks: Masks, values: np.ndarray) -> np.ndarray:
    """Return the effects of single heads by LASSO, its penalty by cross-validation."""
    model = LassoCV(cv=5, alphas=50, max_iter=20_000, random_state=0).fit(np.where(masks, 0.5, -0.5), values)
    return np.asarray(model.coef_)


class Seen:
    """A game that remembers which masks it was asked about."""

    def __init__(self, game: ComponentGame) -> None:
        self.game, self.n_players, self.names = game, game.n_players, game.names
        self.plan_batches = game.plan_batches
        self.masks: list[Masks] = []
        self.values: list[np.ndarray] = []

    def __call__(self, masks: Masks) -> np.ndarray:
        values = self.game(masks)
        self.masks.append(masks.copy())
        self.values.append(values)
        return values


def choices(
    game: ComponentGame, sizes: Sequence[int], budget: int, seed: int
) -> tuple[Interactions, dict[str, list[Masks]]]:
    """Return what ProxySPEX recovered, and which heads every method keeps at every size."""
    rng = np.random.default_rng([seed, 1])
    seen = Seen(game)
    result = captum_spex.explain(seen, budget=budget, random_state=seed)
    shapley = result.to("SV", max_order=1)
    of_players = np.array([shapley[(player,)] for player in range(game.n_players)])
    uniform = rng.random((budget, game.n_players)) < 0.5
    lasso = main_effects(uniform, game(uniform))
    same = main_effects(np.concatenate(seen.masks), np.concatenate(seen.values))
    return result, {
        "ProxySPEX": [best_of_model(result, of_players, size, rng) for size in sizes],
        "LASSO": [largest(lasso, size) for size in sizes],
        "LASSO, same masks": [largest(same, size) for size in sizes],
        "Shapley": [largest(of_players, size) for size in sizes],
        "random": [best_of_random(game, size, budget // len(sizes), rng) for size in sizes],
    }


def best_of_random(game: ComponentGame, size: int, n_tried: int, rng: np.random.Generator) -> Masks:
    """Return the best of random subsets, by its value on the training lists."""
    tried = np.array([largest(rng.random(game.n_players), size) for _ in range(n_tried)])
    return tried[game(tried).argmax()]


# --- one run -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A subset of heads, and what the network is worth with it."""

    seed: int
    ablation: str
    method: str
    share: float
    n_kept: int
    heads: tuple[str, ...]
    train: float
    accuracy: float
    loss: float


@dataclass(frozen=True)
class Energy:
    """Where the variance of the recovered game comes from; the three shares add up to 1.

    Attributes:
        linear, within, across: of single heads; of sets of heads of one layer; of sets of several layers.
        covered: what these terms explain of the recovered game, R² on random masks.
        faithfulness: R² of the recovered game, as reported; ``true_r2``: on masks drawn afresh.
        full_accuracy: of the whole network, on lists held out.
    """

    seed: int
    ablation: str
    linear: float
    within: float
    across: float
    covered: float
    faithfulness: float
    true_r2: float
    full_accuracy: float


def energy_shares(result: Interactions, layer_of: Sequence[int]) -> tuple[float, float, float]:
    """Return the shares of single heads, of sets within a layer, and of sets across layers."""
    shares = {"linear": 0.0, "within": 0.0, "across": 0.0}
    for players, value in result.model.spectrum(MOST_TERMS).items():
        if players:
            several = len({layer_of[player] for player in players}) > 1
            shares["across" if several else "within" if len(players) > 1 else "linear"] += value**2
    total = sum(shares.values())
    return shares["linear"] / total, shares["within"] / total, shares["across"] / total


def energy_of(result: Interactions, game: ComponentGame, seed: int, ablation: str, full: float) -> Energy:
    """Return where the variance comes from, and how far to trust that."""
    fresh = np.random.default_rng([seed, 2]).random((500, game.n_players)) < 0.5
    predicted = result.model(fresh)
    return Energy(
        seed,
        ablation,
        *energy_shares(result, [int(name[1 : name.index("H")]) for name in game.names]),
        covered=r_squared(predicted, result.model.spectrum(MOST_TERMS)(fresh)),
        faithfulness=result.faithfulness,
        true_r2=r_squared(game(fresh), predicted),
        full_accuracy=full,
    )


def run(
    seed: int, ablation: str, *, budget: int = BUDGET, steps: int = TRAINING_STEPS, shares: Sequence[float] = SHARES
) -> tuple[list[Kept], Energy]:
    """Train a network, choose heads by every method, and measure them on lists held out."""
    network = trained(seed, steps)
    rng = np.random.default_rng([seed, 3])  # [seed, 0] would be the stream of training
    tokens, answers = lists(rng, N_TRAIN)
    other_tokens, other_answers = lists(rng, N_HELD_OUT)
    game = game_of(network, tokens, log_prob(answers), ablation, tokens)
    right = game_of(network, other_tokens, accuracy(other_answers), ablation, tokens)
    wrong = game_of(network, other_tokens, loss(other_answers), ablation, tokens)
    sizes = [round(share * game.n_players) for share in shares]
    result, chosen = choices(game, sizes, budget, seed)
    kept = []
    for method, masks in chosen.items():
        of_masks = zip(
            shares, masks, game(np.array(masks)), right(np.array(masks)), wrong(np.array(masks)), strict=True
        )
        for share, mask, value, accurate, lost in of_masks:
            names = tuple(game.names[head] for head in np.flatnonzero(mask))
            kept.append(
                Kept(seed, ablation, method, share, len(names), names, float(value), float(accurate), float(lost))
            )
    full = float(right(np.ones((1, game.n_players), dtype=bool))[0])
    return kept, energy_of(result, game, seed, ablation, full)


# --- table and plot ------------------------------------------------------------------------------------------------


def mean_of(kept: Sequence[Kept], what: str, **wanted: Any) -> float:
    """Return the mean of a figure over the subsets with the wanted attributes."""
    chosen = [one for one in kept if all(getattr(one, key) == value for key, value in wanted.items())]
    return float(np.mean([getattr(one, what) for one in chosen]))


def table(kept: Sequence[Kept], ablation: str) -> Iterator[str]:
    """Yield the lines of one ablation: held-out accuracy, and loss, of every method at every size."""
    shares = sorted({one.share for one in kept})
    n_kept = {one.share: one.n_kept for one in kept}
    for what in ("accuracy", "loss"):
        heading = " ".join(f"{f'{share:.0%} ({n_kept[share]})':>9}" for share in shares)
        yield f"{ablation} ablation, {what} on lists held out    {heading}      mean"
        for method in METHODS:
            of_shares = [mean_of(kept, what, ablation=ablation, method=method, share=share) for share in shares]
            row = " ".join(f"{value:9.3f}" for value in [*of_shares, float(np.mean(of_shares))])
            yield f"  {method:<40} {row}"
        yield ""


def against(kept: Sequence[Kept], ablation: str, rival: str) -> str:
    """Say how often ProxySPEX has the lower loss, and the mean difference of accuracy."""
    found = {(one.seed, one.share, one.method): one for one in kept if one.ablation == ablation}
    pairs = [(one, found[seed, share, rival]) for (seed, share, name), one in found.items() if name == "ProxySPEX"]
    lower = sum(ours.loss < theirs.loss for ours, theirs in pairs)
    same = sum(ours.heads == theirs.heads for ours, theirs in pairs)
    gains = [
        np.mean([ours.accuracy - theirs.accuracy for ours, theirs in pairs if ours.seed == seed])
        for seed in sorted({ours.seed for ours, _ in pairs})
    ]
    of_seeds = " ".join(f"{gain:+.3f}" for gain in gains)
    counts = f"lower loss {lower} of {len(pairs)}, same heads {same}"
    return f"  ProxySPEX to {rival:<20} {counts}; accuracy by seed: {of_seeds}"


def energy_lines(energies: Sequence[Energy]) -> Iterator[str]:
    yield "energy           seed   linear   within layer   across layers   covered   faithfulness   fresh R²   accuracy"
    for one in energies:
        yield (
            f"  {one.ablation:<12} {one.seed:6d} {one.linear:8.1%} {one.within:14.1%} {one.across:15.1%} "
            f"{one.covered:9.3f} {one.faithfulness:14.3f} {one.true_r2:10.3f} {one.full_accuracy:10.3f}"
        )


def draw(kept: Sequence[Kept], energies: Sequence[Energy], path: Path, budget: int) -> None:
    """Draw accuracy by size for both ablations, and the shares of energy."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    styles = {
        "ProxySPEX": ("#d1345b", "o-", 2.4),
        "Shapley": ("#8f63b8", "^-", 1.4),
        "LASSO": ("#1f77b4", "s-", 1.4),
        "LASSO, same masks": ("#6fb1de", "s--", 1.4),
        "random": ("#999999", "D-", 1.4),
    }
    ablations = [ablation for ablation in ABLATIONS if any(one.ablation == ablation for one in kept)]
    widths = [3.0] * len(ablations) + [0.6 + 0.9 * len(ablations)]
    figure, axes = plt.subplots(
        1, len(widths), figsize=(1.6 * sum(widths), 4.2), layout="constrained", width_ratios=widths
    )
    shares = sorted({one.share for one in kept})
    for ax, ablation in zip(axes, ablations, strict=False):
        for method in reversed(METHODS):
            colour, style, width = styles[method]
            means = [mean_of(kept, "accuracy", ablation=ablation, method=method, share=share) for share in shares]
            ax.plot([100 * share for share in shares], means, style, color=colour, lw=width, ms=5, label=method)
        full = float(np.mean([one.full_accuracy for one in energies]))
        ax.axhline(full, color="#444444", lw=0.8, ls=":")
        ax.annotate("all heads", (100 * shares[0], full), xytext=(0, 3), textcoords="offset points", fontsize=8)
        ax.set(title=f"{ablation} ablation", xlabel="heads kept [%]", ylim=(0, 1.05), xticks=[100 * s for s in shares])
        ax.grid(axis="y", color="#eeeeee")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("accuracy on lists held out")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles[::-1], labels[::-1], frameon=False, fontsize=8, loc="lower right")
    draw_energy(axes[-1], energies, ablations)
    n_seeds = len({one.seed for one in kept})
    networks = "one network" if n_seeds == 1 else f"means of {n_seeds} networks"
    figure.suptitle(f"Which heads to keep, chosen with {budget} evaluations: {networks}", fontsize=11)
    figure.savefig(path, dpi=130, facecolor="white", metadata={"Software": None})
    plt.close(figure)


def draw_energy(ax: Any, energies: Sequence[Energy], ablations: Sequence[str]) -> None:
    """Draw stacked bars of the mean shares of energy."""
    parts = {"linear": "#bbbbbb", "within": "#7fb7a3", "across": "#e9965a"}
    names = {"linear": "single heads", "within": "within a layer", "across": "across layers"}
    bottom = np.zeros(len(ablations))
    for part, colour in parts.items():
        means = [np.mean([getattr(one, part) for one in energies if one.ablation == name]) for name in ablations]
        ax.bar(list(ablations), means, bottom=bottom, color=colour, width=0.9)
        for place, (mean, below) in enumerate(zip(means, bottom, strict=True)):
            if mean > 0.03:
                ax.text(place, below + mean / 2, f"{names[part]} {mean:.0%}", ha="center", va="center", fontsize=8)
        bottom += means
    ax.set(title="share of energy", ylim=(0, 1.05), yticks=[])
    ax.spines[["top", "right", "left"]].set_visible(False)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="networks, each with its own masks")
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--steps", type=int, default=TRAINING_STEPS, help="of training")
    parser.add_argument("--ablations", nargs="+", choices=ABLATIONS, default=list(ABLATIONS))
    parser.add_argument("--out", type=Path, help="folder for head_pruning.json and head_pruning.png")
    chosen = parser.parse_args(arguments)
    kept: list[Kept] = []
    energies = []
    start = time.perf_counter()
    for seed in range(chosen.seeds):
        for ablation in chosen.ablations:
            of_run, energy = run(seed, ablation, budget=chosen.budget, steps=chosen.steps)
            kept += of_run
            energies.append(energy)
    for ablation in chosen.ablations:
        print("\n".join(table(kept, ablation)))
        print("\n".join(against(kept, ablation, rival) for rival in METHODS[1:]), end="\n\n")
    print("\n".join(energy_lines(energies)))
    print(
        f"\n{chosen.seeds} networks of {LAYERS} x {HEADS} heads, {chosen.budget} evaluations for each method, ", end=""
    )
    print(f"{time.perf_counter() - start:.0f} s")
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        content = {"kept": [asdict(one) for one in kept], "energy": [asdict(one) for one in energies]}
        (chosen.out / "head_pruning.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        draw(kept, energies, chosen.out / "head_pruning.png", chosen.budget)


if __name__ == "__main__":
    main()

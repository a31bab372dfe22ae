"""How long people wait where nobody names a budget: ``python -m benchmarks.waiting [exact law ...]``.

Every figure is compared within one run: the default with the number of evaluations that an estimate takes, the law of
`captum_spex.budgets` with what it foretells, drawings of a progress line with each other. Median CPU
seconds, one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import torch
from captum.attr import KernelShap
from threadpoolctl import threadpool_limits

import captum_spex
from benchmarks.lines import Line
from captum_spex import Interactions, approximators
from captum_spex.attr import ProxySpex
from captum_spex.budgets import LAW, default_budget
from captum_spex.explainers import ProxySpexExplainer

PLAYERS = (12, 14, 16)
LAW_PLAYERS, LAW_OUTPUTS = (10, 13, 16), (1, 3)
N_FEATURES, N_OUTPUTS, N_ROWS = 13, 3, 20  # of the explainer for SHAP
N_ESTIMATED = 2  # rows of them, as twenty would take minutes
N_PIXELS, N_SAMPLES = 256, 2000
N_FITTED, N_FITTED_MASKS, N_SWAPPED = 30, 512, 64
GOALS = {12: 0.01, 14: 0.02, 16: 0.1}  # seconds
SHAP_GOAL, SILENCE = 1.4, 2.0


def network(n_players: int, n_outputs: int, seed: int = 0) -> Callable[[Any], Any]:
    """Return a random network of 0 and 1, whose outputs go together."""
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(n_players, 8)), rng.normal(size=8)
    last = outer[:, None] + 0.3 * rng.normal(size=(8, n_outputs))
    return lambda masks: np.tanh(np.asarray(masks) @ inner - 0.3) @ last


def sum_game(n_players: int, n_outputs: int) -> Callable[[Any], Any]:
    """Return a sum over players: the simplest game."""
    weights = np.linspace(1, 2, n_players)[:, None] * np.linspace(1, 2, n_outputs)
    return lambda masks: np.asarray(masks) @ weights


def off(estimate: Interactions, exact: Interactions, order: int) -> float:
    """Return the error of the values of an order, relative to their size."""
    pairs = [(value, estimate[players]) for players, value in exact.items() if len(players) == order]
    truth, found = np.array(pairs).T
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def typical(run: Callable[..., Any], repeats: int, *arguments: Any, **settings: Any) -> tuple[float, Any]:
    """Return the median CPU time of a call, which other programs do not lengthen much, and what it returned."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = run(*arguments, **settings)
        times.append(time.process_time() - start)
    return median(times), result


def exact_lines(repeats: int) -> Iterator[Line]:
    """Explain a cheap model with the default, and with the number of evaluations that an estimate takes."""
    for n in PLAYERS:
        game, number = network(n, 1), default_budget(n)
        captum_spex.explain(game, n)  # what is loaded at first
        default, exact = typical(captum_spex.explain, repeats, game, n, random_state=0)
        estimate, guess = typical(captum_spex.explain, repeats, game, n, random_state=0, budget=number)
        yield Line(f"explain, {n} players", f"{default:.3f} s", f"<= {GOALS[n]:g} s", default <= GOALS[n])
        yield Line("  evaluations", f"{exact.n_evaluations:,}", "all", exact.n_evaluations == 2**n)
        yield Line(f"  with budget={number}", f"{estimate:.2f} s")
        yield Line("  that to the default", f"{estimate / default:.0f} x", "> 1", estimate > default)
        yield Line("  its Shapley values, its pairs", f"{off(guess, exact, 1):.1%}, {off(guess, exact, 2):.1%} off")


def law_lines(repeats: int) -> Iterator[Line]:
    """Compare the law with fits, of which it is to foretell the fastest, and with conversions."""
    for n in LAW_PLAYERS:
        for n_outputs in LAW_OUTPUTS:
            law, fastest = LAW.estimate_seconds(n_outputs), np.inf
            for name, game in (("network", network(n, n_outputs)), ("sum", sum_game(n, n_outputs))):
                settings = {"budget": min(default_budget(n), 2**n - 1), "random_state": 0}
                spent, _ = typical(captum_spex.explain, repeats, game, n, **settings)
                fastest = min(fastest, spent)
                yield Line(f"fit, {n} players, {n_outputs} outputs, {name}", f"{spent:.2f} s")
            yield Line("  the law", f"{law:.2f} s", "low", law <= 1.2 * fastest)
    for n, order in ((12, 2), (16, 2), (16, 3), (16, 4)):
        spent, _ = typical(captum_spex.explain, repeats, network(n, 1), n, budget=2**n, max_order=order)
        yield Line(f"all masks of {n} players, order {order}", f"{spent:.3f} s")
        yield Line("  the law", f"{LAW.exact_seconds(n, order, 1):.3f} s")


def explainer_lines(repeats: int) -> Iterator[Line]:
    """Explain rows for SHAP, and a tensor for Captum, with the default and with the number of an estimate."""
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(N_ROWS, N_FEATURES)), np.zeros((1, N_FEATURES))
    explainer = ProxySpexExplainer(network(N_FEATURES, N_OUTPUTS), background, seed=0)
    number = min(explainer.default_max_evals(N_FEATURES), 2**N_FEATURES - 1)
    default, _ = typical(explainer, repeats, rows, silent=True)
    some = rows[:N_ESTIMATED]
    spent, guess = typical(explainer, 1, some, max_evals=number, silent=True)
    estimate, exact = N_ROWS / N_ESTIMATED * spent, explainer(some, max_evals=2**N_FEATURES, silent=True).values
    error = np.linalg.norm(guess.values - exact) / np.linalg.norm(exact)
    is_exact = np.allclose(explainer(some, silent=True).values, exact)
    what = f"SHAP explainer, {N_FEATURES} features, {N_OUTPUTS} outputs, {N_ROWS} rows"
    yield Line(what, f"{default:.2f} s", f"<= {SHAP_GOAL:g} s", default <= SHAP_GOAL)
    yield Line("  as all masks", "exact" if is_exact else "estimated", "exact", is_exact)
    yield Line(f"  with max_evals={number} ({N_ESTIMATED} rows, times {N_ROWS // N_ESTIMATED})", f"{estimate:.1f} s")
    yield Line("  that to the default", f"{estimate / default:.0f} x", "> 1", estimate > default)
    yield Line("  its values", f"{error:.1%} off")
    model = torch.nn.Sequential(torch.nn.Linear(N_FEATURES, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).eval()
    inputs, options = torch.from_numpy(rows[:1]).float(), {"perturbations_per_eval": 512}
    ours, _ = typical(ProxySpex(model).attribute, repeats, inputs, **options)
    theirs, _ = typical(KernelShap(model).attribute, 1, inputs, n_samples=2**N_FEATURES, **options)
    yield Line(f"attr.ProxySpex, {N_FEATURES} features, exact", f"{ours:.3f} s")
    yield Line(f"  KernelShap of as many samples ({2**N_FEATURES:,}) to that", f"{theirs / ours:.1f} x")


def swap_lines(repeats: int) -> Iterator[Line]:
    """Fit to few masks beside the published settings, and swap `KernelShap` on a model that costs nothing."""
    game, options = network(N_FITTED, 1), {"budget": N_FITTED_MASKS, "random_state": 0}
    ours, _ = typical(captum_spex.explain, repeats, game, N_FITTED, **options)
    published = approximators.ProxySpex.as_published()
    theirs, _ = typical(captum_spex.explain, 1, game, N_FITTED, approximator=published, **options)
    yield Line(f"explain, {N_FITTED} players, {N_FITTED_MASKS} evaluations", f"{ours:.2f} s", "<= 0.4 s", ours <= 0.4)
    yield Line("  published settings to that", f"{theirs / ours:.1f} x", ">= 30 x", theirs / ours >= 30)
    weights = torch.randn(N_SWAPPED, generator=torch.Generator().manual_seed(0))
    inputs, given = torch.ones(1, N_SWAPPED), {"n_samples": N_SAMPLES}  # and whatever is the default

    def model(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ weights)

    own, _ = typical(ProxySpex(model).attribute, repeats, inputs, random_state=0, **given)
    theirs, _ = typical(KernelShap(model).attribute, repeats, inputs, **given)
    yield Line(f"attr.ProxySpex, {N_SWAPPED} features, {N_SAMPLES:,} samples", f"{own:.2f} s")
    yield Line("  that to KernelShap", f"{own / theirs:.1f} x", "<= 1.5 x", own <= 1.5 * theirs)


class Drawings(io.StringIO):
    """A stream that remembers when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.times = [time.perf_counter()]

    def write(self, text: str) -> int:
        """Write a text."""
        self.times.append(time.perf_counter())
        return super().write(text)


def silence_lines(_: int) -> Iterator[Line]:
    """Swap `KernelShap` on an image, and look for how long nothing is said."""
    weights = torch.randn(N_PIXELS, generator=torch.Generator().manual_seed(0))
    method, drawings = ProxySpex(lambda x: torch.tanh(x @ weights)), Drawings()
    options = {"n_samples": N_SAMPLES, "perturbations_per_eval": 64, "show_progress": True, "random_state": 0}
    with contextlib.redirect_stderr(drawings):
        spent, _ = typical(method.attribute, 1, torch.ones(1, N_PIXELS), **options)
    drawings.times.append(time.perf_counter())
    longest, said = float(np.diff(drawings.times).max()), drawings.getvalue()
    yield Line(f"attr.ProxySpex, {N_PIXELS} pixels, {N_SAMPLES:,} samples, show_progress=True", f"{spent:.1f} s")
    yield Line("  longest silence", f"{longest:.2f} s", f"<= {SILENCE:g} s", longest <= SILENCE)
    yield Line("  says that it fits", "yes" if "fitting" in said else "no", "yes", "fitting" in said)


PARTS = {
    "exact": exact_lines,
    "law": law_lines,
    "explainers": explainer_lines,
    "swap": swap_lines,
    "silence": silence_lines,
}


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; default: everything")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of a timing")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{'measurement':<62}  {'median':>20}  {'target':>12}")
    with threadpool_limits(1):
        for part in chosen.parts or PARTS:
            for line in PARTS[part](chosen.repeats):
                print(line, flush=True)


if __name__ == "__main__":
    main()

"""Measure language models behind Captum's interface: ``python -m benchmarks.llm``.

`SpexLLMAttribution` with `ProxySpex` against Captum's ``LLMAttribution`` with ``KernelShap``, on the same model,
prompt, answer and number of masks: against its defaults, and against its ``forward_in_tokens=False``. All runs go from
the call to the attributions of the answer (`KernelShap` has none of its tokens). Of ours, the part that the model takes
is told apart from the rest: rows of tokens, and the fit, which also finds the interactions. Medians of runs that take
turns.

With transformers 5 Captum's defaults give its cache the whole prompt again for every token of an answer: for answers of
several tokens they are slower than meant, and their values wrong.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from captum.attr import KernelShap, LLMAttribution, TextTokenInput
from threadpoolctl import threadpool_limits
from transformers.utils import logging

from benchmarks.lines import seconds
from benchmarks.text import Line, print_lines, words
from captum_spex.attr import ProxySpex, SpexLLMAttribution
from tools import key_value_model

SIZES = {"2 layers of 64": (64, 2, 4), "6 layers of 256": (256, 6, 8)}
VOCABULARY = 8192
PROMPTS = (40, 60)
ANSWERS = (1, 3, 8)
MASKS = (200, 1000)
LEAST_GAIN = 5


def untrained(width: int, layers: int, heads: int) -> tuple[Any, Any]:
    """Return a network that has learnt nothing, with positions enough for Captum's cache, and its tokenizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = key_value_model.gpt2(VOCABULARY, width=width, layers=layers, heads=heads, positions=1024)
    return network.eval(), key_value_model.tokenizer_of_words()


def seconds_of_model(model: Any, run: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds of a run, and those of them that its model took."""
    starts: list[float] = []
    ends: list[float] = []
    hooks = [
        model.register_forward_pre_hook(lambda *_: starts.append(time.perf_counter())),
        model.register_forward_hook(lambda *_: ends.append(time.perf_counter())),
    ]
    try:
        return seconds(run), sum(ends) - sum(starts)
    finally:
        for hook in hooks:
            hook.remove()


def compared(model: Any, tokenizer: Any, n_words: int, n_answer: int, n_masks: int, repeats: int) -> dict[str, float]:
    """Return the medians of the seconds of each way."""
    given = TextTokenInput(words(n_words), tokenizer)
    target = torch.tensor(tokenizer.encode(words(n_answer, seed=2)))
    ours = SpexLLMAttribution(ProxySpex(model), tokenizer)
    captums = LLMAttribution(KernelShap(model), tokenizer)
    ways = {
        "ours": partial(ours.attribute, given, target, n_samples=n_masks, random_state=0, per_token=False),
        "in tokens": partial(captums.attribute, given, target, n_samples=n_masks),
        "in one pass": partial(captums.attribute, given, target, n_samples=n_masks, forward_in_tokens=False),
    }
    ours.attribute(given, target, n_samples=16, random_state=0)
    captums.attribute(given, target, n_samples=16, forward_in_tokens=False)
    times: dict[str, list[float]] = {name: [] for name in [*ways, "model"]}
    for _ in range(repeats):
        whole, of_model = seconds_of_model(model, ways["ours"])
        times["ours"].append(whole)
        times["model"].append(of_model)
        for name in ("in tokens", "in one pass"):
            times[name].append(seconds(ways[name]))
    return {name: median(each) for name, each in times.items()}


def lines(sizes: list[str], repeats: int, quick: bool) -> Iterator[Line]:
    """Compare the ways for all sizes, prompts, answers and numbers of masks."""
    for size in sizes[: 1 if quick else None]:
        model, tokenizer = untrained(*SIZES[size])
        for n_words in PROMPTS[: 1 if quick else None]:
            for n_answer in ANSWERS[:2] if quick else ANSWERS:
                for n_masks in (32,) if quick else MASKS:
                    found = compared(model, tokenizer, n_words, n_answer, n_masks, repeats)
                    yield from _lines_of(f"{size}, {n_words} words, answer of {n_answer}, {n_masks:,} masks", found)


def _lines_of(what: str, found: dict[str, float]) -> Iterator[Line]:
    yield Line(f"{what}: ours", found["ours"], "s")
    yield Line("  of that the model", found["model"], "s")
    yield Line("  of that the fit, with interactions", found["ours"] - found["model"], "s")
    for name, how in (("in tokens", "defaults"), ("in one pass", "forward_in_tokens=False")):
        yield Line(f"  Captum's KernelShap, {how}", found[name], "s")
        gain = found[name] / found["ours"]
        yield Line("    to ours, in all", gain, "x", f">= {LEAST_GAIN}", gain >= LEAST_GAIN)
        yield Line("    to ours, the model alone", found[name] / found["model"], "x")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES), help="which networks")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions of a timing")
    parser.add_argument("--threads", type=int, default=1, help="threads of the models and of the fit")
    parser.add_argument("--quick", action="store_true", help="small and few: to see whether it runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    logging.disable_progress_bar()
    np.random.seed(0)  # noqa: NPY002  # Captum's
    torch.manual_seed(0)
    with threadpool_limits(chosen.threads):
        print_lines(lines(chosen.sizes, chosen.repeats, chosen.quick), chosen.json)


if __name__ == "__main__":
    main()

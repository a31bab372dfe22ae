"""Measure games over texts, the store and the command line: ``python -m benchmarks.text``.

``throughput``: the game against its bare model on the very same batches. ``batched``: a language model's answer against
one forward pass for each mask. ``store``: what keeping every batch costs. ``resume``: what killed runs repeat.
``start``: the command line from return to answer. Without any of these: all of them. Medians of runs that take
turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from benchmarks.lines import seconds, verdict
from captum_spex.evaluation.evaluator import Evaluator
from captum_spex.evaluation.store import Store
from captum_spex.games.text import AnswerGame, ClassificationGame, SimilarityGame, embedded_model
from captum_spex.masks import Masks
from tools import key_value_model, killed_runs, made_games

REVIEW = "The plot was not good but her acting never fails to impress and I loved the music in it"
SIZES = {"2 layers of 64": (64, 2, 4), "4 layers of 128": (128, 4, 4), "4 layers of 256": (256, 4, 8)}
VOCABULARY = 8192  # of the language models that are only timed
N_PREFIX = 100
WIDTH = 84  # of the table's first column


@dataclass(frozen=True)
class Line:
    """One line of the table; ``reached`` is None where there is no target."""

    what: str
    value: float
    unit: str
    target: str = ""
    reached: bool | None = None

    def __str__(self) -> str:
        figure = f"{self.value:,.4g} {self.unit}".strip()
        return f"{self.what:<{WIDTH}}  {figure:>14}  {self.target:>8}  {verdict(self.reached)}".rstrip()


def taking_turns(repeats: int, **functions: Callable[[], Any]) -> dict[str, list[float]]:
    """Return the seconds of every function in every repeat; a first one is not timed."""
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(repeats):
        for name in functions if number % 2 else reversed(functions):
            times[name].append(seconds(functions[name]))
    return times


def random_masks(n_players: int, n_masks: int) -> Masks:
    """Return uniformly random masks."""
    return np.random.default_rng(0).random((n_masks, n_players)) < 0.5


# --- the game against its bare model -------------------------------------------------------------------------------


def games(quick: bool) -> Iterator[tuple[str, nn.Module, Any, int]]:
    """Return games, their models, and how many masks to ask for."""
    model, tokenizer = embedded_model()
    yield "embedded classifier, 18 words", model, ClassificationGame(model, tokenizer, REVIEW), 1024
    model, tokenizer = key_value_model.untrained_gpt2(*SIZES["4 layers of 128"], n_tokens=VOCABULARY)
    for n_words in (40,) if quick else (40, 100):
        game = answer_game(model, tokenizer, n_words, ablation="unk")
        yield f"language model, 4 layers of 128, {n_words} words", model, game, 256
    if quick or find_spec(made_games.ENCODER_PACKAGE) is None:
        return
    folder = __import__(made_games.ENCODER_PACKAGE).get_model_path()
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for n_words in (41, 96):
        query, text = made_games.TEXTS[0]
        game = SimilarityGame(model, tokenizer, " ".join(text.split()[:n_words]), query)
        yield f"all-MiniLM-L6-v2, {n_words} words", model, game, 96


def batches_seen(model: nn.Module, run: Callable[[], Any]) -> list[Mapping[str, Any]]:
    """Return what the model was given in a run, batch by batch."""
    seen: list[Mapping[str, Any]] = []
    hook = model.register_forward_pre_hook(lambda _, __, given: seen.append(dict(given)), with_kwargs=True)
    try:
        run()
    finally:
        hook.remove()
    return seen


def bare(model: nn.Module, batches: Sequence[Mapping[str, Any]]) -> None:
    """Ask the model about batches that are there already."""
    with torch.inference_mode():
        for batch in batches:
            model(**batch)


def throughput_lines(repeats: int, quick: bool) -> Iterator[Line]:
    """Compare rows per second of games and of their bare models."""
    for name, model, game, n_masks in games(quick):
        masks = random_masks(game.n_players, n_masks // 8 if quick else n_masks)
        batches = batches_seen(model, lambda game=game, masks=masks: game(masks))
        once = seconds(lambda game=game, masks=masks: game(masks))
        times = taking_turns(
            repeats if quick or once > 0.5 else 5 * repeats,
            game=lambda game=game, masks=masks: game(masks),
            bare=lambda model=model, batches=batches: bare(model, batches),
        )
        share = median(alone / ours for alone, ours in zip(times["bare"], times["game"], strict=True))
        yield Line(f"{name}: masks per second", len(masks) / median(times["game"]), "/s")
        yield Line(f"  to its bare model, {len(batches)} batches", share, "x", ">= 0.95", share >= 0.95)


# --- a language model's answer against one mask at a time ----------------------------------------------------------


def words(n_words: int, seed: int = 0) -> str:
    """Return a text of words that the tokenizer knows."""
    known = [*key_value_model.KEYS, *key_value_model.VALUES, *key_value_model.FILLERS]
    return " ".join(np.random.default_rng(seed).choice(known, n_words))


def answer_game(model: Any, tokenizer: Any, n_words: int, **settings: Any) -> AnswerGame:
    """Return the game of an answer of one token to a question behind a text."""
    return AnswerGame(model, tokenizer, words(n_words), answer="seven", suffix=" which amber", **settings)


def one_at_a_time(model: Any, tokenizer: Any, game: AnswerGame, masks: Masks, prefix: str) -> np.ndarray:
    """Return the values by a plain forward pass for every mask: what one writes without a library."""
    values = []
    target = tokenizer.convert_tokens_to_ids("seven")
    delete = game.ablation == "delete"
    with torch.inference_mode():
        for mask in masks:
            kept = [word if is_there else "<unk>" for word, is_there in zip(game.names, mask, strict=True)]
            kept = [word for word, is_there in zip(kept, mask, strict=True) if is_there or not delete]
            ids = tokenizer(f"{prefix}{' '.join(kept)} which amber", return_tensors="pt")["input_ids"]
            values.append(float(model(input_ids=ids).logits[0, -1].log_softmax(dim=-1)[target]))
    return np.array(values)


def batched_lines(repeats: int, quick: bool) -> Iterator[Line]:
    """Compare the game with one mask at a time: with and without a long fixed prefix, kept length or deleted words."""
    n_masks = 16 if quick else 128
    long = words(N_PREFIX, seed=1) + " "
    cases = [("unk", ""), ("unk", long), ("delete", ""), ("delete", long)]
    for size, shape in list(SIZES.items())[: 1 if quick else None]:
        model, tokenizer = key_value_model.untrained_gpt2(*shape, n_tokens=VOCABULARY)
        for n_words in (40,) if quick else (40, 100):
            for ablation, prefix in cases:
                game = answer_game(model, tokenizer, n_words, ablation=ablation, prefix=prefix)
                masks = random_masks(n_words, n_masks)
                given = (model, tokenizer, game, masks, prefix)
                np.testing.assert_allclose(game(masks), one_at_a_time(*given), rtol=0, atol=1e-4)
                times = taking_turns(
                    repeats,
                    game=lambda game=game, masks=masks: game(masks),
                    single=lambda given=given: one_at_a_time(*given),
                )
                gain = median(slow / fast for slow, fast in zip(times["single"], times["game"], strict=True))
                how = {"unk": "words replaced", "delete": "words deleted"}[ablation]
                before = f", behind {N_PREFIX} fixed" if prefix else ""
                yield Line(f"{size}, {n_words} words{before}, {how}: to one by one", gain, "x", ">= 5", gain >= 5)


# --- the store -----------------------------------------------------------------------------------------------------


class Busy:
    """A game that takes a millisecond for every mask, and counts the seconds spent in it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, masks: Masks) -> np.ndarray:
        start = now = time.perf_counter()
        while now < start + 1e-3 * len(masks):
            now = time.perf_counter()
        self.seconds += now - start
        return masks.mean(axis=1)


def seconds_outside(masks: Masks, batch_size: int, path: Path | None) -> float:
    """Evaluate masks, with a fresh store or without one; return the seconds spent outside of the game."""
    game = Busy()
    n_masks, n_players = masks.shape
    for old in path.parent.iterdir() if path else ():
        old.unlink()
    start = time.perf_counter()
    with Store(path, fingerprint="busy").open(game, n_players) if path else nullcontext() as store:
        Evaluator(game, n_players, budget=n_masks, batch_size=batch_size, store=store)(masks)
    return time.perf_counter() - start - game.seconds


def store_lines(repeats: int, quick: bool) -> Iterator[Line]:
    """Measure what the store costs in time, with its file made and opened in it, and on disk."""
    masks = random_masks(1000, 128 if quick else 2000)
    for batch_size in (1, 32):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "store.db"
            more = [
                seconds_outside(masks, batch_size, path) - seconds_outside(masks, batch_size, None)
                for _ in range(repeats)
            ]
            size = sum(file.stat().st_size for file in path.parent.iterdir()) / len(masks)
        share = 100 * median(more) / (1e-3 * len(masks))
        what = f"store, {len(masks):,} masks of 1 ms, 1,000 players, batches of {batch_size}"
        yield Line(f"{what}: more time", share, "%", "< 3 %", share < 3)
        yield Line("  on disk, for each mask", size, "bytes", "< 200", size < 200)


# --- killed runs, and the command line -----------------------------------------------------------------------------


def resume_lines(repeats: int, quick: bool) -> Iterator[Line]:
    """Kill runs and count what is repeated."""
    script = Path(killed_runs.__file__)
    n_kills = 4 if quick else max(10, 10 * repeats)
    for game in ("text", "numpy"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(script), game, f"{folder}/runs", "--times", str(n_kills)]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            chains = json.loads((Path(folder) / "runs" / "report.json").read_text())["chains"]
        repeated = sum(chain["n_repeated"] for chain in chains)
        different = sum(not chain["is_identical"] for chain in chains)
        what = f"{game} game, {n_kills} runs killed"
        yield Line(f"{what}: evaluations repeated beyond the batch in flight", repeated, "", "0", repeated == 0)
        yield Line("  results that are not identical", different, "", "0", different == 0)


def start_lines(repeats: int, quick: bool) -> Iterator[Line]:
    """Time the command line in fresh processes."""
    command = [sys.executable, "-m", "captum_spex.cli", "explain", "Her acting never fails to impress"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    run = lambda: subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: E731
    middle = median(seconds(run) for _ in range(1 if quick else max(3, repeats)))
    yield Line("command line, embedded model, one line of text: answer after", middle, "s", "<= 10 s", middle <= 10)


MEASURED = {
    "throughput": throughput_lines,
    "batched": batched_lines,
    "store": store_lines,
    "resume": resume_lines,
    "start": start_lines,
}


def print_lines(lines: Iterable[Line], path: Path | None) -> None:
    """Print every line as soon as it is measured, and write all of them to a file if one is given."""
    print(f"{'measurement':<{WIDTH}}  {'median':>14}  {'target':>8}")
    written = []
    for line in lines:
        print(line, flush=True)
        written.append(asdict(line))
    if path is not None:
        path.write_text(json.dumps(written, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*MEASURED, []], help="what to measure; default: everything")
    parser.add_argument("--repeats", type=int, default=5, help="repetitions of a timing")
    parser.add_argument("--threads", type=int, default=1, help="threads of a model")
    parser.add_argument("--quick", action="store_true", help="small and few: to see whether it runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    logging.disable_progress_bar()
    print_lines(
        (line for name in chosen.what or MEASURED for line in MEASURED[name](chosen.repeats, chosen.quick)), chosen.json
    )


if __name__ == "__main__":
    main()

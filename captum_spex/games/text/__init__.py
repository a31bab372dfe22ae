"""Texts as games: words, tokens, sentences or spans are removed, and a transformer reads the rest."""

from captum_spex.games.text.answer_game import AnswerGame
from captum_spex.games.text.classification_game import ClassificationGame
from captum_spex.games.text.embedded import embedded_model
from captum_spex.games.text.similarity_game import SimilarityGame

__all__ = ["AnswerGame", "ClassificationGame", "SimilarityGame", "embedded_model"]

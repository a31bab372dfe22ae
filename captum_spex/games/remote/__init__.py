"""Language models behind an OpenAI-compatible server as games."""

from captum_spex.games.remote.generated_game import GeneratedAnswerGame
from captum_spex.games.remote.remote_game import RemoteAnswerGame

__all__ = ["GeneratedAnswerGame", "RemoteAnswerGame"]

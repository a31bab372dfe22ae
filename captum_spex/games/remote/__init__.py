"""Language models behind an OpenAI-compatible server as games."""

from captum_spex.games.remote.remote_game import RemoteAnswerGame

__all__ = ["RemoteAnswerGame"]

"""Games over training data: points, or groups of them; retrained on demand, or from a table of past trainings."""

from captum_spex.games.training.game import TrainingGame
from captum_spex.games.training.on_test import OnTest
from captum_spex.games.training.table import TableGame, from_table

__all__ = ["OnTest", "TableGame", "TrainingGame", "from_table"]

"""Games over training data, points or groups of them: retrained on demand, or a table of past trainings."""

from captum_spex.games.training.on_test import OnTest
from captum_spex.games.training.table_game import TableGame, from_table
from captum_spex.games.training.training_game import TrainingGame

__all__ = ["OnTest", "TableGame", "TrainingGame", "from_table"]

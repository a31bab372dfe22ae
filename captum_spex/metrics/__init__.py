"""Quality of explanations: faithfulness, data-modelling score, curves, removal, drops, circuits, recovery, agreement.

``explained`` is a result, a recovered game (or any callable on masks), a mapping ``{players: value}``, or first-order
attributions ``(n_players,)``; where several outputs make sense, also a list with one of these for each. A mapping
predicts the sum of the values of all its sets that are present (the empty set is the constant), as for indices that add
up: SV, k-SII, STII, FSII, FBII, Moebius.
"""

from captum_spex.metrics.circuits import CircuitScore, circuit_score
from captum_spex.metrics.curves import Curve, Removal, insertion_curve, removal, removal_curve
from captum_spex.metrics.drops import Drop, SetRecovery, log_prob_drop, set_recovery
from captum_spex.metrics.overlap import Agreement, agreement, recovery, recovery_rate
from captum_spex.metrics.rankings import greedy_ranking, most_influential, ranking
from captum_spex.metrics.scores import Score, data_modelling_score, faithfulness

__all__ = [
    "Agreement", "CircuitScore", "Curve", "Drop", "Removal", "Score", "SetRecovery", "agreement", "circuit_score",
    "data_modelling_score", "faithfulness", "greedy_ranking", "insertion_curve", "log_prob_drop", "most_influential",
    "ranking", "recovery", "recovery_rate", "removal", "removal_curve", "set_recovery",
]  # fmt: skip

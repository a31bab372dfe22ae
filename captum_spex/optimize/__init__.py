"""Best and worst subsets of a spectrum under limits of size and cost, exact by mixed-integer programming."""

from captum_spex.optimize.subsets import Subset, best_subset, worst_subset

__all__ = ["Subset", "best_subset", "worst_subset"]

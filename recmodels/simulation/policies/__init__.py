"""What decides on the lists of each simulated night."""

from recmodels.simulation.policies.base import Drawn, Lists, Policy
from recmodels.simulation.policies.plain import Oracle, Random
from recmodels.simulation.policies.trained import MostPopular, Trained

__all__ = ["Drawn", "Lists", "MostPopular", "Oracle", "Policy", "Random", "Trained"]

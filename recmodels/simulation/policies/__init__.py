"""What decides on the lists of each simulated night."""

from recmodels.simulation.policies.augmented import Augmented, PlausibleWriter, Writer
from recmodels.simulation.policies.base import Drawn, Lists, Policy
from recmodels.simulation.policies.explored import Explored
from recmodels.simulation.policies.plain import Oracle, Random
from recmodels.simulation.policies.reranking import Reranking
from recmodels.simulation.policies.switched import Switched
from recmodels.simulation.policies.trained import MostPopular, Trained

__all__ = [
    "Augmented",
    "Drawn",
    "Explored",
    "Lists",
    "MostPopular",
    "Oracle",
    "PlausibleWriter",
    "Policy",
    "Random",
    "Reranking",
    "Switched",
    "Trained",
    "Writer",
]

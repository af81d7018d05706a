"""A laboratory for feedback loops: users choose among what they are shown, and models learn from what they chose.

    from recmodels.simulation import Market, MarketSettings, Meter, MostPopular, simulate

    market = Market.generated(MarketSettings(), n_users=1_000, n_items=500, seed=0)
    meter, figures = Meter(market), []
    observe = lambda seen: figures.append(meter.measure(seen).figures)
    simulate(market, MostPopular(), nights=30, ahead=meter.ahead, observe=observe)

The names below are the public API; a module is imported when one of its names is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recmodels.simulation.behavior import Behavior, Choices, Day, World
    from recmodels.simulation.comparison import Comparison, compare
    from recmodels.simulation.known import Known
    from recmodels.simulation.market import Market
    from recmodels.simulation.market_settings import MarketSettings
    from recmodels.simulation.measures import Measured, Meter
    from recmodels.simulation.policies.augmented import Augmented, PlausibleWriter
    from recmodels.simulation.policies.base import Lists, Policy
    from recmodels.simulation.policies.explored import Explored
    from recmodels.simulation.policies.plain import Oracle, Random
    from recmodels.simulation.policies.reranking import Reranking
    from recmodels.simulation.policies.switched import Switched
    from recmodels.simulation.policies.trained import MostPopular, Trained
    from recmodels.simulation.run import Night, NightSeen, simulate
    from recmodels.simulation.runs import Run
    from recmodels.simulation.wording import headline, sentence

_MODULES = {
    "Augmented": "policies.augmented",
    "Behavior": "behavior",
    "Choices": "behavior",
    "Comparison": "comparison",
    "Day": "behavior",
    "Explored": "policies.explored",
    "Known": "known",
    "Lists": "policies.base",
    "Market": "market",
    "MarketSettings": "market_settings",
    "Measured": "measures",
    "Meter": "measures",
    "MostPopular": "policies.trained",
    "Night": "run",
    "NightSeen": "run",
    "Oracle": "policies.plain",
    "PlausibleWriter": "policies.augmented",
    "Policy": "policies.base",
    "Random": "policies.plain",
    "Reranking": "policies.reranking",
    "Run": "runs",
    "Switched": "policies.switched",
    "Trained": "policies.trained",
    "World": "behavior",
    "compare": "comparison",
    "headline": "wording",
    "sentence": "wording",
    "simulate": "run",
}

__all__ = [
    "Augmented",
    "Behavior",
    "Choices",
    "Comparison",
    "Day",
    "Explored",
    "Known",
    "Lists",
    "Market",
    "MarketSettings",
    "Measured",
    "Meter",
    "MostPopular",
    "Night",
    "NightSeen",
    "Oracle",
    "PlausibleWriter",
    "Policy",
    "Random",
    "Reranking",
    "Run",
    "Switched",
    "Trained",
    "World",
    "compare",
    "headline",
    "sentence",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"recmodels.simulation.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'recmodels.simulation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

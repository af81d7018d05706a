"""Without feedback nothing changes: the slopes of all figures are 0 within their intervals."""

from typing import Any

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.metrics.trends import Slope, slopes
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.measures import Meter
from recmodels.simulation.policies import MostPopular, Policy, Random
from recmodels.simulation.run import NightSeen, simulate
from tests.benchmarks.findings.effects import Effect

TITLE = "No feedback, no trend"
SEEDS = 100
NIGHTS, USERS, ITEMS = 30, 100, 60
ENOUGH = 0.94
SHARED = {
    "list_popularity",
    "popularity_lift",
}  # what chance makes of the popularity of one list for all is nobody's own
SETTINGS = MarketSettings(visits=1.0, adoption=0.0).without_feedback()


def trends(seed: int, policy: Policy, nights: int = NIGHTS, users: int = USERS) -> dict[str, Slope]:
    """Of each figure that users have of their own; users neither change nor look at their lists."""
    behavior = Market.generated(SETTINGS, users, ITEMS, seed, nights=nights)
    meter = Meter(behavior, seed)
    rows: list[dict[str, Doubles]] = []

    def observe(seen: NightSeen) -> None:
        rows.append(meter.measure(seen).by_user)

    simulate(
        behavior, policy, nights, k=5, retrain_every=None, repeats=True, seed=seed, ahead=meter.ahead, observe=observe
    )
    names = list(rows[0])
    figures = np.stack([np.concatenate([row[name] for row in rows]) for name in names], axis=1)
    user = np.tile(np.arange(users, dtype=np.int32), nights)
    day = np.repeat(np.arange(nights, dtype=np.float64), users)
    return dict(zip(names, slopes(user, day, figures, seed=seed), strict=True))


def measured(seed: int, nights: int = NIGHTS, users: int = USERS) -> dict[str, Any]:
    """For each figure that can change, whether its interval holds 0, and the slope in half widths of its interval."""
    held: dict[str, bool] = {}
    sizes: dict[str, float] = {}
    for policy in (Random(), MostPopular()):
        for name, one in trends(seed, policy, nights, users).items():
            if one.low < one.high and np.isfinite(one.low):
                sizes[f"{policy.name}: {name}"] = 2 * one.value / (one.high - one.low)
                if policy.name == "random" or name not in SHARED:
                    held[f"{policy.name}: {name}"] = not one.certain
    return {"held": held, "sizes": sizes}


def effects(runs: list[dict[str, Any]]) -> list[Effect]:
    shares = [float(np.mean(list(one["held"].values()))) for one in runs]
    found = [
        Effect.over(f"share of slopes whose interval holds 0, less {ENOUGH:g}", np.array(shares) - ENOUGH, "not -")
    ]
    found.append(Effect.over("share of slopes whose interval holds 0", shares))
    for name in runs[0]["sizes"]:
        given = [one["sizes"][name] for one in runs if name in one["sizes"] and abs(one["sizes"][name]) < 1e6]
        if len(given) > 1:
            found.append(Effect.over(f"{name}: slope, in half widths of its interval", given))
    return found

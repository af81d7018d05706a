"""Barlacchi et al. (2026): more adoption looks like more individual diversity, while with any adoption it falls."""

from typing import Any

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.metrics.beyond_accuracy import gini
from recmodels.simulation.behavior import Choices
from recmodels.simulation.published.adopting import Adopting, Scored, individual_diversity
from recmodels.simulation.run import NightSeen, simulate
from tests.benchmarks.findings.effects import Effect, Sign, over, slope

TITLE = "Barlacchi et al. 2026: the diversity paradox"
SEEDS = 20
NIGHTS, WINDOW, LEFT_OUT = 24, 3, 5  # a night stands for a month; lists hold all items but five, as in the program
DIFFERS = {("bpr", 0.8)}  # its lists are nearly random orders of all items, which makes purchases ever more varied
SHORT = 20  # places of a short list
ADOPTION = (0.0, 0.2, 0.5, 0.8, 1.0)
MODELS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "item_knn": {},
    "user_knn": {},
    "bpr": {"factors": 16, "epochs": 20},
}


def run(
    seed: int, model: str, adoption: float, nights: int = NIGHTS, users: int = 100, places: int | None = None
) -> dict[str, Doubles]:
    """Individual diversity of all purchases so far and of the last nights', and the Gini coefficient of the latter."""
    behavior = Adopting.generated(seed, adoption, n_users=users)
    shape = behavior.bought.shape
    days: list[Choices] = []
    found: dict[str, list[float]] = {"so far": [], "of late": [], "gini": []}

    def observe(seen: NightSeen) -> None:
        days.append(seen.day.choices)
        late = Choices.joined(days[-WINDOW:])
        whole = Choices.joined([seen.known.choices, seen.day.choices])
        found["so far"].append(float(np.nanmean(individual_diversity(whole, *shape))))
        if len(days) >= WINDOW:
            found["of late"].append(float(np.nanmean(individual_diversity(late, *shape))))
            found["gini"].append(gini(np.bincount(late.item, minlength=shape[1])))

    policy = Scored(behavior, model, MODELS[model])
    k = places or shape[1] - LEFT_OUT
    simulate(behavior, policy, nights, k=k, repeats=True, seed=seed, observe=observe)
    return {name: np.array(values) for name, values in found.items()}


def measured(
    seed: int, models: tuple[str, ...] = tuple(MODELS), nights: int = NIGHTS, users: int = 100
) -> dict[str, float]:
    values: dict[str, float] = {}
    nobody = run(seed, "popularity", 0.0, nights, users)  # without adoption all models are one
    for model in models:
        curves = {rate: run(seed, model, rate, nights, users) if rate else nobody for rate in ADOPTION}
        short = run(seed, model, 1.0, nights, users, SHORT)["so far"]
        values[f"{model}: short lists"] = short[-1] - nobody["so far"][-1]
        for name in ("so far", "of late", "gini"):
            values[f"{model}: {name}, over adoption"] = slope([curve[name][-1] for curve in curves.values()], ADOPTION)
            for rate, curve in curves.items():
                values[f"{model}: {name}, over nights at {rate:g}"] = slope(curve[name])
    return values


def effects(runs: list[dict[str, float]]) -> list[Effect]:
    def one(name: str) -> Doubles:
        return over(runs, name)[0]

    models = [name.removesuffix(": gini, over adoption") for name in runs[0] if name.endswith(": gini, over adoption")]
    found = []
    for model in models:
        static = one(f"{model}: so far, over adoption")
        found.append(Effect.over(f"{model}: individual diversity, slope over η at the end", static, "+"))
        short = one(f"{model}: short lists")
        found.append(Effect.over(f"{model}: the same between η = 1 and 0, lists of {SHORT}", short))
    for model in models:
        for rate in ADOPTION[1:-1]:
            name = f"{model}: individual diversity, slope over nights at η = {rate:g}"
            values = one(f"{model}: so far, over nights at {rate:g}")
            found.append(Effect.over(name, values, "-", differs=(model, rate) in DIFFERS))
    found += [Effect.over(f"{model}: the same at η = 1", one(f"{model}: so far, over nights at 1")) for model in models]
    found.append(Effect.over("nobody adopts: the same at η = 0", one(f"{models[0]}: so far, over nights at 0")))
    found.append(
        Effect.over("nobody adopts: of the last three nights only", one(f"{models[0]}: of late, over nights at 0"))
    )
    for model in models:
        late = one(f"{model}: of late, over nights at 0.5")
        found.append(Effect.over(f"{model}: of the last three nights only, at η = .5", late))
    signs: dict[str, Sign] = {"item_knn": "+", "bpr": "-"}
    for model in models:
        more = one(f"{model}: gini, over adoption")
        found.append(Effect.over(f"{model}: Gini of purchases, slope over η", more, signs.get(model)))
    return found

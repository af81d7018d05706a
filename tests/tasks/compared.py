"""The figures of some candidates: what the tests of the comparison start from."""

from typing import Any

import numpy as np

from tasks.compare.decision import Incumbent
from tasks.evaluate.summary import ModelSummary

RNG = np.random.default_rng(0)
CHAMPION = RNG.uniform(0.1, 0.5, 2000)
NOISE = RNG.normal(0, 0.02, 2000)
INCUMBENT = Incumbent(name="als", published_as="als", export_id="2026-03-30", recommender="als", params={})


def summary(values: np.ndarray, slices: dict[str, tuple[str, int, float]] | None = None, **more: Any) -> ModelSummary:
    figures = {"ndcg": {"value": float(values.mean())}} | {
        name: {"value": value} for name, value in more.items() if name != "trained"
    }
    rows = [
        {"slice": name, "metric": metric, "users": users, "value": value}
        for name, (metric, users, value) in (slices or {}).items()
    ]
    content = {"k": 10, "users": len(values), "metrics": figures, "slices": rows, "trained": more.get("trained")}
    return ModelSummary.of(content)

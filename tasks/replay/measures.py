"""What a replay measures of each model and night: the names of its figures, and how they are written and read."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """A figure of a model's lists on a night.

    Attributes:
        name: in files.
        title: on pages.
        theme: what it tells of: whether lists are right, what of the catalogue they show, or how they fit their users.
        better: 1 where more is better, -1 where less is, 0 where it depends on what a site wants.
        per: what has a value of its own: each `user`, or only the `night`.
        share: whether it is written in percent.
    """

    name: str
    title: str
    theme: Literal["accuracy", "catalogue", "users"]
    better: int
    per: Literal["user", "night"] = "user"
    share: bool = False


MEASURES = (
    Measure("ndcg", "NDCG of what people did next", "accuracy", 1),
    Measure("ndcg_warm", "NDCG, users with a history", "accuracy", 1),
    Measure("recall", "Recall of what people did next", "accuracy", 1, share=True),
    Measure("hit_rate", "Users with a hit", "accuracy", 1, share=True),
    Measure("recall_tail", "Recall of unpopular items (the tail)", "accuracy", 1, share=True),
    Measure("holdout_ndcg", "NDCG on the night's own holdout", "accuracy", 1, "night"),
    Measure("coverage", "Share of the catalogue on lists", "catalogue", 1, "night", share=True),
    Measure("exposure_gini", "Inequality of exposure (Gini)", "catalogue", -1),
    Measure("novelty", "Novelty of lists (bits)", "catalogue", 0),
    Measure("new_items", "Share of new items on lists", "catalogue", 0, share=True),
    Measure("churn", "New on a list since the night before", "users", 0, share=True),
    Measure("popularity_lift", "Popularity of lists beyond users' own choices", "users", 0, share=True),
    Measure("miscalibration", "Distance from users' mix of categories", "users", -1),
)
BY_NAME = {one.name: one for one in MEASURES}
OF_USERS = tuple(one.name for one in MEASURES if one.per == "user")


def shown(measure: Measure, value: float | None) -> str:
    """A figure as people read it."""
    if value is None:
        return "-"
    if measure.share:
        return f"{value:.1%}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"

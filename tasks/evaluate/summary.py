"""What a candidate came to: the types behind the summaries that the stages write as JSON and read from each other."""

from math import isfinite
from typing import Any, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from recmodels.metrics.ranking import METRICS
from tasks.store.files import Json
from tasks.store.summaries import WarmSummary
from tasks.train.settings import PRIMARY


class Stored(BaseModel):
    """A part of a summary: written as JSON, and read back from what this or the version before has written."""

    model_config = ConfigDict(populate_by_name=True, frozen=True)

    @classmethod
    def of(cls, content: Json) -> Self:
        """From JSON."""
        return cls.model_validate(content)

    def json_ready(self) -> Json:
        """As JSON, under the names that the store has for the fields."""
        return self.model_dump(mode="json", by_alias=True)


class Figure(Stored):
    """A metric of a candidate's lists, with the ends of its interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None

    @model_serializer(mode="wrap")
    def _without_empty_ends(self, dump: SerializerFunctionWrapHandler) -> Json:
        return {name: value for name, value in dump(self).items() if name not in ("low", "high") or value is not None}


Figures = dict[str, Figure]
"""Figures by metric."""


class SliceFigure(Figure):
    """A metric over a group of users, or for a group of items."""

    slice: str
    metric: str
    users: int


class Backtest(Stored):
    """One measured holdout: tonight's, or an earlier one that the same recipe was trained for."""

    start: str
    users: int
    failed: str | None = None
    metrics: dict[str, float] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _metrics_apart(cls, content: Any) -> Any:
        if not isinstance(content, dict) or "metrics" in content:
            return content
        metrics = {name: content[name] for name in METRICS if name in content}
        return {name: value for name, value in content.items() if name not in METRICS} | {"metrics": metrics}

    @model_serializer
    def _flat(self) -> Json:
        failed = {} if self.failed is None else {"failed": self.failed}
        return {"start": self.start, "users": self.users} | failed | self.metrics


class Backtests(Stored):
    """The figures of each holdout, tonight's first, with the mean and the spread of the primary metric.

    The spread is the standard deviation (of n - 1), None where only one holdout could be measured.
    """

    days: float
    each: list[Backtest]
    measured: int
    mean: float
    spread: float | None

    @property
    def clause(self) -> str:
        """Mean and spread in one clause."""
        spread = "" if self.spread is None else f" ± {self.spread:.4f}"
        return f"{self.mean:.4f}{spread} over {self.measured} of {len(self.each)} holdouts"


FIGURES = {
    "ndcg": "NDCG",
    "diversity": "diversity",
    "coverage": "coverage",
    "gini": "Gini",
    "popularity_lift": "popularity lift",
    "miscalibration": "miscalibration",
    "worth": "mean value",
}
"""What the figures of lists are called."""


class ListFigures(Stored):
    """What lists are like, with or without the rules; the last five only where rules steer what they are of."""

    ndcg: float
    diversity: float | None
    coverage: float
    gini: float | None = None
    popularity_lift: float | None = None
    miscalibration: float | None = None
    worth: float | None = None
    """The mean value of what is listed, 0 to 1, by the column that `export.value` names."""
    exposure: dict[str, float] | None = None
    """The shares of the exposure, by value of the column that has bounds."""

    @model_serializer(mode="wrap")
    def _without_empty(self, dump: SerializerFunctionWrapHandler) -> Json:
        steered = {"gini", "popularity_lift", "miscalibration", "worth", "exposure"}
        return {name: value for name, value in dump(self).items() if name not in steered or value is not None}

    def named(self) -> dict[str, float]:
        """The figures that there are, by what they are called."""
        found = {label: value for name, label in FIGURES.items() if (value := getattr(self, name)) is not None}
        return found | {f"share of {value}": share for value, share in (self.exposure or {}).items()}


class Reranking(Stored):
    """A candidate's lists without and with the rules of the lists."""

    without_rules: ListFigures = Field(alias="without")
    with_rules: ListFigures = Field(alias="with")

    def named(self) -> dict[str, tuple[float, float]]:
        """Each figure without and with the rules, by what it is called."""
        before, after = self.without_rules.named(), self.with_rules.named()
        return {label: (before[label], after[label]) for label in before if label in after}

    @property
    def clause(self) -> str:
        """What the rules cost and gain, in one clause."""
        figures = [f"{label} {before:.4f} to {after:.4f}" for label, (before, after) in self.named().items()]
        return f"by the rules: {', '.join(figures)}"


class Trained(Stored):
    """Where a candidate was trained, and how long that took."""

    host: str = ""
    device: str = ""
    fit_seconds: float = 0.0
    warm: WarmSummary | None = None
    """What it started from, where there was a model of an earlier night to start from."""


RANKS_NOTHING = "Its scores are all equal: it ranks nothing, and its lists are in the order of the items."


def flaw_of(summary: Json) -> str | None:
    """Why a candidate's figures are nothing to compare it by, as a sentence; None where they are."""
    if summary.get("ranks_nothing"):
        return RANKS_NOTHING
    metrics = summary.get("metrics", {})
    value = metrics.get(PRIMARY, {}).get("value")
    if value is None or not isfinite(value):
        return "Its NDCG is no number."
    return "It lists nothing." if metrics.get("coverage", {}).get("value") == 0 else None


class ModelSummary(Stored):
    """A candidate's figures, of one night."""

    k: int
    users: int
    metrics: Figures
    slices: list[SliceFigure] = Field(default=[])
    backtests: Backtests | None = Field(default=None, validation_alias=AliasChoices("backtests", "windows"))
    reranking: Reranking | None = None
    trained: Trained | None = None
    ranks_nothing: bool = False
    """Whether the scores of each of its lists are all equal."""
    message: str = ""

    def figure(self, slice_name: str, metric: str) -> float | None:
        """A figure over all users (`all`) or of a slice; None where it was not measured."""
        if slice_name == "all":
            found = self.metrics.get(metric)
        else:
            found = next((row for row in self.slices if row.slice == slice_name and row.metric == metric), None)
        return None if found is None else found.value

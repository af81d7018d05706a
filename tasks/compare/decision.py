"""What the gate has decided and the comparison found: the types behind `decision.json` and the stage's summary."""

from enum import StrEnum
from typing import Any

from pydantic import AliasChoices, BaseModel, Field

from tasks.evaluate.summary import Backtests, Figures, Reranking, Stored, Trained
from tasks.offpolicy.values import OffPolicySummary
from tasks.store.manifests import Manifest


class Verdict(StrEnum):
    """How the winner came to be it."""

    FIRST = "first"
    """Nothing was published before: the best candidate."""
    CHAMPION_FAILED = "champion failed"
    """The incumbent could not be measured or fitted: a candidate that is as good, or nothing."""
    UNMEASURED = "unmeasured"
    """The incumbent, by its recipe, although it could not be measured."""
    PROMOTED = "promoted"
    """A challenger that passed the gate."""
    STAYS = "stays"
    """The incumbent, as no challenger passed the gate."""
    FORCED = "forced"
    """The model that a person chose for this night."""
    PINNED = "pinned"
    """The model that the configuration names."""


class Incumbent(BaseModel):
    """What is published now, and what it is called tonight."""

    name: str
    """Among tonight's candidates."""
    published_as: str
    export_id: str
    recommender: str
    params: dict[str, Any]


class RecentMedians(Stored):
    """How the incumbent did in recent nights, the median of each figure; None without any."""

    nights: int
    value: float | None
    lift: float | None = None
    coverage: float | None = None


class MeasuredIncumbent(Stored, Incumbent):
    """The incumbent as it did tonight."""

    value: float
    lift: float | None = None
    """NDCG in proportion to that of the popularity of the last 7 days."""
    recent: RecentMedians


class Challenge(Stored):
    """What a challenger showed against the incumbent, and every reason why it does not pass."""

    model: str
    value: float
    difference: float
    low: float
    high: float
    gain: float | None
    """The difference as a share of the incumbent's NDCG; None where that is 0."""
    p: float
    """The p-value of the permutation test, corrected for all challengers."""
    p_permutation: float
    p_bootstrap: float
    churn: float | None
    passed: bool
    reasons: list[str]


class Baseline(Stored):
    """The popularity of the last 7 days, and the models that are better beyond chance."""

    name: str
    value: float
    beaten_by: list[str]


class Decision(Stored):
    """Who is published, and why; `refused` says why nothing may be published at all."""

    winner: str
    reason: str
    verdict: Verdict
    refused: str | None = None
    incumbent: MeasuredIncumbent | None = Field(default=None, alias="champion")
    challengers: list[Challenge] = Field(default=[])
    baseline: Baseline | None = None
    churn: dict[str, float] = Field(default={})
    """For each candidate the share of its lists that the last export did not have."""
    warnings: list[str] = Field(default=[])
    """Sentences that say why the night is no ordinary one, though something may be published."""

    @property
    def unbeaten(self) -> str:
        """A sentence where no model is better than what sold most last week, else nothing."""
        if self.baseline is None or self.baseline.beaten_by:
            return ""
        return f"No model beats the popularity of the last 7 days ({self.baseline.name})."


class DecisionRecord(Decision):
    """`decision.json`: the decision with the winner's figures, and the candidates that failed with their reasons."""

    metrics: Figures = Field(default={})
    failed: dict[str, str] = Field(default={})


class ComparisonSummary(Stored):
    """All candidates of a night side by side, and the winner."""

    winner: str
    reason: str
    metrics: Figures
    failed: dict[str, str]
    gate: Decision
    k: int
    users: int
    models: dict[str, Figures]
    trained: dict[str, Trained] = Field(default={})
    reranking: dict[str, Reranking] = Field(default={})
    backtests: dict[str, Backtests] = Field(default={}, validation_alias=AliasChoices("backtests", "windows"))
    offpolicy: OffPolicySummary | None = None
    """What the candidates would have earned, where exploration has drawn places of lists."""
    message: str = ""

    @classmethod
    def of_manifest(cls, comparison: Manifest) -> "ComparisonSummary":
        """From the manifest of the stage."""
        return cls.of(comparison["summary"])


def decision_of(comparison: Manifest) -> Decision:
    """What the gate has decided, from the manifest of the stage."""
    return ComparisonSummary.of_manifest(comparison).gate

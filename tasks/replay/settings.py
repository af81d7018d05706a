"""What a replay is made of: its nights, its models, and the settings of the site that its nights depend on."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from expectations.settings import ValidationSettings
from tasks.compare.settings import GateSettings
from tasks.export.settings import ExportSettings
from tasks.features.settings import FeatureSettings
from tasks.prepare.settings import PrepareSettings
from tasks.store.paths import Night, Store
from tasks.train.settings import Candidate, EvaluationSettings

FOLLOWED = 10_000
"""Users whose figures are kept, so that nights and models can be compared; the same every night."""


class ReplaySpec(BaseModel):
    """A replay as its processes are told of it."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    name: str
    root: Path = Field(description="Its folder.")
    first: date
    last: date
    every: int = Field(ge=1, description="Days from one night to the next.")
    horizon: int = Field(ge=1, description="Days after a night whose interactions its lists are held against.")
    timezone: str
    validation: ValidationSettings
    prepare: PrepareSettings
    features: FeatureSettings
    evaluation: EvaluationSettings
    export: ExportSettings
    gate: GateSettings
    candidates: dict[str, Candidate]
    seed: int = Field(ge=0)
    followed: int = Field(ge=1)
    parallel: int = Field(ge=1, description="Nights at a time.")
    fresh: bool = False

    @property
    def store(self) -> Store:
        return Store(self.root)

    @property
    def data(self) -> Night:
        """The tables of the whole range, as a night at its end would have them."""
        return Store(self.root / "data").night(self.end)

    @property
    def end(self) -> date:
        """The day before which everything is that any night needs."""
        return self.last + timedelta(self.horizon)

    @property
    def dates(self) -> Sequence[date]:
        return [self.first + timedelta(n) for n in range(0, (self.last - self.first).days + 1, self.every)]

    @property
    def chained(self) -> bool:
        """Whether a model starts from that of an earlier night, so that nights come one after another.

        It must be asked to: models that do so by default do not where nights are replayed, several at a time.
        """
        return self.starts_from_earlier(self.candidates)

    @staticmethod
    def starts_from_earlier(candidates: Mapping[str, Candidate]) -> bool:
        return any(one.parameters.get("warm_start", "no") != "no" for one in candidates.values())

    def cutoff(self, run_date: date) -> datetime:
        """The instant before which a night may see data, as `NightConfig.cutoff` says it."""
        return datetime.combine(run_date, time(), ZoneInfo(self.timezone))

    def until(self, run_date: date) -> datetime:
        """The instant up to which a night's lists are held against what people did."""
        return self.cutoff(run_date + timedelta(self.horizon))

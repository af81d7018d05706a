"""The record of a night, `night.json`: how it went and what came of it, as `nightrec status` and the report show it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import AliasChoices, ConfigDict, Field, ValidationError

from recmodels.errors import NightrecError
from tasks.arms.results import Arms
from tasks.compare.decision import Decision
from tasks.evaluate.summary import Backtests, Figures, Reranking, Stored, Trained
from tasks.exploration.summary import ExplorationSummary
from tasks.export.nearly import ApproximateSummary
from tasks.longterm.results import LongTerm
from tasks.offpolicy.values import OffPolicySummary
from tasks.report.engine import EngineSummary
from tasks.store.accounts import TableBalance
from tasks.store.files import Json, read_json
from tasks.store.paths import Night


class NightStatus(StrEnum):
    """How a night stands."""

    RUNNING = "running"
    PUBLISHED = "published"
    COMPARED = "compared"
    """A dry run that ended well."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class StageLine(Stored):
    """One stage of a night, as it ended."""

    stage: str
    event: str
    """done, skipped, failed, or note for a remark that is no stage."""
    message: str = Field(default="", validation_alias=AliasChoices("message", "told"))
    seconds: float = 0.0
    ended: float | None = None
    """Seconds since the night began."""
    peak_bytes: int | None = None
    """The most memory that the night's process held meanwhile; by then, in records of version 0.1."""
    cpu_seconds: float | None = None
    """The time of the cores that the night's process took meanwhile, for whatever it did then."""


class SinkOutcome(Stored):
    """What became of a sink: what was loaded, or why it was not."""

    export_id: str | None = None
    loaded_at: str | None = None
    tables: dict[str, Any] = Field(default={})
    failed: str | None = None


class Attempt(Stored):
    """A run of a night besides the one that its record is about: one before it that failed, or one after it."""

    status: NightStatus
    started_at: str | None = None
    seconds: float | None = None
    reason: str | None = None
    exit_code: int | None = None


class NightRecord(Stored):
    """What a night leaves behind. Fields are filled in as it goes; those of a stage it did not reach are None."""

    model_config = ConfigDict(frozen=False, extra="allow")

    run_date: str = ""
    status: NightStatus = NightStatus.RUNNING
    reason: str | None = None
    """Why the winner won, or why the night failed."""
    exit_code: int | None = None
    """What `nightrec run` ended with."""
    started_at: str | None = None
    seconds: float | None = None
    peak_bytes: int | None = None
    memory_bytes: int | None = None
    """What it planned with."""
    engine: EngineSummary | None = None
    """What it ran on, where an engine was asked for."""
    stages: list[StageLine] = Field(default=[])
    winner: str | None = None
    k: int | None = None
    measured_on: str | None = None
    models: dict[str, Figures] = Field(default={})
    trained: dict[str, Trained] = Field(default={})
    failed: dict[str, str] = Field(default={})
    reranking: dict[str, Reranking] = Field(default={})
    backtests: dict[str, Backtests] = Field(default={}, validation_alias=AliasChoices("backtests", "windows"))
    offpolicy: OffPolicySummary | None = None
    """What the candidates would have earned, where exploration has drawn places of lists."""
    gate: Decision | None = None
    arms: Arms | None = None
    """Of a site with arms."""
    foretold: LongTerm | None = None
    """What its arms will have done."""
    interactions: int | None = None
    quarantined: int | None = None
    data: dict[str, TableBalance] = Field(default={})
    """Table -> what became of its lines, files and columns, in a few numbers."""
    notes: list[str] = Field(default=[])
    export_id: str | None = None
    new_export: bool | None = None
    users: int | None = None
    cold_users: int | None = None
    rows: int | None = None
    exploration: ExplorationSummary | None = None
    """What the export explored; None where nothing was drawn."""
    approximate: ApproximateSummary | None = None
    """How nearly the export's lists are the exact ones; None where they are exact, as it is by default."""
    sinks: dict[str, SinkOutcome] = Field(default={})
    long_term: list[str] = Field(default=[])
    """Three sentences about the long run up to this night."""
    attempts: list[Attempt] = Field(default=[])
    """The runs that came to nothing, oldest first: those before this one, and of a published night those since."""

    @classmethod
    def of_night(cls, night: Night) -> Self | None:
        """The record of a night; None where it has left none.

        Raises:
            NightrecError: its record is none that this version can read.
        """
        content = read_json(night.summary)
        try:
            return None if content is None else cls.of({"run_date": str(night.run_date)} | content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise NightrecError(f"{night.summary} cannot be read: {where}: {first['msg']}.") from None

    def fill_in(self, part: "NightRecord") -> None:
        """Take over the fields that a part of the record has."""
        for name in part.model_fields_set:
            setattr(self, name, getattr(part, name))

    def json_ready(self) -> Json:
        """As JSON, with the fields that were filled in."""
        return {name: value for name, value in super().json_ready().items() if name in self.model_fields_set}

    @property
    def warnings(self) -> list[str]:
        """Why the night is no ordinary one, though it may have published: a sentence each."""
        return self.gate.warnings if self.gate else []

    @property
    def later(self) -> list[Attempt]:
        """The runs since the one that the record is about."""
        return [one for one in self.attempts if (one.started_at or "") > (self.started_at or "")]

    @property
    def unfinished(self) -> bool:
        """Whether a run of the night is going on, or was killed."""
        return NightStatus.RUNNING in (self.status, *(one.status for one in self.attempts))

    @property
    def winner_figures(self) -> Figures:
        """The winner's figures; none of a champion that was fitted again unmeasured."""
        return self.models.get(self.winner, {}) if self.winner else {}

    @property
    def sink_failures(self) -> list[str]:
        """Why sinks were not loaded: a sentence each."""
        return [one.failed for one in self.sinks.values() if one.failed]


def best_first(models: Mapping[str, Figures], metric: str) -> list[tuple[str, Figures]]:
    """The models, ordered by a metric."""
    return sorted(models.items(), key=lambda entry: -entry[1][metric].value)

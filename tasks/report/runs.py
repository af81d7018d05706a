"""The runs of a night: which of them its record is about, and what is kept of the others."""

from dataclasses import dataclass

from tasks.report.past import record_of
from tasks.report.record import Attempt, NightRecord, NightStatus
from tasks.store.exports import newest_export
from tasks.store.files import Json, read_json
from tasks.store.paths import Night

MOST = 20  # runs that came to nothing, of which a record tells
KILLED = "its process was killed, or its machine went down"
NOTHING = (NightStatus.RUNNING, NightStatus.FAILED, NightStatus.INTERRUPTED)


@dataclass(frozen=True)
class Runs:
    """What earlier runs of a night have left, for the one that begins.

    Attributes:
        night: the night.
        content: its record as it was, if it had one that can be read.
        record: the same.
        attempts: the runs that came to nothing so far.
    """

    night: Night
    content: Json
    record: NightRecord | None
    attempts: tuple[Attempt, ...]

    @classmethod
    def of(cls, night: Night) -> "Runs":
        """Those of a night before a new run."""
        record = record_of(night)
        if record is None:
            return cls(night, {}, None, ())
        attempts = [_ended(one) for one in record.attempts]
        if record.status in NOTHING:
            attempts.append(_ended(attempt_of(record)))
        return cls(night, read_json(night.summary) or {}, record, tuple(attempts))

    @property
    def published(self) -> bool:
        return self.record is not None and self.record.status is NightStatus.PUBLISHED

    def with_run(self, now: NightRecord) -> Json:
        """The record of the night, with its new run as far as that is."""
        if not self.stands(now):
            return now.json_ready() | self._kept([])
        sinks = {"sinks": self.content.get("sinks", {}) | now.json_ready()["sinks"]} if now.sinks else {}
        return self.content | sinks | self._kept([attempt_of(now)] if now.status in NOTHING else [])

    def stands(self, now: NightRecord) -> bool:
        """Whether the record of when the night was published says more than a new run of it."""
        if self.record is None or not self.published:
            return False
        if now.status is NightStatus.PUBLISHED:
            idle = all(stage.event in ("skipped", "note") for stage in now.stages)
            return idle and self.record.export_id == now.export_id
        newest = newest_export(self.night.store, self.night.run_date) or {}
        return newest.get("export_id") in (None, self.record.export_id)  # else it has published, and failed after it

    def _kept(self, more: list[Attempt]) -> Json:
        attempts = [one.json_ready() for one in (*self.attempts, *more)][-MOST:]
        return {"attempts": attempts} if attempts else {}


def attempt_of(record: NightRecord) -> Attempt:
    """What is kept of a run that came to nothing."""
    return Attempt(
        status=record.status,
        started_at=record.started_at,
        seconds=record.seconds,
        reason=record.reason,
        exit_code=record.exit_code,
    )


def _ended(attempt: Attempt) -> Attempt:
    """A run that still says it is running, once another one holds the store: it was killed."""
    if attempt.status is not NightStatus.RUNNING:
        return attempt
    return attempt.model_copy(update={"status": NightStatus.INTERRUPTED, "reason": KILLED})


def why_interrupted(error: BaseException) -> str:
    """What ended a run from outside, as far as its process can tell."""
    if isinstance(error, KeyboardInterrupt):
        return "it was stopped by Ctrl-C"
    if type(error).__name__ in ("Stopped", "TerminationSignal"):  # of the command line, and of Prefect's workers
        return "it was stopped by SIGTERM: cancelled, or its service or machine was shut down"
    return "it was cancelled, or its process was stopped"

"""What the work of a night's stages is given to: this machine, or a cluster."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from flows.settings.engine import EngineSettings
from recmodels.engine.choice import EngineChoice
from recmodels.engine.current import using
from recmodels.engine.watching import watched_by
from recmodels.errors import EngineUnavailable
from tasks.report.engine import EngineNote, EngineSummary
from tasks.report.record import NightRecord
from tasks.report.watcher import NightWatcher, show_engine
from tasks.store.events import log_event


@contextmanager
def engine_for(settings: EngineSettings, record: NightRecord | None = None) -> Iterator[EngineChoice | None]:
    """Give the work of the block to the engine of the settings, where they name one; what it is goes into the record.

    Yields:
        How the processes of candidates get to the same engine; None where they need none.

    Raises:
        ConfigError: what the engine needs is not installed.
        EngineUnavailable: there is no such cluster, and the settings name nothing else.
    """
    if (choice := settings.choice) is None:
        yield None
        return
    with ExitStack() as stack:
        unavailable = None
        try:
            engine = stack.enter_context(choice.connected())
        except EngineUnavailable as error:
            if settings.fallback is None:
                raise
            unavailable, choice = str(error), EngineChoice(settings.fallback)
            engine = stack.enter_context(choice.connected())
            log_event("engine", "note", f"this machine works alone: {unavailable}")
        machines = engine.machines()
        summary = EngineSummary.of_machines(machines, unavailable)
        record = NightRecord() if record is None else record
        record.engine = summary
        show_engine(summary)

        def note(one: EngineNote) -> None:
            assert record is not None and record.engine is not None
            record.engine = record.engine.with_note(one)

        stack.enter_context(watched_by(NightWatcher(note)))
        stack.enter_context(using(engine))
        yield replace(choice, address=machines.address)

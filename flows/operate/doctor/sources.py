"""The tables of the site that are elsewhere: whether they can be reached, and have the columns that nights need."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from flows.operate.doctor.findings import Finding, Site
from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing.landed import source_of
from tasks.ingest.landing.reach import reach
from tasks.ingest.reading.files import is_elsewhere
from tasks.ingest.reading.inputs import TableInput

PATIENCE = 15.0  # seconds that all of them may take together; drivers give up after ten


def look(site: Site) -> Iterator[Finding]:
    """A connection to each of them is opened, at once, and no row is read."""
    try:
        tables = site.config.tables()
    except (ConfigError, DataRefused):  # which the check of the settings says
        return
    given = tables.tables().items() if tables else ()
    asked = [_Asked(name, one) for name, table in given for one in table.by_domain().values()]
    for one in asked:
        one.thread.start()
    end = time.monotonic() + PATIENCE
    for one in asked:
        one.thread.join(max(0.0, end - time.monotonic()))
        if one.thread.is_alive():
            what = f"{source_of(one.table)} does not answer within {PATIENCE:.0f} seconds"
            yield Finding(what, one.name, "see whether it runs, and can be reached from here")
        elif one.refused is not None:
            what = str(one.refused).removeprefix(f"{one.name}: ").rstrip(".")
            yield Finding(what, one.name, "put that right before the next night")


@dataclass
class _Asked:
    """A table, and why it cannot be read. The thread is a daemon: one that hangs keeps nobody waiting."""

    name: str
    table: TableInput
    refused: Exception | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        try:
            if is_elsewhere(self.name, self.table):
                reach(self.name, self.table)
        except (ConfigError, DataRefused, OSError) as error:
            self.refused = error
        except Exception as error:  # its words may hold a key
            self.refused = ConfigError(f"{self.name}: it cannot be asked for ({type(error).__name__})")

"""A store whose export sinks are loaded with, and what tests of sinks ask of it."""

from datetime import date
from typing import Any

import pyarrow as pa

from recmodels.published.reader import Export
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import SinkSettings, failures
from tasks.publish.sinks.source import Tally
from tasks.store.paths import Store

FIRST = date(2026, 3, 30)
TABLES = ("topk", "similar", "popular")


def published(store: Store, table: str) -> list[dict[str, Any]]:
    return Export.latest(store.root).table(table).to_pylist()


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=str)


def succeeds(store: Store, settings: SinkSettings, **options: bool) -> dict[str, Any]:
    outcome = load(store, settings, task=False, **options)
    assert not failures({"sinks": outcome}), outcome
    return outcome


def corrupting(add: Any) -> Any:
    """A tally that finds something else every time."""
    calls = iter(range(1, 1000))

    def wrong(self: Tally, rows: pa.Table) -> pa.Table:
        found = add(self, rows)
        self.checksum += next(calls)
        return found

    return wrong

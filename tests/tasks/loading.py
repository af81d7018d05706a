"""A store whose export sinks are loaded with, and what tests of sinks ask of it."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from recmodels.data.dataset import Dataset
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Function, Machines, Work
from recmodels.factors.als import ALS
from recmodels.persistence import save
from recmodels.published.reader import Export
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import SinkSettings, failures
from tasks.publish.sinks.source import Tally
from tasks.store.files import Json
from tasks.store.manifests import write_manifest
from tasks.store.paths import Night, Store
from tests.tasks.publishing import publish

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


class Twice(LocalEngine):
    """A cluster that has lost each node once it was done, and had others do the same."""

    def machines(self) -> Machines:
        return Machines("ray", nodes=2, cores=2)

    def map(self, function: Function, *given: Any, **options: Any) -> list[Path]:
        def twice(work: Work) -> None:
            function(work)
            function(work)

        return super().map(twice, *given, **options)


def publish_vectors(night: Night, factors: int) -> None:
    """Publish a night with vectors of that length, of a model that was fitted beside the winner."""
    save(ALS(factors=factors).fit(Dataset.load(night.features, "full")), night.arm_model("als"))
    about: Json = {"inputs": {}, "parameters": {}, "code": "", "fingerprint": "", "summary": {}, "files": []}
    write_manifest(night.arm_model("als"), about | {"output": "als"})
    publish(night, vectors="als", fresh=True)

"""Loading the sinks with the current export: each by itself, so that one that fails costs neither night nor others."""

import threading
from datetime import date
from importlib import import_module

from typing_extensions import TypedDict

from recmodels.errors import NightrecError
from tasks.publish.sinks.settings import BuiltIn, SinkSettings
from tasks.publish.sinks.sink import Sink
from tasks.publish.sinks.source import Published
from tasks.store.events import logged
from tasks.store.exports import current
from tasks.store.files import Json, digest, now_text, read_json, write_json
from tasks.store.paths import Store
from tasks.store.records import read
from tasks.store.stage import stage_task

MODULES = {"delta": "delta_lake", "pgvector": "pgvector", "postgres": "postgres", "qdrant": "qdrant", "redis": "redis"}


class Load(TypedDict):
    """What a sink was loaded with: a digest of it and of the settings, and what arrived."""

    mark: str
    loaded: Json


Loaded = dict[str, Load]
"""`sinks.json`: what the sinks were loaded with, by name; one that is damaged makes them be loaded again."""

threads = threading.Lock()  # nights of a backfill may be published at the same time


@stage_task("sink-{name}", reads_and_writes=True)
def sink(store: Store, name: str, settings: BuiltIn | Sink, fresh: bool = False) -> Json:
    """Load one sink with the export that readers are pointed to; what was loaded. The caller holds the store.

    A sink that was loaded with the same before is skipped, unless everything is to be done again (`fresh`).
    """
    with threads, logged(f"sink:{name}") as line:
        published = Published.latest(store)
        path = store.root / "sinks.json"
        mark = digest([published.version, settings.model_dump()])
        before = (read(path, Loaded) or {}).get(name)
        if before and before["mark"] == mark and not fresh:
            line |= {"event": "skipped", "text": f"{published.version} was loaded before"}
            return before["loaded"]
        tables = _loaded(name, settings, published)
        loaded = {"export_id": published.export.manifest["export_id"], "loaded_at": now_text(), "tables": tables}
        write_json(path, (read(path, Loaded) or {}) | {name: {"mark": mark, "loaded": loaded}})
        done = "loaded" if isinstance(settings, Sink) else "read back"
        line["text"] = ", ".join(f"{table} {proof['rows']:,}" for table, proof in tables.items()) + f" {done}"
    return loaded


def _loaded(name: str, settings: BuiltIn | Sink, published: Published) -> dict[str, Json]:
    """What has arrived, by table."""
    if isinstance(settings, Sink):
        return settings.load(published)
    tables: dict[str, Json] = import_module(f"tasks.publish.sinks.{MODULES[name]}").load(settings, published)
    return tables


def load(store: Store, settings: SinkSettings, fresh: bool = False, task: bool = True) -> Json:
    """Load all sinks that are configured: for each what was loaded, or as `failed` one sentence why not."""
    outcome: Json = {}
    for name, one in settings.configured().items():
        try:
            outcome[name] = (sink if task else sink.fn)(store, name, one, fresh)
        except Exception as error:  # the lists are published, whatever becomes of their copies
            known = isinstance(error, NightrecError | ConnectionError)
            why = str(error) if known else f"{type(error).__name__}."
            outcome[name] = {"failed": f"The sink {name} was not loaded: {why} `nightrec sink` loads it again."}
    return outcome


def remember(store: Store, outcome: Json) -> None:
    """Put what became of the sinks into the record of the night whose export is the current one."""
    if (pointer := current(store)) is None:
        return
    summary = store.night(date.fromisoformat(pointer["run_date"])).summary
    if record := read_json(summary):
        before = record.get("sinks")
        write_json(summary, record | {"sinks": (before if isinstance(before, dict) else {}) | outcome})

"""Loading the sinks with the current export: each by itself, so that one that fails costs neither night nor others."""

import threading
from importlib import import_module

from recmodels.errors import NightrecError
from tasks.publish.sinks.settings import DeltaSettings, Name, PostgresSettings, RedisSettings, SinkSettings
from tasks.publish.sinks.source import Published
from tasks.store.files import Json, digest, now_text, read_json, write_json
from tasks.store.paths import Store
from tasks.store.stage import logged, stage_task

threads = threading.Lock()  # nights of a backfill may be published at the same time


@stage_task("sink-{name}", reads_and_writes=True)
def sink(
    store: Store, name: Name, rules: DeltaSettings | PostgresSettings | RedisSettings, fresh: bool = False
) -> Json:
    """Load one sink with the export that readers are pointed to; what was loaded. The caller holds the store.

    A sink that was loaded with the same before is skipped, unless everything is to be done again (``fresh``).
    """
    with threads, logged(f"sink:{name}") as line:
        published = Published.latest(store)
        path = store.root / "sinks.json"
        mark = digest([published.version, rules.model_dump()])
        before: Json = (read_json(path) or {}).get(name, {})
        if before.get("mark") == mark and not fresh:
            line |= {"event": "skipped", "text": f"{published.version} was loaded before"}
            already: Json = before["loaded"]
            return already
        tables = import_module(f"tasks.publish.sinks.{name}").load(rules, published)
        loaded = {"export_id": published.export.manifest["export_id"], "loaded_at": now_text(), "tables": tables}
        write_json(path, (read_json(path) or {}) | {name: {"mark": mark, "loaded": loaded}})
        line["text"] = ", ".join(f"{table} {proof['rows']:,}" for table, proof in tables.items()) + " read back"
    return loaded


def load(store: Store, rules: SinkSettings, fresh: bool = False, task: bool = True) -> Json:
    """Load all sinks that are configured: for each what was loaded, or as ``failed`` one sentence why not."""
    outcome: Json = {}
    for name, rule in rules.configured().items():
        try:
            outcome[name] = (sink if task else sink.fn)(store, name, rule, fresh)
        except Exception as error:  # the lists are published, whatever becomes of their copies
            known = isinstance(error, NightrecError | ConnectionError)
            why = str(error) if known else f"{type(error).__name__}."
            outcome[name] = {"failed": f"The sink {name} was not loaded: {why} `nightrec sink` loads it again."}
    return outcome


def remember(store: Store, outcome: Json) -> None:
    """Put what became of the sinks into the record of the night whose export is the current one."""
    pointer = read_json(store.pointer) or {}
    summary = store.root / "nights" / str(pointer.get("run_date")) / "night.json"
    if record := read_json(summary):
        write_json(summary, record | {"sinks": record.get("sinks", {}) | outcome})

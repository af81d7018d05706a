"""A user leaves the copies of the exports: the one at a URL, and the databases that are loaded with them."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from recmodels.published.addresses import shown
from recmodels.published.reader import place as place_of
from tasks.forgetting.person import Person
from tasks.forgetting.receipt import Place
from tasks.publish.mirror import mirror, mirrors
from tasks.publish.sinks.load import load, remember
from tasks.publish.sinks.settings import SinkSettings
from tasks.publish.sinks.sink import Sink
from tasks.store.files import read_json
from tasks.store.paths import Store

AGAIN = "do this again when it answers"


def forget_in_mirror(store: Store, to: str | None, people: list[Person]) -> list[Place]:
    """Bring the copy at a URL up to date, and search it; those of earlier nights that are not named are told."""
    places = []
    known = mirrors(store)
    if to is not None:
        place = Place(f"mirror {shown(to)}")
        places.append(place)
        try:
            place.removed = mirror.fn(store, to)["copied"]
            _search(to, people, place)
        except (NightrecError, OSError, pa.ArrowException, ValueError) as error:
            place.failures.append(f"{_words(error)}; {AGAIN}"[:300])
    for other in known:
        if to is None or other != shown(to):
            why = f"lists were copied to {other} on {known[other]}, and it is not configured here: give --config"
            places.append(Place(f"mirror {other}", failures=[f"{why}, or delete its line in mirrors.json"]))
    return places


def _search(to: str, people: list[Person], place: Place) -> None:
    """Look for the user in every export at the copy, also in those that this store has never had."""
    files, exports = place_of(to)
    for info in files.get_file_info(pafs.FileSelector(str(exports), recursive=True, allow_not_found=True)):
        path = Path(info.path)
        if info.is_file and path.suffix == ".parquet" and path.parent.name.startswith("topk"):
            place.searched += 1
            with files.open_input_file(info.path) as opened, pq.ParquetFile(opened) as file:
                batches = file.iter_batches(1_000_000, columns=["user_id"])
                if any(one.rows_of(batch["user_id"]).any() for batch in batches for one in people):
                    place.failures.append(f"{path} has the user and is no copy of this store's: remove it yourself")


def forget_in_sinks(store: Store, settings: SinkSettings, people: list[Person], found: bool) -> list[Place]:
    """Load the databases with the lists of today, and remove the user from what else they keep.

    `found`: the user was in the store, so that what was loaded before is loaded again in any case.
    """
    configured = settings.configured()
    places = []
    if configured and store.pointer.exists():
        outcome = load(store, settings, fresh=found, task=False)
        if found:
            remember(store, outcome)
        for name, one in configured.items():
            place = Place(f"sink {name}")
            places.append(place)
            if why := outcome[name].get("failed"):
                place.failures.append(why[:300])
                continue
            place.note = f"has the lists of {outcome[name]['export_id']}, without the user"
            if found:
                _forget_in_sink(name, one, people, place)
    for name in sorted(set(read_json(store.root / "sinks.json") or {}) - set(configured)):
        why = "it was loaded by an earlier night and is not configured here: give --config, or clean it yourself"
        places.append(Place(f"sink {name}", failures=[f"{why} and delete its entry in sinks.json"]))
    return places


def _forget_in_sink(name: str, settings: Any, people: list[Person], place: Place) -> None:
    """Remove the user from the earlier nights that a sink keeps."""
    ids = [one.user_id for one in people]
    try:
        if isinstance(settings, Sink):
            settings.forget(ids)
        elif name == "delta":
            place.rows += import_module("tasks.publish.sinks.delta_lake").forget(settings, ids)
    except Exception as error:  # its text may hold a secret, or the id
        known = isinstance(error, NightrecError | ConnectionError)
        place.failures.append(f"{error if known else type(error).__name__}; {AGAIN}"[:300])


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, NightrecError) else f"it does not answer ({type(error).__name__})"

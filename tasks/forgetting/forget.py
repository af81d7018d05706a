"""Forgetting a user: wherever a night leaves them, in an order in which a run that was cut short can be completed.

A receipt says what was done where. It is added to `forgotten.jsonl`, and does not name the user.
"""

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from tasks.forgetting.copies import forget_in_mirror, forget_in_sinks
from tasks.forgetting.exports import forget_in_exports, hashes_of, keys_at_hand
from tasks.forgetting.nights import forget_in_nights, forget_in_panels, forget_in_replays, ways_of_writing
from tasks.forgetting.person import Person
from tasks.forgetting.prefect_database import forget_in_prefect
from tasks.forgetting.prefect_server import search_server
from tasks.forgetting.receipt import Receipt
from tasks.forgetting.request import begin
from tasks.forgetting.rest import forget_in_rest
from tasks.forgetting.simulations import forget_in_simulations
from tasks.publish.sinks.settings import SinkSettings
from tasks.store.paths import Store

RECEIPTS = "forgotten.jsonl"


@dataclass(frozen=True)
class Outside:
    """What there is besides the store."""

    mirror: str | None = None
    sinks: SinkSettings = field(default_factory=SinkSettings)
    prefect_home: Path | None = None
    prefect_database: Path | None = None
    prefect_server: bool = False
    """Whether one is configured that may be elsewhere."""


def forget(store: Store, user_id: str, outside: Outside | None = None) -> Receipt:
    """Remove a user from the store, whose caller holds it, and from what there is besides; returns the receipt.

    What could not be done is in the receipt, and the same call again completes it.

    Raises:
        ConfigError: there is no id, or an export has hashed ids and its key is not there to find the user's.
    """
    person, outside = Person.named(user_id), outside or Outside()
    keys_at_hand(store)
    started = time.perf_counter()
    request = begin(store, person)
    receipt = Receipt(request.reference, request.at, request.resumed)
    people = ways_of_writing(store, person)
    published = [*people, *hashes_of(store, people)]
    receipt.places.append(forget_in_exports(store, people))
    receipt.places.append(forget_in_nights(store, person, request))
    receipt.places.append(forget_in_panels(store, person, request))
    receipt.places.append(forget_in_replays(store, person, request))
    receipt.places += forget_in_rest(store, person)
    found = receipt.found or request.resumed
    if found:
        receipt.places.append(forget_in_simulations(store))
    receipt.places += forget_in_mirror(store, outside.mirror, published)
    receipt.places += forget_in_sinks(store, outside.sinks, published, found)
    if outside.prefect_home is not None:
        receipt.places.append(forget_in_prefect(outside.prefect_home, outside.prefect_database, person))
    if outside.prefect_server:
        receipt.places.append(search_server(person))
    receipt.seconds = round(time.perf_counter() - started, 1)
    if receipt.found or receipt.failures or receipt.resumed:
        _keep(store, receipt)
    if receipt.complete or not found:
        request.done()
    return receipt


def _keep(store: Store, receipt: Receipt) -> None:
    with (store.root / RECEIPTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(receipt.json_ready()) + "\n")
        file.flush()
        os.fsync(file.fileno())

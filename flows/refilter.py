"""The current export without what has gone since: between nights, by hand or every hour."""

from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime

from prefect import State, flow
from prefect.states import Completed

from flows.no_storage import keep_nothing
from flows.settings.site import NightConfig, deployed
from recmodels.compute.memory import at_most
from recmodels.errors import ConfigError, NightrecError
from tasks.export.refilter import Refiltered
from tasks.export.refilter import refilter as publish_again
from tasks.ingest.catalogue import items_now
from tasks.ingest.reading.inputs import TableInput
from tasks.publish.mirror import mirror
from tasks.publish.retention import retain
from tasks.publish.sinks.load import load as load_sinks
from tasks.publish.sinks.load import remember
from tasks.publish.sinks.settings import failures
from tasks.store.files import Json
from tasks.store.lease import InUseError
from tasks.store.locking import held
from tasks.store.paths import Store


@keep_nothing
@flow(name="refilter", flow_run_name="refilter", persist_result=False)
def refilter() -> "Json | State[None]":
    """Publish the current export again without items that the catalogue of the settings says are gone since.

    While a night is running in the store there is nothing to do: it reads the catalogue itself.
    """
    config = deployed()
    with ExitStack() as holding:
        try:
            holding.enter_context(held(Store(config.store.absolute())))
        except InUseError:
            return Completed(name="Skipped", message="A night is running in the store, and reads the catalogue itself.")
        return asdict(bring_up_to_date(config))


def bring_up_to_date(config: NightConfig, items: str | None = None, *, complete: bool = True) -> Refiltered:
    """Read the catalogue, publish what is left of the current export, and bring sinks and the copy up to date.

    The caller holds the store.

    Args:
        config: the site's settings.
        items: the table to read in place of the site's own, as that is read.
        complete: it is the whole catalogue, not only what has changed.

    Raises:
        ConfigError: there is no table of items, or nothing is published.
        DataRefused: the table cannot be used, or seems to be incomplete.
        NightrecError: the lists cannot be made, or a sink failed.
    """
    store, given = Store(config.store.absolute()), _table(config, items)
    refused = config.validation.max_quarantined_share
    with at_most(config.memory):
        now = items_now(given, datetime.now(UTC), whole_numbers=True, max_refused=refused)
    share = config.refilter.max_gone_share
    found = publish_again(store, now, config.export, complete=complete, max_gone_share=share, name=given.place)
    if found.published:
        retain(store, config.retention)
        outcome = load_sinks(store, config.sinks, task=False)
        if outcome:
            remember(store, outcome)
        if config.copy_at:
            mirror.fn(store, config.copy_at)
        if wrong := failures({"sinks": outcome}):
            raise NightrecError(" ".join(wrong))
    return found


def _table(config: NightConfig, items: str | None) -> TableInput:
    tables = config.tables()
    own = tables.items if tables else None
    if items is None and own is None:
        raise ConfigError("There is no table of items: name the catalogue as it is now with --items.")
    if items is None or own is None:
        return own or TableInput(path=str(items))
    if own.domains:
        raise ConfigError("The items have a catalogue a domain: name these in the settings, and leave --items out.")
    return own.model_copy(update={"path": items})

"""The bucket of a store: whether this machine may do there what nights do."""

from __future__ import annotations

from collections.abc import Iterator

from flows.operate.doctor.findings import Finding, Site
from recmodels.errors import NightrecError
from recmodels.published.addresses import shown
from tasks.store.working_copy import address_of


def look(site: Site) -> Iterator[Finding]:
    """A small object is written, read, and removed again."""
    if (address := address_of(site.store.root)) is None:
        return
    from tasks.store.bucket import StoreBucket

    try:
        StoreBucket(address).probe()
    except NightrecError as error:
        todo = "give this machine the right to list, read, write and delete, and the credentials in its environment"
        yield Finding(str(error).rstrip("."), shown(address), todo)

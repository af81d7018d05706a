"""The simulations: whether what they were asked for can be read, and which were cut short."""

from __future__ import annotations

from collections.abc import Iterator

from flows.operate.doctor.findings import Finding, Site, note
from tasks.store.simulations import simulations


def look(site: Site) -> Iterator[Finding]:
    """No night depends on any of them: all that is said is worth knowing only."""
    for one in simulations(site.store):
        if one.about is None:
            todo = f"begin it again: `nightrec simulate --name {one.name} --fresh`"
            yield note("it is damaged, and nobody knows what the simulation was", one.settings, todo)
        elif not one.complete and not one.at_work:
            people = "; it keeps choices of the site's users as long" if one.people.exists() else ""
            todo = f"`nightrec simulate --name {one.name}` with its options goes on, or remove the folder"
            yield note(f"the simulation {one.name} was cut short{people}", one.folder, todo)

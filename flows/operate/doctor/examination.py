"""All examinations of a site, and putting right what they find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from flows.operate.doctor import (
    bucket,
    engine,
    environment,
    exports,
    leftovers,
    machine,
    nights,
    permissions,
    records,
    server,
    simulations,
    sources,
)
from flows.operate.doctor.findings import Check, Finding, Site
from recmodels.errors import NightrecError
from tasks.store.locking import held

CHECKS = (
    Check("exports", exports.look),
    Check("nights", nights.look),
    Check("history", nights.history),
    Check("feedback", nights.feedback),
    Check("panel", nights.panel),
    Check("replays", nights.replays),
    Check("simulations", simulations.look),
    Check("records", records.look),
    Check("leftovers", leftovers.look),
    Check("permissions", permissions.look),
    Check("disk", machine.disk),
    Check("clock", machine.clock),
    Check("bucket", bucket.look, in_store=False, elsewhere=True),
    Check("settings", environment.settings, in_store=False),
    Check("sources", sources.look, in_store=False, elsewhere=True),
    Check("engine", engine.look, in_store=False, elsewhere=True),
    Check("versions", environment.versions, in_store=False),
    Check("Prefect's files", permissions.prefect, in_store=False),
    Check("database", server.database, in_store=False),
    Check("server", server.look, in_store=False),
    Check("processes", server.orphans, in_store=False),
)


@dataclass(frozen=True)
class Examined:
    """What a check has found."""

    check: Check
    findings: Sequence[Finding]


@dataclass(frozen=True)
class Mended:
    """What became of a finding that was to be put right: what was `done`, or why it `failed`."""

    subject: str
    finding: Finding
    done: str = ""
    failed: str = ""


def examine(site: Site, checks: Sequence[Check] | None = None) -> list[Examined]:
    """Look at everything (or what some checks look at), and change nothing."""
    return [Examined(check, list(_looked(check, site))) for check in (CHECKS if checks is None else checks)]


def _looked(check: Check, site: Site) -> Iterator[Finding]:
    try:
        yield from check.look(site)
    except Exception as error:  # what is wrong with one thing keeps nobody from looking at the others
        what = f"it could not be examined ({type(error).__name__}: {str(error).partition(chr(10))[0][:160]})"
        yield Finding(what, check.subject, "see to that, and ask again")


def mend(site: Site, found: Sequence[Examined]) -> list[Mended]:
    """Put right what can be, the store being held meanwhile, so that no night is at work in it.

    Raises:
        NightrecError: a night is running in the store, or it cannot be written.
    """
    to_mend = [(one.check, finding) for one in found for finding in one.findings if finding.fix]
    with ExitStack() as holding:
        if any(check.in_store for check, _ in to_mend):
            holding.enter_context(held(site.store))
        return [_mended(check.subject, finding) for check, finding in to_mend]


def _mended(subject: str, finding: Finding) -> Mended:
    assert finding.fix is not None
    try:
        return Mended(subject, finding, done=finding.fix())
    except NightrecError as error:
        return Mended(subject, finding, failed=str(error))
    except OSError as error:
        return Mended(subject, finding, failed=f"{error.filename or finding.where}: {error.strerror or error}")


def wrong(found: Sequence[Examined]) -> list[Finding]:
    """What needs somebody, or --fix."""
    return [finding for one in found for finding in one.findings if finding.wrong]

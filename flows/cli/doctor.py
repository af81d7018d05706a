"""`nightrec doctor`: what is wrong with a site, and what to do."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import json_option, store_option
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError, NightrecError
from tasks.errors import FAILED
from tasks.store.paths import Store

if TYPE_CHECKING:
    from flows.operate.doctor.examination import Examined, Mended
    from flows.operate.doctor.findings import Finding, Site


@click.command()
@store_option
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@click.option("--fix", is_flag=True, help="Put right what can be, without removing what is yours.")
@click.option("--deep", is_flag=True, help="Compare every hash, which takes as long as reading all files.")
@json_option
def doctor(store: Path | None, config: Path | None, fix: bool, deep: bool, as_json: bool) -> None:
    """Examine the store, the settings, the server, and this machine, and say what is wrong and what to do.

    Nothing is changed without --fix, and nothing that you have put somewhere is ever removed. Exit code 0 if all is
    well, 1 if something is wrong that needs --fix, or you.
    """
    from flows.operate.doctor.examination import examine, mend, wrong

    site = _site(store, config, deep)
    found = examine(site)
    mended: Sequence[Mended] = ()
    refused = ""
    if fix and any(finding.fix for one in found for finding in one.findings):
        try:
            mended = mend(site, found)
        except NightrecError as error:
            refused = str(error)
        found = examine(site)
    if as_json:
        echo_json(_as_json(site, found, mended, refused))
    else:
        for line in _page(site, found, mended, refused):
            echo(line)
    if wrong(found) or refused:
        sys.exit(FAILED)


def _site(store: Path | None, file: Path | None, deep: bool) -> "Site":
    from flows.operate.doctor.findings import Site
    from flows.settings.site import FILE, NightConfig, load

    if file is None and Path(FILE).exists():
        file = Path(FILE)
    problem = None
    try:
        config = load(file)
    except ConfigError as error:
        config, problem = NightConfig(), str(error)
    return Site(Store((store or config.store).absolute()), config, file, problem, deep)


def _page(site: "Site", found: "Sequence[Examined]", mended: "Sequence[Mended]", refused: str) -> list[str]:
    there = "" if site.store.root.exists() else " (no night has run in it yet)"
    lines = [f"Store {site.store.root}{there}, settings {site.file or 'by default'}"]
    lines += [
        f"  mended   {each.subject}: {each.finding.where} {each.done}"
        if each.done
        else f"  NOT      {each.subject}: {each.failed}"
        for each in mended
    ]
    well = [one.check.subject for one in found if not one.findings]
    lines += [f"  well     {', '.join(well)}"] if well else []
    for one in found:
        for finding in one.findings:
            lines += _lines(one.check.subject, finding)
    return [*lines, *_verdict(found, refused)]


def _lines(subject: str, finding: "Finding") -> list[str]:
    mark = "WRONG" if finding.wrong else "note"
    how = f"--fix {finding.todo}" if finding.fix else finding.todo
    return [f"  {mark:<8} {subject}: {finding.where}: {finding.what}", f"           {how}"]


def _verdict(found: "Sequence[Examined]", refused: str) -> list[str]:
    from flows.operate.doctor.examination import wrong

    bad = wrong(found)
    if refused:
        return [f"Nothing was mended: {refused}"]
    if not bad:
        return ["All is well."]
    fixable = sum(finding.fix is not None for finding in bad)
    others = len(bad) - fixable
    parts = [f"{fixable} can be put right by `nightrec doctor --fix`"] if fixable else []
    parts += [f"{others} {'needs' if others == 1 else 'need'} you"] if others else []
    return [f"{len(bad)} {'thing is' if len(bad) == 1 else 'things are'} wrong: {', '.join(parts)}."]


def _as_json(site: "Site", found: "Sequence[Examined]", mended: "Sequence[Mended]", refused: str) -> dict[str, Any]:
    from flows.operate.doctor.examination import wrong

    return {
        "healthy": not wrong(found) and not refused,
        "store": str(site.store.root),
        "settings": str(site.file) if site.file else None,
        "findings": [{"check": one.check.subject} | finding.json_ready() for one in found for finding in one.findings],
        "mended": [
            {"check": one.subject, "where": one.finding.where, "done": one.done, "failed": one.failed} for one in mended
        ],
        "refused": refused,
    }

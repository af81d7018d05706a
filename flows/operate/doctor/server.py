"""Prefect's server, its database, and the work pools of the site."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from deployments.names import deployment
from flows.operate.database import prefect_places
from flows.operate.doctor.findings import Finding, Site, note
from tasks.store.room import size_text
from tasks.train.settings import CPU_POOL, SIGNALS_POOL

PATIENCE = 5.0  # seconds that a server may take to answer
APART = 60.0  # seconds that its clock may differ
LARGE = 2e9  # bytes of a database


def look(site: Site) -> Iterator[Finding]:
    """The server that is configured, if one is; a night has one of its own otherwise."""
    _, _, api = prefect_places()
    if api is None:
        return
    try:
        # No secret is sent, so any certificate will do.
        answer = httpx.get(f"{api}/admin/version", timeout=PATIENCE, verify=False)
    except httpx.HTTPError as error:
        why = type(error).__name__
        yield Finding(f"it does not answer ({why})", api, "start it (`nightrec serve`), or correct PREFECT_API_URL")
        return
    if answer.status_code == httpx.codes.OK:
        what = "it does what anybody asks who can reach it, running programs among that"
        yield Finding(what, api, "run it by `nightrec serve` or `nightrec server`, which ask for a password")
    yield from _asked(site, api)


def _asked(site: Site, api: str) -> Iterator[Finding]:
    """What it says to those who know its secret."""
    from datetime import UTC, datetime

    import prefect
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    from flows.execution.flow_runs import server_time

    with get_client(sync_client=True, httpx_settings={"timeout": PATIENCE}) as client:
        try:
            there = client._client.get("/admin/version").json()
        except (PrefectHTTPStatusError, httpx.HTTPError) as error:
            what = f"it does not let us in ({str(error)[:60]})"
            yield Finding(what, api, "set PREFECT_API_AUTH_STRING to its user:password")
            return
        if there != prefect.__version__:
            todo = "install the same version on both"
            yield Finding(f"it is Prefect {there}, and here is {prefect.__version__}", api, todo, wrong=_other(there))
        apart = (server_time(client) - datetime.now(UTC)).total_seconds()
        if abs(apart) > APART:
            what = f"its clock is {abs(apart):,.0f} seconds {'ahead' if apart > 0 else 'behind'}"
            yield Finding(what, api, "have the clocks of both machines set by NTP")
        yield from _pools(site, client)


def _other(version: str) -> bool:
    import prefect

    return version.split(".")[:2] != prefect.__version__.split(".")[:2]


def _pools(site: Site, client: Any) -> Iterator[Finding]:
    from prefect.exceptions import ObjectNotFound

    from flows.execution.flow_runs import alive_workers

    used = {model.pool for model in site.config.enabled_models().values() if model.pool}
    deploy = partial(_deploy, site) if site.file else None
    todo = (
        "deploys the site again, as `nightrec deploy` does" if deploy else "bring it up to date with `nightrec deploy`"
    )
    for pool in (CPU_POOL, SIGNALS_POOL, *sorted(used - {CPU_POOL, SIGNALS_POOL})):
        where = f"the work pool {pool}"
        try:
            found = client.read_work_pool(pool)
        except ObjectNotFound:
            yield Finding("it is not there", where, todo, deploy)
            continue
        chosen = found.base_job_template.get("variables", {}).get("properties", {})
        if "command" in chosen:
            what = "a run may choose its command, and so may whoever can start one"
            yield Finding(what, where, todo, deploy)
        if found.is_paused:
            yield Finding("it is paused", where, f"let it go on: prefect work-pool resume {pool}")
        elif not alive_workers(client, pool):
            yield Finding("no worker of it is alive", where, f"start one: nightrec worker {pool}")
    try:
        client.read_deployment_by_name(nightly := deployment("nightly", site.config.site))
    except ObjectNotFound:
        yield Finding("it is not there, so no night runs by itself", f"the deployment {nightly}", todo,
                      deploy)  # fmt: skip


def _deploy(site: Site) -> str:
    from flows.operate.deploy import deploy

    return f"deployed {', '.join(deploy(site.config, site.file))}"


def database(site: Site) -> Iterator[Finding]:
    """Prefect's own database on this machine."""
    _, path, _ = prefect_places()
    if path is None or not path.exists():
        return
    if why := _damaged(path, site.deep):
        todo = "move it away while no server runs: the next one makes it anew, and only the past of runs is lost"
        yield Finding(f"it is damaged ({why})", str(path), todo)
    elif (size := path.stat().st_size) > LARGE:
        yield note(f"it has {size_text(size)}", path, "nights slow down: see docs/operations.md on pruning")


def _damaged(path: Path, deep: bool) -> str:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            answer = db.execute("PRAGMA quick_check(1)").fetchone()[0] if deep else "ok"
    except sqlite3.OperationalError:  # a writer holds it
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)[:60]
    return "" if answer == "ok" else str(answer)[:60]


def orphans(_: Site) -> Iterator[Finding]:
    """Servers of nights that outlived their night."""
    for process in psutil.process_iter(["cmdline", "ppid", "uids"]):
        words = process.info["cmdline"] or []
        ours = "flows.operate.guarded_app" in words or "prefect.server.api.server:create_app" in words
        if not ours or process.info["ppid"] != 1 or os.getpid() == 1:
            continue
        todo = f"end it, if nothing uses it: kill {process.pid}"
        yield note("a server whose night has ended still runs", f"the process {process.pid}", todo)

"""What people are told when a night needs them: one sentence with the reason, and where to look."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings
from prefect.states import Crashed, Failed, Running, Scheduled, State

from flows.signals import check_export, notify
from recmodels.errors import ConfigError, NightrecError
from tasks.store.files import write_json
from tasks.store.lease import touch
from tasks.store.paths import Store

DAY = date(2026, 3, 2)
KEEP = "import os, sys; open(sys.argv[1], 'a').write(sys.stdin.read())"
EXCEPTION = "Flow run encountered an exception: "

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """A deployed site whose messages are kept in a file; returns what is in it."""
    kept = tmp_path / "message"
    command = json.dumps([sys.executable, "-c", KEEP, str(kept)])
    (tmp_path / "nightrec.toml").write_text(f'site = "shop"\n[notify]\ncommand = {command}\n')
    monkeypatch.setenv("NIGHTREC_CONFIG", str(tmp_path / "nightrec.toml"))
    monkeypatch.delenv("NIGHTREC_STORE", raising=False)
    return lambda: kept.read_text().strip()


@pytest.fixture
def store(told: Callable[[], str], tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def run_in(*states: State[Any]) -> UUID:
    """A run that went through these states."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(notify, parameters={"signal": "test"}, name="night-2026-03-02")
        for state in states:
            client.set_flow_run_state(run.id, state, force=True)
    return run.id


@pytest.mark.parametrize("kind", ["NightrecError", "ConfigError", "DataRefused"])
def test_the_message_is_the_reason_in_our_own_words(told: Callable[[], str], kind: str) -> None:
    run = run_in(Failed(message=f"{EXCEPTION}{kind}: There are no interactions: look at the input."))
    with temporary_settings({PREFECT_UI_URL: "https://prefect.shop.example/"}):
        notify("failed", flow_run_id=run)
    assert told() == (
        "nightrec shop: night-2026-03-02 failed: There are no interactions: look at the input. "
        f"https://prefect.shop.example/runs/flow-run/{run}"
    )


def test_the_link_is_where_the_server_is_if_nothing_else_is_known(told: Callable[[], str]) -> None:
    run = run_in(Crashed(message="Killed."))
    notify("crashed", flow_run_id=run)
    server = str(PREFECT_API_URL.value()).removesuffix("/api")
    assert told() == f"nightrec shop: night-2026-03-02 crashed: Killed. {server}/runs/flow-run/{run}"


def test_the_reason_is_that_of_the_failure_even_if_the_run_goes_on_since(told: Callable[[], str]) -> None:
    run = run_in(Failed(message="No."), Crashed(message="The first try."), Scheduled(), Running())
    assert notify("crashed", flow_run_id=run) == "night-2026-03-02 crashed: The first try."


def test_a_run_that_was_deleted_is_told_all_the_same(told: Callable[[], str]) -> None:
    run = uuid4()
    assert notify("failed", flow_run_id=run) == f"the run {run} failed: it was deleted since"


@pytest.mark.parametrize(
    ("signal", "subject", "sentence"),
    [
        ("no workers", "gpu", "The work pool gpu has no live worker: start one with `nightrec worker gpu`."),
        ("test", "", "This is a test."),
        ("of our own", "{reason} % of the disk is used", "of our own: {reason} % of the disk is used"),
    ],
)
def test_signals_without_a_run(told: Callable[[], str], signal: str, subject: str, sentence: str) -> None:
    assert notify(signal, subject) == sentence
    assert told().startswith(f"nightrec shop: {sentence}")


def test_a_message_that_does_not_get_through_fails_the_run(
    told: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nightrec.toml").write_text('[notify]\ncommand = ["false"]\n')
    with pytest.raises(NightrecError, match="the command failed: exit code 1"):
        notify("test")


def test_runs_are_named_by_what_they_are_about(told: Callable[[], str], store: Store) -> None:
    published(store, DAY)
    notify("test")
    check_export(run_date=DAY)
    names = ["notify-test", f"check-export-{DAY}"]
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=names)))
    assert {run.name for run in found} == set(names)


def test_a_wrong_configuration_is_the_reason_of_the_run(told: Callable[[], str], tmp_path: Path) -> None:
    (tmp_path / "nightrec.toml").write_text("[notify]\nwebhok = 1\n")
    with pytest.raises(ConfigError, match=r"unknown key notify\.webhok; did you mean webhook"):
        check_export()


def published(store: Store, run_date: date) -> None:
    export = {"export_id": str(run_date), "path": str(run_date), "manifest": f"manifests/{run_date}.json"}
    about = {"manifest_sha256": "0" * 64, "run_date": str(run_date), "published_at": f"{run_date}T04:00:00+00:00"}
    write_json(store.pointer, export | about)


def night(store: Store, status: str, **more: str) -> None:
    started = {"run_date": str(DAY), "status": status, "started_at": f"{DAY}T03:30:00+00:00"}
    write_json(store.night(DAY).summary, started | more)


def refusal() -> str:
    with pytest.raises(NightrecError) as refused:
        check_export(run_date=DAY)
    return str(refused.value)


@pytest.mark.parametrize("newest", [DAY, date(2026, 3, 3)])
def test_an_export_that_is_out_is_fine(store: Store, newest: date) -> None:
    published(store, newest)
    assert check_export(run_date=DAY) == f"{newest} was published at {newest}T04:00:00+00:00."


def test_the_night_of_today_is_meant_where_none_was_scheduled(store: Store) -> None:
    published(store, datetime.now(UTC).date())
    assert check_export().startswith(str(datetime.now(UTC).date()))


def test_a_night_that_never_started(store: Store) -> None:
    assert refusal() == (
        "The export of 2026-03-02 is not out by 06:00, nothing has been published yet: "
        "its night has not started, so see that the pool cpu has a worker."
    )


def test_a_night_that_is_still_running(store: Store) -> None:
    published(store, date(2026, 3, 1))
    night(store, "running")
    touch(store.lease)
    assert refusal() == (
        "The export of 2026-03-02 is not out by 06:00, readers have that of 2026-03-01: "
        "its night is running since 2026-03-02T03:30:00+00:00."
    )


def test_a_night_whose_process_was_killed(store: Store) -> None:
    night(store, "running")
    assert refusal().endswith(": its night died at work, having run since 2026-03-02T03:30:00+00:00.")


@pytest.mark.parametrize(
    ("status", "reason", "end"),
    [
        ("failed", "There are no interactions.", "its night failed: There are no interactions."),
        ("interrupted", "it was cancelled", "its night was interrupted: it was cancelled"),
        ("compared", "", "its night was a dry run."),
    ],
)
def test_a_night_that_did_not_get_to_its_export(store: Store, status: str, reason: str, end: str) -> None:
    night(store, status, reason=reason)
    assert refusal().endswith(f": {end}")


def test_a_store_elsewhere_is_looked_at_there(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTREC_STORE", str(tmp_path / "mounted"))
    published(Store(tmp_path / "mounted"), DAY)
    assert check_export(run_date=DAY)

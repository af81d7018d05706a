"""What nightrec changes in Prefect's server."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.settings import PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED, temporary_settings

from flows.operate import prefect_changes
from flows.operate.prefect_changes import leave_out_triggers, seldom, waiting_name


def test_a_run_that_waits_is_named_by_its_date_where_the_site_is() -> None:
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert waiting_name("nightly", late, "Europe/Berlin") == "night-2026-04-01"
    assert waiting_name("check-export", late, None) == "check-export-2026-03-31"


def test_that_a_pool_is_polled_is_noted_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[tuple[Any, ...]] = []
    now = 100.0
    monkeypatch.setattr(prefect_changes.time, "monotonic", lambda: now)

    def add(docket: str, *what: Any) -> Any:
        added.append(what)

    noting, other = (lambda: None), (lambda: None)
    adding = seldom(add, noting)
    adding("docket", noting, key="ready:work_pool:1")
    for _ in range(3):
        asyncio.run(adding("docket", noting, key="ready:work_pool:1")(work_queue_ids=[]))
    adding("docket", noting, key="ready:work_pool:2")
    for _ in range(2):
        adding("docket", noting, key="ready:deployments:3")  # of no pool
        adding("docket", other, key="other:work_pool:1")
    now += 10
    adding("docket", noting, key="ready:work_pool:1")
    assert added == [
        (noting, None, "ready:work_pool:1"),
        (noting, None, "ready:work_pool:2"),
        *[(noting, None, "ready:deployments:3"), (other, None, "other:work_pool:1")] * 2,
        (noting, None, "ready:work_pool:1"),
    ]


def test_services_of_automations_can_be_left_out() -> None:
    from prefect.server.events.services.actions import Actions
    from prefect.server.events.services.triggers import ReactiveTriggers

    with temporary_settings({PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED: True}):
        assert Actions.enabled()
        assert ReactiveTriggers.enabled()
        leave_out_triggers()
        assert not Actions.enabled()
        assert not ReactiveTriggers.enabled()

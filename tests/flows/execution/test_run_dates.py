"""The date of a night follows from the time it was scheduled for, in the site's zone, also when the clocks change."""

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from flows.execution import run_dates as schedule
from flows.settings.schedule import ScheduleSettings
from flows.settings.site import NightConfig
from recmodels.errors import ConfigError
from tasks.store.paths import Store


def at(monkeypatch: pytest.MonkeyPatch, scheduled: str) -> None:
    when = datetime.fromisoformat(scheduled).astimezone(UTC)
    monkeypatch.setattr(schedule, "flow_run", SimpleNamespace(scheduled_start_time=when, parameters={}))


@pytest.mark.parametrize(
    ("zone", "scheduled", "expected"),
    [
        ("Europe/Berlin", "2026-03-29T03:30:00+02:00", date(2026, 3, 29)),  # the night the clocks go forward
        ("Europe/Berlin", "2026-10-25T03:30:00+01:00", date(2026, 10, 25)),  # and back
        ("Asia/Tokyo", "2026-05-01T18:30:00+00:00", date(2026, 5, 2)),
        ("America/Los_Angeles", "2026-05-01T05:00:00+00:00", date(2026, 4, 30)),
    ],
)
def test_the_date_is_that_of_the_scheduled_time_in_the_sites_zone(
    monkeypatch: pytest.MonkeyPatch, zone: str, scheduled: str, expected: date
) -> None:
    at(monkeypatch, scheduled)
    assert schedule.scheduled_date(NightConfig(timezone=zone)) == expected


@pytest.mark.parametrize("start", [datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 10, 23, 12, tzinfo=UTC)])
def test_the_default_schedule_runs_once_a_day_when_the_clocks_change(start: datetime) -> None:
    import asyncio

    from prefect.server.schemas.schedules import CronSchedule as Server

    zone = "Europe/Berlin"
    runs = asyncio.run(Server(cron=ScheduleSettings().cron, timezone=zone).get_dates(4, start))
    config = NightConfig(timezone=zone)
    nights = [when.astimezone(config.cutoff(start.date()).tzinfo) for when in runs]
    assert [(night.hour, night.minute) for night in nights] == [(3, 30)] * 4
    assert [night.date().day - nights[0].date().day for night in nights] == [0, 1, 2, 3]


def test_a_deployed_night_begins_a_new_store_only_where_none_was_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client, store = MagicMock(), Store(tmp_path / "mount")
    nights = client.__enter__.return_value.read_flow_runs
    monkeypatch.setattr(schedule, "get_client", lambda **_: client)
    nights.return_value = [SimpleNamespace(end_time=datetime(2026, 3, 30, 4, tzinfo=UTC))]
    monkeypatch.setattr(schedule, "deployment", SimpleNamespace(id=None))
    schedule.refuse_lost("shop", store)  # a run by hand
    monkeypatch.setattr(schedule, "deployment", SimpleNamespace(id="a"))
    with pytest.raises(
        ConfigError, match=r"is empty, .* \(the last at 2026-03-30 04:00\): see that its disk is mounted"
    ):
        schedule.refuse_lost("shop", store)
    assert not store.root.exists()
    store.exports.mkdir(parents=True)
    schedule.refuse_lost("shop", store)
    store.exports.rmdir()
    nights.return_value = []
    schedule.refuse_lost("shop", store)

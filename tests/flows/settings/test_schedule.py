"""When nights run by themselves: which schedules are understood."""

import pytest
from prefect.client.schemas.schedules import CronSchedule

from flows.settings.schedule import ScheduleSettings, _is_plain


@pytest.mark.parametrize("cron", ["30 3 * * *", "*/15 0-6/2 1,15 * 1-5", "0 0 31 12 7", "5 4 * * 0"])
def test_a_plain_expression_is_understood_without_prefect(cron: str) -> None:
    assert _is_plain(cron)
    assert ScheduleSettings(cron=cron).cron == CronSchedule(cron=cron).cron


@pytest.mark.parametrize("cron", ["0 3 * * mon-fri", "0 3 * * 5#1", "@daily"])
def test_what_else_prefect_understands_is_left_to_it(cron: str) -> None:
    assert not _is_plain(cron)
    assert ScheduleSettings(cron=cron).cron == cron


@pytest.mark.parametrize(
    "cron",
    [
        "at three",
        "",
        "30 3 * *",
        "60 3 * * *",
        "30 24 * * *",
        "30 3 0 * *",
        "30 3 * 13 *",
        "5-2 3 * * 8",
        "*/0 * * * *",
    ],
)
def test_a_cron_expression_that_is_none_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="write five fields"):
        ScheduleSettings(cron=cron)

"""What nightrec changes in Prefect's server."""

from datetime import UTC, datetime

from flows.operate.prefect_changes import waiting_name


def test_a_run_that_waits_is_named_by_its_date_where_the_site_is() -> None:
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert waiting_name("nightly", late, "Europe/Berlin") == "night-2026-04-01"
    assert waiting_name("check-export", late, None) == "check-export-2026-03-31"

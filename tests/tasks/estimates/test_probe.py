"""The probe of a machine takes a moment."""

from tasks.estimates.probe import probe


def test_a_probe_takes_some_time_but_no_second() -> None:
    assert 0 < probe() < 1

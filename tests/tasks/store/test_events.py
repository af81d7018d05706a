"""What happens in a night is logged with its beginning and its end."""

import logging

import pytest

from recmodels.errors import DataRefused
from tasks.store.events import logged


def test_a_failure_is_logged_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nightrec.events"), pytest.raises(DataRefused), logged("ingest"):
        raise DataRefused("no rows\nat all")
    line = caplog.records[-1]
    assert (line.label, line.event, line.text) == ("ingest", "failed", "no rows at all")  # type: ignore[attr-defined]

"""What happens in a night is logged with its beginning and its end."""

import logging
import time

import pytest

from recmodels.errors import DataRefused
from tasks.store.events import logged


def test_a_failure_is_logged_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    before = time.process_time()
    with caplog.at_level(logging.INFO, "nightrec.events"), pytest.raises(DataRefused), logged("ingest"):
        sum(range(50_000))
        raise DataRefused("no rows\nat all")
    line = caplog.records[-1]
    assert (line.label, line.event, line.text) == ("ingest", "failed", "no rows at all")  # type: ignore[attr-defined]
    assert 0 < line.cpu_seconds <= time.process_time() - before  # type: ignore[attr-defined]

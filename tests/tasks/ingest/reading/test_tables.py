"""A table's columns are checked when it is opened and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import Inputs
from tests.tasks.raw import CSV, ingest, write


def test_a_flag_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id,available\n1,yes\n2,perhaps\n")
    with pytest.raises(DataRefused, match=r"items.csv, column 'available', row 3: 'perhaps' is neither yes nor no"):
        ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))

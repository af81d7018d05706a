"""Whether an export is still what was published."""

from pathlib import Path

import pytest

from expectations.errors import ExportRefused
from tasks.export.verification import verified
from tasks.store.paths import Night
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    publish(night)
    return night


def test_an_export_is_verified_until_a_file_has_changed(night: Night) -> None:
    assert verified(night.store.root, None).sentence.endswith("keep the contract.")
    part = night.store.export(str(RUN_DATE)) / "popular" / "part-00000.parquet"
    part.write_bytes(part.read_bytes() + b" ")
    with pytest.raises(ExportRefused, match=r"popular/part-00000\.parquet"):
        verified(night.store.root, RUN_DATE)

"""Files and folders appear whole or not at all."""

from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.store.files import read_json, replacing, write_json


def test_a_quarantine_is_kept_although_the_data_were_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused), replacing(tmp_path / "quarantine", even_after=(DataRefused,)) as out:
        (out / "rows").write_text("bad")
        raise DataRefused("no")
    assert (tmp_path / "quarantine" / "rows").read_text() == "bad"


def test_json_is_replaced_whole_and_a_cut_one_reads_as_absent(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "latest.json"
    assert read_json(path) is None
    write_json(path, {"a": "é"})
    assert read_json(path) == {"a": "é"}
    assert [entry.name for entry in path.parent.iterdir()] == ["latest.json"]
    path.write_text('{"a"')
    assert read_json(path) is None

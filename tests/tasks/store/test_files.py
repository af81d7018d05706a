"""Files and folders appear whole or not at all."""

from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.store.files import append_line, read_json, read_lines, replacing, write_json


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


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"7", b'{"a"', b'{"a": "\xff"}', bytes(9), b"[" * 100_000, b"1" * 5000, b'{"a": 1} {}']
)
def test_what_is_no_json_object_reads_as_absent(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "record.json").write_bytes(content)
    assert read_json(tmp_path / "record.json") is None


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_line(path, {"n": 1})
    with path.open("ab") as log:
        log.write(b'{"n": 2, "cut\xff')
    append_line(path, {"n": 3})
    assert read_lines(path) == [{"n": 1}, None, {"n": 3}]


def test_a_folder_where_a_file_belongs_is_renamed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "pins.json").mkdir()
    (tmp_path / "pins.json" / "own").touch()
    write_json(tmp_path / "pins.json", {"a": 1})
    assert read_json(tmp_path / "pins.json") == {"a": 1}
    assert len(list(tmp_path.glob("pins.json.aside-*/own"))) == 1


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644), (0o770, 0o660)])
def test_what_is_written_is_as_open_as_its_folder(tmp_path: Path, folder: int, file: int) -> None:
    place = tmp_path / "exports"
    place.mkdir()
    place.chmod(folder)
    write_json(place / "latest.json", {})
    with replacing(place / "2026-03-31") as out:
        (out / "topk").mkdir()
        (out / "topk" / "part").touch()
    found = {path.name: path.stat().st_mode & 0o777 for path in place.rglob("*")}
    assert found == {"latest.json": file, "2026-03-31": folder, "topk": folder, "part": file}

"""A stage's folder is whole or not there, and is skipped only if nothing changed."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import DataRefused, NightrecError
from tasks.store.files import Json, read_json, sha256
from tasks.store.manifests import Manifest, finished, manifest_of, refuse_damaged, run_stage, whole


def stage(
    folder: Path,
    *,
    rows: int = 3,
    inputs: Json | None = None,
    code: str = "1",
    fresh: bool = False,
    beside: tuple[Path, ...] = (),
    **parameters: int,
) -> Manifest:
    def build(out: Path) -> Json:
        (out / "part").mkdir()
        pq.write_table(pa.table({"x": list(range(rows))}), out / "part" / "x.parquet")
        return {"rows": rows}

    return run_stage(folder, build, code=code, inputs=inputs or {}, parameters=parameters, fresh=fresh, beside=beside)


def test_a_stage_leaves_its_files_and_a_manifest_that_describes_them(tmp_path: Path) -> None:
    manifest = stage(tmp_path / "raw")
    on_disk = json.loads((tmp_path / "raw" / "manifest.json").read_text())
    assert on_disk == {key: value for key, value in manifest.items() if key != "skipped"}
    (file,) = on_disk["files"]
    path = tmp_path / "raw" / file["path"]
    assert file == {
        "path": "part/x.parquet",
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "rows": 3,
        "schema": {"x": "int64"},
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["raw"]


def test_the_same_stage_is_skipped_and_a_changed_one_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    assert not stage(folder, k=1)["skipped"]
    assert stage(folder, k=1)["skipped"]
    assert not stage(folder, k=2)["skipped"]
    assert not stage(folder, k=2, inputs={"raw": "digest"})["skipped"]
    assert not stage(folder, k=2, inputs={"raw": "digest"}, fresh=True)["skipped"]
    assert not stage(folder, k=2, inputs={"raw": "digest"}, code="2")["skipped"]


def test_a_stage_whose_files_are_damaged_is_done_again(tmp_path: Path) -> None:
    stage(tmp_path / "raw")
    (tmp_path / "raw" / "part" / "x.parquet").unlink()
    assert not stage(tmp_path / "raw")["skipped"]
    (tmp_path / "raw" / "manifest.json").write_text('{"fingerprint": ')
    assert not stage(tmp_path / "raw")["skipped"]


def test_a_stage_is_done_again_where_what_it_leaves_elsewhere_is_gone(tmp_path: Path) -> None:
    pages = tmp_path / "quality"
    stage(tmp_path / "valid")
    assert not stage(tmp_path / "valid", beside=(pages,))["skipped"]
    pages.mkdir()
    assert stage(tmp_path / "valid", beside=(pages,))["skipped"]


@pytest.mark.parametrize("place", [4, 40, -9])  # in a page, in statistics, at the end
def test_a_stage_with_one_changed_bit_is_done_again(tmp_path: Path, place: int) -> None:
    path = tmp_path / "raw" / "part" / "x.parquet"
    stage(tmp_path / "raw", rows=1000)
    before = path.read_bytes()
    flipped = bytearray(before)
    flipped[place] ^= 1
    path.write_bytes(flipped)
    assert whole(tmp_path / "raw") is None and finished(tmp_path / "raw") is not None
    with pytest.raises(NightrecError, match=r"x\.parquet is not what was written .* Run the night again"):
        refuse_damaged(tmp_path / "raw", finished(tmp_path / "raw") or {})
    again = stage(tmp_path / "raw", rows=1000)
    assert not again["skipped"] and path.read_bytes() == before
    assert stage(tmp_path / "raw", rows=1000)["skipped"]


def test_a_manifest_that_says_another_number_is_damaged(tmp_path: Path) -> None:
    stage(tmp_path / "raw", rows=3)
    path = tmp_path / "raw" / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 3', '"rows": 9'))
    assert manifest_of(tmp_path / "raw") is None
    assert not stage(tmp_path / "raw", rows=3)["skipped"]


def test_the_same_content_has_the_same_output_digest(tmp_path: Path) -> None:
    first, again, other = stage(tmp_path / "a", k=1), stage(tmp_path / "b", k=2), stage(tmp_path / "c", rows=4)
    assert first["output"] == again["output"] != other["output"]


def test_a_stage_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    before = stage(tmp_path / "raw")

    def fail(out: Path) -> Json:
        (out / "half").write_text("…")
        raise DataRefused("no")

    with pytest.raises(DataRefused):
        run_stage(tmp_path / "raw", fail, code="1", inputs={}, parameters={"k": 9})
    assert (read_json(tmp_path / "raw" / "manifest.json") or {})["fingerprint"] == before["fingerprint"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["raw"]

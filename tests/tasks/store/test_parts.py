from pathlib import Path

from tasks.store.parts import parts


def test_a_table_is_a_file_or_its_parts_by_name(tmp_path: Path) -> None:
    (tmp_path / "items.parquet").touch()
    (tmp_path / "interactions").mkdir()
    for name in ("part-00010.parquet", "part-00002.parquet", ".tmp-part-00003.parquet", "notes.txt"):
        (tmp_path / "interactions" / name).touch()

    assert parts(tmp_path, "items") == [tmp_path / "items.parquet"]
    assert [path.name for path in parts(tmp_path, "interactions")] == ["part-00002.parquet", "part-00010.parquet"]
    assert parts(tmp_path, "users") == []

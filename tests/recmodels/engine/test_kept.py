"""What a process keeps of a part that many buckets need."""

from pathlib import Path

from recmodels.engine.kept import Kept


def test_a_part_is_read_once_until_another_is_needed(tmp_path: Path) -> None:
    read: list[str] = []

    def reading(part: Path) -> str:
        read.append(part.name)
        return part.name

    kept = Kept(reading)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.json").write_text(name)
    for name in ("a", "a", "b", "b"):
        assert kept.of(tmp_path / name) == name
    assert read == ["a", "b"]
    (tmp_path / "b" / "part.json").write_text("another")  # made anew
    kept.of(tmp_path / "b")
    kept.let_go()
    kept.of(tmp_path / "b")
    assert read == ["a", "b", "b", "b"]

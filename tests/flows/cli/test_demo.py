"""`nightrec demo`: clean, a little dirty, or as files lie on real disks."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli.app import nightrec

SMALL = ["--users", "50", "--items", "20", "--interactions", "4000", "--until", "2026-07-22"]


@pytest.mark.parametrize(
    ("options", "rows"),
    [(["--dirty", "none"], 4_000), (["--clean"], 4_000), ([], 4_012), (["--dirty", "light"], 4_012)],
)
def test_a_demo_is_as_dirty_as_is_asked(tmp_path: Path, options: list[str], rows: int) -> None:
    said = CliRunner().invoke(nightrec, ["demo", str(tmp_path), *SMALL, *options])
    assert said.exit_code == 0, said.output
    assert pq.read_metadata(tmp_path / "interactions.parquet").num_rows == rows
    assert f"{rows:,} interactions" in said.output


def test_heavy_dirt_is_listed_by_file(tmp_path: Path) -> None:
    said = CliRunner().invoke(nightrec, ["demo", str(tmp_path), *SMALL, "--dirty", "heavy"])
    assert said.exit_code == 0, said.output
    assert "4,012 interactions" in said.output
    assert "interactions/log.csv.zst: packed with Zstandard" in said.output
    assert "refused/abbreviation.csv: a time zone with more than one meaning" in said.output
    assert (tmp_path / "dirt.json").exists()

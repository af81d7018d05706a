"""`nightrec demo`: clean, a little dirty, or as files lie on real disks."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli.app import nightrec
from recmodels.errors import ConfigError
from tasks.store.files import sha256, write_json

SMALL = ["--users", "50", "--items", "20", "--interactions", "4000", "--until", "2026-07-22"]


def test_a_grocer_has_its_own_defaults_and_no_dirt(tmp_path: Path) -> None:
    said = CliRunner().invoke(nightrec, ["demo", str(tmp_path), *SMALL, "--kind", "grocery"])
    assert said.exit_code == 0 and "interactions" in said.output
    assert set(pq.read_table(tmp_path / "interactions.parquet")["event"].to_pylist()) == {"purchase"}
    refused = CliRunner().invoke(nightrec, ["demo", str(tmp_path), "--kind", "grocery", "--files", "2"])
    assert "--kind grocery writes clean tables of one file each: leave out --files." in str(refused.exception)


@pytest.mark.parametrize(
    ("options", "rows"),
    [(["--dirty", "none"], 4_000), (["--clean"], 4_000), ([], 4_012), (["--dirty", "light"], 4_012)],
)
def test_a_demo_is_as_dirty_as_is_asked(tmp_path: Path, options: list[str], rows: int) -> None:
    said = CliRunner().invoke(nightrec, ["demo", str(tmp_path), *SMALL, *options])
    assert said.exit_code == 0, said.output
    assert pq.read_metadata(tmp_path / "interactions.parquet").num_rows == rows
    assert f"{rows:,} interactions" in said.output


def test_a_demo_with_domains_has_a_folder_for_each(tmp_path: Path) -> None:
    said = CliRunner().invoke(nightrec, ["demo", str(tmp_path), *SMALL, "--domains", "2"])
    assert said.exit_code == 0, said.output
    assert (tmp_path / "films" / "interactions.parquet").exists() and "interactions of films" in said.output
    refused = CliRunner().invoke(nightrec, ["demo", str(tmp_path), *SMALL, "--domains", "2", "--files", "3"])
    assert isinstance(refused.exception, ConfigError) and "leave out --format, --dirty, --files" in str(
        refused.exception
    )


def test_heavy_dirt_is_listed_by_file(tmp_path: Path) -> None:
    said = CliRunner().invoke(nightrec, ["demo", str(tmp_path), *SMALL, "--dirty", "heavy"])
    assert said.exit_code == 0, said.output
    assert "4,012 interactions" in said.output
    assert "interactions/log.csv.zst: packed with Zstandard" in said.output
    assert "refused/abbreviation.csv: a time zone with more than one meaning" in said.output
    assert (tmp_path / "dirt.json").exists()


def published(store: Path, day: str, lists: pa.Table) -> None:
    """A store with an export that has lists and no more."""
    (store / "exports" / day / "topk").mkdir(parents=True)
    pq.write_table(lists, store / "exports" / day / "topk/part-00000.parquet")
    about = {"export_id": day, "run_date": day, "files": [{"path": "topk/part-00000.parquet"}]}
    write_json(store / "exports/manifests" / f"{day}.json", about)
    manifest = f"manifests/{day}.json"
    digest = sha256(store / "exports" / manifest)
    write_json(store / "exports/latest.json", {"export_id": day, "manifest": manifest, "manifest_sha256": digest})


def test_its_users_go_on_with_the_lists_of_a_store(tmp_path: Path) -> None:
    site, store = tmp_path / "my site", tmp_path / "store"
    ran = CliRunner()
    assert ran.invoke(nightrec, ["demo", str(site), *SMALL]).exit_code == 0
    users = pq.read_table(site / "users.parquet")["user_id"].unique().drop_null()
    n = len(users)
    ranks, models = pa.array([1] * n, pa.int16()), ["ease"] * n
    lists = pa.table({"user_id": users, "item_id": [1001] * n, "rank": ranks, "model": models})
    published(store, "2026-07-22", lists)
    said = ran.invoke(nightrec, ["demo", str(site), "--react", str(store)])
    assert said.exit_code == 0, said.output
    shown = pq.read_table(site / "exposures-2026-07-22.parquet")
    assert said.output.startswith(f"2026-07-22: {shown.num_rows} users came, saw {shown.num_rows} places")
    assert f"nightrec run --date 2026-07-23 --interactions '{site}/interactions*.parquet'" in said.output


def test_what_a_new_site_is_made_of_says_nothing_of_one_that_goes_on(tmp_path: Path) -> None:
    said = CliRunner().invoke(nightrec, ["demo", str(tmp_path), "--react", str(tmp_path), "--format", "csv"])
    assert isinstance(said.exception, ConfigError)
    assert "leave out --format" in str(said.exception)

"""The demo of dirt is read: each file as it says itself, and all of them together are the rows of the clean demo."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.settings.site import load
from recmodels.demo import write_site
from recmodels.demo.dirt import CODES_EVERY, File
from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.raw import ingest, read

pytestmark = pytest.mark.slow  # a whole site is written and read

END = date(2026, 7, 22)
CUTOFF, NOW = datetime(2026, 7, 22, tzinfo=UTC), datetime(2026, 7, 23, tzinfo=UTC)
SMALL: dict[str, Any] = {"users": 300, "items": 200, "interactions": 6_000, "end": END}
NO_EVENTS = "log.csv.gz"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[File]]:
    folder = tmp_path_factory.mktemp("dirt")
    return folder, write_site(folder, **SMALL, dirty="heavy")["written"]


@pytest.fixture(scope="module")
def raw(site: tuple[Path, list[File]], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    inputs = load(site[0] / "nightrec.toml").tables()
    assert inputs
    return ingest(tmp_path_factory.mktemp("raw"), inputs, CUTOFF, NOW)


def test_every_line_of_every_file_is_accounted_for(
    site: tuple[Path, list[File]], raw: tuple[dict[str, Any], Path]
) -> None:
    summary, out = raw
    folder, files = site
    for name, counts in summary["tables"].items():
        of_table = [file for file in files if file.table == name]
        assert counts["rows"] + counts["after_cutoff"] == sum(file.rows for file in of_table), name
        assert counts["rejects"] == sum(file.rejects for file in of_table), name
        assert counts["blank_lines"] == sum(file.blank_lines for file in of_table), name
        rows = Counter(Path(path).relative_to(folder).as_posix() for path in read(out, name)["source_file"].to_pylist())
        assert rows == {file.name: file.rows for file in of_table}
    rejects = Counter(Path(path).name for path in read(out, "rejects")["source_file"].to_pylist())
    assert rejects == {Path(file.name).name: file.rejects for file in files if file.rejects}


def test_no_id_and_no_time_is_altered(raw: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    write_site(tmp_path, **SMALL)
    log, true = read(raw[1]), pq.read_table(tmp_path / "interactions.parquet")
    assert Counter(instants(log)) == Counter(instants(true))
    padded = {item for item in log["item_id"].to_pylist() if item and item.startswith("0")}
    assert padded == {f"{item:010d}" for item in true["item_id"].to_pylist() if item and item % CODES_EVERY == 0}
    users = [user for user in log["user_id"].to_pylist() if user]
    assert sum(user != user.strip().lower() for user in users) == 2 * (len(log) // 2_000)
    events = [event for event, file in zip(*columns(log, "event", "source_file"), strict=True) if NO_EVENTS not in file]
    assert not Counter(events) - Counter(true["event"].to_pylist())
    assert None not in events


def test_columns_of_the_catalogue_are_what_a_person_takes_them_for(raw: tuple[dict[str, Any], Path]) -> None:
    summary, out = raw
    items, users = read(out, "items"), read(out, "users")
    assert items.schema.field("price").type == pa.float64()
    assert items.schema.field("available").type == users.schema.field("opted_out").type == pa.bool_()
    assert items["price"].null_count == len([i for i in range(160) if i % 50 in (7, 13, 29)])
    assert any("'price': 10 of 200 values are not numbers" in note for note in summary["notes"])


def test_what_lies_beside_the_data_is_named_or_hidden(raw: tuple[dict[str, Any], Path]) -> None:
    (named,) = [note for note in raw[0]["notes"] if "files that are not read" in note]
    assert "README.md" in named
    assert "notes.txt" in named
    assert any("nothing.csv is empty" in note for note in raw[0]["notes"])


def test_what_could_only_be_guessed_is_refused_in_one_sentence(site: tuple[Path, list[File]], tmp_path: Path) -> None:
    folder, files = site
    for file in files:
        if file.says:
            with pytest.raises(DataRefused) as refused:
                ingest(tmp_path, TableInput(path=str(folder / file.name)), CUTOFF, NOW)
            sentence = str(refused.value)
            assert "\n" not in sentence, file.name
            assert [words for words in (Path(file.name).name, *file.says) if words not in sentence] == [], sentence


def instants(log: pa.Table) -> list[tuple[str | None, int | None, int | None]]:
    """User, item and time of each row, without what the demo of dirt did to the ids."""
    users, items = columns(log, "user_id", "item_id")
    times = log["timestamp"].cast(pa.int64()).to_pylist()
    return [
        (user and user.strip().lower(), item if item is None else int(item), time or None)
        for user, item, time in zip(users, items, times, strict=True)
    ]


def columns(log: pa.Table, *names: str) -> list[list[Any]]:
    return [log[name].to_pylist() for name in names]

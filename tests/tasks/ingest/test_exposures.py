"""A log of what was shown is read as the other tables are, and changes nothing about them."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from recmodels.errors import DataRefused
from tasks.ingest import stage
from tasks.ingest.inspection.inspect import inspect
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.paths import Store
from tests.tasks.raw import CSV, CUTOFF, column, ingest, read, write

SHOWN = "user_id,item_id,rank,timestamp,export_id,clicked,outcome\n"


def test_ranks_clicks_and_outcomes_are_read_and_what_is_none_is_kept_as_text(tmp_path: Path) -> None:
    rows = [
        "1,10,1,2023-05-01T10:00:00Z,2023-05-01,yes,2.5",
        "1,20,1.0,2023-05-01T10:00:01Z,2023-05-01,0,",
        "2,20,first,2023-05-01T10:00:00Z,,maybe,much",
        "2,10,2.5,2023-05-01T10:00:00Z,,,",
    ]
    shown = write(tmp_path / "shown.csv", SHOWN + "\n".join(rows) + "\n")
    _, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), exposures=shown))
    table = read(out, "exposures")
    assert table["rank"].to_pylist() == [1, 1, None, None]
    assert table["rank_text"].to_pylist() == [None, None, "first", "2.5"]
    assert table["clicked"].to_pylist() == [True, False, None, None]
    assert table["clicked_text"].to_pylist() == [None, None, "maybe", None]
    assert table["outcome"].to_pylist() == [2.5, None, None, None]
    assert table["outcome_text"].to_pylist() == [None, None, "much", None]
    assert (table.schema.field("rank").type, table.schema.field("outcome").type) == (pa.int32(), pa.float64())


def test_ids_of_exposures_that_are_no_numbers_leave_the_ids_of_the_site_numbers(tmp_path: Path) -> None:
    shown = write(tmp_path / "shown.csv", SHOWN + "anonymous,10,1,2023-05-01,,,\n2,20,1,2023-05-01,,,\n")
    summary, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), exposures=shown))
    assert summary["ids"] == {"item_id": "int64", "user_id": "int64"}
    assert column(out, "user_id") == [1, 2]
    assert column(out, "user_id", "exposures") == [None, 2]


def test_a_log_in_which_nothing_was_shown_yet_stops_no_night(tmp_path: Path) -> None:
    shown = write(tmp_path / "shown.csv", SHOWN)
    summary, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), exposures=shown))
    assert (summary["tables"]["exposures"]["rows"], len(read(out, "exposures"))) == (0, 0)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("shown-*.csv", None, "no file matches '{path}'; check the pattern"),
        ("shown.csv", None, "there is no file or folder '{path}'; check the path"),
        ("shown.csv", "user,item\n1,10\n", "has no column 'user_id'"),
        ("shown.parquet", "cut short", "is named as a Parquet file and is none"),
        ("shown.csv", "", "{path} is empty; give a file with rows"),
    ],
)
def test_exposures_that_are_missing_or_cannot_be_read_are_left_out_and_stop_no_night(
    tmp_path: Path, name: str, content: str | None, why: str
) -> None:
    path = tmp_path / name
    if content is not None:
        write(path, content)
    night = Store(tmp_path / "store").night(date(2024, 1, 1))
    inputs = Inputs(interactions=write(tmp_path / "log.csv", CSV), exposures=TableInput(path=str(path)))
    done = stage.ingest.fn(night, inputs, CUTOFF)["summary"]
    assert done["rows"] == 2
    assert "exposures" not in done["tables"]
    (note,) = done["notes"]
    assert note.startswith("exposures: the night does without them (")
    assert why.format(path=path) in note
    assert not (night.raw / "exposures.parquet").exists()


def test_interactions_that_cannot_be_read_are_refused_for_what_they_are(tmp_path: Path) -> None:
    night = Store(tmp_path / "store").night(date(2024, 1, 1))
    log, shown = (write(tmp_path / f"{name}.csv", "a,b\n1,2\n") for name in ("log", "shown"))
    with pytest.raises(DataRefused, match=r"interactions: .*log.csv has no column 'user_id'"):
        stage.ingest.fn(night, Inputs(interactions=log, exposures=shown), CUTOFF)


@pytest.mark.slow
def test_an_inspection_tells_what_was_shown_from_what_was_done(tmp_path: Path) -> None:
    moments = [f"2023-05-01T10:00:{second:02}Z" for second in range(40)]
    done = "".join(f"{n % 7},{n % 5},{moment}\n" for n, moment in enumerate(moments))
    shown = "".join(f"{n % 7},{n % 5},{1 + n % 4},{moment},{n % 2}\n" for n, moment in enumerate(moments))
    write(tmp_path / "events.csv", "user_id,item_id,timestamp\n" + done)
    write(tmp_path / "impressions.csv", "user_id,item_id,position,timestamp,clicked\n" + shown)
    found = inspect([str(tmp_path)], {}, None, "UTC", datetime(2024, 1, 1, tzinfo=UTC), lambda *_: ([], []))
    assert {name: Path(table.path).name for name, table in found.inputs.items()} == {
        "interactions": "events.csv",
        "exposures": "impressions.csv",
    }
    assert found.inputs["exposures"].columns == {"rank": "position"}
    alone = inspect(
        [str(tmp_path / "impressions.csv")], {}, None, "UTC", datetime(2024, 1, 1, tzinfo=UTC), lambda *_: ([], [])
    )
    assert list(alone.inputs) == ["interactions"]

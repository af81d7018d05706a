"""A log of what was shown is read as the other tables are, and changes nothing about them."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from tasks.ingest.inspection.inspect import inspect
from tasks.ingest.reading.inputs import Inputs
from tests.tasks.raw import CSV, column, ingest, read, write

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

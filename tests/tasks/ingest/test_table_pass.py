"""One pass over a table accounts for every line."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.ingest import table_pass
from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import CSV, NOW, column, ingest, log_of, write


def test_rows_at_the_cutoff_are_left_out_but_impossible_ones_stay_for_validation(tmp_path: Path) -> None:
    times = ["2023-12-31T23:59:59.999999Z", "2024-01-01T00:00:00Z", "2024-01-02T12:00:00Z", "2031-01-01", "soon"]
    log = write(tmp_path / "log.csv", "user_id,item_id,timestamp\n" + "".join(f"1,2,{t}\n" for t in times))
    tags = write(tmp_path / "tags.csv", "item_id,tag,timestamp\n2,old,2023-01-01\n2,new,2024-01-01\n2,far,2031-01-01\n")
    summary, out = ingest(tmp_path, Inputs(interactions=log, tags=tags))
    assert column(out, "source_row") == [2, 5, 6]
    assert column(out, "timestamp_text") == [None, "2031-01-01", "soon"]
    assert (summary["rows"], summary["after_cutoff"], summary["unreadable_timestamps"]) == (3, 2, 1)
    assert summary["newest"] == "2023-12-31T23:59:59.999999+00:00"
    assert column(out, "tag", "tags") == ["old"]
    assert summary["tables"]["tags"]["after_cutoff"] == 2


@pytest.mark.parametrize("ending", ["\n", "\r\n", "mixed"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.slow
def test_every_line_of_a_dirty_file_is_accounted_for(tmp_path: Path, ending: str, zipped: bool) -> None:
    rng = np.random.default_rng(7)
    kinds = rng.choice(
        ["row", "late", "short", "long", "blank", "bytes"], 20_000, p=[0.9, 0.02, 0.02, 0.02, 0.02, 0.02]
    )
    line = {"late": b"2,%d,2030-01-01,x", "short": b"%d,1", "long": b"%d,1,2,3,4", "bytes": b"1,%d,\xff2023-01-01,x"}
    lines = [b"" if k == "blank" else line.get(k, b"1,%d,2023-01-01,x") % n for n, k in enumerate(kinds)]
    ends = rng.choice([b"\n", b"\r\n"], len(lines)) if ending == "mixed" else [ending.encode()] * len(lines)
    contents = b"user_id,item_id,timestamp,event\n" + b"".join(a + b for a, b in zip(lines, ends, strict=True))
    (tmp_path / "log.csv").write_bytes(gzip.compress(contents, mtime=0) if zipped else contents)
    summary, out = ingest(tmp_path, TableInput(path=str(tmp_path / "log.csv")), datetime(2029, 1, 1, tzinfo=UTC))
    counts = {kind: int((kinds == kind).sum()) for kind in np.unique(kinds)}
    assert summary["blank_lines"] == counts["blank"]
    assert summary["rejects"] == counts["short"] + counts["long"] + counts["bytes"]
    assert summary["rows"] + summary["after_cutoff"] == counts["row"] + counts["late"]
    # An item's id is the number of its line, so the line numbers can be checked one by one.
    assert [row - 2 for row in column(out, "source_row")] == column(out, "item_id")
    assert [row - 2 for row in column(out, "source_row", "rejects")] == np.flatnonzero(
        np.isin(kinds, ["short", "long", "bytes"])
    ).tolist()


def test_values_may_run_over_several_lines(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", 'item_id,text\n1,"a\n\n\nb"\n\n2,"c\r\nd"\n3,e\n')
    summary, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))
    assert column(out, "text", "items") == ["a\n\n\nb", "c\r\nd", "e"]
    assert summary["tables"]["items"] == {"rows": 3, "after_cutoff": 0, "rejects": 0, "blank_lines": 1}
    assert summary["notes"] == ["items: 4 lines of items.csv are inside quoted values that run over several lines"]


def test_timestamps_that_validation_will_refuse_keep_their_text(tmp_path: Path) -> None:
    times = ["2015-12-31T23:59:59Z", "2016-01-01", "2024-01-03", "2024-01-03T00:00:01+00:00", "soon"]
    log = log_of(tmp_path, times)
    (tmp_path / "raw").mkdir()
    cutoff = datetime(2024, 1, 5, tzinfo=UTC)
    write_raw(Inputs(interactions=log), cutoff, NOW, tmp_path / "raw", earliest=date(2016, 1, 1))
    assert column(tmp_path / "raw", "timestamp_text") == [times[0], None, None, *times[3:]]


def test_a_blank_line_and_a_ragged_one_after_a_value_of_several_lines(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", 'user_id,item_id,timestamp,note\n1,2,2023-01-01,"a\nb"\n\n1,2\n')
    summary, _ = ingest(tmp_path, log)
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (1, 1, 1)


@pytest.mark.parametrize("given", [None, ["item_id", "price", "title"]])
def test_a_header_in_the_middle_is_no_row_and_changes_no_type(tmp_path: Path, given: list[str] | None) -> None:
    log = write(tmp_path / "c.csv", CSV + "\n\ufeff" + CSV + '"user_id",item_id,"timestamp",rating\n7,8,2023-01-01,x\n')
    catalogue = "item_id,price,title\n10,2.5,a\nitem_id,price,title\n20,3,item_id\n"
    items = write(tmp_path / "items.csv", catalogue).model_copy(update={"header": given})
    summary, out = ingest(tmp_path, Inputs(interactions=log, items=items))
    assert summary["ids"] == {"user_id": "int64", "item_id": "int64"}
    assert column(out, "user_id") == [1, 2, 1, 2, 7]
    assert column(out, "source_row") == [2, 3, 6, 7, 9]
    assert column(out, "rating_text") == [None, None, None, None, "x"]
    assert (column(out, "price", "items"), column(out, "title", "items")) == ([2.5, 3.0], ["a", "item_id"])
    (file,) = summary["accounts"]["interactions"]["files"]
    assert (file["lines"], file["rows"], file["header"], file["blank"]) == (9, 5, 3, 1)
    notes = [note for note in summary["notes"] if "once more" in note]
    assert notes == [
        "interactions: 2 lines are the header of c.csv once more, no rows",
        "items: 1 line is the header of items.csv once more, no rows",
    ]


def test_batches_are_the_same_wherever_threads_have_cut_them_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_pass, "BATCH", 4)
    rows = pa.record_batch({"n": pa.array([*range(10), None])})
    for ends in ([11], [4, 8, 11], [1, 10, 11], [0, 3, 8, 8, 11]):
        batches = [rows.slice(begin, end - begin) for begin, end in pairwise([0, *ends])]
        even = list(table_pass._even(batches))
        assert [len(batch) for batch in even] == [4, 4, 3]
        assert pa.concat_batches(even).equals(rows)

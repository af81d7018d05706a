"""Files of every kind become the raw tables, and each line of them is accounted for."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recmodels.engine import parts
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.errors import ConfigError, DataRefused
from tasks.ingest import stage
from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.paths import Store
from tasks.store.summaries import RawSummary
from tests.tasks.raw import CSV, CUTOFF, HEADER, ingest, write


@pytest.mark.parametrize(
    ("name", "contents", "error", "sentence"),
    [
        ("missing.csv", None, ConfigError, "interactions: there is no file or folder '{path}'; check the path."),
        ("no*.csv", None, ConfigError, "interactions: no file matches '{path}'; check the pattern."),
        ("https://host/log.csv", None, ConfigError,
         "interactions: 'https://host/log.csv' is not on this machine; copy it here and give the local path."),
        ("empty.csv", b"", DataRefused, "interactions: {path} is empty; give a file with rows."),
        ("blank.csv", b"\n\n", DataRefused, "interactions: {path} is empty; give a file with rows."),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), DataRefused,
         "interactions: {path} is empty; give a file with rows."),
        ("header.csv", HEADER.encode(), DataRefused,
         "interactions: {path} has a header but no rows; give a file with rows."),
        ("columns.csv", b"userid,item_id,timestamp\n1,2,3\n", DataRefused,
         "interactions: {path} has no column 'user_id'; its columns are userid, item_id, timestamp; "
         "did you mean 'userid'? Name the column that holds it with --columns user_id=…; `nightrec inspect {path}` "
         "shows what is there"),
        ("late.csv", (HEADER + "1,2,2025-01-01\n1,2,2025-03-01T10:00:00Z\n").encode(), DataRefused,
         "interactions: all 2 rows of {path} are at or after the cutoff 2024-01-01 00:00:00 UTC (oldest 2025-01-01 "
         "00:00:00 UTC, newest 2025-03-01 10:00:00 UTC); choose a later night, for example --date 2025-03-02."),
        ("mixed.csv", (HEADER + "1,2,1600000000\n1,2,1600000000000\n").encode(), DataRefused,
         "interactions: {path}, column 'timestamp', line 3: the timestamps mix units: '1600000000' looks like "
         "seconds and '1600000000000' like milliseconds since 1970; write the column in one unit, or name it with "
         "timestamp_unit (--timestamp-unit)."),
        ("array.json", b'[{"user_id": 1},\n{"user_id": 2},\n]', DataRefused,
         "{path} cannot be read (Invalid Input Error: Malformed JSON in file \"{path}\", at byte 1 in record/value 4: "
         "input length is 0); it may be damaged or cut short: write it again."),
    ],
)  # fmt: skip
def test_bad_input_gives_one_clear_sentence(
    tmp_path: Path, name: str, contents: bytes | None, error: type[Exception], sentence: str
) -> None:
    path = name if "://" in name else str(tmp_path / name)
    if contents is not None:
        Path(path).write_bytes(contents)
    with pytest.raises(error) as refused:
        ingest(tmp_path, TableInput(path=path), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert str(refused.value) == sentence.format(path=path)


def test_a_file_that_grows_while_it_is_read_stops_the_stage_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path / "log.csv", CSV)
    night = Store(tmp_path / "store").night(CUTOFF.date())

    def slow(*given: Any, **more: Any) -> RawSummary:
        summary = write_raw(*given, **more)
        with Path(log.path).open("a") as file:
            file.write("3,30,2023-01-03,1\n")
        return summary

    monkeypatch.setattr(stage, "write_raw", slow)
    with pytest.raises(DataRefused, match=r"log\.csv changed while it was read \(91 and then 109 bytes\); start the"):
        stage.ingest.fn(night, Inputs(interactions=log), CUTOFF)
    assert not night.raw.exists()
    monkeypatch.undo()
    assert stage.ingest.fn(night, Inputs(interactions=log), CUTOFF)["summary"]["rows"] == 3


def test_a_night_that_was_cut_short_reads_no_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an engine, though the clock has gone on meanwhile."""
    made = list[str]()

    def counted(function: Any, work: Any, made_from: str, make: Any = parts.make) -> None:
        made.append(work.out.name)
        make(function, work, made_from)

    def cut_short(_: object) -> None:
        raise InterruptedError

    inputs = Inputs(interactions=write(tmp_path / "log.csv", CSV))
    night = Store(tmp_path / "store").night(CUTOFF.date())
    monkeypatch.setattr(parts, "make", counted)
    with using(LocalEngine()):
        with monkeypatch.context() as patched, pytest.raises(InterruptedError):
            patched.setattr(stage, "refuse_changed", cut_short)
            stage.ingest.fn(night, inputs, CUTOFF)
        assert made and night.parts("ingest").exists()
        assert stage.ingest.fn(night, inputs, CUTOFF)["summary"]["rows"] == 2
    assert len(made) == 1

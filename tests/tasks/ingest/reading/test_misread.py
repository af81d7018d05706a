"""A timestamp that could be misread stops the night with what to do; one that is no time keeps its text."""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import DataRefused
from tasks.ingest import table_pass
from tasks.ingest.reading import misread
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.time_forms import Reading
from tests.tasks.raw import column, ingest, instants_of, log_of, write

pytestmark = pytest.mark.slow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


ZONES = [
    *("BST", "AST", "SST", "CST", "PST", "IST", "EST", "EDT", "PDT", "CEST", "MSK", "AEST", "MST", "HST", "EST5EDT"),
    *("GMT+5", "UTC+02:00", "gmt-3", "Zulu", "Japan", "bst", "ACT", "A"),
]
ZONED = ["2023-07-20 10:00:00 {}", "2023-07-20T10:00:00.5 {}", "2023-7-2 1:02 {}", "2023-07-20 10:00:00{}"]
BY_OFFSET = "write offsets such as +01:00, or leave the zone out and set timezone = "


@pytest.mark.parametrize("before", [[], ["2023-07-20 10:00:00"]])
def test_an_abbreviated_zone_is_never_guessed(tmp_path: Path, before: list[str]) -> None:
    """All texts stand in one file, of which none stops the night, so that what would be said of each is heard."""
    zones = {text.format(zone): zone for zone in ZONES for text in ZONED}
    refusal, said = misread.refusal, dict[str, str]()

    def heard(table: str, text: str, how: Reading) -> None:
        said[text] = refusal(table, text, how) or ""

    with patch.object(misread, "refusal", heard):
        _, out = ingest(tmp_path, log_of(tmp_path, [*before, *zones]))
    assert column(out, "timestamp")[len(before) :] == [None] * len(zones)
    assert said.keys() == zones.keys()
    for text, zone in zones.items():
        assert said[text].startswith(f"'{text}' names the time zone '{zone}',") and BY_OFFSET in said[text]


@pytest.mark.parametrize("zone", ZONES)
def test_an_abbreviated_zone_is_refused_where_it_stands(tmp_path: Path, zone: str) -> None:
    place = ZONES.index(zone)
    before, text = place // len(ZONED) % 2, ZONED[place % len(ZONED)].format(zone)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, log_of(tmp_path, [*["2023-07-20 10:00:00"] * before, text]))
    stands = f"log.csv, column 'timestamp', line {2 + before}: '{text}' names the time zone '{zone}',"
    assert stands in str(refused.value) and BY_OFFSET in str(refused.value)


def test_a_place_that_is_no_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"unknown time zone 'Europe/Belrin'; .* set timezone = .Europe/Berlin"):
        ingest(tmp_path, log_of(tmp_path, ["2023-07-20 10:00 Europe/Belrin"]))


def test_old_and_far_times_with_a_zone_are_left_to_validation(tmp_path: Path) -> None:
    texts = ["1985-01-01 10:00:00 Europe/Berlin", "2150-01-01T00:00:00Z", "2023-01-01"]
    _, out = ingest(tmp_path, log_of(tmp_path, texts))
    assert column(out, "timestamp_text") == [*texts[:2], None]


@pytest.mark.parametrize("foreign", misread.FOREIGN)
@pytest.mark.parametrize("before", [[], ["2023-07-20 10:00:00"]])
def test_times_that_could_be_misread_are_refused_with_the_format_that_reads_them(
    tmp_path: Path, foreign: misread.Foreign, before: list[str]
) -> None:
    with pytest.raises(DataRefused, match=f"'{re.escape(foreign.example)}' is written {foreign.what}") as refused:
        ingest(tmp_path, log_of(tmp_path, [*before, f'"{foreign.example}"']))
    letters = re.findall(r'timestamp_format = "([^"]*)"', str(refused.value))[0]
    table = log_of(tmp_path, [f'"{foreign.example}"'], timestamp_format=letters)
    _, out = ingest(tmp_path, table, datetime(2027, 1, 1, tzinfo=UTC))
    expected = datetime(2026, 7, 20, 8 if "+02" in foreign.example else 22 if "PM" in foreign.example else 10)
    assert column(out, "timestamp") == [expected.replace(tzinfo=UTC)]


def test_a_time_without_a_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="line 2: '10:00:00' is a time without a day; give a column with both"):
        ingest(tmp_path, log_of(tmp_path, ["10:00:00"]))
    times = pa.array([time(10)], pa.time64("us"))
    pq.write_table(pa.table({"user_id": [1], "item_id": [1], "timestamp": times}), tmp_path / "log.parquet")
    with pytest.raises(DataRefused, match="row 1: '10:00:00' is a time without a day"):
        ingest(tmp_path, TableInput(path=str(tmp_path / "log.parquet")))


@pytest.mark.parametrize(
    ("number", "then", "seems"),
    [
        ("46000.5", "1970-01-01 as seconds", "a spreadsheet's day number (2025-12-09 12:00)"),
        ("20000", "1970-01-01 as seconds", "days since 1970 (2024-10-04 00:00)"),
        ("20260120.0", "1970-08-23 as seconds", "a date that is stored as a decimal number"),
        ("13400000000000000", "2394-08-18 as microseconds", "microseconds since 1601, as in Chrome (2025-08-18 14:13)"),
        ("134000000000000000", "1974-03-31 as nanoseconds", "a Windows file time (2025-08-18 14:13)"),
        ("638500000000000000", "1990-03-27 as nanoseconds", "ticks of .NET (2024-04-29 15:06)"),
    ],
)
@pytest.mark.parametrize("rows", [1, 3000])
def test_numbers_that_do_not_count_from_1970_are_refused(
    tmp_path: Path, number: str, then: str, seems: str, rows: int
) -> None:
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, log_of(tmp_path, [number] * rows))
    assert f"log.csv, column 'timestamp': '{number}' would be {then} since 1970, and none" in str(refused.value)
    assert f"; it looks like {seems}. Write times as" in str(refused.value)
    given_unit = "ns" if "nano" in then else "us" if "micro" in then else "s"
    _, out = ingest(tmp_path, log_of(tmp_path, [number] * rows, timestamp_unit=given_unit))
    assert column(out, "timestamp_text") == ([number] if not then.startswith("1990") else [None]) * rows


def test_numbers_of_which_a_late_one_is_credible_are_read_and_the_others_keep_their_text(tmp_path: Path) -> None:
    texts = ["0"] * 2000 + ["1600000000", "46000.5"]
    _, out = ingest(tmp_path, log_of(tmp_path, texts))
    assert column(out, "timestamp")[-2:] == [EPOCH + timedelta(seconds=s) for s in (1600000000, 46000.5)]
    assert column(out, "timestamp_text") == ["0"] * 2000 + [None, "46000.5"]


def test_digits_that_are_no_date_among_dates_keep_their_text(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, log_of(tmp_path, ["20230120", "20230121", "20230132", "0"]))
    assert column(out, "timestamp") == [*(datetime(2023, 1, day, tzinfo=UTC) for day in (20, 21)), None, None]
    assert column(out, "timestamp_text") == [None, None, "20230132", "0"]


FORMS = {
    "2023-01-01T00:00:00Z": "an ISO date",
    "1672531200": "seconds since 1970",
    "20230101": "a date without separators",
}


FAR = 3_000  # rows, beyond those that tell the form and beyond a batch of these tests


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_pass, "BATCH", 2_048)


@pytest.mark.usefixtures("_small_batches")
@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(FORMS, 2)))
@pytest.mark.parametrize("far", [0, FAR])
def test_a_file_that_mixes_forms_is_refused_with_both(tmp_path: Path, first: str, second: str, far: int) -> None:
    sentence = f"mix forms: '{first}' looks like {FORMS[first]}, and '{second}' like {FORMS[second]}; write all of a"
    with pytest.raises(DataRefused, match=f"line {far + 5}: the timestamps {sentence}"):
        ingest(tmp_path, log_of(tmp_path, [first] * (far + 3) + [second]))


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_each_file_has_a_form_of_its_own(tmp_path: Path, kind: str) -> None:
    instant = datetime(2023, 1, 1, tzinfo=UTC)
    folder = tmp_path / "log"
    folder.mkdir()
    for n, text in enumerate([*FORMS, "1672531200000", "1672531200000000000"]):
        path = folder / f"{n}.{kind}"
        if kind == "parquet":
            times = pa.array([int(text)]) if n > 1 else pa.array([instant]) if n else pa.array([text])
            pq.write_table(pa.table({"user_id": [1], "item_id": [1], "timestamp": times}), path)
        elif kind == "csv":
            write(path, f"user_id,item_id,timestamp\n1,2,{text}\n")
        else:
            write(path, f'{{"user_id": 1, "item_id": 2, "timestamp": {text if n else json.dumps(text)}}}\n')
    assert instants_of(tmp_path, TableInput(path=str(folder))) == [instant] * 5


def test_a_unit_does_not_make_dates_unreadable_in_silence(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="milliseconds since 1970 are expected, and '2023-01-01' like an ISO date"):
        ingest(tmp_path, log_of(tmp_path, ["2023-01-01"], timestamp_unit="ms"))


@pytest.mark.parametrize(
    ("first", "second", "units"),
    [
        ("1600000000", "1600000000000", "seconds and '1600000000000' like milliseconds"),
        ("1600000000000", "1600000000", "milliseconds and '1600000000' like seconds"),
        ("1600000000000", "1600000000000000", "milliseconds and '1600000000000000' like microseconds"),
        ("1600000000000000000", "1600000000000000", "nanoseconds and '1600000000000000' like microseconds"),
        ("1600000000", "1600000000000.5", "seconds and '1600000000000.5' like milliseconds"),
    ],
)
@pytest.mark.parametrize("far", [0, FAR])
@pytest.mark.usefixtures("_small_batches")
def test_a_column_that_mixes_units_is_refused(tmp_path: Path, first: str, second: str, units: str, far: int) -> None:
    with pytest.raises(DataRefused, match=f"mix units: '{first}' looks like {units} since 1970"):
        ingest(tmp_path, log_of(tmp_path, [first] * 2 + [first] * far + [second]))


def test_what_mixes_only_in_a_later_batch_of_a_large_file_is_refused_at_its_line(tmp_path: Path) -> None:
    first, second = "1600000000", "2023-01-01T00:00:00Z"
    with pytest.raises(DataRefused, match=f"line 130002: the timestamps mix forms: '{first}' .* and '{second}'"):
        ingest(tmp_path, log_of(tmp_path, [first] * 130_000 + [second]))

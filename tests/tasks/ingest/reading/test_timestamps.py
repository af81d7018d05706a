"""An instant is the same instant however it was written, and wherever the night runs."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.raw import column, ingest, write

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANTS = st.datetimes(datetime(1974, 1, 1), datetime(2023, 12, 31), timezones=st.just(UTC))
MANY = st.lists(INSTANTS, min_size=20, max_size=40)  # a file of many rather than many files: each takes as long


def _log(folder: Path, texts: list[str], **settings: str) -> TableInput:
    rows = "".join(f"1,2,{text}\n" for text in texts)
    return write(folder / "log.csv", "user_id,item_id,timestamp\n" + rows).model_copy(update=settings)


def _instants(folder: Path, table: TableInput) -> list[datetime | None]:
    return column(ingest(folder, table)[1], "timestamp")


@settings(max_examples=4, deadline=None)
@given(st.lists(st.tuples(INSTANTS, st.integers(-14 * 60, 14 * 60)), min_size=20, max_size=40))
@pytest.mark.slow
def test_iso_texts_survive(tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[datetime, int]]) -> None:
    folder = tmp_path_factory.mktemp("time")
    instants = [instant for instant, _ in drawn]
    zoned = [instant.astimezone(timezone(timedelta(minutes=minutes))) for instant, minutes in drawn]
    written = {
        "with an offset": [instant.isoformat() for instant in zoned],
        "with Z": [instant.isoformat().replace("+00:00", "Z") for instant in instants],
        "with a spaced offset": [instant.isoformat(" ").replace("+", " +") for instant in zoned],
        "naive": [instant.replace(tzinfo=None).isoformat(" ") for instant in instants],
    }
    for texts in written.values():
        assert _instants(folder, _log(folder, texts)) == instants


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@settings(max_examples=2, deadline=None)
@given(instants=MANY)
@pytest.mark.slow
def test_epochs_survive(tmp_path_factory: pytest.TempPathFactory, instants: list[datetime], unit: str) -> None:
    folder = tmp_path_factory.mktemp("time")
    per_unit = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}[unit]
    numbers = [(instant - EPOCH) // MICROSECOND // per_unit * (1000 if unit == "ns" else 1) for instant in instants]
    expected = [EPOCH + (number * per_unit // (1000 if unit == "ns" else 1)) * MICROSECOND for number in numbers]
    arrays = {
        "log.csv": None,
        "int.parquet": pa.array(numbers, pa.int64()),
        "text.parquet": pa.array([str(number) for number in numbers]),
        "decimal.parquet": pa.array([str(number) for number in numbers]).cast(pa.decimal128(20, 0)),
    }
    for name, array in arrays.items():
        table = _log(folder, [str(number) for number in numbers])
        if array is not None:
            table = TableInput(path=str(folder / name))
            one = [1] * len(array)
            pq.write_table(pa.table({"user_id": one, "item_id": one, "timestamp": array}), table.path)
        assert _instants(folder, table) == expected
        assert _instants(folder, table.model_copy(update={"timestamp_unit": unit})) == expected


@settings(max_examples=3, deadline=None)
@given(MANY)
def test_decimals_of_seconds_survive(tmp_path_factory: pytest.TempPathFactory, instants: list[datetime]) -> None:
    folder = tmp_path_factory.mktemp("time")
    micros = [(instant - EPOCH) // MICROSECOND for instant in instants]
    assert _instants(folder, _log(folder, [f"{m // 10**6}.{m % 10**6:06}" for m in micros])) == instants


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["964982703", "964982703.5", "1600000000", "1.6e9", "0"],
         [964982703, 964982703.5, 1600000000, 1600000000, 0]),
        (["1600000000", "999999999.9", "15e8"], [1600000000, 999999999.9, 1500000000]),
        (["1600000000000", "1600000000000.25", "5"], [1600000000, 1600000000.00025, 0.005]),
    ],
)  # fmt: skip
def test_numbers_of_any_notation_are_read_the_same_way(tmp_path: Path, texts: list[str], expected: list[float]) -> None:
    assert _instants(tmp_path, _log(tmp_path, texts)) == [
        EPOCH + round(seconds * 10**6) * MICROSECOND for seconds in expected
    ]


def test_a_given_unit_is_taken_at_its_word(tmp_path: Path) -> None:
    assert _instants(tmp_path, _log(tmp_path, ["1600000000"], timestamp_unit="ms")) == [
        EPOCH + timedelta(milliseconds=1_600_000_000)
    ]


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
@pytest.mark.parametrize("far", [0, 200_000])
def test_a_column_that_mixes_units_is_refused(tmp_path: Path, first: str, second: str, units: str, far: int) -> None:
    with pytest.raises(DataRefused, match=f"mix units: '{first}' looks like {units} since 1970"):
        ingest(tmp_path, _log(tmp_path, [first] * 2 + [first] * far + [second]))


def test_what_cannot_be_read_keeps_its_text(tmp_path: Path) -> None:
    texts = ["2023-01-01", "yesterday", "2023-02-30", "", "infinity", "24/09/2018", "1600000000"]
    _, out = ingest(tmp_path, _log(tmp_path, texts))
    assert column(out, "timestamp") == [datetime(2023, 1, 1, tzinfo=UTC), *[None] * 6]
    assert column(out, "timestamp_text") == [None, *[text or None for text in texts[1:]]]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_arrow_timestamps_of_any_unit_and_zone_survive(tmp_path: Path, unit: str, zone: str | None) -> None:
    instant = datetime(2023, 6, 1, 12, 30, 15)
    array = pa.array([instant.replace(tzinfo=UTC) if zone else instant, None], pa.timestamp(unit, zone))
    pq.write_table(pa.table({"user_id": [1, 2], "item_id": [1, 1], "timestamp": array}), tmp_path / "log.parquet")
    table = TableInput(path=str(tmp_path / "log.parquet"))
    assert _instants(tmp_path, table) == [instant.replace(tzinfo=UTC), None]
    local = _instants(tmp_path, table.model_copy(update={"timezone": "Asia/Tokyo"}))
    assert local[0] == (instant.replace(tzinfo=UTC) if zone else instant.replace(tzinfo=ZoneInfo("Asia/Tokyo")))


def test_dates_are_midnight_in_the_tables_time_zone(tmp_path: Path) -> None:
    midnight = datetime(2023, 6, 1, tzinfo=ZoneInfo("Europe/Paris"))
    assert _instants(tmp_path, _log(tmp_path, ["2023-06-01"], timezone="Europe/Paris")) == [midnight]
    dates = pa.array([date(2023, 6, 1)], pa.date32())
    pq.write_table(pa.table({"user_id": [1], "item_id": [1], "timestamp": dates}), tmp_path / "log.parquet")
    assert _instants(tmp_path, TableInput(path=str(tmp_path / "log.parquet"), timezone="Europe/Paris")) == [midnight]


def test_naive_texts_are_in_the_tables_time_zone_and_others_in_their_own(tmp_path: Path) -> None:
    texts = ["2023-01-15 12:00:00", "2023-07-15 12:00:00", "2023-07-15T12:00:00Z", "2023-07-15 12:00:00 -03:00"]
    zone = ZoneInfo("Europe/Paris")
    assert _instants(tmp_path, _log(tmp_path, texts, timezone="Europe/Paris")) == [
        datetime(2023, 1, 15, 12, tzinfo=zone),
        datetime(2023, 7, 15, 12, tzinfo=zone),
        datetime(2023, 7, 15, 12, tzinfo=UTC),
        datetime(2023, 7, 15, 15, tzinfo=UTC),
    ]


def test_float32_timestamps_are_refused_and_float64_are_exact_to_the_microsecond(tmp_path: Path) -> None:
    one = [1]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": one, "item_id": one, "timestamp": pa.array([1.6e9], pa.float32())}), path)
    with pytest.raises(DataRefused, match=r"column 'timestamp': the timestamps are 32-bit floats"):
        ingest(tmp_path, TableInput(path=str(path)))
    pq.write_table(pa.table({"user_id": one, "item_id": one, "timestamp": pa.array([1.6e9 + 0.123456])}), path)
    assert _instants(tmp_path, TableInput(path=str(path))) == [
        EPOCH + timedelta(seconds=1_600_000_000, microseconds=123_456)
    ]


@pytest.mark.slow
def test_the_machines_time_zone_plays_no_part(tmp_path: Path) -> None:
    _log(tmp_path, ["2023-03-26 02:30:00", "2023-06-01", "2023-06-01T12:00:00+02:00"])
    program = (  # forks before DuckDB has looked at the time zone
        "import os, sys, time; from pathlib import Path; from tests.tasks.raw import ingest, column; "
        "from tasks.ingest.reading.inputs import TableInput; folder = Path(sys.argv[1])\n"
        "for zone in ('UTC', 'Asia/Tokyo', 'America/New_York'):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        os.environ['TZ'] = zone; time.tzset()\n"
        "        _, out = ingest(folder, TableInput(path=str(folder / 'log.csv')))\n"
        "        print([t.timestamp() for t in column(out, 'timestamp')], flush=True)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)"
    )
    command = [sys.executable, "-c", program, tmp_path]
    printed = subprocess.run(command, cwd=Path(__file__).parents[4], capture_output=True, text=True, check=True).stdout
    expected = [
        datetime(2023, 3, 26, 2, 30, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC), datetime(2023, 6, 1, 10, tzinfo=UTC)
    ]  # fmt: skip
    assert printed == 3 * f"{[instant.timestamp() for instant in expected]}\n"

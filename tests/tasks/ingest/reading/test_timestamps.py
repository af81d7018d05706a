"""An instant is the same instant however it was written, and wherever the night runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused
from tasks.ingest.reading import time_forms
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.sources import Value
from tasks.ingest.reading.time_examples import ACCEPTED, Accepted
from tasks.ingest.reading.timestamps import Timestamps, is_plain, micros
from tests.tasks.raw import HEADER, column, ingest, instants_of, log_of, read, write

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANTS = st.datetimes(datetime(1974, 1, 1), datetime(2023, 12, 31), timezones=st.just(UTC))
CREDIBLE = st.datetimes(datetime(2001, 1, 1), datetime(2023, 12, 31), timezones=st.just(UTC))
MANY = st.lists(CREDIBLE, min_size=20, max_size=40)  # a file of many rather than many files: each takes as long


@settings(max_examples=4)
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
        assert instants_of(folder, log_of(folder, texts)) == instants


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@settings(max_examples=2)
@given(instants=MANY)
@pytest.mark.slow
def test_epochs_survive(tmp_path_factory: pytest.TempPathFactory, instants: list[datetime], unit: str) -> None:
    folder = tmp_path_factory.mktemp("time")
    per_unit = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}[unit]
    numbers = [(instant - EPOCH) // MICROSECOND // per_unit * (1000 if unit == "ns" else 1) for instant in instants]
    expected = [EPOCH + (number * per_unit // (1000 if unit == "ns" else 1)) * MICROSECOND for number in numbers]
    log_of(folder, [str(number) for number in numbers])
    arrays = {
        "int.parquet": pa.array(numbers, pa.int64()),
        "text.parquet": pa.array([str(number) for number in numbers]),
        "decimal.parquet": pa.array([str(number) for number in numbers]).cast(pa.decimal128(20, 0)),
    }
    one = [1] * len(numbers)
    for name, array in arrays.items():
        pq.write_table(pa.table({"user_id": one, "item_id": one, "timestamp": array}), folder / name)
    table, four = TableInput(path=str(folder)), 4 * expected  # a file after another, each read on its own
    out = tmp_path_factory.mktemp("out")
    assert instants_of(out, table) == four
    assert instants_of(out, table.model_copy(update={"timestamp_unit": unit})) == four


@settings(max_examples=3)
@given(MANY)
def test_decimals_of_seconds_survive(tmp_path_factory: pytest.TempPathFactory, instants: list[datetime]) -> None:
    folder = tmp_path_factory.mktemp("time")
    micros = [(instant - EPOCH) // MICROSECOND for instant in instants]
    assert instants_of(folder, log_of(folder, [f"{m // 10**6}.{m % 10**6:06}" for m in micros])) == instants


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
    assert instants_of(tmp_path, log_of(tmp_path, texts)) == [
        EPOCH + round(seconds * 10**6) * MICROSECOND for seconds in expected
    ]


Read = list[tuple[datetime | None, str | None]]
"""The instants of a file, and the texts of those that could not be read."""


def _each(folder: Path, files: Sequence[Sequence[str]]) -> list[Read]:
    """What is read of each of some files with timestamps, whose form is found out for each alone."""
    (log := folder / "log").mkdir()
    for place, texts in enumerate(files):
        write(log / f"{place:03}.csv", HEADER + "".join(f'1,2,"{text}"\n' for text in texts))
    _, out = ingest(folder, TableInput(path=str(log)))
    found: list[Read] = [[] for _ in files]
    for row in read(out).to_pylist():
        found[int(Path(row["source_file"]).stem)].append((row["timestamp"], row["timestamp_text"]))
    return found


@pytest.fixture(scope="module")
def accepted_ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    """What is read of each example, alone in its file."""
    examples = [accepted.example for accepted in ACCEPTED]
    return dict(zip(examples, _each(tmp_path_factory.mktemp("ways"), [[e] for e in examples]), strict=True))


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda accepted: accepted.example)
def test_each_way_to_write_an_instant_is_read(accepted_ways: dict[str, Read], accepted: Accepted) -> None:
    instant = datetime.fromisoformat(accepted.instant).replace(tzinfo=UTC)
    assert [when for when, _ in accepted_ways[accepted.example]] == [instant]


ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]


@pytest.mark.slow
@settings(max_examples=30)
@given(
    st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2023, 12, 30)), min_size=1, max_size=20),
    st.sampled_from(ZONES),
    st.sampled_from(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y/%m/%d %H:%M", "%Y%m%d%H%M%S"]),
    st.booleans(),
)
def test_local_times_are_what_pythons_zones_say(
    tmp_path_factory: pytest.TempPathFactory, times: list[datetime], zone: str, letters: str, named: bool
) -> None:
    """A time that occurs twice is the later one; one that never occurs has the offset before the clocks were set."""
    texts = [time.strftime(letters) for time in times]
    expected = []
    for text in texts:
        first = datetime.strptime(text, letters).replace(tzinfo=ZoneInfo(zone))
        later = first.replace(fold=1)
        expected.append(max(first.astimezone(UTC), later.astimezone(UTC)))
    folder = tmp_path_factory.mktemp("time")
    if named and letters != "%Y%m%d%H%M%S":
        table = log_of(folder, [f"{text} {zone}" for text in texts], timezone="Asia/Tokyo")
    else:
        table = log_of(folder, texts, timezone=zone)
    assert instants_of(folder, table) == expected


def test_a_local_time_that_occurs_twice_or_never(tmp_path: Path) -> None:
    texts = ["2023-03-26 02:30:00", "2023-10-29 02:30:00"]
    expected = [datetime(2023, 3, 26, 1, 30, tzinfo=UTC), datetime(2023, 10, 29, 1, 30, tzinfo=UTC)]
    assert instants_of(tmp_path, log_of(tmp_path, texts, timezone="Europe/Berlin")) == expected
    assert instants_of(tmp_path, log_of(tmp_path, [f"{text} Europe/Berlin" for text in texts])) == expected


@pytest.mark.parametrize(
    ("letters", "text", "instant"),
    [
        ("%d.%m.%Y %H:%M", "20.07.2023 10:00", datetime(2023, 7, 20, 8, tzinfo=UTC)),
        ("%m/%d/%y %I:%M %p", "7/2/23 1:05 pm", datetime(2023, 7, 2, 11, 5, tzinfo=UTC)),
        ("%d/%b/%Y:%H:%M:%S %z", "20/Jul/2023:10:00:00 -0130", datetime(2023, 7, 20, 11, 30, tzinfo=UTC)),
        ("%a, %d %b %Y %H:%M:%S %z", "Thu, 20 Jul 2023 10:00:00 GMT", datetime(2023, 7, 20, 10, tzinfo=UTC)),
        (
            "%a %b %d %Y %H:%M:%S GMT%z",
            "Thu Jul 20 2023 10:00:00 GMT+0200 (CEST)",
            datetime(2023, 7, 20, 8, tzinfo=UTC),
        ),
        ("%Y-%j", "2023-201", datetime(2023, 7, 19, 22, tzinfo=UTC)),
        ("%d%m%Y", "20072023", datetime(2023, 7, 19, 22, tzinfo=UTC)),
    ],
)
def test_a_format_is_taken_at_its_word(tmp_path: Path, letters: str, text: str, instant: datetime) -> None:
    table = log_of(tmp_path, [f'"{text}"', "2023-01-01T00:00:00Z"], timestamp_format=letters, timezone="Europe/Berlin")
    _, out = ingest(tmp_path, table)
    assert column(out, "timestamp") == [instant, None]
    assert column(out, "timestamp_text") == [None, "2023-01-01T00:00:00Z"]


def test_a_format_that_no_value_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataRefused, match=r"no value is written as timestamp_format = '%d\.%m\.%Y' says, such as '2023-0"
    ):
        ingest(tmp_path, log_of(tmp_path, ["2023-01-01"], timestamp_format="%d.%m.%Y"))


def test_a_given_unit_is_taken_at_its_word(tmp_path: Path) -> None:
    assert instants_of(tmp_path, log_of(tmp_path, ["1600000000"], timestamp_unit="ms")) == [
        EPOCH + timedelta(milliseconds=1_600_000_000)
    ]


def test_what_cannot_be_read_keeps_its_text(tmp_path: Path) -> None:
    texts = ["2023-01-01", "yesterday", "2023-02-30", "", "infinity", "0000-01-01", "10000-01-01", "-0044-03-15", "5"]
    _, out = ingest(tmp_path, log_of(tmp_path, texts))
    assert column(out, "timestamp") == [datetime(2023, 1, 1, tzinfo=UTC), *[None] * 8]
    assert column(out, "timestamp_text") == [None, *[text or None for text in texts[1:]]]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_arrow_timestamps_of_any_unit_and_zone_survive(tmp_path: Path, unit: str, zone: str | None) -> None:
    instant = datetime(2023, 6, 1, 12, 30, 15)
    array = pa.array([instant.replace(tzinfo=UTC) if zone else instant, None], pa.timestamp(unit, zone))
    pq.write_table(pa.table({"user_id": [1, 2], "item_id": [1, 1], "timestamp": array}), tmp_path / "log.parquet")
    table = TableInput(path=str(tmp_path / "log.parquet"))
    assert instants_of(tmp_path, table) == [instant.replace(tzinfo=UTC), None]
    local = instants_of(tmp_path, table.model_copy(update={"timezone": "Asia/Tokyo"}))
    assert local[0] == (instant.replace(tzinfo=UTC) if zone else instant.replace(tzinfo=ZoneInfo("Asia/Tokyo")))


def test_dates_are_midnight_in_the_tables_time_zone(tmp_path: Path) -> None:
    midnight = datetime(2023, 6, 1, tzinfo=ZoneInfo("Europe/Paris"))
    assert instants_of(tmp_path, log_of(tmp_path, ["2023-06-01"], timezone="Europe/Paris")) == [midnight]
    dates = pa.array([date(2023, 6, 1)], pa.date32())
    pq.write_table(pa.table({"user_id": [1], "item_id": [1], "timestamp": dates}), tmp_path / "log.parquet")
    assert instants_of(tmp_path, TableInput(path=str(tmp_path / "log.parquet"), timezone="Europe/Paris")) == [midnight]


def test_naive_texts_are_in_the_tables_time_zone_and_others_in_their_own(tmp_path: Path) -> None:
    texts = ["2023-01-15 12:00:00", "2023-07-15 12:00:00", "2023-07-15T12:00:00Z", "2023-07-15 12:00:00 -03:00"]
    zone = ZoneInfo("Europe/Paris")
    assert instants_of(tmp_path, log_of(tmp_path, texts, timezone="Europe/Paris")) == [
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
    assert instants_of(tmp_path, TableInput(path=str(path))) == [
        EPOCH + timedelta(seconds=1_600_000_000, microseconds=123_456)
    ]


@pytest.mark.slow
def test_the_machines_time_zone_plays_no_part(tmp_path: Path) -> None:
    log_of(tmp_path, ["2023-03-26 02:30:00", "2023-06-01", "2023-06-01T12:00:00+02:00"])
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


OFFSETS = ["+25:00", "-99:99", "+16:00", "+2500", "+25", "+01:60", "-0375"]
TIMES = ["2023-03-26T02:30:00", "2023-03-26 02:30:00.5", "2023-03-26T02:30"]
WHOLE = ["2023-03-26T02:30:00+14:00", "2023-03-26 02:30:00.5-12:45"]


@pytest.fixture(scope="module")
def odd_offsets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    """What is read of each such time and offset, below two that places have."""
    texts = [f"{time}{offset}" for time in TIMES for offset in OFFSETS]
    return dict(zip(texts, _each(tmp_path_factory.mktemp("offsets"), [[*WHOLE, t] for t in texts]), strict=True))


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("time", TIMES)
def test_an_offset_that_no_place_has_is_not_read(odd_offsets: dict[str, Read], time: str, offset: str) -> None:
    read_as_such: Read = [(datetime.fromisoformat(text).astimezone(UTC), None) for text in WHOLE]
    assert odd_offsets[f"{time}{offset}"] == [*read_as_such, (None, f"{time}{offset}")]


CLOCKS = ("00:00:00", "02:30:00Z", "02:30:00", "23:59:59")
PLAIN = [
    f"{day}{rest}"
    for day in ("2023-03-26", "2023-10-29", "2024-02-29", "2023-02-29", "2023-13-01", "0000-01-01", "1582-10-10")
    for rest in (
        "",
        *(f"{mark}{clock}" for mark in "T " for clock in ("00:00:00", "02:30:00Z", "02:30:00", "23:59:59")),
    )
]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo"])
def test_what_is_plain_alone_is_read_as_it_is_among_others(zone: str) -> None:
    assert all(map(is_plain, PLAIN))
    reading = time_forms.reading(PLAIN[1:], "auto")
    ways = [micros(Value("t", "VARCHAR"), Timestamps(reading, None, zone, plain), "") for plain in (True, False)]
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute(f"SET TimeZone = '{zone}'")
        texts = ", ".join(f"('{text}')" for text in PLAIN)
        alone, among_others = zip(
            *db.sql(f"SELECT {', '.join(ways)} FROM (VALUES {texts}) AS v(t)").fetchall(), strict=True
        )
    assert alone == among_others
    assert None in alone and sum(map(bool, alone)) > len(PLAIN) / 2


@pytest.mark.parametrize(
    "text", ["2023-1-2", "2023-01-02Z", "2023-01-02T24:00:00", "2023-01-02T10:00:60", "20230102", "٢٠٢٣-01-02"]
)
def test_what_a_cast_may_read_otherwise_is_not_plain(text: str) -> None:
    assert not is_plain(text)

"""`nightrec inspect`: what it prints can be copied, and a night reads all rows with it."""

from __future__ import annotations

import gzip
import json
import random
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.cli.options import date_option, site_options
from tasks.ingest.raw_tables import write_raw
from tests.flows.running import nightrec

if TYPE_CHECKING:
    from flows.settings.site import NightConfig

N, START = 400, datetime(2026, 5, 1)
Row = tuple[str, str, datetime, float]


def rows(n: int = N) -> list[Row]:
    draw = random.Random(1)
    return [
        (
            f"K{draw.randint(1, 40):03d}",
            f"A-{draw.randint(1, 30)}",
            START + timedelta(minutes=9 * i),
            draw.randint(2, 10) / 2,
        )
        for i in range(n)
    ]


ROWS = rows()


def seconds(at: datetime) -> int:
    return int(at.replace(tzinfo=UTC).timestamp())


def german(path: Path) -> None:
    lines = [f"{u};{i};{t:%Y-%m-%d %H:%M:%S};{str(r).replace('.', ',')};groß\n" for u, i, t, r in ROWS]
    path.write_bytes("".join(["Kundennummer;Artikelnummer;Zeitpunkt;Bewertung;Größe\n", *lines]).encode("cp1252"))


def headerless(path: Path) -> None:
    path.write_text("".join(f"{int(u[1:])},{i[2:]},{seconds(t)}\n" for u, i, t, _ in ROWS))


def headerless_tabs(path: Path) -> None:
    path.write_text("".join(f"{u}\t{i}\t{r}\t{t.isoformat()}\n" for u, i, t, r in ROWS))


def odd_keys(path: Path) -> None:
    objects = [
        {"visitor-id": u, "Product SKU": i, "evt.time": f"{t.isoformat()}Z", "what": "view"} for u, i, t, _ in ROWS
    ]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in objects))


def struct(path: Path) -> None:
    columns = {"customer": [r[0] for r in ROWS], "article": [r[1] for r in ROWS], "at": [r[2] for r in ROWS]}
    pq.write_table(pa.table(columns | {"context": [{"a": 1, "b": "x"}] * N}), path)


def packed(path: Path) -> None:
    lines = ["user\titem\tts\n", *(f"{u}\t{i}\t{seconds(t)}000\n" for u, i, t, _ in ROWS)]
    path.write_bytes(gzip.compress("".join(lines).encode()))


def day_first(path: Path) -> None:
    path.write_text("user;product;date\n" + "".join(f"{u};{i};{t:%d.%m.%Y %H:%M}\n" for u, i, t, _ in ROWS))


def unknown_names(path: Path) -> None:
    path.write_text("c1,c2,c3\n" + "".join(f"{u},{i},{t.isoformat()}\n" for u, i, t, _ in ROWS))


def movielens(path: Path) -> None:
    path.mkdir()
    ratings = "".join(f"{int(u[1:])},{i[2:]},{r},{seconds(t)}\n" for u, i, t, r in ROWS)
    (path / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{ratings}")
    (path / "movies.csv").write_text(
        "movieId,title,genres\n" + "".join(f"{i},[bold]M {i} (1999),Drama\n" for i in range(1, 31))
    )
    (path / "tags.csv").write_text("userId,movieId,tag,timestamp\n" + f"1,2,fun,{seconds(START)}\n" * 20)
    (path / "links.csv").write_text(
        "movieId,imdbId,tmdbId\n" + "".join(f"{i},0{i}14709,{i}862\n" for i in range(1, 31))
    )
    (path / "README.txt").write_text("Summary\n=======\n")


def amazon(path: Path) -> None:
    path.mkdir()
    reviews = [{"reviewerID": u, "asin": i, "overall": r, "unixReviewTime": seconds(t)} for u, i, t, r in ROWS]
    (path / "Books_5.json").write_text("".join(f"{json.dumps(one)}\n" for one in reviews))
    items = [{"asin": f"A-{i}", "title": f"Book {i}", "price": "$1,299.00"} for i in range(1, 31)]
    (path / "meta_Books.json").write_text("".join(f"{json.dumps(one)}\n" for one in items))


def shop(path: Path) -> None:
    path.mkdir()
    header = "customer_id,sku,created_at,event_type\n"
    for name, part in (("events-2026-05.csv", ROWS[:200]), ("events-2026-06.csv", ROWS[200:])):
        (path / name).write_text(header + "".join(f"{u},{i},{t.isoformat()},view\n" for u, i, t, _ in part))
    (path / "catalogue.csv").write_text("code,name\n" + "".join(f"A-{i},T\u202e {i}\n" for i in range(1, 31)))
    (path / "customers.csv").write_text("id,country\n" + "".join(f"K{i:03d},DE\n" for i in range(1, 41)))


ODD: dict[str, Callable[[Path], None]] = {
    "german.csv": german,
    "headerless.csv": headerless,
    "headerless.tsv": headerless_tabs,
    "odd.jsonl": odd_keys,
    "struct.parquet": struct,
    "packed": packed,
    "day-first.csv": day_first,
    "unknown-names.csv": unknown_names,
    "ml-latest-small": movielens,
    "amazon": amazon,
    "shop": shop,
}


def settings_of(command: str, toml: str, folder: Path) -> tuple[NightConfig, date]:
    """The settings and the date that a printed command means, with the printed `nightrec.toml` where it names that."""
    words = shlex.split(command)
    assert words[:2] == ["nightrec", "run"]
    (folder / "nightrec.toml").write_text(toml, encoding="utf-8")
    words = [str(folder / word) if word == "nightrec.toml" else word for word in words[2:]]
    found: list[Any] = []

    @click.command()
    @site_options
    @date_option
    def capture(settings: NightConfig, run_date: date, fresh: bool) -> None:
        found.extend((settings, run_date))

    capture.main(words, standalone_mode=False)
    return found[0], found[1]


@pytest.mark.parametrize("name", ODD)
def test_what_is_printed_reads_all_rows(tmp_path: Path, name: str) -> None:
    ODD[name](tmp_path / name)
    ran = nightrec("inspect", str(tmp_path / name), "--json", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    found = json.loads(ran.out)
    assert found["fit"] and found["events"]["rows"] == N
    config, night = settings_of(found["command"], found["nightrec.toml"], tmp_path)
    assert night == (ROWS[-1][2] + timedelta(days=1)).date()
    inputs = config.tables()
    assert inputs is not None
    out = tmp_path / "raw"
    out.mkdir()
    summary = write_raw(inputs, config.cutoff(night), datetime.now(UTC), out)
    assert (summary["rows"], summary["after_cutoff"], summary["rejects"]) == (N, 0, 0)
    assert summary["unreadable_timestamps"] == 0
    shutil.rmtree(out)


def test_a_folder_is_sorted_into_tables(tmp_path: Path) -> None:
    shop(tmp_path / "shop")
    found = json.loads(nightrec("inspect", "shop", "--json", cwd=tmp_path).out)
    assert {table["table"]: table["path"] for table in found["tables"]} == {
        "interactions": "shop/events-2026-0*.csv",
        "items": "shop/catalogue.csv",
        "users": "shop/customers.csv",
    }
    assert found["events"]["known_items"] == 1 and found["events"]["kinds"]["view"]["rows"] == N


def test_links_of_items_are_no_users(tmp_path: Path) -> None:
    movielens(tmp_path / "ml")
    found = json.loads(nightrec("inspect", "ml", "--json", cwd=tmp_path).out)
    assert {Path(table["files"][0]).name: table["table"] for table in found["tables"]} == {
        "ratings.csv": "interactions",
        "movies.csv": "items",
        "tags.csv": "tags",
        "links.csv": None,
    }
    assert found["preset"] == "movielens"
    assert [file["not_read"] for file in found["files"] if file["path"].endswith("README.txt")] == [
        "a document by its name"
    ]


def test_markup_and_marks_of_direction_are_shown_and_do_nothing(tmp_path: Path) -> None:
    movielens(tmp_path / "ml")
    shop(tmp_path / "shop")
    assert "[bold]M 1" in nightrec("inspect", "ml", cwd=tmp_path).out
    text = nightrec("inspect", "shop", cwd=tmp_path).out
    assert "T\\u202e 1" in text and "\u202e" not in text
    assert "nightrec run --interactions 'shop/events-2026-0*.csv' --columns user_id=customer_id" in text


def test_all_that_would_stop_a_night_is_said(tmp_path: Path) -> None:
    lines = [f"u1,i1,{t.isoformat()},{'x' if n % 10 == 0 else 3}\n" for n, (_, _, t, _) in enumerate(ROWS)]
    (tmp_path / "log.csv").write_text("".join(["user_id,item_id,timestamp,rating\n", *lines]))
    ran = nightrec("inspect", "log.csv", "--date", "2026-07-22", "--json", cwd=tmp_path)
    assert ran.code == 3
    stops = [each["sentence"] for each in json.loads(ran.out)["refusals"] if each["stops"]]
    for part in ("40 of 400 rows (10.0%)", "1 different user_id", "1 different item_id", "pass --date 2026-05-04"):
        assert any(part in stop for stop in stops), (part, stops)


def test_without_times_there_is_no_night(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,rating\nu1,i1,3\nu2,i2,4\n")
    ran = nightrec("inspect", "log.csv", cwd=tmp_path)
    assert ran.code == 3
    assert "when (times) was not found" in ran.out.replace("\n", " ")


def test_a_wrong_path_is_a_mistake(tmp_path: Path) -> None:
    ran = nightrec("inspect", "nope.csv", cwd=tmp_path)
    assert ran.code == 2
    assert "there is no file or folder 'nope.csv'" in ran.err


@pytest.mark.parametrize(
    ("option", "value", "refusal"),
    [
        ("--delimiter", '"', "the delimiter and the quote are both"),
        ("--encoding", "utf-9", "--encoding: unknown encoding 'utf-9'"),
        ("--timestamp-unit", "h", "--timestamp-unit: "),
        ("--table", "events", "No such option '--table'"),  # of databases, which a night reads and this does not
    ],
)
def test_a_setting_that_cannot_be_is_a_mistake(tmp_path: Path, option: str, value: str, refusal: str) -> None:
    ran = nightrec("inspect", ".", option, value, cwd=tmp_path)
    assert (ran.code, refusal in ran.err) == (2, True), ran.err


def test_the_settings_are_written_where_that_is_asked(tmp_path: Path) -> None:
    german(tmp_path / "german.csv")
    assert nightrec("inspect", "german.csv", "--write", "nightrec.toml", cwd=tmp_path).code == 0
    assert 'encoding = "cp1252"' in (tmp_path / "nightrec.toml").read_text(encoding="utf-8")
    assert nightrec("inspect", "german.csv", "--write", "nightrec.toml", cwd=tmp_path).code == 2


def test_a_wrong_guess_is_corrected(tmp_path: Path) -> None:
    unknown_names(tmp_path / "log.csv")
    ran = nightrec("inspect", "log.csv", "--columns", "user_id=c2,item_id=c1", "--json", cwd=tmp_path)
    assert "user_id=c2,item_id=c1,timestamp=c3" in json.loads(ran.out)["command"]

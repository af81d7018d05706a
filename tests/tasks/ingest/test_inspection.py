"""What an inspection guesses: names of columns, values, encodings, headers, and paths for several files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.ingest.inspection import headless, names, places
from tasks.ingest.inspection.findings import Inspection
from tasks.ingest.inspection.inspect import inspect
from tasks.ingest.inspection.opening import encoding_of
from tasks.ingest.inspection.sampling import shown
from tasks.ingest.landing import objects, preview
from tasks.ingest.reading import our_columns
from tasks.ingest.reading.contents import contents
from tasks.ingest.reading.inputs import TableInput

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def look(*paths: Path | str, **settings: Any) -> Inspection:
    return inspect([str(path) for path in paths], settings, None, "UTC", NOW, lambda *_: ([], []))


def guessed(found: Inspection, table: str = "interactions") -> dict[str, str]:
    one = next(each for each in found.tables if each.table == table)
    return {column.used_as: column.name for column in one.columns if column.used_as}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("user_id", "userId user_id UserID user customer_id CustomerNo visitorid memberId reviewerID session_id who"),
        ("user_id", "Kundennummer Benutzer-ID usuario_id id_cliente klient_id 用户ID 会員番号"),
        ("item_id", "itemId movieId movie_id product_id sku SKU asin parent_asin article_id trackId ISBN StockCode"),
        ("item_id", "Artikelnummer produit_id id_producto 商品ID Produkt-Nr"),
        (
            "timestamp",
            "timestamp ts time created_at unixReviewTime date eventTime event_time Zeitpunkt Bestelldatum fecha",
        ),
        ("rating", "rating Rating score stars overall Bewertung"),
        ("event", "event event_type action behavior behaviorType activity"),
        ("available_from", "available_from availableFrom valid_from on_sale_from verfügbar_ab"),
        ("available_until", "available_until validTo expires_at expiryDate verfügbar_bis"),
    ],
)
def test_names_of_the_trade_are_known(ours: str, theirs: str) -> None:
    for name in theirs.split():
        scores = {each: names.fitness(name, each) for each in names.HEADS if each not in ("tag", "title")}
        assert scores[ours] > 0.4, name
        assert max(scores, key=lambda each: scores[each]) == ours, (name, scores)


@pytest.mark.parametrize("name", ["price", "quantity_ordered", "country", "helpful", "comment", "x1"])
def test_other_names_are_nothing(name: str) -> None:
    assert all(names.fitness(name, ours) < 0.5 for ours in ("user_id", "item_id", "timestamp", "event"))


def test_every_column_of_ours_has_words_for_it() -> None:
    assert set(names.HEADS) == set(our_columns.COLUMNS)


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("größe;müsli\n" * 50, "utf-8", None),
        ("größe;müsli\n" * 50, "cp1252", "cp1252"),
        ("товар,фильм,книга,пользователь\n" * 50, "cp1251", "cp1251"),
        ("商品名称,用户\n" * 50, "gb18030", "gb18030"),
        ("plain\n", "ascii", None),
    ],
)
def test_encodings_are_told_by_their_bytes(tmp_path: Path, text: str, encoding: str, found: str | None) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert encoding_of(tmp_path / "t.csv") == found


def test_a_few_broken_lines_are_no_other_encoding(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("größe\n".encode() * 50 + b"gr\xf6\xdfe\n")
    assert encoding_of(tmp_path / "t.csv") is None


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("8,3,1771903479\n9,5,1771903480\n", 3),
        ("u1|i1|2026-01-01\nu2|i2|2026-01-02\n", 3),
        ("1::2::5::978300760\n1::3::4::978300761\n", 4),
        ("user,item,ts\n1,2,3\n", None),
        ("a,b,c\n1,2,3\n", None),
    ],
)
def test_a_first_line_of_values_is_no_header(tmp_path: Path, text: str, columns: int | None) -> None:
    (tmp_path / "t.csv").write_text(text)
    found = headless.missing_header(contents(tmp_path / "t.csv", TableInput(path="")), {})
    assert (found and len(found["header"])) == columns


def test_values_are_shown_in_characters_that_can_be_seen() -> None:
    assert shown("a\u202eb\x1b[31m\n") == "a\\u202eb\\x1b[31m\\n"
    assert shown("é 日本 [bold]") == "é 日本 [bold]"
    assert shown("x" * 100) == "x" * 23 + "…"


def test_one_path_names_several_files_and_no_others(tmp_path: Path) -> None:
    row = "user_id,item_id,timestamp\n1,2,3\n"
    paths = [tmp_path / name for name in ("log-1.csv", "log-2.csv", "items.csv")]
    for path in paths:
        path.write_text(row)
    assert places.path_of(paths, [str(tmp_path)]) == str(tmp_path)
    assert places.path_of(paths[:2], [str(tmp_path)]) == f"{tmp_path}/log-*.csv"
    assert places.path_of(paths[:1], []) == str(paths[0])
    assert places.path_of([paths[0], paths[2]], [str(tmp_path)]) is None


@pytest.mark.slow
def test_formats_of_one_log_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,sku,ts,n\nu1,i1,2026-05-01T00:00:00Z,1\nu2,i2,2026-05-02T00:00:00Z,1\n")
    (tmp_path / "b.jsonl").write_text('{"user": "u3", "sku": "i1", "ts": "2026-05-03T00:00:00Z"}\n')
    found = look(tmp_path)
    assert [(table.table, table.rows, len(table.files)) for table in found.tables] == [("interactions", 3, 2)]
    assert found.inputs["interactions"].path == str(tmp_path)
    assert found.date == "2026-05-04"


@pytest.mark.slow
def test_files_of_vectors_are_neither_items_nor_users(tmp_path: Path) -> None:
    lines = [f"u{n % 7},i{n % 5},2026-05-{n % 28 + 1:02d}\n" for n in range(100)]
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n" + "".join(lines))
    (tmp_path / "people.csv").write_text("user_id,opted_out\n" + "".join(f"u{n},{n == 3}\n" for n in range(7)))
    items, people = ([f"{key}{n}" for n in range(many)] for key, many in (("i", 5), ("u", 7)))
    vectors = pa.array([[0.5] * 16] * 7, pa.list_(pa.float32(), 16))
    tables = {
        "item_vectors": {"item_id": items, "vector": vectors[:5]},
        "user_vectors": {"id": people, "embedding": vectors},
        "things": {"item_id": items, "title": ["Red fox"] * 5, "embedding": vectors[:5]},
    }
    for name, table in tables.items():
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    found = look(tmp_path)
    assert {table.table: Path(table.files[0]).stem for table in found.tables} == {
        "interactions": "log", "items": "things", "users": "people",
        "item_vectors": "item_vectors", "user_vectors": "user_vectors",
    }  # fmt: skip
    assert found.inputs["user_vectors"].columns == {"user_id": "id", "vector": "embedding"}
    assert guessed(found, "users") == {"user_id": "user_id", "opted_out": "opted_out"}


def test_values_tell_what_names_do_not(tmp_path: Path) -> None:
    lines = [f"k{n % 7},p{n % 5},{n % 3 + 1},2026-05-{n % 28 + 1:02d}\n" for n in range(200)]
    (tmp_path / "x.csv").write_text("a,b,c,d\n" + "".join(lines))
    found = look(tmp_path / "x.csv")
    assert guessed(found) == {"user_id": "a", "item_id": "b", "rating": "c", "timestamp": "d"}
    assert {column.sure for column in found.tables[0].columns} == {"unsure", "likely"}


def test_given_columns_are_taken(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b,c\nu1,i1,2026-05-01\nu2,i2,2026-05-02\n")
    found = look(tmp_path / "x.csv", columns={"user_id": "b", "item_id": "a"})
    assert guessed(found) == {"user_id": "b", "item_id": "a", "timestamp": "c"}


def test_repeated_rows_and_kinds_are_counted(tmp_path: Path) -> None:
    row = "u1,i1,2026-05-01T10:00:00Z,view\n"
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp,event\n" + row * 3 + "u2,i2,2026-05-02T10:00:00Z,buy\n")
    events = look(tmp_path / "x.csv").events
    assert events is not None
    assert (events.rows, events.users, events.items, events.repeated) == (4, 2, 2, 2)
    assert (events.kinds["view"].rows, events.kinds["buy"].users) == (3, 1)
    assert events.times is not None and events.times.newest == "2026-05-02T10:00:00+00:00"


@pytest.mark.slow
def test_lists_of_items_become_events(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(
        '{"user_id": "u1", "item_id": ["a", "b"], "timestamp": "2026-05-01T00:00:00Z"}\n' * 2
    )
    found = look(tmp_path / "x.jsonl")
    assert found.inputs["interactions"].explode
    assert found.events is not None and found.events.rows == 4


def test_what_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nu1,i1,2026-05-01\nu2,i2,2026-05-02\n")
    (tmp_path / "page.csv").write_text("<!DOCTYPE html><html><body>Sign in</body></html>\n")
    found = look(tmp_path)
    assert found.fit and found.inputs["interactions"].path == str(tmp_path / "log.csv")
    assert any("web page" in refusal.sentence and not refusal.stops for refusal in found.refusals)


@pytest.mark.slow
def test_a_catalogue_of_ones_own_beside_the_files_of_a_data_set_is_read(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n" + "".join(f"{n % 5},{n % 7},4,{1767225600 + n}\n" for n in range(70))
    )
    pq.write_table(pa.table({"movieId": range(7), "title": [f"Film {n}" for n in range(7)]}), tmp_path / "own.parquet")
    found = look(tmp_path)
    assert found.preset is None and found.fit
    assert found.inputs["items"].path == str(tmp_path / "own.parquet")
    assert any("whose preset has no use for" in refusal.sentence for refusal in found.refusals)
    (tmp_path / "own.parquet").unlink()
    assert look(tmp_path).preset == "movielens"


def test_a_header_alone_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n")
    found = look(tmp_path / "log.csv")
    assert [refusal.sentence for refusal in found.refusals] == [
        f"{tmp_path / 'log.csv'} has no rows; give a file with rows."
    ]


def shop_of(folder: Path) -> str:
    """The address of a SQLite file with a log of six rows and their items."""
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.execute("CREATE TABLE log (customer, sku, at)")
        rows = [(f"c{n % 2}", f"i{n % 3}", f"2026-05-0{n + 1} 10:00:00") for n in range(6)]
        shop.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
        shop.execute("CREATE TABLE things (sku, title)")
        shop.executemany("INSERT INTO things VALUES (?, ?)", [(f"i{n}", f"Thing {n}") for n in range(3)])
        shop.commit()
    return f"sqlite:///{folder}/shop.db"


@pytest.mark.slow
def test_tables_of_a_database_are_looked_at_and_named_as_such(tmp_path: Path) -> None:
    address = shop_of(tmp_path)
    found = look(f"{address}?table=log", f"{address}?query=SELECT * FROM things")
    assert guessed(found) == {"user_id": "customer", "item_id": "sku", "timestamp": "at"}
    columns = {"user_id": "customer", "item_id": "sku", "timestamp": "at"}
    assert found.inputs == {
        "interactions": TableInput(path=address, table="log", columns=columns),
        "items": TableInput(path=address, query="SELECT * FROM things", columns={"item_id": "sku"}),
    }
    assert [(file.path, file.format) for file in found.files] == [
        (f"log in {address}", "sqlite"), (f"a query in {address}", "sqlite")
    ]  # fmt: skip
    assert (found.fit, found.date, found.sampled) == (True, "2026-05-07", False)
    assert found.events is not None
    assert found.events.rows == 6


def test_a_column_of_times_of_writing_is_named_as_a_watermark(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as shop:
        shop.execute(
            "CREATE TABLE log AS SELECT g % 2 AS user_id, g % 3 AS item_id, TIMESTAMP '2026-05-01' AS timestamp, "
            "'x' AS loaded_by, TIMESTAMP '2026-05-01' AS inserted_at FROM range(6) r(g)"
        )
    (note,) = (note for note in look(f"duckdb:///{tmp_path}/shop.duckdb?table=log").notes if "watermark" in note)
    assert note.startswith("interactions: if inserted_at is the time at which a row was written, watermark = ")


def test_of_a_large_table_the_first_rows_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "ROWS", 4)
    found = look(f"{shop_of(tmp_path)}?table=log")
    assert found.sampled
    assert any("`nightrec validate` reads all" in note for note in found.notes)
    assert found.tables[0].rows == 4


def test_an_address_without_a_table_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"shop.db has log, things: add \?table=NAME to the address"):
        look(shop_of(tmp_path))
    with pytest.raises(ConfigError, match="the address holds a secret"):
        look("postgresql://reader:geheim@host/shop")


def test_files_of_an_object_store_keep_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = tmp_path / "bucket" / "log"
    (bucket / "dt=2026-05-01").mkdir(parents=True)
    (bucket / "dt=2026-05-01" / "a.csv").write_text("user_id,item_id,timestamp\n1,2,2026-05-01\n3,4,2026-05-01\n")
    monkeypatch.setattr(objects, "place", lambda _: objects.Place(pafs.LocalFileSystem(), str(bucket)))
    found = look("gs://lake/log?scheme=http")
    assert found.inputs["interactions"].path == "gs://lake/log/dt=2026-05-01/a.csv?scheme=http"
    assert found.files[0].path == "gs://lake/log/dt=2026-05-01/a.csv"


def test_the_last_files_of_each_kind_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "BYTES", 35)
    names = ["items.csv", *(f"dt={day}/part-{day}.csv" for day in (1, 2, 3))]
    found = {name: pafs.FileInfo(name, pafs.FileType.File, size=10) for name in names}
    assert list(preview._some(found)) == ["items.csv", "dt=2/part-2.csv", "dt=3/part-3.csv"]

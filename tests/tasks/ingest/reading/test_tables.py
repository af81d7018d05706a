"""A table's columns are checked when it is opened and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import HEADER, column, ingest, read, some_log, write


def test_a_flag_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id,available\n1,yes\n2,perhaps\n")
    with pytest.raises(DataRefused, match=r"items.csv, column 'available', row 3: 'perhaps' is neither yes nor no"):
        ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))


@pytest.mark.parametrize("of", ["timestamp", ["at", "timestamp"]])
def test_a_name_that_is_ours_in_another_table_is_the_users_own(tmp_path: Path, of: str | list[str]) -> None:
    write(tmp_path / "users.csv", "user_id,timestamp,age\n1,2020-01-01,7\n")
    users = TableInput(path=str(tmp_path / "users.csv"), columns={"timestamp": of})
    _, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), users=users))
    assert read(out, "users").select(["timestamp", "age"]).to_pylist() == [{"timestamp": "2020-01-01", "age": 7}]


def test_a_column_that_a_file_lacks_is_missing_in_its_rows(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    write(folder / "2026-01.csv", "user_id,item_id,timestamp\n1,2,2023-01-01\n1,3,2023-01-02\n")
    write(folder / "2026-02.csv", "user_id,item_id,timestamp,what\n1,4,2023-02-01,view\n1,5,2023-02-02,\n")
    log = TableInput(path=str(folder), columns={"event": "what"})
    items = tmp_path / "items"
    items.mkdir()
    write(items / "a.csv", "item_id,title,price\n1,One,5\n")
    write(items / "b.jsonl", '{"item_id": 2, "color": "red"}\n')
    summary, out = ingest(tmp_path, Inputs(interactions=log, items=TableInput(path=str(items))))
    assert column(out, "event") == [None, None, "view", None]
    assert read(out, "items").select(["title", "price", "color"]).to_pylist() == [
        {"title": "One", "price": 5, "color": None},
        {"title": None, "price": None, "color": "red"},
    ]
    assert {
        "interactions: 1 of 2 files have no column 'event', such as 2026-01.csv; it is missing in their rows",
        "interactions: 3 rows name no event, and weigh 1, the default",
        "items: 1 of 2 files have no column 'price', such as b.jsonl; it is missing in their rows",
        "items: 1 of 2 files have no column 'color', such as a.csv; it is missing in their rows",
    } <= set(summary["notes"])


def test_a_mapped_column_must_be_in_a_file_and_a_required_one_in_each(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    write(folder / "a.csv", HEADER + "1,2,2023-01-01\n")
    with pytest.raises(DataRefused, match=r"a.csv has no column 'what' \(for event\)"):
        ingest(tmp_path, TableInput(path=str(folder), columns={"event": "what"}))
    write(folder / "b.csv", "user_id,item_id\n1,2\n")
    with pytest.raises(DataRefused, match=r"b.csv has no column 'timestamp'"):
        ingest(tmp_path, TableInput(path=str(folder)))


def test_a_column_that_is_not_used_in_some_files_only_is_named_with_them(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    write(tmp_path / "log" / "a.csv", "uid,user,item_id,timestamp\n1,9,2,2023-01-01\n")
    write(tmp_path / "log" / "b.csv", "user,item_id,timestamp,shop\n3,4,2023-01-01,x\n")
    log = TableInput(path=str(tmp_path / "log"), columns={"user_id": ["uid", "user"]})
    summary, out = ingest(tmp_path, log)
    assert column(out, "user_id") == [1, 3]
    uses = [(use["column"], use["used_as"], use["why"]) for use in summary["accounts"]["interactions"]["columns"]]
    assert uses == [
        ("uid", "user_id", ""),
        ("item_id", "item_id", ""),
        ("timestamp", "timestamp", ""),
        ("user", "user_id", ""),
        ("user", "ignored", "'uid' is taken instead in a.csv"),
        ("shop", "ignored", "interactions have no use for it; it is in b.csv"),
    ]


def test_the_same_id_in_two_domains_is_two_items(tmp_path: Path) -> None:
    for name, key in ("films", "film"), ("books", "isbn"):
        write(tmp_path / f"{name}.csv", f"user_id,{key},timestamp\n1,7,2023-01-01\n")
        write(tmp_path / f"{name}-items.csv", f"{key},title\n7,Of the {name}\n")
    columns = {"item_id": ["film", "isbn"]}
    given = {
        table: TableInput(
            domains={name: str(tmp_path / f"{name}{more}.csv") for name in ("films", "books")}, columns=columns
        )
        for table, more in (("interactions", ""), ("items", "-items"))
    }
    summary, out = ingest(tmp_path, Inputs(**given))
    assert column(out, "user_id") == [1, 1] and summary["ids"]["item_id"] == "string"
    assert column(out, "item_id") == column(out, "item_id", "items") == ["films:7", "books:7"]
    assert column(out, "domain", "items") == ["films", "books"]
    assert column(out, "title", "items") == ["Of the films", "Of the books"]
    assert summary["tables"]["interactions"]["rows"] == 2


def test_a_column_names_the_domain_where_the_settings_say_so(tmp_path: Path) -> None:
    rows = "1,7,films\n1,7, books \n2,8,\n2,8,a:b\n"
    rows = "".join(f"{row},2023-01-01\n" for row in rows.splitlines())
    log = write(tmp_path / "log.csv", f"user_id,item_id,shop,timestamp\n{rows}")
    _, out = ingest(tmp_path, log.model_copy(update={"columns": {"domain": "shop"}}))
    assert column(out, "item_id") == ["films:7", "books:7", None, None]  # the last two are refused by validation
    assert column(out, "domain") == ["films", "books", None, None]
    _, plain = ingest(tmp_path, write(tmp_path / "log.csv", f"user_id,item_id,domain,timestamp\n{rows}"))
    assert column(plain, "item_id") == [7, 7, 8, 8] and "domain" not in read(plain).column_names


def test_a_file_of_two_domains_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "log.csv", f"{HEADER}1,7,2023-01-01\n")
    log = TableInput(domains={"all": str(tmp_path), "films": str(tmp_path / "log.csv")})
    with pytest.raises(ConfigError, match=r"log.csv is in two domains, all and films; give each paths of its own"):
        ingest(tmp_path, log)

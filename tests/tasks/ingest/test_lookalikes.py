"""Ids that look the same stay apart, and are noted."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest import lookalikes
from tasks.ingest.reading import ids as id_columns
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import column, ingest, write


def _log(folder: Path, ids: list[str]) -> TableInput:
    with (folder / "log.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerows([("user_id", "item_id", "timestamp"), *((id_, 1, "2023-01-01") for id_ in ids)])
    return TableInput(path=str(folder / "log.tsv"))


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        (["a1", "A1"], "'A1' and 'a1'"),
        (["a1", "a1 "], "'a1' and 'a1 '"),
        (["a1", "\u00a0a1"], r"'a1' and '\xa0a1'"),
        (["\u00e9", "e\u0301"], r"'e\u0301' and '\xe9'"),
        (["A1", "\uff21\uff11"], r"'A1' and '\uff21\uff11'"),
    ],
)
def test_ids_that_differ_by_blanks_case_or_encoding_stay_apart_with_a_note(
    tmp_path: Path, ids: list[str], shown: str
) -> None:
    summary, out = ingest(tmp_path, _log(tmp_path, [*ids, "b2", "b2"]))
    assert column(out, "user_id") == [*ids, "b2", "b2"]
    assert summary["notes"] == [
        "2 ids of user_id differ from another only by blanks, case or encoding, such as "
        f"{shown}; each stays an id of its own"
    ]


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u00ad", "\u202e", "\x1f", "\x7f"])
def test_characters_that_do_not_show_are_kept_and_noted(tmp_path: Path, unseen: str) -> None:
    ids = ["a1", f"a{unseen}1"]
    summary, out = ingest(tmp_path, _log(tmp_path, [*ids, ids[1]]))
    assert column(out, "user_id") == [*ids, ids[1]]
    assert summary["notes"] == [
        f"user_id has characters that do not show in 2 rows, such as {ids[1]!a}",
        "2 ids of user_id differ from another only by blanks, case or encoding, such as "
        f"{' and '.join(map(ascii, sorted(ids)))}; each stays an id of its own",
    ]


def test_texts_for_a_missing_value_are_ids_unless_they_are_named(tmp_path: Path) -> None:
    log = _log(tmp_path, ["NULL", "NULL", "a", "-"])
    summary, out = ingest(tmp_path, log)
    assert column(out, "user_id") == ["NULL", "NULL", "a", "-"]
    assert summary["notes"] == [
        "user_id is the text '-' in 1 row; if that means a missing value, name it with missing = ['-']",
        "user_id is the text 'NULL' in 2 rows; if that means a missing value, name it with missing = ['NULL']",
    ]
    summary, out = ingest(tmp_path, log.model_copy(update={"missing": ["NULL", "-"]}))
    assert (column(out, "user_id"), summary["notes"]) == ([None, None, "a", None], [])


def test_ids_are_compared_across_tables(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "user_id,item_id,timestamp\n1,SKU1,2023-01-01\n")
    items = write(tmp_path / "items.csv", "item_id\nsku1\n")
    summary, _ = ingest(tmp_path, Inputs(interactions=log, items=items))
    assert len(summary["notes"]) == 1
    assert "such as 'SKU1' and 'sku1'" in summary["notes"][0]


def test_the_first_rows_are_looked_at_across_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interactions").mkdir()
    for number, ids in enumerate([["a", None], ["b", "A", "c"]]):
        pq.write_table(pa.table({"user_id": ids}), tmp_path / "interactions" / f"part-{number:05}.parquet")
    for first, found in ((3, 0), (4, 1)):
        monkeypatch.setattr(lookalikes, "FIRST", first)
        assert len(lookalikes.notes(tmp_path, ["interactions"], {"user_id": id_columns.STRING})) == found

"""Which files a table names, and what its settings may be; nothing is read for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recmodels.errors import ConfigError
from tasks.ingest.reading.files import check_inputs, input_fingerprint
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import CSV, column, ingest, write


def test_a_folder_and_a_glob_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    write(folder / "b.csv", "user_id,item_id,timestamp\n2,1,2023-01-01\n")
    write(folder / "a.csv", "item_id,timestamp,user_id\n1,2023-01-01,1\n")  # another order of columns
    write(folder / "README.md", "not data")
    write(folder / "_SUCCESS.csv", "")
    write(folder / "c.jsonl", '{"user_id": 3, "item_id": 1, "timestamp": "2023-01-01", "rating": 2}\n')
    _, whole = ingest(tmp_path, TableInput(path=str(folder)))
    assert column(whole, "user_id") == [1, 2, 3]
    assert column(whole, "rating") == [None, None, 2.0]
    _, some = ingest(tmp_path, TableInput(path=str(folder / "*.csv")))
    assert column(some, "user_id") == [1, 2]


def test_the_fingerprint_names_each_file_that_is_read(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", CSV)
    (entry,) = input_fingerprint(Inputs(interactions=log))
    stat = (tmp_path / "log.csv").stat()
    assert entry == {"path": str(tmp_path / "log.csv"), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def test_a_folder_without_data_files_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(
        ConfigError,
        match=r"has no data files \(there is README.md: a document by its name\); give a folder with .csv, ",
    ):
        input_fingerprint(Inputs(interactions=TableInput(path=str(tmp_path))))


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        TableInput.model_validate({"path": "x", "colour": "red"})
    with pytest.raises(ValueError, match="unknown time zone 'Mars'"):
        TableInput(path="x", timezone="Mars")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("{folder}/missing.csv", "items: there is no file or folder '{folder}/missing.csv'; check the path."),
        ("{folder}/no*.csv", "items: no file matches '{folder}/no*.csv'; check the pattern."),
        (
            "s3://bucket/items.csv",
            "items: 's3://bucket/items.csv' is not on this machine; copy it here and give the local path.",
        ),
    ],
)
def test_inputs_are_checked_without_being_read(tmp_path: Path, path: str, sentence: str) -> None:
    log = write(tmp_path / "log.csv", b"\x00 nothing that could be read")
    check_inputs(Inputs(interactions=log))
    with pytest.raises(ConfigError) as refused:
        check_inputs(Inputs(interactions=log, items=TableInput(path=path.format(folder=tmp_path))))
    assert str(refused.value) == sentence.format(folder=tmp_path)

"""Presets read public data sets from their untouched files."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from recmodels.errors import ConfigError
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.presets import apply as presets
from tests.conftest import real_data
from tests.tasks.raw import column, ingest, read, write


def _preset(name: str, path: Path) -> Inputs:
    return presets.apply(name, Inputs(interactions=TableInput(path=str(path))))


@pytest.mark.real_data
def test_movielens_small_is_read_from_its_folder(tmp_path: Path) -> None:
    folder = real_data("movielens-small")
    summary, out = ingest(tmp_path, _preset("movielens", folder), datetime(2018, 9, 25, tzinfo=UTC))
    assert {name: table["rows"] for name, table in summary["tables"].items()} == {
        "interactions": 100_836, "items": 9_742, "tags": 3_683
    }  # fmt: skip
    assert (summary["rejects"], summary["notes"]) == (0, [])
    assert (summary["oldest"][:10], summary["newest"][:10]) == ("1996-03-29", "2018-09-24")
    assert len(set(column(out, "user_id"))) == 610
    first = read(out, "items").slice(0, 1).to_pylist()[0]
    assert (first["item_id"], first["title"]) == (1, "Toy Story (1995)")
    assert read(out, "tags").schema.field("item_id").type == pa.int64()


@pytest.mark.real_data
@pytest.mark.slow
def test_movielens_1m_is_read_from_parquet_and_dat_files(tmp_path: Path) -> None:
    folder = real_data("ml-1m")
    inputs = presets.apply(
        "movielens",
        Inputs(
            interactions=TableInput(path=str(folder / "positives.parquet")),
            items=TableInput(path=str(folder / "movies.dat")),
        ),
    )
    summary, out = ingest(tmp_path, inputs)
    assert summary["rows"] == 518_897
    assert len(set(column(out, "user_id"))) == 5_398
    titles = dict(zip(column(out, "item_id", "items"), column(out, "title", "items"), strict=True))
    assert (len(titles), titles[1]) == (3_883, "Toy Story (1995)")
    assert titles[73] == "Misérables, Les (1995)"  # latin-1


def test_dat_files_in_a_folder_are_all_found(tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    folder.mkdir()
    write(folder / "ratings.dat", "1::10::5::978300760\n1::20::3::978302109\n")
    write(folder / "movies.dat", '10::Caf\xe9 "x" (1990)::Drama|War\n'.encode("latin-1"))
    write(folder / "users.dat", "1::F::1::10::02139\n")
    summary, out = ingest(tmp_path, _preset("movielens", folder))
    assert summary["rows"] == 2
    assert column(out, "timestamp")[0] == datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)
    assert column(out, "title", "items") == ['Café "x" (1990)']
    assert column(out, "zip", "users") == ["02139"]


def test_what_the_configuration_says_wins(tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    folder.mkdir()
    write(folder / "ratings.csv", "userId,movieId,rating,timestamp\n1,2,3,978300760\n")
    write(folder / "movies.csv", "movieId,title\n2,Two\n")
    mine = write(tmp_path / "mine.csv", "code,title\n2,Mine\n").model_copy(update={"columns": {"item_id": "code"}})
    inputs = presets.apply("movielens", Inputs(interactions=TableInput(path=str(folder)), items=mine))
    _, out = ingest(tmp_path, inputs)
    assert column(out, "title", "items") == ["Mine"]


@pytest.mark.slow
def test_amazon_reviews_of_2014_and_2023_are_read_the_same_way(tmp_path: Path) -> None:
    old = {"reviewerID": "A1", "asin": "0001", "overall": 5.0, "unixReviewTime": 1252800000, "reviewText": "x"}
    new = {"user_id": "A1", "parent_asin": "0001", "asin": "0002", "rating": 5.0, "timestamp": 1252800000000}
    for name, review, key in [("2014", old, "asin"), ("2023", new, "parent_asin")]:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Beauty.json.gz").write_bytes(gzip.compress(json.dumps(review).encode() + b"\n"))
        meta = {key: "0001", "title": "T", "categories": ["a"], "price": 3.5, "description": ["d", "e"]}
        write(folder / "meta_Beauty.json", json.dumps(meta) + "\n")
        _, out = ingest(tmp_path, _preset("amazon", folder))
        (row,) = read(out).to_pylist()
        assert (row["user_id"], row["item_id"], row["rating"]) == ("A1", "0001", 5.0)
        assert row["timestamp"] == datetime(2009, 9, 13, tzinfo=UTC)
        (item,) = read(out, "items").to_pylist()
        assert (item["item_id"], item["title"], item["categories"], item["price"], item["description"]) == (
            "0001", "T", ["a"], 3.5, ["d", "e"]
        )  # fmt: skip


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^There is no preset 'movielense'; did you mean 'movielens'\?"):
        _preset("movielense", Path("x"))
    with pytest.raises(ConfigError, match=r"^There is no preset 'zzz'; choose one of amazon, bookcrossing, "):
        _preset("zzz", Path("x"))


def test_a_folder_without_ratings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").touch()
    with pytest.raises(ConfigError, match=r"\(ratings.csv, ratings.dat, u.data\), .*there is movies.csv"):
        _preset("movielens", tmp_path)
    shutil.rmtree(tmp_path)

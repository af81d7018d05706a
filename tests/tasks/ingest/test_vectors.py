"""Vectors of items and users as a site gives them: which files and types are read, and what a row becomes."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading import ids
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.table_result import TableResult
from tasks.ingest.vectors import write_vectors
from tasks.store.vector_tables import dimension_of
from tests.tasks.raw import ingest, read, some_log


def given(folder: Path, table: dict[str, pa.Array], name: str = "item_vectors", **settings: Any) -> Inputs:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(table), path)
    return Inputs(**{"interactions": some_log(folder), name: TableInput(path=str(path), **settings)})


def written(folder: Path, table: dict[str, pa.Array]) -> TableResult:
    """What becomes of item vectors, in the folder `raw`."""
    inputs, raw = given(folder, table), folder / "raw"
    raw.mkdir()
    assert inputs.item_vectors is not None
    return write_vectors("item_vectors", inputs.item_vectors, ids.INTEGER, raw)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.float16(), 2),
        pa.list_(pa.int8()),
    ],
    ids=str,
)
def test_lists_of_any_kind_of_number_are_vectors(kind: pa.DataType, tmp_path: Path) -> None:
    vectors = pa.array([np.array([1, 2], kind.value_type.to_pandas_dtype()), None], kind)
    result = written(tmp_path, {"item_id": pa.array([20, 10]), "vector": vectors})
    table = read(tmp_path / "raw", "item_vectors")
    assert table["item_id"].to_pylist() == [20, 10]
    assert table["vector"].to_pylist() == [[1.0, 2.0], None]
    assert table["source_row"].to_pylist() == [1, 2]
    assert dimension_of(tmp_path / "raw" / "item_vectors.parquet") == 2
    assert result.notes == ["item_vectors: 2 vectors of 2 numbers"]


def test_a_tensor_column_and_the_sites_own_names_are_read(tmp_path: Path) -> None:
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.eye(3, dtype=np.float32))
    names = {"user_id": "customer", "vector": ["embedding", "vec"]}
    columns = {"customer": pa.array(["1", "02", "3"]).dictionary_encode(), "vec": tensors}
    summary, raw = ingest(tmp_path, given(tmp_path, columns, "user_vectors", columns=names))
    assert summary["tables"]["user_vectors"]["rows"] == 3
    assert "user_vectors: 3 vectors of 3 numbers" in summary["notes"]
    assert read(raw, "user_vectors")["vector"].to_pylist() == np.eye(3).tolist()
    assert read(raw, "user_vectors")["user_id"].to_pylist() == [1, None, 3]  # elsewhere ids are whole numbers


@pytest.mark.parametrize("kind", [pa.string(), pa.uint64()], ids=str)
def test_an_id_that_no_other_table_can_have_is_none(kind: pa.DataType, tmp_path: Path) -> None:
    ids = [2**63 - 1, 2**63, 10**18, 12]
    more = ["-9223372036854775808", "-9223372036854775809", "07", "99999999999999999999"]
    given_ids = pa.array([str(one) for one in ids] + more) if kind == pa.string() else pa.array(ids, kind)
    written(tmp_path, {"item_id": given_ids, "vector": pa.array([[1.0]] * len(given_ids))})
    expected = [2**63 - 1, None, 10**18, 12, -(2**63), None, None, None][: len(given_ids)]
    assert read(tmp_path / "raw", "item_vectors")["item_id"].to_pylist() == expected


def test_vectors_of_the_most_frequent_length_are_the_dimension(tmp_path: Path) -> None:
    columns = {"item_id": pa.array([1, 2, 3]), "vector": pa.array([[1.0, 2.0, 3.0], [1.0, 2.0], [3.0, 4.0]])}
    written(tmp_path, columns)
    assert dimension_of(tmp_path / "raw" / "item_vectors.parquet") == 2


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"item_id": pa.array([1]), "vector": pa.array(["0.1 0.2"])}, "is string, and a vector is a list of numbers"),
        ({"item_id": pa.array([1.5]), "vector": pa.array([[1.0]])}, "is double, and item_id is a whole number or text"),
        ({"item_id": pa.array([1]), "embedding": pa.array([[1.0]])}, "has no column 'vector'"),
    ],
    ids=["no list", "no id", "no vector"],
)
def test_what_is_no_vector_is_refused_in_a_sentence(columns: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=f"item_vectors: .*{says}"):
        written(tmp_path, columns)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vectors.csv").write_text("item_id,vector\n1,0.5\n")
    table = TableInput(path=str(tmp_path / "vectors.csv"))
    with pytest.raises(DataRefused, match=r"vectors\.csv is no Parquet file .*; write the vectors as Parquet"):
        write_vectors("item_vectors", table, ids.INTEGER, tmp_path)

"""Vectors that cannot be used are quarantined with the reason; too many of them stop the night."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.settings import ValidationSettings
from tasks.store.vector_tables import DIMENSION
from tasks.validate.vectors import CheckedVectors, check_vectors
from tests.tasks.validated import LENIENT, Night, interactions

GOOD = [3.0, 4.0]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Night(tmp_path)
    night.raw("interactions", interactions())
    return night


def given(night: Night, ids: list[Any], vectors: list[Any]) -> None:
    path = night.root / "raw" / "item_vectors.parquet"
    night.raw(
        "item_vectors", {"item_id": pa.array(ids, pa.int64()), "vector": pa.array(vectors, pa.list_(pa.float32()))}
    )
    pq.write_table(pq.read_table(path).replace_schema_metadata({DIMENSION: b"2"}), path)


def checked(night: Night) -> CheckedVectors:
    raw, valid, quarantine = (night.root / name for name in ("raw", "valid", "quarantine"))
    return check_vectors("item_vectors", raw, valid, quarantine, LENIENT)


def test_each_vector_that_cannot_be_used_has_its_reason(night: Night) -> None:
    faulty = [None, [1.0], [np.nan, 1.0], [1.0, np.inf], [1.0, None], [0.0, 0.0], GOOD, GOOD]
    given(night, [10, 20, 30, 40, 50, 60, None, 70], faulty)
    summary = night.validate(LENIENT)
    assert night.read("valid/item_vectors").to_pylist() == [{"item_id": 70, "vector": GOOD}]
    assert night.read("valid/item_vectors").schema.field("vector").type == pa.list_(pa.float32(), 2)
    bad = night.read("quarantine/item_vectors")
    assert bad["source_row"].to_pylist() == [2, 3, 4, 5, 6, 7, 8]
    assert [reason.split(": ")[1] for reason in bad["reason"].to_pylist()] == [
        "have no vector",
        "have another length than most, 2",
        *["have numbers that are missing or not finite"] * 3,
        "have nothing but zeros",
        "have no id as the other tables have them",
    ]
    counts = summary["tables"]["item_vectors"]
    assert (counts["rows_in"], counts["rows"], counts["refused"], counts["superseded"]) == (8, 1, 7, 0)
    assert counts["share"] == 7 / 8
    assert summary["reasons"]["item_vectors"]["vector: have numbers that are missing or not finite"] == 3


def test_of_several_vectors_of_an_item_the_first_valid_one_counts(night: Night) -> None:
    given(night, [10, 20, 10, 10], [[0.0, 0.0], GOOD, [1.0, 2.0], [5.0, 6.0]])
    found = checked(night)
    assert night.read("valid/item_vectors").to_pylist() == [
        {"item_id": 20, "vector": GOOD},
        {"item_id": 10, "vector": [1.0, 2.0]},
    ]
    assert found.counts["superseded"] == 1
    assert list(found.notes()) == ["item_vectors: 1 row of ids that an earlier row has are superseded"]


def test_too_many_refused_vectors_stop_the_night(night: Night) -> None:
    given(night, list(range(10)), [GOOD] * 8 + [[1.0], [np.nan, 0.0]])
    rules = ValidationSettings(max_quarantined_share=0.1, min_users=1, min_items=1)
    assert night.refusal(rules).startswith(
        "item_vectors: 2 of 10 rows are refused (20.0%; 10.0% may be): 1 have another length than most, 2; 1 have "
        "numbers that are missing or not finite. They are in quarantine/item_vectors.parquet;"
    )
    assert night.read("quarantine/item_vectors").num_rows == 2


def test_a_table_without_a_single_vector_is_refused(night: Night) -> None:
    given(night, [1], [None])
    assert str(checked(night).refusal(LENIENT)).startswith("item_vectors: no row can be used (1 have no vector)")


def test_lengths_that_differ_by_far_are_noted(night: Night) -> None:
    given(night, [1, 2], [[0.001, 0.0], [100.0, 0.0]])
    (note,) = checked(night).notes()
    assert "lengths (norms) are from 0.001 to 100" in note

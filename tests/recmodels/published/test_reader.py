"""Reading an export: ids are found however they are written, and a table that is not there is named."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from recmodels.published.reader import Export


def export(folder: Path, ids: list[Any]) -> Export:
    path = "user_vectors/part-00000.parquet"
    (folder / "night" / path).parent.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": ids}), folder / "night" / path)
    return Export(folder, {"export_id": "night", "files": [{"path": path}]})


@pytest.mark.parametrize("ids", [[7, 8, 9], ["7", "8", "9"]], ids=["numbers", "texts"])
def test_users_are_found_as_numbers_and_as_texts(ids: list[Any], tmp_path: Path) -> None:
    found = export(tmp_path, ids)
    for users, expected in (([7, 8], ids[:2]), (["9"], ids[2:]), (["nobody", "8", 2**64], ids[1:2]), ([], [])):
        assert found.table("user_vectors", users)["user_id"].to_pylist() == expected


def test_numbers_of_nineteen_digits_are_found_by_their_text(tmp_path: Path) -> None:
    users = [str(-(2**63)), str(2**63 - 1), str(2**63), "1_0"]
    found = export(tmp_path, [-(2**63), 10, 2**63 - 1]).table("user_vectors", users)
    assert found["user_id"].to_pylist() == [-(2**63), 2**63 - 1]


def test_a_table_that_the_export_has_not_is_named(tmp_path: Path) -> None:
    for users in (None, [1]):
        with pytest.raises(ConfigError, match="The export night has no table item_vectors"):
            export(tmp_path / str(users), [1]).table("item_vectors", users)

"""Parquet files say how many rows they have."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.estimates.footers import rows_of
from tasks.ingest.reading.inputs import TableInput


def test_the_rows_of_all_files_are_counted_by_their_footers(tmp_path: Path) -> None:
    for n in (3, 4):
        pq.write_table(pa.table({"user_id": list(range(n))}), tmp_path / f"{n}.parquet")
    assert rows_of("interactions", TableInput(path=str(tmp_path / "*.parquet"))) == 7
    assert rows_of("interactions", TableInput(path=str(tmp_path))) == 7


def test_other_files_do_not_say_and_the_count_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id\n1,2\n")
    with pytest.raises(ConfigError, match=r"log.csv' is no Parquet file.*--interactions COUNT"):
        rows_of("interactions", TableInput(path=str(tmp_path / "log.csv")))
    with pytest.raises(ConfigError, match=r"is no file here; say how many rows it has: --items COUNT"):
        rows_of("items", TableInput(path="s3://bucket/items.parquet"))

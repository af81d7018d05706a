"""The few lines that README.md gives for reading the lists do read them, in each library that it names."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.flows.running import ROOT, Demo

LIBRARIES = {"pandas", "pyarrow", "polars", "duckdb"}


def blocks() -> list[str]:
    """The Python blocks under the heading 'Read the lists'."""
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Read the lists\n")[2].partition("\n## ")[0]
    )
    return re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def title(block: str) -> str:
    return block.splitlines()[0].removeprefix("# ")


def test_every_library_is_named() -> None:
    imported = {name for block in blocks() for name in re.findall(r"^import (\w+)", block, re.MULTILINE)}
    assert imported >= LIBRARIES


@pytest.mark.parametrize("block", blocks(), ids=title)
def test_the_lines_of_the_readme_read_the_lists(block: str, demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    topk = pq.read_table(demo.store / "exports" / "latest" / "topk")
    if named := re.search(r"u\d{6}", block):
        topk = topk.filter(pa.compute.equal(topk["user_id"], named.group()))
    if limit := re.search(r"rank <= (\d+)", block):
        topk = topk.filter(pa.compute.less_equal(topk["rank"], int(limit.group(1))))
    monkeypatch.chdir(demo.folder)
    names: dict[str, Any] = {}
    exec(block, names)
    lists = names["lists"]
    assert len(lists) == topk.num_rows > 0
    assert {str(name) for name in columns(lists)} == set(topk.column_names)
    for column in ("user_id", "rank", "item_id", "model", "source"):
        assert [value_of(value) for value in lists[column]] == topk[column].to_pylist(), column


def columns(lists: Any) -> list[str]:
    return lists.column_names if isinstance(lists, pa.Table) else list(lists.columns)


def value_of(value: Any) -> Any:
    return value.as_py() if isinstance(value, pa.Scalar) else value


def test_the_lists_are_read_by_the_library_itself(demo: Demo) -> None:
    from recmodels.exports import read_latest

    every = read_latest(demo.store)
    one = every["user_id"][0].as_py()
    assert every.num_rows == pq.read_table(demo.store / "exports" / "latest" / "topk").num_rows
    some = read_latest(demo.store, users=[one, "nobody"])
    assert set(some["user_id"].to_pylist()) == {one}
    assert some["rank"].to_pylist() == list(range(1, 11))


def test_readme_is_where_the_test_looks_for_it() -> None:
    assert Path(ROOT / "README.md").exists() and len(blocks()) >= len(LIBRARIES)

"""The lines that README.md and docs/reading.md give for reading the lists do read them, in each library they name."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from recmodels.published.schema import contract
from tests.flows.running import ROOT, Demo

SPARK = Path(sys.prefix) / "spark"  # a folder of its own: Great Expectations would load pyspark every night
# For a program of seconds, most of whose time would be checking and compiling Java.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
SMALL = {
    "spark.ui.enabled": "false",  # nobody looks at its pages
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
}
LIBRARIES = {"pandas", "pyarrow", "polars", "duckdb"}


def blocks(language: str = "python") -> list[str]:
    """The blocks under README's heading 'Read the lists', and those of the page."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Read the lists\n")[2].partition("\n## ")[0]
    page = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", section + page, re.DOTALL | re.MULTILINE)


def title(block: str) -> str:
    return block.splitlines()[0].removeprefix("# ").partition(",")[0]


def test_every_library_is_named() -> None:
    imported = {name for block in blocks() for name in re.findall(r"^import (\w+)", block, re.MULTILINE)}
    assert imported >= LIBRARIES


@pytest.mark.parametrize("block", blocks(), ids=title)
def test_the_lines_read_the_lists(block: str, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exports = demo.store / "exports" / "latest"
    topk = pq.read_table(exports / "topk")
    if named := re.search(r"u\d{6}", block):
        topk = topk.filter(pa.compute.equal(topk["user_id"], named.group()))
    if limit := re.search(r"rank(?:\"\))? <= (\d+)", block):
        topk = topk.filter(pa.compute.less_equal(topk["rank"], int(limit.group(1))))
    monkeypatch.chdir(demo.folder)
    names = ran(block, tmp_path)
    if "lists" in names:
        lists = names["lists"]
        assert len(lists) == topk.num_rows > 0
        assert {str(name) for name in columns(lists)} <= set(topk.column_names)
        for column in ("user_id", "rank", "item_id", *({"model", "source"} & set(columns(lists)))):
            assert [value_of(value) for value in lists[column]] == topk[column].to_pylist(), column
    for table in {"similar", "popular"} & names.keys():
        assert len(names[table]) > 0 and set(columns(names[table])) == set(pq.read_table(exports / table).column_names)
    assert {"lists", "similar", "popular"} & names.keys()


def ran(block: str, folder: Path) -> dict[str, Any]:
    """What a block leaves; Spark's frame as one of pandas."""
    if "pyspark" in block:
        return {"lists": by_spark(block, folder / "lists.parquet")}
    names: dict[str, Any] = {}
    exec(block, names)
    return names


def by_spark(block: str, out: Path) -> pd.DataFrame:
    """The lists that a block reads, in a process of its own: elsewhere Great Expectations would find pyspark loaded."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java (apt-get install default-jre-headless)")
    if not (SPARK / "pyspark").is_dir():
        pytest.skip(f"Spark needs pyspark (pip install --target {SPARK} pyspark)")
    program = f"{block}\nlists.toPandas().to_parquet({str(out)!r})\nspark.stop()\n"
    submitted = " ".join([*(f"--conf {name}={value}" for name, value in SMALL.items()), "pyspark-shell"])
    environment = os.environ | {"PYTHONPATH": str(SPARK), "JAVA_TOOL_OPTIONS": JAVA, "PYSPARK_SUBMIT_ARGS": submitted}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return pd.read_parquet(out)


def test_the_source_of_dbt_names_the_files_and_their_columns(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = yaml.safe_load(blocks("yaml")[0])["sources"]
    monkeypatch.chdir(demo.folder)
    for table in source["tables"]:
        files = source["meta"]["external_location"].format(name=table["name"])
        found = duckdb.sql(f"SELECT *, {source['loaded_at_field']} AS loaded FROM '{files}'")
        assert {column["name"] for column in table.get("columns", [])} <= set(found.columns)
        assert [value.date() for value in found.distinct().df()["loaded"].unique()] == [date.fromisoformat(night(demo))]
    (model,) = (block for block in blocks("sql") if block.startswith("-- models/"))
    query = model.replace("{{ source('nightrec', 'topk') }}", "'store/exports/latest/topk/*.parquet'")
    topk = pq.read_table(demo.store / "exports" / "latest" / "topk")
    assert len(duckdb.sql(query).df()) == len(set(topk["user_id"].to_pylist()))


def night(demo: Demo) -> str:
    run_date: str = json.loads((demo.store / "exports" / "latest.json").read_text())["run_date"]
    return run_date


def test_the_external_table_of_snowflake_has_the_columns_of_the_contract() -> None:
    (statement,) = (block for block in blocks("sql") if "EXTERNAL TABLE topk (" in block)
    named = re.findall(r"^  (\w+) \w+ AS \(value:(\w+)::", statement, re.MULTILINE)
    assert [name for name, _ in named] == [path for _, path in named]
    assert [name for name, _ in named] == [column["name"] for column in contract()["tables"]["topk"]["columns"]]


def columns(lists: Any) -> list[str]:
    return lists.column_names if isinstance(lists, pa.Table) else list(lists.columns)


def value_of(value: Any) -> Any:
    return value.as_py() if isinstance(value, pa.Scalar) else value


def test_the_lists_are_read_by_the_library_itself(demo: Demo) -> None:
    from recmodels.published.reader import read_latest

    every = read_latest(demo.store)
    one = every["user_id"][0].as_py()
    assert every.num_rows == pq.read_table(demo.store / "exports" / "latest" / "topk").num_rows
    some = read_latest(demo.store, users=[one, "nobody"])
    assert set(some["user_id"].to_pylist()) == {one}
    assert some["rank"].to_pylist() == list(range(1, 11))


def test_the_pages_are_where_the_test_looks_for_them() -> None:
    assert Path(ROOT / "docs" / "reading.md").exists() and len(blocks()) >= 12

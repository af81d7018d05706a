"""The columns of the published tables, from the one place that names them: `export_schema.json` beside this file."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Json = dict[str, Any]

PLAIN = {
    "date32": pa.date32(),
    "int16": pa.int16(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "string": pa.string(),
    "code": pa.dictionary(pa.int8(), pa.string()),
    "bool": pa.bool_(),
}

BY_DOMAIN = "topk_by_domain"
"""The table of the lists of each domain, of a site that has several."""
BY_CONTEXT = "topk_by_context"
"""The table of the lists in each context, such as a weekday, where the winner's differ by it."""
MORE_LISTS = {BY_DOMAIN: "domain", BY_CONTEXT: "context"}
"""The tables that have several lists for every user, and the column that says which a row is of."""

ADDED = ("arm", "policy", "propensity")
"""The columns of `topk` and `topk_delta` that exports of nightrec 0.1 lack; see `completed`."""


@cache
def contract() -> Json:
    """The content of `export_schema.json`: the version, and for each table its meaning, order and columns.

    The types `user_id` and `item_id` stand for int64 or string, as the site has them; `code` is a dictionary of
    strings, `vector` a list of float32 whose length is that of the model.
    """
    found: Json = json.loads(Path(__file__).with_name("export_schema.json").read_text(encoding="utf-8"))
    return found


def arrow_schema(table: str, user_type: pa.DataType, item_type: pa.DataType, length: int = 0) -> pa.Schema:
    """The schema of a table's files on a site with ids of these types, and vectors of that length."""
    types = PLAIN | {"user_id": user_type, "item_id": item_type, "vector": pa.list_(pa.float32(), length)}
    columns = contract()["tables"][table]["columns"]
    return pa.schema([pa.field(column["name"], types[column["type"]], column["nullable"]) for column in columns])


def is_older(manifest: Json) -> bool:
    """Whether an export was written before `ADDED` were columns, by what its manifest says of them."""
    columns = manifest.get("schema", {}).get("topk", {}).get("columns", [])
    return not {column["name"] for column in columns} >= set(ADDED)


def described(export: Path) -> Json:
    """What a manifest says of the tables in a folder: meaning, order, and the Arrow type of each column."""
    found = {}
    for name, about in contract()["tables"].items():
        part = next((export / name).glob("*.parquet"), None)
        if part is not None:
            schema = pq.read_schema(part)
            columns = [column | {"type": str(schema.field(column["name"]).type)} for column in about["columns"]]
            found[name] = about | {"columns": columns}
    return found


def completed(rows: pa.Table, table: str) -> pa.Table:
    """Rows of a table with the columns that an older export lacks, and what holds of it: one arm, no lots drawn."""
    if table != "topk" or set(ADDED) <= set(rows.column_names):
        return rows
    main = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), len(rows)), ["main"])
    there = {"arm": main, "policy": rows["model"], "propensity": pa.repeat(pa.scalar(1, pa.float32()), len(rows))}
    for name in ADDED:
        rows = rows.append_column(pa.field(name, there[name].type, nullable=False), there[name])
    return rows


def differences(path: Path, table: str, *, older: bool = False) -> list[str]:
    """How the columns of a Parquet file differ from the contract: a sentence each, none where they agree.

    Columns that the contract does not name are no difference: within a version, columns are added. So those that were
    added are none in an `older` export, where they are missing.
    """
    schema = pq.read_schema(path)
    found = []
    for column in contract()["tables"][table]["columns"]:
        name, wanted = column["name"], column["type"]
        if name not in schema.names and older and name in ADDED:
            continue
        if name not in schema.names:
            found.append(f"{path}: the column {name} is missing")
            continue
        allowed = _types(wanted, schema.field(name).type)
        if schema.field(name).type not in allowed:
            types = " or ".join(map(str, allowed))
            found.append(f"{path}: the column {name} is {schema.field(name).type}, the contract has {types}")
    return found


def _types(wanted: str, found: pa.DataType) -> list[pa.DataType]:
    """The types that a column may have; vectors are of any length."""
    if wanted == "vector":
        return [pa.list_(pa.float32(), found.list_size if pa.types.is_fixed_size_list(found) else 1)]
    return [pa.int64(), pa.string()] if wanted in ("user_id", "item_id") else [PLAIN[wanted]]

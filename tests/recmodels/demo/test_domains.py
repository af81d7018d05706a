"""The domains of the demo site are its rows, each in one of them, under ids that begin anew."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.settings.site import load
from recmodels.demo import split_site, write_site


def test_each_row_is_in_the_domain_of_its_item(tmp_path: Path) -> None:
    size = {"users": 30, "items": 40, "interactions": 1_000, "end": date(2026, 7, 1)}
    write_site(tmp_path / "whole", **size)
    write_site(tmp_path / "site", **size)
    found = split_site(tmp_path / "site", 2)
    whole = {table: pq.read_table(tmp_path / "whole" / f"{table}.parquet") for table in ("interactions", "items")}
    inputs = load(tmp_path / "site" / "nightrec.toml").inputs
    assert inputs is not None and inputs.items is not None and inputs.users is not None
    items = {name: pq.read_table(path) for name, path in inputs.items.domains.items()}
    kinds = {name: set(table["kind"].to_pylist()) for name, table in items.items()}
    assert kinds == {"books": {"book", "audiobook"}, "films": {"film"}}
    for table in items.values():
        ids = {one for one in table["item_id"].to_pylist() if one is not None}
        assert ids == set(range(1, len(ids) + 1))  # of a dirty site a row has no id, and one is there twice

    def read(table: pa.Table, catalogue: pa.Table) -> list[tuple[object, ...]]:
        """The log with titles in place of ids."""
        titles = dict(zip(catalogue["item_id"].to_pylist(), catalogue["title"].to_pylist(), strict=True))
        rows = table.to_pylist()
        return [(str(row["user_id"]), str(row["timestamp"]), titles.get(row["item_id"]), row["event"]) for row in rows]

    logs = {name: pq.read_table(path) for name, path in inputs.interactions.domains.items()}
    split = [row for name, log in logs.items() for row in read(log, items[name])]
    assert sorted(split, key=str) == sorted(read(whole["interactions"], whole["items"]), key=str)
    assert found["rows"]["interactions of films"] == len(logs["films"]) and found["rows"]["users"] == 30

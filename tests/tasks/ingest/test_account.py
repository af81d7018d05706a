"""Every line of every file becomes exactly one thing, and is found again with what was written in it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.settings import ValidationSettings
from recmodels.errors import NightrecError
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.accounts import FileAccount, TableAccount, check_file, unused
from tests.tasks.raw import HEADER, ingest, write
from tests.tasks.validated import Night

ANY = ValidationSettings(
    max_quarantined_share=1, min_users=1, min_items=1, max_staleness_days=None, min_known_items_share=0
)
GOOD, LATE = "2023-01-01T00:00:00Z", "2024-01-01T05:00:00Z"


def checked(folder: Path, inputs: Inputs) -> tuple[dict[str, Any], dict[str, Any], Night]:
    """The summaries of ingest and validation, and the folders."""
    raw, out = ingest(folder, inputs)
    night = Night(folder)
    for path in out.glob("*.parquet"):
        path.rename(folder / "raw" / path.name)
    return raw, night.validate(ANY, accounts=raw["accounts"], after_cutoff=raw["after_cutoff"]), night


@pytest.mark.slow
def test_the_account_of_a_folder(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    rows = f'u1,1,{GOOD}\n\nu2,2\n,3,{GOOD}\n"u\n3",3,{LATE}\n'.replace('"u\n3"', "u3")
    (log / "a.csv.gz").write_bytes(gzip.compress((HEADER + rows).encode()))
    (log / "b.jsonl").write_text(f'{{"user_id": "u1", "item_id": 4, "timestamp": "{GOOD}"}}\n[]\n\n')
    (log / "c.csv").touch()
    users = write(tmp_path / "users.csv", 'user_id,opted_out,age\nu1,no,30\nu1,yes,31\nu2,no,"4\n0"\nu9\n')
    raw, valid, _ = checked(tmp_path, Inputs(interactions=TableInput(path=str(log)), users=users))
    account: TableAccount = raw["accounts"]["interactions"]
    a, b = account["files"]
    none = {"more": 0, "after_cutoff": 0, "inside": 0, "header": 0}
    assert a == none | {
        "file": str(log / "a.csv.gz"), "format": "csv", "packed": "gzip", "encoding": "utf-8",
        "lines": 6, "header": 1, "rows": 2, "after_cutoff": 1, "rejects": 1, "blank": 1,
    }  # fmt: skip
    assert (b["format"], b["lines"], b["rows"], b["rejects"], b["blank"]) == ("jsonl", 3, 1, 1, 1)
    assert account["skipped"] == [{"file": str(log / "c.csv"), "reason": "empty"}]
    assert [(use["column"], use["used_as"], use["files"]) for use in account["columns"]] == [
        ("user_id", "user_id", 2), ("item_id", "item_id", 2), ("timestamp", "timestamp", 2)
    ]  # fmt: skip
    assert valid["refused_of_files"]["interactions"] == [1, 0]
    assert valid["opted_out"] == 2
    assert unused(valid["balances"]) == (
        "Rows that are not used: interactions 4 of 6 (1 at or after the cutoff, 1 refused, 2 no rows); "
        "users 2 of 4 (1 no rows, 1 superseded)."
    )
    assert "users: 1 lines that are no rows could hold opt-outs, which do not count: correct them" in raw["notes"]


def test_refused_items_keep_their_numbers_as_they_were_written(tmp_path: Path) -> None:
    rows = "".join(f'i{n},"$1,{n:03}.50",{n}\n' for n in range(20))
    items = write(tmp_path / "items.csv", f'item_id,price,stock\n{rows}i1,—,7\ni2,"$1,299.00",8\n')
    log = write(tmp_path / "log.csv", HEADER + f"1,i1,{GOOD}\n")
    raw, _, night = checked(tmp_path, Inputs(interactions=log, items=items))
    (price,) = [use for use in raw["accounts"]["items"]["columns"] if use["column"] == "price"]
    assert (price["used_as"], price["filled"], price["misfits"], price["example"]) == ("numeric", 22, 1, "—")
    bad = night.read("quarantine/items")
    assert [json.loads(text) for text in bad["numbers_text"].to_pylist()] == [{"price": "—"}, {"price": "$1,299.00"}]
    assert bad["price"].to_pylist() == [None, 1299.0]
    assert night.read("valid/items").column_names == ["item_id", "price", "stock", "source_file", "source_row"]


def test_an_account_that_does_not_add_up_stops_the_night() -> None:
    one: FileAccount = {
        "file": "log.csv", "format": "csv", "packed": "", "encoding": "utf-8", "lines": 9,
        "rows": 5, "more": 0, "after_cutoff": 1, "rejects": 1, "blank": 0, "inside": 0, "header": 1,
    }  # fmt: skip
    with pytest.raises(NightrecError, match=r"log.csv has 9 lines, and the account of them 8: this is a fault"):
        check_file("interactions", one)


_EVENTS = st.sampled_from(["good", "late", "future", "no user", "no time", "bad time", "bad rating", "short", "blank"])
_FILE = st.tuples(st.sampled_from(["csv", "csv.gz", "jsonl", "json", "parquet"]), st.lists(_EVENTS, max_size=12))
_TIMES = {"late": LATE, "future": "2033-01-01T00:00:00Z", "no time": "", "bad time": "soonish"}


def event(kind: str, number: int) -> dict[str, str]:
    """An event of a kind, whose item tells it from all others."""
    return {
        "user_id": "" if kind == "no user" else "u1",
        "item_id": f"i{number}",
        "timestamp": _TIMES.get(kind, GOOD),
        "rating": f"{number}x" if kind == "bad rating" else "3",
        "note": "a\nb" if number % 5 == 0 else "",
    }


def write_file(path: Path, kinds: list[tuple[int, str]]) -> None:
    """Events as a file; where a format has no blank or ragged lines, they are left out."""
    rows = [event(kind, number) for number, kind in kinds if kind not in ("short", "blank")]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([*rows, event("good", 0)]), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps([*rows, event("good", 0)], indent=1))
    elif path.suffix == ".jsonl":
        lines = {"short": '"i{}"', "blank": ""}
        texts = [lines[k].format(n) if k in lines else json.dumps(event(k, n)) for n, k in kinds]
        path.write_text("".join(f"{text}\n" for text in [json.dumps(event("good", 0)), *texts]))
    else:
        text = io.StringIO()
        sheet = csv.DictWriter(text, event("good", 0), lineterminator="\n")
        sheet.writeheader()
        sheet.writerow(event("good", 0))
        for number, kind in kinds:
            if kind in ("short", "blank"):
                text.write(f"i{number},short\n" if kind == "short" else "\n")
            else:
                sheet.writerow(event(kind, number))
        contents = text.getvalue().encode()
        path.write_bytes(gzip.compress(contents) if path.suffix == ".gz" else contents)


@pytest.mark.slow
@settings(max_examples=12)
@given(files=st.lists(_FILE, min_size=1, max_size=3))
def test_each_row_of_any_input_is_found_exactly_once(files: list[tuple[str, list[str]]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "log").mkdir()
        expected: dict[str, dict[str, str]] = {}
        number = 0
        for place, (ending, kinds) in enumerate(files):
            numbered = [(number + n, kind) for n, kind in enumerate(kinds, 1)]
            number += len(kinds)
            write_file(folder / "log" / f"{place}.{ending}", numbered)
            ragged = ending.startswith("csv") or ending == "jsonl"
            expected |= {f"i{n}": event(k, n) | {"kind": k} for n, k in numbered if k != "short" or ragged}
        _, valid, night = checked(folder, Inputs(interactions=TableInput(path=str(folder / "log"))))
        good = night.read("valid/interactions").to_pylist()
        quarantine = folder / "quarantine"
        bad = (
            night.read("quarantine/interactions").to_pylist() if (quarantine / "interactions.parquet").exists() else []
        )
        no_rows = night.read("quarantine/rejects").to_pylist() if (quarantine / "rejects.parquet").exists() else []
        found = {
            "good": [row["item_id"] for row in good],
            "bad": [row["item_id"] for row in bad],
            "short": [row["text"].strip('"').split(",")[0] for row in no_rows],
        }
        kinds_of = {"good": "good", "short": "short", "late": None, "blank": None}
        for outcome, items in found.items():
            wanted = [item for item, row in expected.items() if kinds_of.get(row["kind"], "bad") == outcome]
            assert sorted(set(items) - {"i0"}) == sorted(wanted)
            assert len(set(items) - {"i0"}) == len([item for item in items if item != "i0"])
        for row in bad:  # with what was written
            written = expected[row["item_id"]]
            assert row["timestamp"] is not None or (row["timestamp_text"] or "") == written["timestamp"]
            assert row["rating"] is not None or row["rating_text"] == written["rating"]
            assert row["reason"] and row["source_row"] and Path(row["source_file"]).parent == folder / "log"
        balance = valid["balances"]["interactions"]
        late = sum(row["kind"] == "late" for row in expected.values())
        assert balance["used"] == len(good) and balance["refused"] == len(bad) and balance["rejects"] == len(no_rows)
        assert balance["after_cutoff"] == late
        parts = ("used", "after_cutoff", "refused", "rejects", "blank", "inside", "header")
        assert sum(balance[part] for part in parts) == balance["lines"]
        assert sum(valid["refused_of_files"]["interactions"]) == len(bad)

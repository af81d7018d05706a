"""Exposures are parted like the other tables, and one that is not fit is left aside: no list is made of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.settings import ValidationSettings
from tests.tasks.validated import CATALOGUE, STAMP, YESTERDAY, Night, interactions

EXPORT = "2026-11-24"


def shown(**changed: list[Any]) -> dict[str, Any]:
    """Eight good exposures, with columns replaced from the first row on."""
    columns: dict[str, tuple[list[Any], pa.DataType]] = {
        "user_id": ([1, 2, 3, 4] * 2, pa.int64()),
        "item_id": ([10, 20, 30, 40] * 2, pa.int64()),
        "rank": ([1] * 8, pa.int32()),
        "timestamp": ([YESTERDAY] * 8, STAMP),
        "export_id": ([EXPORT] * 8, pa.string()),
        "clicked": ([None] * 8, pa.bool_()),
        "timestamp_text": ([None] * 8, pa.string()),
        "rank_text": ([None] * 8, pa.string()),
        "clicked_text": ([None] * 8, pa.string()),
    }
    filled = {
        name: changed.get(name, []) + values[len(changed.get(name, [])) :] for name, (values, _) in columns.items()
    }
    return {name: pa.array(values, columns[name][1]) for name, values in filled.items()}


def test_exposures_that_cannot_be_are_quarantined_with_the_reason(night: Night) -> None:
    night.raw("interactions", interactions())
    faulty = shown(
        rank=[None, 0, 40_000],
        rank_text=["first"],
        timestamp=[YESTERDAY] * 3 + [YESTERDAY - timedelta(hours=1), YESTERDAY - timedelta(hours=1)],
        export_id=[EXPORT] * 4 + ["2026-11-20"],
        clicked_text=[None] * 5 + ["maybe"],
    )
    night.raw("exposures", faulty)
    summary = night.validate(ValidationSettings(max_quarantined_share=1), published={EXPORT: YESTERDAY})
    assert night.read("valid/exposures")["source_row"].to_pylist() == [6, 8, 9]
    bad = night.read("quarantine/exposures")
    assert [reason.split(": ")[1] for reason in bad["reason"].to_pylist()] == [
        "rank is missing or no whole number",
        "rank is not from 1 to 32,767",
        "rank is not from 1 to 32,767",
        "timestamp is before the export that the row names was published",
        "clicked could not be read",
    ]
    assert summary["tables"]["exposures"]["refused"] == 5
    assert not {"rank_text", "clicked_text"} & set(night.read("valid/exposures").column_names)


def test_a_night_goes_on_without_exposures_that_are_not_fit(night: Night) -> None:
    night.raw("interactions", interactions())
    night.raw("exposures", shown(rank=[0, 0]))
    summary = night.validate(ValidationSettings(max_quarantined_share=0.2))
    assert not (night.root / "valid/exposures.parquet").exists()
    assert night.read("valid/interactions").num_rows == 8
    (note,) = summary["notes"]
    assert note.startswith("the night goes on without the table exposures: 2 of 8 rows (25.0%)")


@pytest.mark.slow
def test_exposures_of_strangers_and_of_other_items_are_noted(night: Night, tmp_path: Path) -> None:
    night.raw("interactions", interactions())
    night.raw("items", CATALOGUE)
    night.raw("exposures", shown(user_id=[7, 8, 9], item_id=[99, 20, 30, 40, 50]))
    listed = tmp_path / "listed.parquet"
    pq.write_table(pa.table({"item_id": ["10", "20", "30"]}), listed)
    rules = ValidationSettings(max_quarantined_share=1, min_known_exposures_share=0.9, max_unpublished_share=0.1)
    summary = night.validate(rules, published={EXPORT: YESTERDAY}, listed={EXPORT: listed})
    unknown, unpublished = summary["notes"]
    assert unknown.startswith("exposures: 4 of 8 rows are of users or items that no other table has")
    assert unpublished.startswith("exposures: 4 of 8 rows have an item that is in no list of the export they name")


@pytest.mark.parametrize("column", ["export_id", "clicked"])
@pytest.mark.slow
def test_what_a_site_does_not_log_is_not_asked_for(night: Night, column: str) -> None:
    night.raw("interactions", interactions())
    night.raw("exposures", {name: values for name, values in shown().items() if not name.startswith(column)})
    night.validate(published={EXPORT: YESTERDAY})
    assert night.read("valid/exposures").num_rows == 8

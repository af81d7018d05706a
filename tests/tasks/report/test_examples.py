"""Some users' lists, before and after."""

from datetime import date
from pathlib import Path

import pytest

from recmodels.errors import NightrecError
from recmodels.published.reader import Export
from tasks.lookup.lists import someone
from tasks.report.examples import _head_of, examples
from tasks.report.figures import figures
from tasks.report.page import write_report
from tasks.report.shown_items import shown_items
from tasks.store.paths import Night, Store
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.reported import EVIL, published
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def test_a_manifest_without_the_length_of_lists_is_damaged(tmp_path: Path) -> None:
    manifest = {"export_id": "2024-03-01", "files": [{"path": "topk/part-00000.parquet"}]}
    with pytest.raises(NightrecError, match="The manifest of the export 2024-03-01 is damaged: run the night again"):
        _head_of(Export(tmp_path, manifest))


@pytest.mark.slow
def test_where_nobody_has_a_list_there_is_none_to_show(tmp_path: Path) -> None:
    night = prepare_night(tmp_path)
    publish(prepare_night(tmp_path, date(2026, 3, 30)))
    publish(night, active_days=0.001)
    assert examples(night, str(RUN_DATE)) == [] and someone(tmp_path, RUN_DATE) is None
    shown = shown_items(night, str(RUN_DATE))
    assert (shown["since"], shown["most"], shown["new_places"]) == ("2026-03-30", [], None)


@pytest.mark.slow
def test_lists_before_and_after_have_titles_reasons_and_nobody_who_opted_out(night: Night) -> None:
    published(night, ["ease"])
    found = figures(night)["examples"]
    assert [one["user_id"] for one in found] == ["ann", "bob"]
    assert [one["what"] for one in found] == ["50% of the list is new", "0% of the list is new"]
    assert [row["item_id"] for row in found[0]["before"]] == ["b", "c"]
    after = [(row["rank"], row["item_id"], row["title"], row["reason"]) for row in found[0]["after"]]
    assert after == [(1, "b", "Béla & Co", "X"), (2, "a", EVIL, "X")]
    page = write_report(night)
    assert "gone" not in page.read_text(encoding="utf-8") + page.with_suffix(".json").read_text(encoding="utf-8")

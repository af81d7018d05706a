"""Which items the lists show most, and which rose since the export before."""

from pathlib import Path

from tasks.report.examples import examples
from tasks.report.shown_items import shown_items
from tasks.store.files import write_json
from tasks.store.paths import Store
from tests.tasks.exported import with_manifest
from tests.tasks.reported import BEFORE, EVIL, published
from tests.tasks.site import RUN_DATE


def test_the_items_of_most_lists_and_the_risers_have_their_titles_and_shares(tmp_path: Path) -> None:
    night = Store(tmp_path).night(RUN_DATE)
    published(night, [])  # of three users: before b, c twice and a, b once; now b, a, then b, c, then a, b
    for export_id in (str(BEFORE), str(RUN_DATE)):
        with_manifest(night.store, export_id, champion="ease", k=2, users=3)
    assert shown_items(night, None) == {}
    found = shown_items(night, str(RUN_DATE))
    assert (found["items"], found["since"]) == (3, str(BEFORE))
    assert found["new_places"] == 0.25  # ann's one of two, bob's none; the last list may go on elsewhere
    assert found["most"] == [
        {"item_id": "b", "lists": 3, "share": 1.0, "before": 1.0, "title": "Béla & Co"},
        {"item_id": "a", "lists": 2, "share": 2 / 3, "before": 1 / 3, "title": EVIL},
        {"item_id": "c", "lists": 1, "share": 1 / 3, "before": 2 / 3, "title": None},
    ]
    assert [row["item_id"] for row in found["risers"]] == ["a"]
    first = shown_items(Store(tmp_path).night(BEFORE), str(BEFORE))
    assert (first["since"], first["risers"], first["most"][0]["before"]) == (None, [], None)


def test_an_export_before_of_which_nothing_is_said_is_compared_with_nothing(tmp_path: Path) -> None:
    night, before = Store(tmp_path).night(RUN_DATE), Store(tmp_path).night(BEFORE)
    published(night, [])
    night.store.export_manifest(str(BEFORE)).write_text("{")
    write_json(before.summary, {"status": "published"})
    found = shown_items(night, str(RUN_DATE))
    assert (found["since"], found["new_places"], found["risers"]) == (None, None, [])
    assert [one["before"] for one in examples(night, str(RUN_DATE))] == [[], []]

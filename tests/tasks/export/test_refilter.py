"""Between nights: the current export without what has gone since."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError, DataRefused, NightrecError
from recmodels.published.reader import Export
from tasks.export.differences import difference
from tasks.export.refilter import Refiltered, refilter
from tasks.export.settings import ExportSettings
from tasks.export.verification import verified
from tasks.forgetting.forget import forget
from tasks.lookup.answers import Answers
from tasks.store.exports import manifest_of, rollback, switches
from tasks.store.paths import Night, Store
from tests.tasks.publishing import lists, prepare_night, publish, with_manifests

DAY = "2026-03-31"


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    with_manifests(night)
    return night


def catalogue(gone: str = "", without: str = "") -> pa.Table:
    """The eight items, of which some are not there any more, and some not in the table."""
    ids = [f"i{n}" for n in range(8) if f"i{n}" not in without.split()]
    return pa.table({"item_id": ids, "there": [name not in gone.split() for name in ids]})


def again(night: Night, now: pa.Table, complete: bool = True, share: float = 0.5) -> Refiltered:
    settings = ExportSettings(k=7, pinned=["i7"])  # of the site now: those of the night count
    return refilter(night.store, now, settings, complete=complete, max_gone_share=share, name="now.csv")


def items_of(night: Night) -> dict[int, list[str]]:
    return {user: [row["item_id"] for row in rows] for user, rows in lists(night).items()}


@pytest.mark.parametrize(
    ("gone", "rules"),
    [("i6", {}), ("i6", {"max_per_category": 2, "excluded": ["i1"]}), ("i1", {"delta": False, "repeats": True})],
)
@pytest.mark.slow
def test_the_lists_are_those_that_the_night_would_have_made_without_the_items(
    tmp_path: Path, night: Night, gone: str, rules: dict[str, object]
) -> None:
    publish(night, **rules)
    had = sum(gone in listed for listed in items_of(night).values())
    assert had and again(night, catalogue(gone=gone)) == Refiltered(f"{DAY}.2", DAY, 1, had, published=True)
    other = prepare_night(tmp_path / "other")
    items = pq.read_table(other.prepared / "items.parquet")
    there = pc.and_(items["available"], pc.not_equal(items["item_id"], gone))
    items = items.set_column(items.column_names.index("available"), "available", there)
    pq.write_table(items, other.prepared / "items.parquet")
    publish(other, **rules)
    assert lists(night) == lists(other)
    for table in ("similar", "popular", "listed"):
        mine, theirs = (Export.latest(one.store.root).table(table) for one in (night, other))
        assert mine.to_pylist() == theirs.to_pylist(), table


def test_it_is_an_export_like_any_other(night: Night) -> None:
    own = publish(night)
    found = again(night, catalogue(gone="i6 i0"))
    about = manifest_of(night.store, found.export_id)
    assert about is not None and about["refilter"] == {"of": DAY, "items": 2, "lists": found.lists}
    assert (about["valid_until"], about["champion"], about["delta_of"]) == (own["valid_until"], "item_knn", DAY)
    assert "keep the contract" in verified(night.store.root, None).sentence
    changes = difference(night.store, DAY, found.export_id)
    assert {row["item_id"] for row in changes["left"]} <= {"i0", "i6"}
    delta = Export.latest(night.store.root).table("topk_delta")
    assert len(set(delta["user_id"].to_pylist())) == found.lists and set(delta["change"].to_pylist()) == {"changed"}
    assert switches(night.store)[-1]["by"] == "refilter"
    assert rollback(night.store) == (found.export_id, DAY)
    assert again(night, catalogue(gone="i6")).export_id == f"{DAY}.3"


@pytest.mark.slow
def test_what_is_back_is_listed_again_and_nothing_is_published_where_nothing_changed(night: Night) -> None:
    publish(night)
    before = items_of(night)
    assert not again(night, catalogue()).published
    assert again(night, catalogue(gone="i6")).published
    same = again(night, catalogue(gone="i6"))
    assert same == Refiltered(f"{DAY}.2", DAY, 1, 0, False)
    assert again(night, catalogue()).export_id == f"{DAY}.3" and items_of(night) == before


@pytest.mark.slow
def test_a_night_that_is_run_again_finds_its_refiltered_export_as_it_is(night: Night) -> None:
    publish(night, k=7)  # more than there are: a list is as long as what is left
    again(night, catalogue(gone="i6"))
    skipped = publish(night, k=7)  # there is no page of Data Docs, so it is audited once more
    assert (skipped["export_id"], skipped["skipped"]) == (f"{DAY}.2", True)
    (night.refilter / f"{DAY}.2.parquet").unlink()
    assert publish(night, k=7)["skipped"]


def test_what_is_missing_is_gone_only_from_a_whole_catalogue_that_had_it(night: Night) -> None:
    publish(night)
    before = items_of(night)
    assert not again(night, catalogue(without="i6"), complete=False).published
    items = pq.read_table(night.valid / "items.parquet")
    assert again(night, catalogue(without="i6")).items == 1 and items_of(night) != before
    pq.write_table(items.filter(pc.not_equal(items["item_id"], "i6")), night.valid / "items.parquet")
    assert again(night, catalogue(without="i6")).items == 0 and items_of(night) == before


def test_a_catalogue_that_is_cut_short_empties_no_lists(night: Night) -> None:
    publish(night)
    with pytest.raises(DataRefused, match=r"now\.csv: 4 of 7 items that may be listed would be gone, more than"):
        again(night, catalogue(without="i0 i1 i2 i3"))
    assert again(night, catalogue(gone="i0 i1 i2"), share=0.5).items == 3


def test_it_says_why_it_cannot(night: Night, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nothing is published in the store"):
        again(night, catalogue())
    publish(night)
    with_manifests(night, champion="another")
    with pytest.raises(NightrecError, match="is no longer there"):
        again(night, catalogue(gone="i6"))


@pytest.mark.slow
def test_whoever_is_forgotten_is_in_it_no_more_and_answers_leave_out_what_is_gone(night: Night) -> None:
    publish(night)
    again(night, catalogue(gone="i6"))
    assert "i6" not in Answers.latest(night.store.root).answer("nobody", ["i1"], k=8).items
    assert 0 in items_of(night)
    forget(Store(night.store.root), "0")
    assert 0 not in items_of(night)
    assert json.loads(night.store.pointer.read_text())["export_id"] == f"{DAY}.2"

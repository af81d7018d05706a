"""Users and items as they are looked up: two nights of a small site, between which an item was excluded."""

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from recmodels.published.pseudonyms import hashed
from recmodels.published.reader import Export
from tasks.lookup.cached import kept
from tasks.lookup.items import item_seen, search
from tasks.lookup.users import user_seen
from tasks.store.paths import Store
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

FIRST = date(2026, 3, 30)
KEY, VARIABLE = "sixteen bytes of a secret", "NIGHTREC_TEST_KEY"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    publish(prepare_night(root, FIRST))
    publish(prepare_night(root, RUN_DATE), excluded=["i3"])
    return root


@pytest.fixture
def store(published: Path, tmp_path: Path) -> Store:
    """A copy that may be changed."""
    return Store(shutil.copytree(published, tmp_path / "store", symlinks=True))


def opt_out(store: Store, user_id: int | str) -> None:
    """The newest night's table of users says that one has opted out."""
    users = pa.table({"user_id": [user_id], "opted_out": [True]})
    pq.write_table(users, store.night(RUN_DATE).valid / "users.parquet")


def replace_column(path: Path, name: str, values: pa.Array) -> None:
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(name), name, values), path)


def lists(store: Store, run_date: date) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for row in Export.of_night(store.root, run_date).table("topk").to_pylist():
        found.setdefault(row["user_id"], {})[row["item_id"]] = row["rank"]
    return found


@pytest.mark.slow
def test_a_user_is_seen_with_what_changed_and_what_they_have_done(published: Path) -> None:
    store = Store(published)
    before, now = lists(store, FIRST)[1], lists(store, RUN_DATE)[1]
    assert "i3" in before  # so that something has changed
    seen = user_seen(store, "1")
    assert {row["item_id"]: row["rank"] for row in seen.rows} == now
    assert {row["item_id"]: row["was"] for row in seen.rows} == {item: before.get(item) for item in now}
    assert [(one.item_id, one.title, one.rank, one.why) for one in seen.gone] == [
        ("i3", "Title 3", before["i3"], "excluded by the site's rules")
    ]
    assert seen.changed == len(set(now) - set(before))
    assert (seen.before, seen.export_id, seen.champion, seen.model) == (
        str(FIRST),
        str(RUN_DATE),
        "item_knn",
        "item_knn",
    )
    assert seen.history is not None
    assert [one.item_id for one in seen.history] == ["i5", "i1", "i0"]  # the newest first
    assert [one.title for one in seen.history] == ["Title 5", "Title 1", "Title 0"]
    assert seen.items == 3 and not seen.fallback


def test_a_user_of_the_first_night_has_nothing_to_be_compared_with(published: Path) -> None:
    seen = user_seen(Store(published), "7", str(FIRST))
    assert (seen.before, seen.changed, seen.gone, seen.history, seen.items) == (None, None, [], [], 0)
    assert seen.fallback


def test_lists_are_shown_without_the_working_files_of_the_night(store: Store) -> None:
    shutil.rmtree(store.night(RUN_DATE).folder)
    seen = user_seen(store, "1")
    assert seen.history is None
    assert [row["title"] for row in seen.rows] == [None] * len(seen.rows)
    item = item_seen(store, "i2")
    assert item.title is None and item.lists
    assert [one.item_id for one in search(store, "i2")] == ["i2"]
    assert search(store, "nothing") == []
    assert "gone" in item_seen(store, "i3").why[0]


def test_nothing_tells_a_user_who_has_opted_out_from_one_who_never_was(store: Store) -> None:
    opt_out(store, 1)
    said = []
    for user in ("1", "99", "8", "01", " 1"):
        with pytest.raises(ConfigError) as refused:
            user_seen(store, user)
        said.append(str(refused.value).replace(f"User {user.strip()} ", ""))
    assert len(set(said)) == 1
    item = next(iter(lists(store, RUN_DATE)[1]))
    assert 1 not in [user for user, _ in item_seen(store, item).sample]


def test_an_item_is_seen_with_its_lists_and_its_nights(published: Path) -> None:
    store = Store(published)
    nights = {day: lists(store, day) for day in (FIRST, RUN_DATE)}
    for item in ("i3", "i4"):
        getting = {
            day: {user: found[item] for user, found in of.items() if item in found} for day, of in nights.items()
        }
        seen = item_seen(store, item)
        now = getting[RUN_DATE]
        assert (seen.lists, seen.users) == (len(now), len(nights[RUN_DATE]))
        assert seen.sample == sorted(now.items())
        assert [(one.export_id, one.lists) for one in seen.exposure] == [
            (str(day), len(getting[day])) for day in (RUN_DATE, FIRST)
        ]
        assert seen.mean_rank == (pytest.approx(sum(now.values()) / len(now)) if now else None)
        assert seen.similar_by == "item_knn" and item not in [one.item_id for one in seen.similar]
        assert all(one.title == f"Title {str(one.item_id)[1:]}" for one in seen.similar)


@pytest.mark.parametrize(("item", "why"), [("i5", "not available"), ("i3", "excluded by the setting export.excluded")])
def test_it_is_said_why_an_item_is_not_shown(published: Path, item: str, why: str) -> None:
    assert why in item_seen(Store(published), item).why[0]


def test_an_item_that_is_new_or_that_no_model_lists_is_said_to_be(store: Store) -> None:
    night = store.night(FIRST)
    replace_column(night.features / "full" / "item_features.parquet", "interactions", pa.array([0] * 8, pa.int32()))
    replace_column(night.prepared / "items.parquet", "available", pa.array([True] * 8))
    (night.toplists("als")).mkdir(parents=True)
    pq.write_table(pa.table({"item_index": [0, 1, 0]}), night.toplists("als") / "lists.parquet")
    why = item_seen(store, "i5", str(FIRST)).why
    assert "nobody has done anything with it" in why[0]
    assert why[1] == "None of the night's 1 models has it in a list of the users they were measured on."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("i5", ["i5"]),
        ("title 5", ["i5"]),
        ("LE 7", ["i7"]),
        ("Title", [f"i{n}" for n in range(8)]),
        (" ", []),
        ("x", []),
    ],
)
def test_items_are_found_by_id_and_by_title(published: Path, text: str, found: list[str]) -> None:
    assert [one.item_id for one in search(Store(published), text)] == found


@pytest.mark.parametrize("item", ["i99", "1", ""])
def test_an_item_that_is_not_there_is_said_not_to_be(published: Path, item: str) -> None:
    with pytest.raises(ConfigError, match="There is no item"):
        item_seen(Store(published), item)


def test_hashed_users_are_found_by_their_id_and_nobody_is_shown_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    night = prepare_night(tmp_path)
    publish(night, hash_key_env=VARIABLE)
    seen = user_seen(night.store, "1")
    assert seen.history and {row["user_id"] for row in seen.rows} == {hashed(1, KEY.encode())}
    item = seen.rows[0]["item_id"]
    assert hashed(1, KEY.encode()) in [user for user, _ in item_seen(night.store, item).sample]
    monkeypatch.delenv(VARIABLE)
    assert item_seen(night.store, item).sample == []  # who has opted out cannot be told
    with pytest.raises(ConfigError, match=f"{VARIABLE} is not set"):
        user_seen(night.store, "1")


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path, reads = tmp_path / "a", []

    @kept(1)
    def read(path: Path) -> str:
        reads.append(path)
        return path.read_text()

    path.write_text("one")
    assert [read(path), read(path), len(reads)] == ["one", "one", 1]
    path.write_text("other")
    assert [read(path), len(reads)] == ["other", 2]

"""A night that says what has changed since an earlier one is read as one that writes everything."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recmodels.data.layout import USERS
from recmodels.data.pairs import Pairs, changes_file, numbers_file
from tasks.forgetting.forget import forget
from tasks.lookup.users import _interactions_of
from tasks.prepare import changed
from tasks.store.paths import Store
from tests.tasks.prepare.nights import LOG, SECOND, Day, Site, continues, first_night


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(changed, "LEAST_EVENTS", 0)
    monkeypatch.setattr(changed, "MOST_CHANGED", 0.3)
    monkeypatch.setattr("flows.operate.database.prefect_places", lambda: (tmp_path / "prefect", None, None))
    return first_night(tmp_path / "store")


def shares(site: Site, day: Day) -> bool:
    """Whether a night shares the files of an earlier one."""
    return continues(site, day) and (site.store.night(site.run_date).prepared / "base").exists()


@pytest.mark.slow
def test_what_has_changed_stands_beside_the_files_of_an_earlier_night(site: Site) -> None:
    first = site.store.night(site.run_date).prepared
    assert shares(site, SECOND)  # new users, of whom one has a number between others
    second = site.store.night(site.run_date).prepared
    assert (second / "base/full/interactions.parquet").samefile(first / "full/interactions.parquet")
    assert pq.read_metadata(second / changes_file("full")).num_rows == 4
    assert shares(site, Day([[(0, 5, 1, 1)]], [7], joins=True, after=3))
    third = site.store.night(site.run_date).prepared
    assert (third / "base/users.parquet").samefile(first / "users.parquet")
    assert pq.read_metadata(third / changes_file("full")).num_rows == 5
    assert shares(site, Day([], [2, 11], out=[2]))  # whose rows are there, and are not read
    assert shares(site, Day([], [2, 11]))
    assert not shares(
        site, Day([[(0, 6, 0.5, 1), (1, 6, 0.4, 1), (3, 6, 0.3, 1), (4, 6, 0.2, 1)]], [7])
    )  # now that is too much
    assert shares(site, Day([], [7]))


def test_who_had_too_few_items_and_comes_again_is_trained_on(site: Site, tmp_path: Path) -> None:
    rules = site.rules.model_copy(update={"min_user_interactions": 2})
    new = Site(Store(tmp_path / "new"), rules, "text")
    night, valid = new.night(Day([[*LOG, (9, 0, 5, 1), (1, 5, 1, 1)]], [7]))
    new.prepare(night, valid, None)
    assert shares(new, Day([[(9, 0, 0.5, 1), (9, 1, 0.4, 1), (8, 4, 0.3, 1)]], [7]))
    assert Pairs(new.store.night(new.run_date).prepared, "full").columns(["weight"])["weight"].tolist()[-3:] == [
        0,
        1,
        1,
    ]


@pytest.mark.slow
def test_a_forgotten_user_is_in_no_table_and_the_others_are_read_as_before(site: Site) -> None:
    assert shares(site, Day(SECOND.files, [0, 7, 11], out=[0]))  # so that all have other numbers than in the base
    night = site.store.night(site.run_date)
    assert (night.prepared / numbers_file("user")).exists()
    before = {user: history(site, user) for user in range(1, 9)}
    assert len(before[2]) == 5 and len(before[1]) == 5 and len(before[8]) == 1
    for forgotten in 1, 2, 8:
        receipt = forget(site.store, f"id {forgotten}")
        assert receipt.complete
    assert {user: history(site, user) for user in range(1, 9)} == before | {1: [], 2: [], 8: []}
    for path in site.store.root.rglob("*.parquet"):
        table = pq.read_table(path)
        if "user_id" in table.column_names:
            assert not {"id 1", "id 2", "id 8"}.intersection(table["user_id"].to_pylist()), path
    assert len(Pairs(night.prepared, "full")) == sum(map(len, before.values())) - 11
    base = pq.read_table(night.prepared / "base/full/interactions.parquet")["user_index"].to_pylist()
    assert set(base) == {0, 3, 4, 5}  # who has opted out is there as in the valid tables, and is not read


def history(site: Site, user: int) -> list[tuple[int, float]]:
    """What a user has done, as it is looked up and as it is trained on, which is the same."""
    night = site.store.night(site.run_date)
    items = pq.read_table(night.prepared / "items.parquet")["item_id"].to_pylist()
    looked_up = _interactions_of(night, site.name(user))  # type: ignore[arg-type]
    found = [(items[row["item_index"]], row["timestamp"].timestamp()) for row in looked_up.to_pylist()]
    rows = Pairs(night.prepared, "full").columns(["user_index", "item_index", "timestamp"])
    ids = pq.read_table(night.prepared / USERS)["user_id"].to_pylist()
    mine = [
        (items[item], time / 1_000_000)
        for index, item, time in zip(*rows.values(), strict=True)
        if ids[index] == site.name(user)
    ]
    assert sorted(found) == sorted(mine)
    return sorted(found)

"""A night that continues an earlier one writes the bytes of a night that prepares everything."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.data import pairs as pairs_module
from recmodels.errors import DataRefused
from tasks.prepare import changed as changed_module
from tasks.prepare import earlier as earlier_module
from tasks.prepare import reading, tables
from tasks.prepare.settings import PrepareSettings
from tasks.store.manifests import manifest_of, write_manifest
from tasks.store.paths import Store
from tasks.store.records import changed
from tests.tasks.prepare.nights import LOG, SECOND, Day, Site, continues, first_night, same

_EVENT = st.tuples(st.integers(0, 9), st.integers(0, 5), st.sampled_from([0.5, 3, 3, 8, 20, 40]), st.integers(0, 3))
_RULES = st.builds(
    PrepareSettings,
    holdout=st.sampled_from(["auto", "days", "last", "random", "user-fold"]),
    holdout_min_users=st.sampled_from([1, 4]),
    holdout_days=st.sampled_from([1, 2, 7]),
    holdout_max_users=st.sampled_from([3, 100]),
    duplicates=st.sampled_from(["max", "sum", "last"]),
    min_rating=st.sampled_from([None, 2.0]),
    event_weights=st.sampled_from([{}, {"buy": 5.5, "skip": 0.0}]),
    min_user_interactions=st.integers(1, 3),
    min_item_interactions=st.integers(1, 2),
)


_DAY = st.builds(
    Day,
    files=st.lists(st.lists(_EVENT, min_size=1, max_size=8), max_size=2),
    users=st.lists(st.integers(0, 12), max_size=3, unique=True),
    out=st.lists(st.integers(0, 9), max_size=1),
    joins=st.booleans(),
    after=st.integers(1, 3),
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return first_night(tmp_path)


def test_a_day_is_merged_into_the_night_before_and_the_next_one_into_that(site: Site) -> None:
    assert continues(site, SECOND)
    message = manifest_of(site.store.night(site.run_date).prepared)["summary"]["message"]  # type: ignore[index]
    assert message.endswith("; 4 events since the night 2026-04-01 merged in")
    assert continues(site, Day([], [7]))  # without a new file, the holdout moves on
    assert continues(site, Day([[(0, 5, 1, 1)]], [7], joins=True, after=3))  # into the last file, which was not full


@pytest.mark.slow
def test_who_opts_out_is_gone_and_who_comes_back_has_all_events_again(site: Site) -> None:
    assert continues(site, Day(SECOND.files, [2, 11], out=[2]))
    assert not continues(site, Day([], [2, 11]))
    (site.store.night(site.run_date).valid / "interactions/part-00000.parquet").unlink()  # which nobody needs
    assert continues(site, Day([[(4, 5, 0.5, 1)]], [11, 12], out=[12]))  # nobody has heard of 12
    assert continues(site, Day([], [11]))


@pytest.mark.parametrize("what", ["settings", "file", "valid", "users", "prepared", "many", "sum", "between", "ids"])
@pytest.mark.slow
def test_what_is_no_longer_what_it_was_is_made_anew(site: Site, what: str) -> None:
    before = site.store.night(site.run_date)
    if what == "settings":
        site.rules = site.rules.model_copy(update={"min_user_interactions": 2})
    elif what == "file":
        site.files[0] = site.files[0].slice(1)
    elif what == "valid":  # as after `nightrec forget`
        manifest = manifest_of(before.valid) or {}
        write_manifest(before.valid, changed(manifest, dict(manifest) | {"output": "another"}))
    elif what == "users":
        (before.valid / "users.parquet").write_bytes(b"damaged")
    elif what == "prepared":
        path = before.prepared / "known/recent.parquet"
        path.write_bytes(path.read_bytes()[:-9] + b"damaged??")
    elif what == "sum":
        site.rules = site.rules.model_copy(update={"duplicates": "sum", "event_weights": {"buy": 0.1}})
        site.prepare(before, manifest_of(before.valid), None)  # type: ignore[arg-type]
    elif what == "ids":  # all become texts with the first one
        ids = [table["item_id"].cast(pa.string()) for table in site.files]
        site.files = [table.set_column(1, "item_id", column) for table, column in zip(site.files, ids, strict=True)]
    day = {
        "many": Day([LOG[:9]], []),
        "ids": Day([], []),
        "between": Day([[(0, 0, 35, 1)]], []),
    }  # before the event of (0, 0) that is known
    assert not continues(site, day.get(what, SECOND))


@settings(max_examples=6)
@given(
    first=st.lists(_EVENT, min_size=10, max_size=40),
    days=st.lists(_DAY, min_size=1, max_size=2),
    rules=_RULES,
    kind=st.sampled_from(["number", "text", "unrated"]),
    n_ranges=st.integers(1, 3),
    most_changed=st.sampled_from([0, 0.3, 5]),
)
@pytest.mark.slow
def test_any_nights_say_what_they_would_from_scratch(
    first: list[Any], days: list[Day], rules: PrepareSettings, kind: str, n_ranges: int, most_changed: float
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROWS_A_GROUP", 5)
        patch.setattr(earlier_module, "MOST_NEW", 1)
        patch.setattr(reading, "EVENTS_AT_A_TIME", 4)
        patch.setattr(changed_module, "LEAST_EVENTS", 0)
        patch.setattr(changed_module, "MOST_CHANGED", most_changed)
        patch.setattr(pairs_module, "ROWS", 3)
        site = Site(Store(Path(folder)), rules, kind)
        for day in [Day([first], [1, 11]), *days]:
            night, valid = site.night(day)
            earlier = site.earlier(night, valid)
            try:
                scratch = site.scratch(night)
            except DataRefused as refused:
                with pytest.raises(DataRefused) as again:
                    site.prepare(night, valid, earlier, n_ranges)
                assert str(again.value) == str(refused)
                continue
            assert same(site.prepare(night, valid, earlier, n_ranges), scratch)

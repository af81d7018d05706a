"""What users did since an arm began is counted as by hand."""

from pathlib import Path

import numpy as np
import pytest

from tasks.arms.users import Doings, Log
from tasks.features.settings import FeatureSettings
from tasks.store.duckdb import connect
from tasks.store.feedback import SHOWN, USED
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import at, kept, show, use, write_log, write_users
from tests.tasks.site import CUTOFF, RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """An arm that began 40 days ago. Users 1 to 4: who comes daily, seldom, since today, and has not since."""
    night = Store(tmp_path).night(RUN_DATE)
    write_users(night, [1, 2, 3, 4])
    write_log(
        night,
        [
            (1, "a", 50.5), (1, "b", 50.4), (1, "d", 41.5),  # before
            (1, "a", 39.5), (1, "a", 39.4), (1, "d", 37.5), (1, "b", 27.5), (1, "e", 3.5),
            (2, "a", 20.5), (2, "b", 19.5),
            (3, "f", 0.5),
            (4, "a", 45.0), (4, "b", 90.0),
            (9, "a", 5.0),  # opted out
        ],
    )  # fmt: skip
    return night


def since_40_days(night: Night) -> Doings:
    with connect(night.prepared) as db:
        files = [kept(night, name) for name in (USED, SHOWN)]
        log = Log(db, night, CUTOFF, FeatureSettings(), *files, {("2026-03-01", "mixed"): ("ease", "als")})
        return log.since(at(40))


def test_visits_and_returns_are_counted_from_the_first_day_under_the_arm(night: Night) -> None:
    found = since_40_days(night)
    assert found.days == 40
    assert list(found.came) == [True, True, True, False]
    assert list(found.events * 40 / 7) == pytest.approx([5, 2, 1, 0])
    assert list(found.events_late * 20 / 7) == pytest.approx([1, 1, 1, 0])  # of the last 20 days
    assert list(found.events_before) == [3, 0, 0, 1]
    assert list(found.visits_before) == [2, 0, 0, 1]
    # Of user 1's first day 40 days ago, days 7 to 13 have a visit (12 later). User 2 came 20 days ago: not in those.
    assert found.back_7 == pytest.approx([1, 0, np.nan, np.nan], nan_ok=True)
    assert found.back_28 == pytest.approx([1, np.nan, np.nan, np.nan], nan_ok=True)
    assert found.waited == pytest.approx([2, 1, np.nan, np.nan], nan_ok=True)
    assert list(found.came_back) == [True, True, False, False]


def test_variety_is_the_entropy_of_the_categories_of_two_or_more(night: Night) -> None:
    found = since_40_days(night)
    three_to_two = -(0.6 * np.log2(0.6) + 0.4 * np.log2(0.4))
    assert found.variety == pytest.approx([three_to_two, 0, np.nan, np.nan], nan_ok=True)
    assert found.variety_before[0] == pytest.approx(-(2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3)))


def test_hits_are_days_and_items_though_two_nights_have_kept_one(night: Night) -> None:
    assert np.isnan(since_40_days(night).recall).all()  # nothing is known of lists
    use(night, 39, [(1, "a"), (1, "a")])
    use(night, 38, [(1, "a"), (2, "a")], days=39)
    use(night, 3, [(1, "e")])
    found = since_40_days(night)
    assert found.hit_days == pytest.approx([2 / 4, 1 / 2, 0, np.nan], nan_ok=True)
    assert found.recall == pytest.approx([2 / 4, 1 / 2, 0, np.nan], nan_ok=True)  # of a, b, d, e
    assert not found.exposed.any()


@pytest.mark.slow
def test_logged_exposures_count_as_rewarded_and_assumed_ones_do_not(night: Night) -> None:
    show(night, 30, [(1, 1.0, "ease"), (1, 0.5, "als"), (1, 1.0, "explore"), (2, 0.0, "ease"), (9, 1.0, "ease")])
    show(night, 45, [(3, 1.0, "ease")])  # before the arm
    found = since_40_days(night)
    assert list(found.exposed) == [True, True, False, False]
    assert list(found.rewards * 40 / 7) == pytest.approx([2.5, 0, 0, 0])
    assert list(found.rewards_late) == [0, 0, 0, 0]  # it was shown 30 days ago
    assert list(found.of_champion) == list(found.of_challenger) == [0, 0, 0, 0]
    of_neither = [(1, 1.0, policy) for policy in ("explore", "popularity", "pinned")]
    show(night, 45, [(1, 1.0, "ease"), (1, 0.5, "als"), *of_neither], arm="mixed", days=30)
    found = since_40_days(night)
    assert [found.rewards[0], found.of_champion[0], found.of_challenger[0]] == pytest.approx(
        [7 * 7 / 40, 1 * 7 / 40, 0.5 * 7 / 40]
    )
    show(night, 20, [(1, 99.0, "ease")], reward="outcome")  # of another unit
    assert since_40_days(night).rewards[0] == found.rewards[0]
    show(night, 20, [(1, 1.0, "ease")], assumed=True)
    show(night, 30, [(1, 1.0, "ease")], assumed=True)
    show(night, 45, [(3, 1.0, "ease")])
    assert not since_40_days(night).exposed.any()

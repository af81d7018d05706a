"""Early signals, worked out by hand for a few users."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.features.settings import FeatureSettings
from tasks.longterm.daily import Daily
from tasks.longterm.outcome import Outcome
from tasks.longterm.question import Question
from tasks.longterm.signals import NAMES, SIGNALS, cohort, signals_of
from tasks.store.duckdb import connect
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import kept, show, write_log, write_users
from tests.tasks.site import CUTOFF, RUN_DATE

NAN = np.nan


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Four users: one of every day, one who left, one who came once in the week, and one who was never there before."""
    night = Store(tmp_path).night(RUN_DATE)
    write_users(night, [1, 2, 3, 4])
    rows = [(1, "abcdef"[day % 6], day + 0.5) for day in range(50)]
    rows += [(2, "a", 20.5), (2, "b", 19.5), (3, "a", 30.5), (3, "a", 7.2), (3, "e", 7.1), (3, "e", 2.9), (4, "a", 2.5)]
    write_log(night, rows)
    show(night, 1, [(1, 1.0, "ease"), (1, 0.0, "ease"), (3, 0.0, "ease")], days=8)
    return night


def daily_of(night: Night, db: object) -> Daily:
    return Daily(db, night, CUTOFF, FeatureSettings(), np.arange(4), kept(night, "shown.parquet"))  # type: ignore[arg-type]


def test_each_signal_of_each_user(night: Night, tmp_path: Path) -> None:
    """Of the week that ends three days before the night does, from day -10 to day -4."""
    path = night.store.feedback(RUN_DATE.replace(day=30)) / "shown.parquet"
    shown = pq.read_table(path)
    pq.write_table(shown.set_column(shown.column_names.index("rank"), "rank", [[1, 4, 2]]), path)
    with connect(tmp_path) as db:
        daily = daily_of(night, db)
        found = {one.name: one.of(daily, -10, -3).tolist() for one in SIGNALS}
        assert found["visits"] == [7, 0, 1, 0]
        assert found["interactions"] == [7, 0, 2, 0]
        assert found["recency"] == [0, 7, 4, 7]  # user 3 came on day -8
        np.testing.assert_equal(found["return_3"], [1, NAN, 0, NAN])
        np.testing.assert_allclose(found["diversity"], [0.985, NAN, 1, NAN], atol=0.001)  # 4 and 3 of 7; x and y
        np.testing.assert_equal(found["new_items"], [0, NAN, 0.5, NAN])
        assert found["shown"] == [2, 0, 1, 0]
        assert found["clicks"] == [1, 0, 0, 0]
        np.testing.assert_equal(found["satisfaction"], [0.5, NAN, 0, NAN])
        np.testing.assert_equal(found["depth"], [4, NAN, 2, NAN])
        assert (daily.days, daily.logged, daily.has_categories) == (50, -8, True)
        assert daily.first.tolist() == [-50, -21, -31, -3]


def test_a_cohort_is_of_who_came_in_the_four_weeks_before(night: Night, tmp_path: Path) -> None:
    with connect(tmp_path) as db:
        daily = daily_of(night, db)
        found = cohort(daily, -10, 7, Outcome.of("visits3"), signals_of(daily, ["visits"]))
        assert found.users.tolist() == [0, 1, 2]
        assert found.before[:, 0].tolist() == [28, 2, 1]  # visits
        assert found.before[:, 2].tolist() == [0, 9, 20]  # days since the last one
        assert found.before[:, 3].tolist() == [40, 11, 21]  # since the first one
        assert found.outcome.tolist() == [3, 0, 1]
        assert np.isnan(cohort(daily, -9, 7, Outcome.of("visits3"), signals_of(daily, ["visits"])).outcome).all()


def test_a_week_needs_four_weeks_before_it_and_its_outcome_after_it(night: Night, tmp_path: Path) -> None:
    with connect(tmp_path) as db:
        daily = daily_of(night, db)
        question = Question(Outcome.of("visits3"), 7, signals_of(daily, ["visits"]))
        assert question.starts(daily) == [-10, -17]  # 28 days before -24 nothing was logged
        assert question.starts(daily, until=-10) == [-20]
        assert question.reaches(daily, -22) and not question.reaches(daily, -23)
        shown = Question(Outcome.of("visits1"), 7, signals_of(daily, ["clicks"]))
        assert shown.starts(daily) == [-8] and not shown.reaches(daily, -9)
        all_of_them = Question(Outcome.of("visits3"), 7, signals_of(daily, None))
        assert [one.name for one in all_of_them.signals] == NAMES
        less, notes = all_of_them.with_room(daily, [])
        assert not any(one.shown for one in less.signals) and len(notes) == 1

"""Lists for a context: what trees see of it, whom they learn it from, and lists that hold what is had in it."""

from pathlib import Path

import numpy as np
import pytest

from recmodels.data.arrays import Bools, Ints
from recmodels.data.contexts import WEEKDAYS, Weekdays
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.folds import last_days
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.ensemble import in_context
from recmodels.ensemble.fusion import Candidates
from recmodels.ensemble.in_context import SMOOTHING, Kept, lifts, queries_of
from recmodels.ensemble.model import Ensemble
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.persistence import load, save
from recmodels.ranking.topk import TopK

SUNDAY, MONDAY = 3, 4  # days of January 1970, from 0


class Known:
    """Contexts by the parity of items."""

    names = ("even", "odd")

    def of(self, data: Dataset) -> np.ndarray:
        return (data.item_index % 2).astype(np.int8)


class Unknown:
    """A column that says nothing of any interaction."""

    names: tuple[str, ...] = ()

    def of(self, data: Dataset) -> np.ndarray:
        return np.full(len(data), -1, np.int8)


def test_weekdays_begin_in_their_zone() -> None:
    times = np.array([SUNDAY * DAY, SUNDAY * DAY + DAY - 1, MONDAY * DAY])
    data = Dataset.from_arrays([0, 0, 0], [0, 1, 2], timestamp=times)
    assert [WEEKDAYS[day] for day in Weekdays().of(data)] == ["Sunday", "Sunday", "Monday"]
    assert [WEEKDAYS[day] for day in Weekdays("Asia/Tokyo").of(data)] == ["Sunday", "Monday", "Monday"]


def test_a_lift_compares_an_item_with_all_of_them() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
    codes = np.array([0, 1, 0, -1, 1], np.int8)  # as the rows are ordered: user 0, 1, 2
    lift = lifts(codes, data, 2)
    share = np.array([3, 3]) / 6  # two of each are known, and one more of each
    of_first = np.log((np.array([2, 1]) + SMOOTHING * share) / (3 + SMOOTHING) / share)
    of_second = np.log((np.array([0, 1]) + SMOOTHING * share) / (1 + SMOOTHING) / share)
    np.testing.assert_allclose(lift, [[*of_first, 0], [*of_second, 0]], rtol=1e-6)


def test_users_are_asked_once_a_context_for_what_they_did_in_it() -> None:
    user, item, day = np.array([(0, 0, 1), (0, 2, 9), (0, 1, 9), (0, 3, 9), (1, 2, 1), (1, 4, 9)]).T
    data = Dataset.from_arrays(user, item, timestamp=day * DAY, end=10 * DAY)
    fold = last_days(data, 2, 9)
    found = queries_of(fold, data, Known().of(data))
    assert found.row.tolist() == [0, 0, 1] and found.context.tolist() == [0, 1, 0]
    assert found.fold.users.tolist() == [0, 0, 1]
    assert [row.nonzero()[0].tolist() for row in found.fold.truth.toarray()] == [[2], [1, 3], [4]]


def test_candidates_are_made_once_for_all_contexts_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    data, asked = Dataset.from_arrays([0, 1], [0, 1]), list[tuple[list[int], object]]()

    def found(_: Dataset, users: Ints, allowed: Bools | None, repeats: Repeats) -> Candidates:
        asked.append((users.tolist(), allowed))
        return Candidates.of([TopK(users[:, None], np.ones((len(users), 1), np.float32))], 2)

    def lists(kept: Kept) -> None:
        for _ in range(3):
            for user in range(2):
                for allowed in (None, np.ones(2, np.bool_)):
                    made = kept.of(found, data, np.array([user], np.int32), allowed, False)
                    assert made.item.tolist() == [user]

    lists(Kept())
    assert len(asked) == 4
    monkeypatch.setattr(in_context, "ROOM", 1)
    lists(Kept())
    assert len(asked) == 4 + 12


def shop(seed: int = 0) -> Dataset:
    """200 users over ten weeks; on Sundays they buy items of the first half, else of the second."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(200):
        for day in np.sort(rng.choice(70, 14, replace=False)):
            item = rng.integers(0, 20) + (0 if day % 7 == SUNDAY else 20)
            rows += [(user, item, day)]
    user, item, day = np.array(list({pair[:2]: pair for pair in rows}.values())).T
    return Dataset.from_arrays(user, item, timestamp=day * DAY, end=70 * DAY, n_users=200, n_items=40)


@pytest.mark.slow
def test_lists_for_a_context_hold_what_is_had_in_it(tmp_path: Path) -> None:
    model = Ensemble(members=["popularity", "item_knn"], method="stack", trees=20, context="weekday").fit(shop())
    save(model, tmp_path / "model")
    model, data = load(tmp_path / "model"), shop()
    everybody = np.arange(200)
    lists = {name: one.recommend(data, everybody, 5).items for name, one in model.in_contexts().items()}
    assert list(lists) == list(WEEKDAYS)
    first = {name: (items < 20).mean() for name, items in lists.items()}
    assert first["Sunday"] > 0.9 and max(share for name, share in first.items() if name != "Sunday") < 0.1
    assert model.learned()["importances"][0]["name"] == "context"
    again = model.in_contexts()["Sunday"].recommend(data, everybody, 5).items
    np.testing.assert_array_equal(again, lists["Sunday"])


@pytest.mark.slow
def test_without_a_context_that_counts_there_are_no_such_lists() -> None:
    data = shop()
    assert Ensemble(members=["popularity", "item_knn"], method="blend", context="weekday").fit(data).in_contexts() == {}
    assert Ensemble(members=["popularity", "item_knn"], trees=2).fit(data).in_contexts() == {}
    nothing = FitOptions(contexts=Unknown())
    model = Ensemble(members=["popularity", "item_knn"], method="stack", trees=2, context="column").fit(data, nothing)
    assert model.in_contexts() == {} and len(model.tree_roots_) and not len(model.importances_)
    with pytest.raises(ConfigError, match=r"features\.context"):
        Ensemble(members=["popularity", "item_knn"], context="column").fit(data, FitOptions())

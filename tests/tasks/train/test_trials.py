"""What a trial is worth does not depend on what works on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels.data.layout import EVENTS, SPLIT_END
from recmodels.data.parquet import arrow_table
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.engine.choice import EngineChoice
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Machines
from recmodels.errors import EngineUnavailable, NightrecError
from recmodels.testing import small_site
from tasks.store.files import TEMPORARY
from tasks.store.paths import Night, Store
from tasks.train import trials
from tasks.train.trials import Search, trials_for
from tasks.train.tuning import tune
from tests.recmodels.specifications import written_features
from tests.tasks.site import RUN_DATE

LOCAL = EngineChoice("local")


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night whose training data are the small site."""
    night = Store(tmp_path).night(RUN_DATE)
    written_features(night.folder, small_site())
    return night


@pytest.fixture
def days() -> float:
    """A quarter of them."""
    return small_site().end / 4 / MICROSECONDS_PER_DAY


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with using(local := LocalEngine()):
        yield local


@pytest.mark.slow
def test_a_trial_has_the_same_lists_on_an_engine(night: Night, days: float) -> None:
    """Also of a model that fills few places: what the fallback would supply does not count."""
    search, params = Search("item_knn", 2, days, 20, 3), {"neighbors": 2}
    with trials_for(night, search, None) as here, using(LocalEngine()), trials_for(night, search, LOCAL) as there:
        assert (len(here), here.at_a_time) == (len(there), there.at_a_time) == (2, 1)
        for fold in range(2):
            (items, truth), (found, same) = (one.lists_and_truth(params, 0, fold) for one in (here, there))
            assert (items == -1).any() and (items >= 0).any()
            np.testing.assert_array_equal(items, found)
            assert (truth != same).nnz == 0
    assert not list(night.store.root.glob(f"{TEMPORARY}*"))


@pytest.mark.slow
def test_a_trial_knows_the_single_events_wherever_it_is_trained(night: Night, days: float) -> None:
    site, path = small_site(), night.features / "train" / EVENTS
    times = np.concatenate([site.timestamp, np.maximum(site.timestamp // 2, 1)])  # everything twice
    users, items = np.tile(site.user_index, 2), np.tile(site.item_index, 2)
    order = np.lexsort((times, users))
    table = arrow_table({"user_index": users[order], "item_index": items[order], "timestamp": times[order]})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({SPLIT_END: str(site.end).encode()}), path)
    search, params = Search("tifu_knn", 1, days, 20, 3), {"neighbors": 50, "personal": 0.0, "group_decay": 0.3}
    with trials_for(night, search, None) as here, using(LocalEngine()), trials_for(night, search, LOCAL) as there:
        (items, _), (found, _) = (one.lists_and_truth(params, 0, 0) for one in (here, there))
    np.testing.assert_array_equal(items, found)


def test_nodes_try_several_at_a_time_where_each_is_trained_by_one(
    night: Night, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "machines", lambda: Machines("ray", nodes=3, cores=6))
    served = EngineChoice("ray", served="socket")
    known = {
        (name, choice): trials.OnEngine(Search(name, 1, 7, 10, 0), choice, tmp_path, []).at_a_time
        for name in ("bpr", "ease")
        for choice in (served, LOCAL)
    }
    assert known == {("bpr", served): 3, ("bpr", LOCAL): 1, ("ease", served): 1, ("ease", LOCAL): 1}


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_without_anybody_to_evaluate_a_search_is_refused(night: Night) -> None:
    with (
        pytest.raises(NightrecError, match="nobody to evaluate"),
        trials_for(night, Search("ease", 1, 10_000, 10, 0), LOCAL),
    ):
        pass
    assert not list(night.store.root.glob(f"{TEMPORARY}*"))


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_a_search_ends_with_its_engine(night: Night, days: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def gone(self: object, params: object, trial: int, fold: int) -> None:
        asked.append(trial)
        raise EngineUnavailable("The head is gone.")

    monkeypatch.setattr(trials.OnEngine, "lists_and_truth", gone)
    with pytest.raises(EngineUnavailable, match="The head is gone"):
        tune(night, "ease", {}, minutes=1, trials=3, days=days, engine=LOCAL)
    assert asked == [0]

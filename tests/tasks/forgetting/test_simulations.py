"""When a user is forgotten, simulations keep nothing of what each simulated user did, as one may stand for them."""

from pathlib import Path

import pytest

from tasks.forgetting.simulations import forget_in_simulations
from tasks.store.files import write_json
from tasks.store.paths import Store
from tasks.store.simulations import Simulation

FILES = (".people/log.npz", "als/users.parquet", "als/nights.parquet", "als/checkpoint/run-0/night-00000.json")


def simulation(store: Store, name: str, *, from_store: bool | None) -> Simulation:
    one = Simulation(store, name)
    plan = {} if from_store is None else {"from_store": from_store}
    write_json(one.settings, {"started_at": "2026-03-01T03:00:00+00:00", "plan": plan})
    write_json(one.verdict, {})
    for file in FILES:
        path = one.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return one


@pytest.mark.parametrize(("from_store", "goes"), [(True, True), (False, False), (None, True)])
def test_what_could_be_anybody_goes_and_figures_of_all_stay(
    tmp_path: Path, from_store: bool | None, goes: bool
) -> None:
    one = simulation(Store(tmp_path), "trial", from_store=from_store)
    place = forget_in_simulations(Store(tmp_path))
    left = [file for file in FILES if (one.folder / file).exists()]
    assert left == (["als/nights.parquet"] if goes else list(FILES))
    assert one.settings.exists() and one.verdict.exists()
    assert place.removed == (["trial"] if goes else [])
    assert forget_in_simulations(Store(tmp_path)).sentence == "not there"


def test_a_store_without_simulations_has_nothing_to_forget(tmp_path: Path) -> None:
    assert forget_in_simulations(Store(tmp_path)).sentence == "not there"

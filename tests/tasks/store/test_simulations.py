"""One at work in a simulation at a time, and only the newest are kept."""

import os
from pathlib import Path

import pytest

from recmodels.errors import ConfigError, NightrecError
from tasks.store.files import write_json
from tasks.store.lease import STALE
from tasks.store.paths import Store
from tasks.store.simulations import Simulation, retain_simulations, simulations, working_in


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def begun(store: Store, name: str, day: int) -> Simulation:
    one = Simulation(store, name)
    write_json(one.settings, {"started_at": f"2026-03-{day:02}T03:00:00+00:00"})
    return one


def test_one_at_a_time_is_at_work_in_a_simulation(store: Store) -> None:
    one = Simulation(store, "one")
    with working_in(one):
        assert one.at_work
        assert one.folder.stat().st_mode & 0o077 == 0
        with (
            pytest.raises(NightrecError, match=rf"one is running already, on .* \(process {os.getpid()}\)"),
            working_in(one),
        ):
            pass
        with working_in(Simulation(store, "two")):
            pass
    assert not one.at_work
    with working_in(one):
        pass


def test_another_machine_is_believed_as_long_as_it_gives_signs_of_life(store: Store) -> None:
    one = Simulation(store, "one")
    lease = {"token": "x", "machine": "other", "host": "far", "pid": 1, "since": "2026-03-01T00:00:00+00:00"}
    write_json(one.lease, lease | {"flow_run": ""})
    assert one.at_work
    with pytest.raises(NightrecError, match="on far since"), working_in(one):
        pass
    old = one.lease.stat().st_mtime - 2 * STALE
    os.utime(one.lease, (old, old))
    assert not one.at_work
    with working_in(one):
        assert one.at_work


def test_a_folder_that_cannot_be_written_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match="choose another folder with --store"),
        working_in(Simulation(Store(tmp_path / "file"), "one")),
    ):
        pass


def test_the_newest_are_kept_and_those_that_go_on(store: Store) -> None:
    names = ["d", "b", "c", "a"]
    for day, name in enumerate(names, start=1):
        begun(store, name, day)
    (store.simulations / "Not Ours").mkdir()
    assert [one.name for one in simulations(store)] == names
    with working_in(Simulation(store, "b")):
        assert retain_simulations(store, None) == []
        assert retain_simulations(store, 1) == ["d", "c"]
    assert [one.name for one in simulations(store)] == ["b", "a"]
    assert (store.simulations / "Not Ours").is_dir()

"""A simulation goes on under its name, and is told from another one."""

from pathlib import Path

import pytest

from recmodels.errors import ConfigError
from tasks.errors import DiskRefused
from tasks.exploration.settings import NO_EXPLORATION
from tasks.export.settings import ExportSettings
from tasks.simulate import begin as beginning
from tasks.simulate.begin import GENERATED, begin, check_room, named
from tasks.simulate.plan import Plan, planned
from tasks.simulate.settings import SimulateSettings
from tasks.store.files import read_json, write_json
from tasks.store.paths import Night, Store
from tasks.store.room import Room
from tasks.store.settings import DiskSettings
from tasks.store.simulations import Simulation
from tasks.train.settings import Candidate
from tests.tasks.site import RUN_DATE


def plan(nights: int = 10, **more: int) -> Plan:
    settings = SimulateSettings(nights=nights, **more)
    return planned(settings, {"als": Candidate()}, ExportSettings(), NO_EXPLORATION, None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def simulation(store: Store) -> Simulation:
    found = Simulation(store, "trial")
    found.folder.mkdir(parents=True)
    return found


def test_the_same_goes_on_and_another_one_is_told(simulation: Simulation) -> None:
    first = begin(simulation, plan(), None, fresh=False)
    kept = simulation.checkpoint("als") / "run-0" / "night-00000.json"
    kept.parent.mkdir(parents=True)
    kept.touch()
    (kept.parent / ".tmp-half").touch()
    assert begin(simulation, plan(checkpoint_nights=3), None, fresh=False) == first == simulation.about
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    with pytest.raises(ConfigError, match=r"trial is another one: nights is 20, and was 10\. .*--name, or .*--fresh"):
        begin(simulation, plan(nights=20), None, fresh=False)
    assert kept.exists()
    assert begin(simulation, plan(nights=20), None, fresh=True)["plan"]["nights"] == 20
    assert not kept.exists()


def test_one_that_an_earlier_release_began_begins_again(simulation: Simulation) -> None:
    begin(simulation, plan(), None, fresh=False)
    write_json(simulation.settings, (simulation.about or {}) | {"nightrec": "0.0.1"})
    with pytest.raises(ConfigError, match=r"begun by nightrec 0\.0\.1, and this is .*--fresh"):
        begin(simulation, plan(), None, fresh=False)
    write_json(simulation.verdict, {"failed": {}})
    assert begin(simulation, plan(), None, fresh=False)["nightrec"] == "0.0.1"  # it is complete


def test_settings_that_are_damaged_are_another_simulation(simulation: Simulation) -> None:
    simulation.settings.write_text("{")
    with pytest.raises(ConfigError, match="its settings are damaged"):
        begin(simulation, plan(), None, fresh=False)


def test_names_follow_the_night_and_one_that_was_cut_short_keeps_its_own(store: Store) -> None:
    night = Night(store, RUN_DATE)
    assert named(store, plan(), None, None).name == GENERATED
    assert named(store, plan(), night, "mine").name == "mine"
    assert named(store, plan(), night, None).name == str(RUN_DATE)
    for name in ("mine", "2026-01-01"):
        cut_short = Simulation(store, name)
        cut_short.folder.mkdir(parents=True)
        begin(cut_short, plan(), None, fresh=False)
    assert named(store, plan(), night, None).name == "2026-01-01"
    assert named(store, plan(nights=11), night, None).name == str(RUN_DATE)
    write_json(Simulation(store, "2026-01-01").verdict, {"failed": {}})
    assert named(store, plan(), night, None).name == str(RUN_DATE)
    with pytest.raises(ConfigError, match=r"'\.\./x' is no name of a simulation"):
        named(store, plan(), night, "../x")


def test_a_simulation_that_its_disk_has_no_room_for_is_refused(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning.Room, "of", lambda path: Room(10**6, 10**12, 10**6, 10**6))
    small, large = plan(users=100, items=100), plan(users=100_000, items=100)
    check_room(simulation, small, DiskSettings())
    with pytest.raises(DiskRefused, match=r"1\.0 MB free, and this simulation needs about 10\d\.\d MB: simulate fewer"):
        check_room(simulation, large, DiskSettings())
    check_room(simulation, large, DiskSettings(check=False))
    assert read_json(simulation.settings) is None

"""A simulation from its settings to its verdict, each policy in this process."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.cli.simulate import simulate as command
from flows.simulate import simulate
from recmodels.errors import ConfigError, NightrecError
from recmodels.simulation.program import main
from tasks.forgetting.simulations import forget_in_simulations
from tasks.simulate import policy as running
from tasks.store.files import read_json
from tasks.store.paths import Store
from tasks.store.simulations import Simulation
from tests.tasks.publishing import prepare_night, with_manifests

SETTINGS = """
[simulate]
nights = 4
users = 60
items = 50
retrain_every = 2
[simulate.behavior]
parameters = { history_days = 7 }
[models.popularity]
[models.item_knn]
"""

pytestmark = pytest.mark.usefixtures("prefect_server", "here")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A site's folder, in which policies are run by this process; the names of those that were."""
    ran: list[str] = []

    def supervised(name: str, command: Sequence[str], log_file: Path, *_: Any, **__: Any) -> tuple[int, int]:
        ran.append(name)
        return main([command[3]]), os.getpid()

    monkeypatch.setattr(running, "supervised", supervised)
    monkeypatch.setattr("recmodels.simulation.program.os.nice", lambda more: 0)
    (tmp_path / "nightrec.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NIGHTREC_CONFIG", raising=False)
    monkeypatch.delenv("NIGHTREC_STORE", raising=False)
    return ran


def run(*options: str) -> Result:
    return CliRunner().invoke(command, [*options], catch_exceptions=False)


def test_policies_are_compared_and_what_is_complete_is_left_as_it_is(store: Store, here: list[str]) -> None:
    said = run()
    assert said.exit_code == 0
    assert "4 nights, beside popularity" in said.output
    assert "popularity: " in said.output
    assert "item_knn: Tonight " in said.output and "after 4 nights " in said.output
    simulation = Simulation(store, "generated")
    assert sorted(path.name for path in simulation.folder.iterdir() if path.name[0] != ".") == [
        "item_knn", "popularity", "settings.json", "verdict.html", "verdict.json",
    ]  # fmt: skip
    assert sorted(path.name for path in simulation.policy("item_knn").iterdir()) == ["nights.parquet", "users.parquet"]
    assert sorted(here) == ["item_knn", "popularity"]
    again = run("--json")
    assert json.loads(again.stdout) == read_json(simulation.verdict)
    assert len(here) == 2


def test_one_that_was_cut_short_goes_on_with_what_is_missing(store: Store, here: list[str]) -> None:
    before = json.loads(run("--json", "--policies", "popularity,random").stdout)
    simulation = Simulation(store, "generated")
    simulation.verdict.unlink()
    (simulation.policy("random") / "nights.parquet").unlink()
    here.clear()
    after = json.loads(run("--json", "--policies", "popularity,random").stdout)
    assert here == ["random"]
    changing = {"ended_at"}
    assert {name: after[name] for name in after if name not in changing | {"standings"}} == {
        name: before[name] for name in before if name not in changing | {"standings"}
    }
    with pytest.raises(ConfigError, match="generated is another one: nights is 5, and was 4"):
        run("--nights", "5", "--policies", "popularity,random")


def test_a_policy_that_fails_is_left_out_and_tried_again_next_time(
    store: Store, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    works: Callable[..., tuple[int, int]] = running.supervised

    def fails(name: str, *given: Any, **more: Any) -> tuple[int, int]:
        return (-9, 1) if name == "item_knn" else works(name, *given, **more)

    monkeypatch.setattr(running, "supervised", fails)
    said = run("--policies", "popularity,random,item_knn")
    assert said.exit_code == 5
    assert "item_knn failed: item_knn was killed by signal 9" in said.output
    assert not Simulation(store, "generated").complete
    monkeypatch.setattr(running, "supervised", works)
    here.clear()
    assert run("--policies", "popularity,random,item_knn").exit_code == 0
    assert here == ["item_knn"]
    monkeypatch.setattr(running, "supervised", fails)
    with pytest.raises(NightrecError, match="Nothing can be compared with item_knn, which failed"):
        run("--policies", "item_knn,popularity", "--name", "other")


def test_the_deployed_flow_does_so_by_the_form(store: Store) -> None:
    page = simulate({"from_store": False, "policies": ["popularity", "random"], "name": "by-form", "nights": 2})  # type: ignore[arg-type]
    assert page == str(Simulation(store, "by-form").page)
    assert Simulation(store, "by-form").complete


def test_a_simulation_of_the_site_itself_keeps_none_of_its_choices(store: Store, here: list[str]) -> None:
    night = prepare_night(store.root)
    with_manifests(night)
    said = run("--from-store", "--policies", "item_knn", "--nights", "2")
    assert said.exit_code == 0
    simulation = Simulation(store, str(night.run_date))
    verdict = read_json(simulation.verdict) or {}
    assert verdict["night"] == str(night.run_date) and verdict["users"] == 5 and verdict["fit"]["items"] == 8
    assert not simulation.people.exists()
    assert "Tastes are taken from what users chose" in simulation.page.read_text()
    assert here == ["item_knn"]


def test_a_user_who_is_forgotten_ends_a_simulation_that_may_know_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_manifests(prepare_night(store.root))

    def forgets(*given: Any) -> tuple[int, int]:
        forget_in_simulations(store)
        given[-2]()  # looks
        raise AssertionError("it went on")

    monkeypatch.setattr(running, "supervised", forgets)
    with pytest.raises(NightrecError, match="A user of the site was forgotten, and the simulation 2026-03-31 may have"):
        run("--from-store", "--policies", "item_knn", "--nights", "2")
    assert not Simulation(store, "2026-03-31").people.exists()


def test_a_store_without_a_night_cannot_be_simulated() -> None:
    with pytest.raises(ConfigError, match="has its tables any more: run one with `nightrec run`, then simulate"):
        run("--from-store")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--policies", "alz"], "Unknown recommender: 'alz'"),
        (["--name", "No Name"], "'No Name' is no name of a simulation"),
        (["--policies", "champion"], "there is no champion"),
    ],
)
def test_mistakes_are_told_before_anything_is_begun(store: Store, options: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        run(*options)
    assert not store.simulations.exists()

"""The nights of a policy in its own program: what it leaves, and that a killed one goes on to the same."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from recmodels.simulation import program
from recmodels.simulation.program import WRONG, main
from recmodels.simulation.program_spec import Spec
from recmodels.simulation.record import Record, n_users_of
from recmodels.simulation.recorded import runs_of

POLICY: dict[str, Any] = {
    "name": "item_knn", "model": "trained", "recipe": {"recommender": "item_knn", "parameters": {}}, "rules": {},
    "epsilon": 0.0, "slot": None, "choose": "uniform", "proposers": {}, "retrain_every": 2,
}  # fmt: skip


def spec(folder: Path, policy: dict[str, Any] | None = None, **more: Any) -> Path:
    about: dict[str, Any] = {
        "folder": str(folder), "checkpoint": str(folder / "checkpoint"), "people": None, "behavior": "nightrec",
        "parameters": {"history_days": 7}, "users": 60, "items": 50, "nights": 5, "k": 5, "repeats": False, "seed": 3,
        "repetitions": 2, "checkpoint_nights": 2, "policy": POLICY | (policy or {}),
        "result": str(folder / "result.json"),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spec.json"
    path.write_text(json.dumps(about | more))
    return path


@pytest.fixture(autouse=True)
def as_nice_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.os, "nice", lambda more: 0)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy whose nights nothing has interrupted."""
    folder = tmp_path_factory.mktemp("policy")
    program.run(Spec.read(spec(folder)))
    return folder


def test_each_run_leaves_its_nights_and_what_each_user_did(at_once: Path) -> None:
    assert sorted(path.name for path in at_once.iterdir()) == ["nights.parquet", "spec.json", "users.parquet"]
    nights = pq.read_table(at_once / "nights.parquet")
    assert nights.select(["run", "night"]).to_pylist() == [{"run": r, "night": n} for r in (0, 1) for n in range(5)]
    assert n_users_of(at_once) == 60
    first, second = runs_of(at_once, 60)
    assert first.figures["visitors"].tolist() != second.figures["visitors"].tolist()  # other chances
    for run in (first, second):
        visits = run.by_user["visitors"]
        assert (visits == 1).sum(axis=1).tolist() == run.figures["visitors"].tolist()


@pytest.mark.slow
def test_one_that_is_killed_goes_on_to_what_it_would_have_come_to(
    at_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    added = Record.add

    def killed(self: Record, night: int, *figures: Any) -> None:
        added(self, night, *figures)
        if (self.run, night) == (1, 3):
            raise KilledError

    again = Spec.read(spec(tmp_path))
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(Record, "add", killed)
        program.run(again)
    assert not (tmp_path / "nights.parquet").exists()
    since: list[tuple[int, int]] = []
    with monkeypatch.context() as patched:
        patched.setattr(
            Record, "add", lambda self, night, *rest: (since.append((self.run, night)), added(self, night, *rest))
        )
        program.run(again)
    assert since == [(1, 2), (1, 3), (1, 4)]  # from the last checkpoint on
    for name in ("nights.parquet", "users.parquet"):
        assert same(pq.read_table(tmp_path / name), pq.read_table(at_once / name)), name


def same(one: Any, other: Any) -> bool:
    """Whether two tables are the same but for what work has cost."""
    names = [name for name in one.column_names if name != "cpu_seconds"]
    return bool(one.select(names).to_pandas().equals(other.select(names).to_pandas()))


def test_a_policy_explores_what_the_others_propose(tmp_path: Path) -> None:
    explored = {"epsilon": 0.5, "proposers": {"popular": {"recommender": "popularity", "parameters": {}}}}
    path = spec(tmp_path, explored | {"rules": {"calibration": 0.2}}, nights=2, repetitions=1)
    assert main([str(path)]) == 0
    assert json.loads((tmp_path / "result.json").read_text())["peak_bytes"] > 0
    assert pq.read_table(tmp_path / "nights.parquet").num_rows == 2


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        (
            {"policy": POLICY | {"recipe": {"recommender": "alz", "parameters": {}}}},
            WRONG,
            "Unknown recommender: 'alz'",
        ),
        ({"behavior": "shoppers"}, WRONG, "Unknown behavior model: 'shoppers'; there are: nightrec."),
        ({"parameters": {"adoptio": 1}}, WRONG, "there is no 'adoptio'; did you mean adoption?"),
        ({"people": "/nowhere/people.npz"}, 1, "/nowhere/people.npz is gone or damaged"),
    ],
)
def test_what_is_wrong_is_said_in_the_result(tmp_path: Path, changed: dict[str, Any], code: int, told: str) -> None:
    assert main([str(spec(tmp_path, **changed))]) == code
    assert told in json.loads((tmp_path / "result.json").read_text())["error"]


def test_a_file_that_is_no_specification_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text("{}")
    assert main([str(tmp_path / "spec.json")]) == WRONG
    assert "is no specification of a simulation" in capsys.readouterr().err
    assert main([]) == WRONG

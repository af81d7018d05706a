"""The candidate's process, as its parent sees it: specification in; model, lists, result and exit code out."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels import candidate
from recmodels.candidate_lists import LISTS
from recmodels.candidate_spec import Spec
from recmodels.data.dataset import Dataset
from recmodels.engine.current import asked_for, engine
from recmodels.engine.local import LocalEngine
from recmodels.engine.watching import watcher
from recmodels.engine.work import Machines
from recmodels.exploration.bootstrap import replicate_of
from recmodels.linear.ease import EASE
from recmodels.options import FitOptions
from recmodels.persistence import load
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules
from recmodels.testing import COMPLETIST, N_ITEMS, N_USERS
from tests.recmodels.specifications import specification
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "recmodels.candidate"]
ROOT = Path(__file__).parents[2]
NETWORK = {"dim": 8, "layers": 1, "epochs": 3, "patience": 3}
Outcome: TypeAlias = tuple[int, dict[str, Any], str]


def result_of(spec: Path) -> dict[str, Any]:
    result = spec.parent / "result.json"
    return json.loads(result.read_text()) if result.exists() else {}


def run(spec: Path) -> Outcome:
    """Exit code, result and standard error."""
    done = subprocess.run([*COMMAND, str(spec)], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, result_of(spec), done.stderr


@pytest.fixture
def ran(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], Outcome]:
    """As `run`, in this process: for what needs none of its own."""

    def run_here(spec: Path) -> Outcome:
        with caplog.at_level(logging.INFO, "recmodels"):  # which `main` sets for good
            code = candidate.main([str(spec)])
        return code, result_of(spec), capsys.readouterr().err

    return run_here


def test_a_candidate_is_trained_and_lists_items_for_everybody(features: Path) -> None:
    code, result, stderr = run(specification(features))
    assert (code, stderr) == (0, "")
    assert result["n_users"] == N_USERS
    assert result["fit_seconds"] > 0 and result["list_seconds"] > 0
    assert result["cpu_seconds"] >= result["fit_cpu_seconds"] + result["list_cpu_seconds"] > 0
    assert 2**20 < result["peak_bytes"] < 2**31 and result["memory_needed"] > 0

    lists = pq.read_table(features.parent / "lists" / "lists.parquet")
    types = ["user_index: int32", "rank: int16", "item_index: int32", "score: float", "cold: bool"]
    assert [f"{field.name}: {field.type}" for field in lists.schema] == types
    user, rank, item = (lists[name].to_numpy() for name in ("user_index", "rank", "item_index"))
    assert np.array_equal(np.lexsort((rank, user)), np.arange(len(user)))
    assert np.bincount(user, minlength=N_USERS).tolist() == [5] * (N_USERS - 1) + [0]  # the completist is last
    assert COMPLETIST == N_USERS - 1 and 4 not in item

    data = Dataset.load(features, "train")
    top = EASE(regularization=20).fit(data).recommend(data, np.array([0]), 5, allowed=np.arange(N_ITEMS) != 4)
    assert item[user == 0].tolist() == top.items[0].tolist()


@pytest.mark.slow
def test_a_training_in_epochs_ends_in_time(features: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = specification(features, recommender="transformer", params=NETWORK, minutes=1e-9, lists=None)
    with caplog.at_level(logging.INFO, "recmodels"):
        candidate.run(Spec.read(spec))
    assert "8e-10 minutes are over" in caplog.text
    assert not (features.parent / "result.checkpoint").exists()


@pytest.mark.slow
def test_a_saved_candidate_lists_without_training(features: Path, ran: Callable[[Path], Outcome]) -> None:
    candidate.run(Spec.read(specification(features, lists=None)))
    assert not (features.parent / "lists").exists()
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5, "min_history": 1, "repeats": False}
    code, result, _ = ran(specification(features, fit=False, lists=lists))
    assert (code, result["n_users"]) == (0, 2)
    assert pq.read_table(features.parent / "lists" / "lists.parquet")["user_index"].unique().to_pylist() == [3, 5]


def test_the_module_imports_light_and_candidates_what_they_need(features: Path) -> None:
    """All in one process: the network comes last, whose compiler takes two seconds to load."""
    rules = features.parent / "rules.parquet"
    categories = np.arange(N_ITEMS + 1), np.zeros(N_ITEMS, np.int32)
    Rules(np.ones(N_ITEMS, bool), pinned=[3], categories=categories, caps=np.array([4], np.int32)).save(rules)
    specs = []
    for name in ("popularity", "item_knn", "als"):
        lists = {"out": str(features.parent / name), "users": "holdout", "k": 5, "rules": str(rules)}
        spec = specification(features, recommender=name, params={}, lists=lists)
        specs.append(str(spec.rename(features.parent / f"{name}.json")))
    specs.append(str(specification(features, recommender="transformer", params=NETWORK, minutes=30, lists=None)))
    heavy = {"torch", "sklearn", "pandas", "prefect", "great_expectations", "duckdb"}
    program = f"import sys; from recmodels.candidate import main; assert not {heavy} & set(sys.modules)"
    program += "; codes = [main([spec]) for spec in sys.argv[1:-1]]; print({'pandas', 'torch'} & set(sys.modules))"
    program += "; codes.append(main(sys.argv[-1:])); print(*codes)"
    program += "; print('torch.optim.swa_utils' in sys.modules, 'torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, *specs], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["set()", "0 0 0 0", "True False"]
    assert all((features.parent / name / LISTS).exists() for name in ("popularity", "item_knn", "als"))
    assert done.stderr.count("validation NDCG@10") == 3
    saved = (features.parent / "model" / "model.json").read_text()
    assert json.loads(saved)["parameters"] | NETWORK == json.loads(saved)["parameters"]
    assert "checkpoint" not in saved and "minutes" not in saved  # the recipe, not this run's paths and limits


def test_a_refusal_is_written_as_one_sentence_with_its_exit_code(
    features: Path, ran: Callable[[Path], Outcome]
) -> None:
    code, result, stderr = ran(specification(features, recommender="content", params={}))
    assert (code, list(result), stderr) == (3, ["error"], "")
    assert "no terms" in result["error"]


def test_an_unknown_parameter_is_a_matter_of_configuration(features: Path, ran: Callable[[Path], Outcome]) -> None:
    code, result, _ = ran(specification(features, params={"regularisation": 20}))
    assert code == 2
    assert "did you mean 'regularization'" in result["error"]


def test_a_broken_specification_is_named(features: Path, ran: Callable[[Path], Outcome]) -> None:
    spec = features.parent / "spec.json"
    spec.write_text('{"features": 1}')
    code, result, stderr = ran(spec)
    assert (code, result) == (2, {})
    assert "spec.json is no specification" in stderr and "Traceback" not in stderr


@pytest.mark.slow
def test_the_process_ends_when_its_parent_lets_go_of_its_standard_input(features: Path) -> None:
    pipe = features.parent / "never"  # reading the specification from a pipe without a writer blocks for ever
    os.mkfifo(pipe)
    child = subprocess.Popen([*COMMAND, str(pipe), "--watch-stdin"], cwd=ROOT, stdin=subprocess.PIPE)
    assert child.stdin is not None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(2)
    child.stdin.close()
    assert child.wait(PATIENCE) == 1


def test_a_replicate_is_fitted_on_the_users_that_its_seed_draws(features: Path) -> None:
    spec = Spec.read(specification(features, lists=None, recommender="popularity", params={}, bootstrap=5))
    candidate.run(spec)
    data = Dataset.load(features, "train")
    scores = load(spec.model).scores_  # type: ignore[attr-defined]
    np.testing.assert_array_equal(scores, Popularity().fit(replicate_of(data, 5)).scores_)
    assert (scores != Popularity().fit(data).scores_).any()


def test_the_start_of_its_process_belongs_to_its_time(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []
    plain = Popularity.fit

    def fit(model: Popularity, data: Dataset, options: FitOptions) -> Popularity:
        given.append(options.minutes)
        return plain(model, data, options)

    monkeypatch.setattr(Popularity, "fit", fit)
    limits = {"minutes": 20.0, "list_minutes": 10.0}
    changes = {"recommender": "popularity", "params": {}, "lists": None}
    assert candidate.main([str(specification(features, **limits, **changes))], waited=15 * 60) == 0
    assert given == [pytest.approx(15, abs=1)]  # the ten of the lists are over, and five more


def test_its_work_is_given_to_the_engine_that_it_is_told_and_what_was_lost_is_in_its_result(
    features: Path, ran: Callable[[Path], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, given = candidate.run, []

    def losing_a_node(spec: Spec, waited: float) -> dict[str, Any]:
        given.append((asked_for(), engine().machines()))
        watcher().noted("The node 10.0.0.7 was lost.")
        return plain(spec, waited)

    monkeypatch.setattr(candidate, "run", losing_a_node)
    code, result, _ = ran(specification(features, engine={"kind": "local", "cores": 1}))
    assert (code, result["engine_notes"]) == (0, ["The node 10.0.0.7 was lost."])
    code, result, _ = ran(specification(features, recommender="content", params={}))
    assert (code, sorted(result), result["engine_notes"]) == (
        3,
        ["engine_notes", "error"],
        ["The node 10.0.0.7 was lost."],
    )
    assert given == [(True, Machines("local", nodes=1, cores=1)), (False, LocalEngine().machines())]


def test_on_an_engine_it_is_trained_in_parts_to_the_same_model(features: Path, ran: Callable[[Path], Outcome]) -> None:
    code, *_ = ran(specification(features))
    assert code == 0
    one, lists = load(features.parent / "model", EASE), (features.parent / "lists" / LISTS).read_bytes()
    parts = features.parent / "parts"
    code, *_ = ran(specification(features, engine={"kind": "local"}, parts=str(parts)))
    assert code == 0
    np.testing.assert_array_equal(load(features.parent / "model", EASE).weights_, one.weights_)
    assert (features.parent / "lists" / LISTS).read_bytes() == lists
    (left,) = parts.iterdir()  # the training's own are gone with it
    assert left.name.startswith("data-")  # the data are there for others


@pytest.mark.parametrize("recommender", ["als", "popularity"])
def test_the_process_that_trains_in_parts_reads_no_rows(
    features: Path, ran: Callable[[Path], Outcome], recommender: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, everybody = Dataset.load, list[bool]()

    def loaded(*given: Any, **more: Any) -> Dataset:
        everybody.append(more.get("users") is None)  # buckets of lists read those of their own users
        return read(*given, **more)

    monkeypatch.setattr(Dataset, "load", loaded)
    told = {"recommender": recommender, "params": {}, "parts": str(features.parent / "parts")}
    code, *_ = ran(specification(features, engine={"kind": "local"}, **told))
    assert (code, set(everybody)) == (0, {False})


def test_without_an_engine_it_is_trained_in_one_piece(features: Path, ran: Callable[[Path], Outcome]) -> None:
    parts = features.parent / "parts"
    code, *_ = ran(specification(features, parts=str(parts)))
    assert code == 0
    assert not parts.exists()

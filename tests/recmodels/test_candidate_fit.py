"""A model that gives none of its training away is trained by a node, and is what it would be here, to the byte."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from recmodels import candidate, candidate_fit
from recmodels.candidate import run
from recmodels.candidate_fit import KILLED, fit_whole, needs_of, wants_a_node
from recmodels.candidate_spec import Spec
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.engine.choice import EngineChoice, working_on
from recmodels.engine.current import using
from recmodels.engine.served import for_processes
from recmodels.engine.work import Machines, Work
from recmodels.errors import NightrecError
from recmodels.factors.bpr import BPR
from recmodels.linear.ease import EASE
from recmodels.pairwise.hybrid import Hybrid
from recmodels.testing import small_site
from tests.recmodels.engine.threaded import ThreadedEngine
from tests.recmodels.specifications import specification

pytestmark = pytest.mark.slow

BPR_SPEC: dict[str, Any] = {"recommender": "bpr", "params": {"factors": 4, "epochs": 2}}


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What nodes have been told; they run the program in this process."""
    told: list[dict[str, Any]] = []

    def run_here(spec: Path, log: Path, environment: Mapping[str, str]) -> int:
        told.append(json.loads(spec.read_text()) | {"environment": environment})
        log.write_text("epoch 1\nepoch 2\n")
        return candidate.main([str(spec)])

    monkeypatch.setattr(candidate_fit, "_run", run_here)
    return told


@pytest.fixture
def served() -> Iterator[EngineChoice]:
    """How a candidate gets to the cluster of its night."""
    with ThreadedEngine() as cluster, using(cluster), for_processes(EngineChoice("ray")) as choice:
        yield choice


@pytest.fixture
def outcome(features: Path) -> Callable[..., tuple[dict[str, Any], dict[str, bytes]]]:
    """The result of a candidate, and the files that it leaves."""

    def outcome(name: str, choice: EngineChoice | None, **changes: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
        home = features.parent / name
        home.mkdir()
        places = {"model": str(home / "model"), "result": str(home / "bpr-train.json")}
        lists = {"out": str(home / "lists"), "users": "all", "k": 5}
        engine = {} if choice is None else {"engine": vars(choice), "parts": str(home / "parts")}
        spec = Spec.read(specification(features, **BPR_SPEC | places | engine | {"lists": lists} | changes))
        with working_on(spec.engine):
            result = run(spec)
        assert not list(home.glob("parts/[!d]*"))  # what trainings on the same data share
        kept = [path for folder in ("model", "lists") for path in (home / folder).rglob("*") if path.is_file()]
        return result, {str(path.relative_to(home)): path.read_bytes() for path in kept}

    return outcome


def test_it_leaves_the_files_that_it_leaves_here(
    outcome: Callable[..., Any],
    served: EngineChoice,
    programs: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also what it is worth on an earlier holdout, for which it is trained by a node, too."""
    earlier = {"windows": 2, "window_days": small_site().end / 4 / MICROSECONDS_PER_DAY}
    found, here = outcome("here", None, **earlier)
    result, there = outcome("there", served, **earlier)
    assert there == here and {"model/model.json", "lists/lists.parquet"} <= there.keys()
    assert (result["device"], bool(result["host"]), len(programs)) == ("cpu", True, 2)
    assert result["windows"] == found["windows"] and found["windows"][0]["ndcg"] > 0
    assert programs[0]["environment"] == {"CUDA_VISIBLE_DEVICES": ""}
    assert "epoch 1\nepoch 2\n" in capsys.readouterr().err


def test_it_starts_from_an_earlier_model(
    outcome: Callable[..., Any], served: EngineChoice, programs: list[dict[str, Any]], features: Path
) -> None:
    for one in ("user", "item"):
        path = features / "prepared" / f"{one}s.parquet"
        table = pq.read_table(path)
        pq.write_table(table.append_column(f"{one}_id", table[f"{one}_index"].cast("string")), path)
    _, first = outcome("first", None)
    earlier = {"model": str(features.parent / "first" / "model"), "features": str(features), "most_changed": 0.5}
    found, here = outcome("here", None, earlier=earlier)
    result, there = outcome("there", served, earlier=earlier)
    assert there == here != first
    assert (result["warm"], result["changed"]) == (found["warm"], found["changed"])
    assert result["warm"]
    assert programs[0]["earlier"]["most_changed"] == 0.5


def test_a_model_is_trained_where_it_knows_what_to_give_away_or_its_owner_wants_it(
    features: Path, served: EngineChoice
) -> None:
    spec = Spec.read(specification(features, engine=vars(served), parts=str(features)))
    assert wants_a_node(spec, BPR())
    assert not wants_a_node(spec, EASE())
    by_itself = Spec.read(specification(features, engine=vars(EngineChoice("ray")), parts=str(features)))
    assert not wants_a_node(by_itself, BPR())
    known = Spec.read(specification(features, engine=vars(served), parts=str(features), fit=False))
    assert not wants_a_node(known, BPR())


def test_a_node_has_what_the_training_needs(features: Path) -> None:
    data = Dataset.load(features, "train")
    spec = Spec.read(specification(features))
    two, with_gpus = Machines("ray", nodes=2, cores=9), Machines("ray", nodes=2, cores=9, gpus=2)
    needs = needs_of(spec, Hybrid(), data, two)
    assert (needs.cores, needs.gpus) == (4, 0)
    assert needs.memory == Hybrid().process_memory(data.n_users, data.n_items, len(data))
    assert needs_of(spec, Hybrid(), data, with_gpus).gpus == 1
    assert needs_of(spec, BPR(), data, with_gpus).gpus == 0
    for device, gpus in (("gpu", 2), ("cpu", 0)):
        told = Spec.read(specification(features, device=device, gpus=2))
        assert needs_of(told, Hybrid(), data, with_gpus).gpus == gpus


def test_a_program_that_is_killed_has_run_out_of_memory_and_one_that_fails_is_named(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {**BPR_SPEC, "split": "train", "seed": 0, "gpus": 0, "most_changed": None}
    work = Work({"now-prepared": features / "prepared"}, told, tmp_path, 0)
    monkeypatch.setattr(candidate_fit, "_run", lambda *_: KILLED)
    with pytest.raises(MemoryError):
        fit_whole(work)
    monkeypatch.undo()
    monkeypatch.setattr(candidate_fit, "PROGRAM", "this_one_is_not_there")
    with pytest.raises(NightrecError, match=r"bpr failed on .*: .*No module named this_one_is_not_there"):
        fit_whole(work)


def test_what_the_program_refuses_is_said_as_it_said_it(
    features: Path, tmp_path: Path, programs: list[dict[str, Any]]
) -> None:
    told = {"recommender": "bpr", "params": {"factors": 0}, "split": "train", "seed": 0, "gpus": 1}
    with pytest.raises(NightrecError, match=r"^bpr: factors is 0; give a whole number of at least 1\.$"):
        fit_whole(Work({"now-prepared": features / "prepared"}, told | {"most_changed": None}, tmp_path, 0))
    assert programs[0]["environment"] == {}

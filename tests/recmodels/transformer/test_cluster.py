"""One training on several machines, which are processes of this one here."""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.watching import Logging, watched_by
from recmodels.engine.work import Machines
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.testing import N_ITEMS
from recmodels.transformer import cluster
from recmodels.transformer.cluster import RESTARTS, Team
from recmodels.transformer.model import Transformer
from recmodels.transformer.rank import load_start, save_start
from recmodels.transformer.rank_process import ProcessLost
from recmodels.transformer.trained import Trained
from recmodels.transformer.warm_start import Start
from tests.flows.forked import Forked, forked_ranks
from tests.recmodels.sequences import TINY, two_domains


class TwoNodes(LocalEngine):
    """Two machines of one core, whose work this one does at the same time."""

    @property
    def cores(self) -> int:
        return 2

    def machines(self) -> Machines:
        return Machines("two", nodes=2, cores=2)


class Notes(Logging):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def noted(self, sentence: str) -> None:
        self.sentences.append(sentence)


def on_two_nodes(options: FitOptions, **params: Any) -> tuple[Transformer, list[str]]:
    notes = Notes()
    with using(TwoNodes()), watched_by(notes):
        return Transformer(**TINY | params, dropout=0.0).fit(two_domains(), options), notes.sentences


@pytest.fixture
def ranks() -> Iterator[list[Forked]]:
    """The processes of the trainings, in the order in which they have begun."""
    with forked_ranks() as begun:
        yield begun


@pytest.mark.slow
def test_two_nodes_train_to_the_weights_of_one_also_after_a_process_is_killed(
    tmp_path: Path, ranks: list[Forked]
) -> None:
    checkpoint = tmp_path / "checkpoint"
    options = FitOptions(parts=tmp_path / "parts", checkpoint=checkpoint, checkpoint_minutes=0)
    longer = {"epochs": 6, "patience": 6, "domain_share": 0.5}
    killed: list[int] = []

    def kill() -> None:
        while not checkpoint.exists():
            time.sleep(0.01)
        ranks[-1].kill()
        killed.append(1)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    two, notes = on_two_nodes(options, **longer)
    killer.join()
    assert killed == [1]
    assert notes
    assert all("goes on from its last checkpoint" in note for note in notes)  # gloo may lose another one by it
    one = Transformer(**TINY | longer, dropout=0.0).fit(two_domains())
    np.testing.assert_allclose(two.item_vectors_, one.item_vectors_, atol=1e-4)
    assert len(two.epochs_) == len(one.epochs_)
    assert list((tmp_path / "parts").iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("ranks")
def test_a_training_that_diverges_is_refused_at_once_with_its_message(in_parts: FitOptions) -> None:
    with pytest.raises(NightrecError, match=r"^The transformer diverged in epoch 1.*give a learning_rate below 1e"):
        on_two_nodes(in_parts, learning_rate=1e30, epochs=5)


def test_a_training_whose_processes_always_end_is_given_up(
    in_parts: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(NightrecError, match=rf"lost processes {RESTARTS + 1} times: its process . of 2 on .* ended"):
        on_two_nodes(in_parts)


def test_time_that_was_lost_with_a_process_is_over(in_parts: FitOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 minutes 2 were over at the begin. After 4 more a process is lost; the last checkpoint is of the first."""
    clock, spent, minutes = iter([100.0, 340.0]), iter([120.0, 180.0]), []

    def attempt(training: object, team: Team, inputs: object, arguments: dict[str, Any], *_: object) -> Trained:
        minutes.append(arguments["options"]["minutes"])
        if len(minutes) == 1:
            raise ProcessLost("it is gone")
        return Trained({}, np.zeros((N_ITEMS, 8), np.float32), [], {})

    monkeypatch.setattr(cluster, "_attempt", attempt)
    monkeypatch.setattr(cluster, "seconds_spent", lambda _: next(spent))
    monkeypatch.setattr(cluster, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    on_two_nodes(replace(in_parts, minutes=10))
    assert minutes == [10, 7]


def test_there_is_a_process_on_each_gpu_or_else_on_each_node() -> None:
    team = Team.of(Machines("ray", nodes=2, cores=32, gpus=8, address="127.0.0.1:6379"))
    assert (team.size, team.device, team.needs.gpus, team.needs.cores, team.host) == (8, "cuda", 1, 4, "127.0.0.1")
    team = Team.of(Machines("ray", nodes=3, cores=12, address="ray://127.0.0.1:10001"))
    assert (team.size, team.device, team.needs.gpus, team.needs.cores) == (3, "cpu", 0, 4)
    assert Team.of(LocalEngine().machines(), "gpu").size == 1
    there = Machines("ray", nodes=4, cores=32, gpus=8, address="127.0.0.1:6379")
    sizes = [(3, "cuda", 4), (4, "cpu", 8), (16, "cuda", 2), (8, "cuda", 4)]
    told = [("auto", 3), ("cpu", 3), ("gpu", 16), ("auto", 16)]
    teams = [Team.of(there, device, gpus) for device, gpus in told]
    assert [(team.size, team.device, team.needs.cores) for team in teams] == sizes
    none = Machines("ray", nodes=2, cores=4, address="127.0.0.1:6379")
    assert (Team.of(none, "gpu", 2).needs.gpus, Team.of(none, "auto", 2).needs.gpus) == (1, 0)


def test_what_a_training_starts_from_comes_back(tmp_path: Path) -> None:
    one = np.ones((2, 3), np.float32)
    rows = {"items": np.array([1, -1], np.int32)}
    for known_until in (None, 0, 1_700_000_000_000_000):
        save_start(Start({"a.b": one}, {"embedding": 2 * one}, rows, known_until, {"0.c": one}), tmp_path / "start")
        start = load_start(tmp_path / "start")
        assert start.known_until == known_until
    np.testing.assert_array_equal(start.parameters["a.b"], one)
    np.testing.assert_array_equal(start.teachers["0.c"], one)
    np.testing.assert_array_equal(start.tables["embedding"], 2 * one)
    np.testing.assert_array_equal(start.rows["items"], [1, -1])

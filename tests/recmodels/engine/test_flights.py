"""What becomes of buckets that come back from a cluster without a part."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from recmodels.engine import flights
from recmodels.engine.cluster import Cluster, Node, NodeLost, OutOfMemory, ProcessLost
from recmodels.engine.errand import Answer
from recmodels.engine.flights import Flights
from recmodels.engine.transport import CommonDisk
from recmodels.engine.watching import watched_by
from recmodels.engine.work import ONE_CORE, Bucket, Needs
from recmodels.errors import ConfigError, NightrecError
from tests.recmodels.engine.contract import Recording

DONE = Answer("n", about="{}")
GIB = 2**30


class Scripted(Cluster):
    """A cluster on which errands end as its script says, once the list of its nodes is the last that is given."""

    kind = "scripted"

    def __init__(self, *script: Answer | Exception, nodes: Sequence[dict[str, Node]] = ()) -> None:
        super().__init__()
        self.script = deque(script)
        self.seen = deque(nodes or [{"a": Node("alpha", 1, 0, 8 * GIB), "b": Node("beta", 4, 0, 16 * GIB)}])
        self.given: list[tuple[str, int, float]] = []  # bucket, memory to plan with, cores that are asked for
        self.cancelled: list[int] = []

    def listed(self) -> dict[str, Node]:
        return self.seen[0] if len(self.seen) == 1 else self.seen.popleft()

    def submit(self, errand: str, needs: Needs) -> int:
        told = json.loads(errand)
        self.given.append((told["bucket"], told["memory"], needs.cores))
        return len(self.given) - 1

    def wait(self, handles: Sequence[int], seconds: float) -> Sequence[int]:
        return handles[:1] if self.script and len(self.seen) == 1 else []

    def answer(self, handle: int) -> str:
        outcome = self.script.popleft()
        if isinstance(outcome, Exception):
            raise outcome
        return json.dumps(asdict(outcome))

    def cancel(self, handles: Sequence[int]) -> None:
        self.cancelled = list(handles)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[str]]:
    """Runs a work of some buckets on a cluster; what was noted."""

    def run(cluster: Scripted, count: int = 1, needs: Needs = ONE_CORE) -> list[str]:
        with watched_by(recording := Recording()):
            buckets = [Bucket(f"b{number}") for number in range(count)]
            Flights(cluster, CommonDisk(tmp_path), "shop:lists", "1", needs).run(buckets)
        assert recording.progress[-1] == (count, count)
        return recording.notes

    return run


Run = Callable[..., list[str]]


def test_a_lost_node_costs_its_buckets_and_a_sentence(run: Run) -> None:
    cluster = Scripted(NodeLost("b"), NodeLost("b"), DONE, DONE, DONE)
    assert run(cluster, 3) == ["The node beta was lost with 2 buckets of shop:lists in flight: made again elsewhere."]
    assert sorted(name for name, *_ in cluster.given) == ["b0", "b0", "b1", "b1", "b2"]
    assert list(cluster.nodes()) == ["a"]  # whatever the cluster still says of the other


def test_a_bucket_may_lose_any_number_of_nodes(run: Run) -> None:
    nodes = {str(number): Node(f"n{number}", 1, 0, GIB) for number in range(20)}
    cluster = Scripted(*(NodeLost(str(number)) for number in range(19)), DONE, nodes=[nodes])
    assert len(run(cluster)) == 19
    assert len(cluster.given) == 20


@pytest.mark.parametrize("failure", [OutOfMemory(), Answer("n", failed="memory")])
def test_too_little_memory_is_tried_with_half_on_a_node_of_its_own(run: Run, failure: Answer | Exception) -> None:
    cluster = Scripted(failure, DONE)
    run(cluster, needs=Needs(memory=GIB))
    assert cluster.given == [("b0", GIB, 1.0), ("b0", GIB // 2, 4.0)]
    with pytest.raises(NightrecError, match=r"shop:lists ran out of memory with the bucket b0.*0\.50 GiB"):
        run(Scripted(failure, failure), needs=Needs(memory=GIB))


def test_a_process_that_is_lost_is_tried_as_it_was_then_smaller_then_named(run: Run) -> None:
    cluster = Scripted(ProcessLost(), ProcessLost(), DONE)
    run(cluster, needs=Needs(memory=GIB))
    assert cluster.given == [("b0", GIB, 1.0), ("b0", GIB, 1.0), ("b0", GIB // 2, 4.0)]
    with pytest.raises(NightrecError, match="ran out of memory"):
        run(Scripted(ProcessLost(), ProcessLost(), ProcessLost()))


def test_without_a_figure_a_bucket_plans_with_its_share_of_the_smallest_node(run: Run) -> None:
    cluster = Scripted(DONE)
    run(cluster, needs=Needs(cores=2))
    assert cluster.given == [("b0", 8 * GIB, 2)]  # of beta's 16, which alone has two cores


def test_a_file_system_that_fails_is_tried_three_times(run: Run) -> None:
    failure = Answer("n", failed="io", error="builtins:OSError", message="gone", details=[5, "/data/x"])
    run(Scripted(failure, failure, DONE))
    with pytest.raises(OSError, match="gone") as info:
        run(Scripted(failure, failure, failure))
    assert (info.value.errno, info.value.filename) == (5, "/data/x")


def test_a_refusal_ends_the_work_at_once(run: Run) -> None:
    cluster = Scripted(Answer("n", failed="refused", error="recmodels.errors:ConfigError", message="No."))
    with pytest.raises(ConfigError, match=r"^No\.$"):
        run(cluster, 4)
    assert cluster.cancelled == list(range(1, len(cluster.given)))


def test_as_many_are_in_flight_as_keep_the_nodes_busy(tmp_path: Path) -> None:
    flights = Flights(Scripted(), CommonDisk(tmp_path), "shop:lists", "1", Needs(cores=0.5))
    flights._look()
    assert flights.window == 20  # twice as many as run at a time


def test_a_cluster_without_room_is_waited_for_and_then_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "LOOK", 0.0)
    small, large = {"a": Node("a", 1, 0, GIB)}, {"b": Node("b", 8, 0, GIB)}
    cluster = Scripted(DONE, nodes=[{}, {}, small, small, {**small, **large}])
    notes = run(cluster, needs=Needs(cores=8))
    assert notes[0] == "shop:lists waits for a node with 8 cores, 0 GPUs and 0.0 GiB; the cluster has 0 others"
    monkeypatch.setattr(flights, "PATIENCE", 0.0)
    with pytest.raises(NightrecError, match="shop:lists needs a node with 8 cores"):
        run(Scripted(nodes=[small]), needs=Needs(cores=8))


def test_nodes_that_come_and_go_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "LOOK", 0.0)
    a, b = {"a": Node("alpha", 1, 0, GIB)}, {"b": Node("beta", 1, 0, GIB)}
    cluster = Scripted(DONE, DONE, DONE, nodes=[a, a, a | b, a | b, b])
    notes = run(cluster, 3)
    assert notes == ["The node beta has joined.", "The node alpha was lost."]

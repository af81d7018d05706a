"""What a night's work is given to, and what becomes of a night whose cluster is not there."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flows.execution.engines import engine_for
from flows.settings.engine import EngineSettings
from recmodels.engine.choice import EngineChoice
from recmodels.engine.current import asked_for, engine
from recmodels.engine.local import LocalEngine
from recmodels.engine.watching import watcher
from recmodels.engine.work import Engine, Machines
from recmodels.errors import EngineUnavailable
from tasks.report.engine import EngineNote
from tasks.report.record import NightRecord


class Cluster(LocalEngine):
    """An engine that other processes get to by an address."""

    def machines(self) -> Machines:
        return Machines("ray", nodes=2, cores=4, address="10.0.0.5:6379", dashboard="http://10.0.0.5:8265")


@contextmanager
def there(choice: EngineChoice) -> Iterator[Engine]:
    yield Cluster()


@contextmanager
def away(choice: EngineChoice) -> Iterator[Engine]:
    if choice.kind == "local":
        yield LocalEngine(choice.cores)
        return
    raise EngineUnavailable(f"No cluster of Ray answers at {choice.address}.")


def test_without_an_engine_nothing_changes() -> None:
    record = NightRecord()
    with engine_for(EngineSettings(), record) as choice:
        assert choice is None
        assert not asked_for()
    assert record.engine is None


def test_the_engine_is_given_the_work_and_its_notes_go_into_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineChoice, "connected", there)
    record = NightRecord()
    with engine_for(EngineSettings(kind="ray", exchange="s3://bucket/x"), record) as choice:
        assert choice == EngineChoice("ray", "10.0.0.5:6379", "s3://bucket/x")  # candidates come to the same one
        assert isinstance(engine(), Cluster)
        watcher().noted("A node was lost.")
    assert not asked_for()
    assert record.engine is not None
    assert (record.engine.kind, record.engine.nodes, record.engine.cores) == ("ray", 2, 4)
    assert record.engine.dashboard == "http://10.0.0.5:8265"
    assert record.engine.notes == [EngineNote(stage="", message="A node was lost.")]


def test_a_cluster_that_is_not_there_ends_the_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineChoice, "connected", away)
    with (
        pytest.raises(EngineUnavailable, match=r"answers at 10\.0\.0\.5"),
        engine_for(EngineSettings(kind="ray", address="10.0.0.5:6379")),
    ):
        pytest.fail("there is nothing to work with")


def test_or_this_machine_works_and_the_record_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineChoice, "connected", away)
    record = NightRecord()
    settings = EngineSettings(kind="ray", address="10.0.0.5:6379", fallback="local")
    with engine_for(settings, record) as choice:
        assert choice == EngineChoice("local")  # of candidates, too
        assert asked_for()  # work is done by buckets, as on the cluster
        assert isinstance(engine(), LocalEngine)
    assert record.engine is not None
    assert record.engine.unavailable == "No cluster of Ray answers at 10.0.0.5:6379."

"""The engine of another process: what any engine is held to, through a socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recmodels.engine.choice import EngineChoice, working_on
from recmodels.engine.current import engine as current_engine
from recmodels.engine.current import using
from recmodels.engine.remote import RemoteEngine
from recmodels.engine.served import for_processes
from recmodels.engine.work import Engine, Machines
from recmodels.errors import EngineUnavailable
from tests.recmodels.engine.contract import VERSION, Contract, doubled, numbers
from tests.recmodels.engine.threaded import ThreadedEngine


class TestRemoteEngine(Contract):
    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        with ThreadedEngine() as cluster, using(cluster), for_processes(EngineChoice("ray")) as choice:
            assert choice.served is not None
            with working_on(choice):
                yield current_engine()

    def test_it_has_the_machines_of_the_other(self, engine: Engine) -> None:
        assert (engine.machines(), engine.cores) == (Machines("ray", nodes=1, cores=2), 2)


def test_a_process_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"cannot be asked for work \(No such file or directory\)"):
        RemoteEngine(str(tmp_path / "engine")).map(doubled, numbers(tmp_path, 1), tmp_path, code=VERSION)

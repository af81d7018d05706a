"""Which engine is asked for, and when it is connected to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from recmodels.engine.choice import EngineChoice, working_on
from recmodels.engine.current import asked_for, engine
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Bucket, Engine, Machines, Work


def naming(work: Work) -> None:
    (work.out / "name").write_text(work.arguments["name"])


def test_a_choice_is_json_and_back() -> None:
    choice = EngineChoice("ray", "10.0.0.5:6379", "s3://bucket/exchange")
    assert EngineChoice(**json.loads(json.dumps(asdict(choice)))) == choice


def test_without_a_choice_nothing_is_asked_for() -> None:
    with working_on(None):
        assert not asked_for()
        assert isinstance(engine(), LocalEngine)


def test_an_engine_is_connected_to_with_its_first_work_once_and_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    @contextmanager
    def connected(choice: EngineChoice) -> Iterator[Engine]:
        seen.append(f"{choice.kind} begins")
        yield LocalEngine(choice.cores)
        seen.append(f"{choice.kind} ends")

    monkeypatch.setattr(EngineChoice, "connected", connected)
    with working_on(EngineChoice("local", cores=1)):
        assert asked_for()
        assert seen == []
        for name in ("a", "b"):
            [part] = engine().map(naming, [Bucket(name, arguments={"name": name})], tmp_path, code="1")
            assert (part / "name").read_text() == name
        assert engine().cores == 1
        assert engine().machines() == Machines("local", nodes=1, cores=1)
        assert seen == ["local begins"]
    assert seen == ["local begins", "local ends"]
    assert not asked_for()

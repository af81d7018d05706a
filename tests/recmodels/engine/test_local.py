"""The engine of this machine."""

from pathlib import Path

import pytest

from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Bucket, Machines, Work
from recmodels.errors import NightrecError
from tests.recmodels.engine.contract import Contract, counting

CALLS: list[object] = []


class TestLocalEngine(Contract):
    @pytest.fixture
    def engine(self) -> LocalEngine:
        return LocalEngine()


def refusing(work: Work) -> None:
    CALLS.append(work.arguments["name"])
    raise NightrecError(f"{work.arguments['name']} is refused.")


def test_after_an_error_what_nobody_has_begun_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    CALLS.clear()
    buckets = [Bucket(f"b{number}", arguments={"name": number}) for number in range(20)]
    with pytest.raises(NightrecError, match="0 is refused"):
        LocalEngine().map(refusing, buckets, tmp_path, code="1")
    assert CALLS == [0]


def test_a_bucket_has_its_share_of_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    for count, cores in ((1, 4), (2, 2), (9, 1)):
        parts = LocalEngine().map(counting, [Bucket(f"b{n}") for n in range(count)], tmp_path / str(count), code="1")
        assert {(part / "cores").read_text() for part in parts} == {str(cores)}


def test_fewer_cores_are_worked_with_if_it_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert [LocalEngine(cores).cores for cores in (None, 1, 3, 9)] == [4, 1, 3, 4]
    assert LocalEngine(3).machines() == Machines("local", nodes=1, cores=3)
    [part] = LocalEngine(3).map(counting, [Bucket("all")], tmp_path, code="1")
    assert (part / "cores").read_text() == "3"

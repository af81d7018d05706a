"""The engine of this machine, and what any engine is held to."""

import json
from pathlib import Path

import pytest

from recmodels.compute.cores import threads
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Bucket, Machines, Needs, Work
from recmodels.errors import NightrecError

CALLS: list[object] = []


def doubled(work: Work) -> None:
    CALLS.append(work.out.name)
    number = json.loads(work.inputs["number"].read_text())
    (work.out / "doubled.json").write_text(json.dumps(work.arguments["times"] * number))


def summed(work: Work) -> None:
    total = sum(json.loads((part / "doubled.json").read_text()) for part in work.inputs.values())
    (work.out / "sum.json").write_text(json.dumps(total))


def counting(work: Work) -> None:
    (work.out / "cores").write_text(str(threads()))


def refusing(work: Work) -> None:
    CALLS.append(work.arguments["name"])
    raise NightrecError(f"{work.arguments['name']} is refused.")


@pytest.fixture
def buckets(tmp_path: Path) -> list[Bucket]:
    CALLS.clear()
    for number in range(5):
        (tmp_path / f"{number}.json").write_text(str(number))
    return [Bucket(f"b{number}", {"number": tmp_path / f"{number}.json"}, {"times": 2}) for number in range(5)]


def values(parts: list[Path]) -> list[int]:
    return [json.loads((part / "doubled.json").read_text()) for part in parts]


def test_each_bucket_leaves_its_part(buckets: list[Bucket], tmp_path: Path) -> None:
    parts = LocalEngine().map(doubled, buckets, tmp_path / "out", code="1")
    assert [part.name for part in parts] == [bucket.name for bucket in buckets]
    assert values(parts) == [0, 2, 4, 6, 8]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [bucket.name for bucket in buckets]


def test_what_is_done_is_not_done_again(buckets: list[Bucket], tmp_path: Path) -> None:
    out = tmp_path / "out"
    LocalEngine().map(doubled, buckets, out, code="1")
    CALLS.clear()
    assert values(LocalEngine().map(doubled, buckets, out, code="1")) == [0, 2, 4, 6, 8]
    assert CALLS == []


def test_what_changed_is_done_again(buckets: list[Bucket], tmp_path: Path) -> None:
    out = tmp_path / "out"
    parts = LocalEngine().map(doubled, buckets, out, code="1")
    CALLS.clear()
    (tmp_path / "1.json").write_text("10")  # its input
    (parts[2] / "doubled.json").write_text("99")  # damaged
    (parts[3] / "part.json").unlink()  # unknown
    found = LocalEngine().map(doubled, buckets, out, code="1")
    assert values(found) == [0, 20, 4, 6, 8]
    assert sorted(CALLS) != [] and len(CALLS) == 3
    CALLS.clear()
    LocalEngine().map(doubled, buckets, out, code="2")
    assert len(CALLS) == 5


def test_parts_are_inputs(buckets: list[Bucket], tmp_path: Path) -> None:
    parts = LocalEngine().map(doubled, buckets, tmp_path / "out", code="1")
    inputs = {part.name: part for part in parts}
    (total,) = LocalEngine().map(summed, [Bucket("all", inputs)], tmp_path / "sums", code="1", needs=Needs(memory=1))
    assert json.loads((total / "sum.json").read_text()) == 20


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


def test_a_refusal_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match="two is refused"):
        LocalEngine().map(refusing, [Bucket("two", arguments={"name": "two"})], tmp_path / "out", code="1")
    assert list((tmp_path / "out").iterdir()) == []

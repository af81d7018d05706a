"""How files get to nodes, and parts back."""

from pathlib import Path

import pytest

from recmodels.engine import parts
from recmodels.engine.exchange import Exchange
from recmodels.engine.transport import ByExchange, CommonDisk
from recmodels.engine.work import Bucket, Work
from tests.recmodels.engine.contract import bytes_in, doubled, numbers


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(str(tmp_path / "exchange"))


def made(exchange: Exchange, bucket: Bucket, folder: Path) -> str:
    """What a node does; what the part says of itself."""
    made_from = parts.fingerprint(doubled, bucket, "1", parts.digest)
    parts.make(doubled, Work(bucket.inputs, bucket.arguments, folder / bucket.name, 0), made_from)
    exchange.send_part(folder / bucket.name, made_from)
    return (folder / bucket.name / "part.json").read_text()


def test_a_common_disk_needs_paths_alone(tmp_path: Path) -> None:
    (bucket,) = numbers(tmp_path, 1)
    told = CommonDisk(tmp_path / "out").prepare(bucket)
    assert told == {"inputs": {"number": str(tmp_path / "0.json")}, "to": str(tmp_path / "out")}


@pytest.mark.parametrize("fetch", [True, False])
def test_a_part_comes_back_or_leaves_what_it_says(exchange: Exchange, tmp_path: Path, fetch: bool) -> None:
    (bucket,) = numbers(tmp_path / "in", 1)
    transport = ByExchange(exchange, doubled, tmp_path / "out", "1", fetch)
    told = transport.prepare(bucket)
    assert told is not None
    assert set(told) == {"inputs", "exchange", "made_from"}
    about = made(exchange, bucket, tmp_path / "node")
    transport.arrived(bucket, about)
    expected = bytes_in(tmp_path / "node" / "b00")
    assert bytes_in(tmp_path / "out" / "b00") == (expected if fetch else {"part.json": about.encode()})
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b00"]
    assert transport.prepare(bucket) is None
    assert exchange.send(tmp_path / "out" / "b00")["kind"] == "part"  # as an input of other work


def test_what_an_earlier_driver_left_in_the_exchange_is_taken(exchange: Exchange, tmp_path: Path) -> None:
    (bucket,) = numbers(tmp_path / "in", 1)
    made(exchange, bucket, tmp_path / "node")
    assert ByExchange(exchange, doubled, tmp_path / "out", "1", True).prepare(bucket) is None
    assert (tmp_path / "out" / "b00" / "doubled.json").read_text() == "0"
    assert ByExchange(exchange, doubled, tmp_path / "out", "2", True).prepare(bucket) is not None


def test_a_part_that_was_not_fetched_is_once_it_is_wanted(exchange: Exchange, tmp_path: Path) -> None:
    (bucket,) = numbers(tmp_path / "in", 1)
    about = made(exchange, bucket, tmp_path / "node")
    ByExchange(exchange, doubled, tmp_path / "out", "1", False).arrived(bucket, about)
    assert ByExchange(exchange, doubled, tmp_path / "out", "1", True).prepare(bucket) is None
    assert bytes_in(tmp_path / "out" / "b00") == bytes_in(tmp_path / "node" / "b00")


def test_nodes_keep_files_of_parts_that_several_buckets_read(exchange: Exchange, tmp_path: Path) -> None:
    (bucket,) = numbers(tmp_path / "in", 1)
    made(exchange, bucket, tmp_path / "node")
    part = tmp_path / "node" / "b00"
    reading = Bucket("b", {"own": part / "doubled.json", "all": part / "doubled.json"})
    for shared, kind in ((set(), "within"), ({part / "doubled.json"}, "shared")):
        told = ByExchange(exchange, doubled, tmp_path / "out", "1", True, shared).prepare(reading)
        assert told is not None
        assert {what["kind"] for what in told["inputs"].values()} == {kind}
    (tmp_path / "to").mkdir()
    exchange.fetch(told["inputs"]["all"], tmp_path / "to")
    assert bytes_in(tmp_path / "to") == {"doubled.json": b"0"}

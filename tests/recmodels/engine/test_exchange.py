"""Where nodes without a common disk find each other's files."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from recmodels.engine import parts
from recmodels.engine.exchange import Exchange
from recmodels.engine.work import Work
from recmodels.errors import ConfigError, NightrecError
from tests.recmodels.engine.contract import bytes_in, doubled, numbers


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(str(tmp_path / "exchange"))


def part_of(folder: Path) -> tuple[Path, str]:
    """A part, and its fingerprint."""
    (bucket,) = numbers(folder / "in", 1)
    made_from = parts.fingerprint(doubled, bucket, "1", parts.digest)
    parts.make(doubled, Work(bucket.inputs, bucket.arguments, folder / "part", 0), made_from)
    return folder / "part", made_from


def files_in(exchange: Exchange) -> list[str]:
    root = Path(exchange.root)
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_file_is_sent_once_and_fetched_by_its_digest(exchange: Exchange, tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("the same")
    one, two = exchange.send(tmp_path / "one.csv"), exchange.send(tmp_path / "two.csv")
    assert files_in(exchange) == [f"files/{one['digest']}"]
    (tmp_path / "to").mkdir()
    exchange.fetch(two, tmp_path / "to")
    assert bytes_in(tmp_path / "to") == {"two.csv": b"the same"}


def test_a_folder_comes_as_it_was(exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "a").write_bytes(bytes(range(256)))
    (tmp_path / "model" / "deep" / "b").write_text("b")
    (tmp_path / "to").mkdir()
    exchange.fetch(exchange.send(tmp_path / "model"), tmp_path / "to")
    assert bytes_in(tmp_path / "to" / "model") == bytes_in(tmp_path / "model")


def test_a_part_is_there_once_it_is_whole(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, made_from = part_of(tmp_path)
    send = Exchange.put

    def cut_short(self: Exchange, key: str, content: Path | bytes) -> None:
        if key.endswith("part.json"):
            raise InterruptedError
        send(self, key, content)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(Exchange, "put", cut_short)
        exchange.send_part(part, made_from)
    assert len(files_in(exchange)) == 2
    assert exchange.about(made_from) is None
    told = exchange.send(part)
    assert exchange.about(made_from) == (part / "part.json").read_bytes()
    (tmp_path / "to").mkdir()
    exchange.fetch(told, tmp_path / "to")
    assert bytes_in(tmp_path / "to" / "part") == bytes_in(part)
    assert parts.done(tmp_path / "to" / "part", made_from)


def test_a_file_of_a_part_is_fetched_without_the_others(exchange: Exchange, tmp_path: Path) -> None:
    part, _ = part_of(tmp_path)
    content = (part / "doubled.json").read_bytes()
    told = exchange.send(part / "doubled.json")
    (part / "doubled.json").unlink()  # the driver need not have it
    assert exchange.send(part / "doubled.json") == told
    exchange.fetch_all([(told, tmp_path / "to")])
    assert bytes_in(tmp_path / "to") == {"doubled.json": content}


def test_what_is_not_what_was_sent_is_refused(exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("right")
    told = exchange.send(tmp_path / "file")
    (Path(exchange.root) / "files" / told["digest"]).write_text("wrong")
    with pytest.raises(NightrecError, match=f"files/{told['digest'][:8]}.* is not what was sent"):
        exchange.fetch(told, tmp_path)
    (Path(exchange.root) / "files" / told["digest"]).unlink()
    with pytest.raises(NightrecError, match="any more: keep its files for 2 days"):
        exchange.fetch(told, tmp_path)


def test_what_was_sent_long_ago_is_sent_again_and_goes(exchange: Exchange, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    sent = Path(exchange.root) / "files" / exchange.send(tmp_path / "file")["digest"]
    for days, is_sent_again in ((0.5, False), (1.5, True)):
        then = sent.stat().st_mtime - days * 86400
        os.utime(sent, (then, then))
        Exchange(exchange.address).send(tmp_path / "file")  # another night
        assert (sent.stat().st_mtime > then) == is_sent_again
    then = sent.stat().st_mtime - 3 * 86400
    assert exchange.sweep() == 0
    os.utime(sent, (then, then))
    assert exchange.sweep() == 1
    assert files_in(exchange) == []
    exchange.send(tmp_path / "file")
    assert exchange.sweep(timedelta(0)) == 1


def test_addresses_are_checked(tmp_path: Path) -> None:
    for address, said in {
        "s3://key:secret@bucket/folder": "leave it out, and set AWS_ACCESS_KEY_ID",
        "nowhere://bucket": "cannot be opened",
    }.items():
        with pytest.raises(ConfigError, match=said) as info:
            Exchange(address)
        assert "key:secret" not in str(info.value)


def test_it_is_swept_once_a_day(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps: list[int] = []
    monkeypatch.setattr(Exchange, "sweep", lambda _: sweeps.append(1))
    for _ in range(2):
        exchange.sweep_daily()
    assert len(sweeps) == 1
    swept = Path(exchange.root) / "swept"
    then = swept.stat().st_mtime - 2 * 86400
    os.utime(swept, (then, then))
    exchange.sweep_daily()
    assert len(sweeps) == 2
    assert swept.stat().st_mtime > then


def test_an_empty_exchange_can_be_swept(exchange: Exchange) -> None:
    assert exchange.sweep() == 0

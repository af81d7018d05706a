"""The parts that buckets leave."""

import hashlib
import os
from pathlib import Path

import pytest

from recmodels.engine import parts
from recmodels.engine.work import Bucket, Work
from tests.recmodels.engine.contract import doubled


def made_from(folder: Path, **others: object) -> str:
    told = {"inputs": {"number": folder / "1.json"}, "arguments": {"times": 3}} | others
    return parts.fingerprint(doubled, Bucket("b", **told), "1", parts.digest)  # type: ignore[arg-type]


def test_a_fingerprint_is_of_all_that_a_part_may_depend_on(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("1.json", "2.json", "deep/1.json"):
        (tmp_path / name).write_text("1")
    before = made_from(tmp_path)
    assert made_from(tmp_path) == before
    assert made_from(tmp_path / "deep") == before  # wherever it lies
    assert made_from(tmp_path, inputs={"number": tmp_path / "2.json"}) != before
    assert made_from(tmp_path, arguments={"times": 4}) != before
    (tmp_path / "1.json").write_text("2")
    assert made_from(tmp_path) != before


def test_a_digest_is_that_of_the_bytes_and_follows_them(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    assert parts.digest(file) == hashlib.sha256(b"one").hexdigest()
    now = file.stat()
    file.write_bytes(b"two")  # as long
    os.utime(file, ns=(now.st_atime_ns, now.st_mtime_ns + 1))
    assert parts.digest(file) == hashlib.sha256(b"two").hexdigest()


def test_the_digest_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "file").write_text("x")
    before = parts.digest(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert parts.digest(tmp_path / "b") == before
    (tmp_path / "b" / "deep" / "file").rename(tmp_path / "b" / "deep" / "other")
    assert parts.digest(tmp_path / "b") != before


def test_the_digest_of_a_file_of_a_part_is_what_the_part_says_of_it(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("1")
    parts.make(doubled, Work({"number": tmp_path / "number"}, {}, tmp_path / "part", 0), "f")
    file = tmp_path / "part" / "doubled.json"
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    assert parts.digest(file) == expected
    file.unlink()  # as of a part that stays on its node
    assert parts.digest(file) == expected
    assert not parts.done(tmp_path / "part", "f")


def test_who_comes_second_leaves_the_part_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("1")
    work = Work({"number": tmp_path / "number"}, {}, tmp_path / "part", 0)

    def slowly(work: Work) -> None:
        parts.make(doubled, Work(work.inputs, work.arguments, tmp_path / "part", 0), "f")  # another one, meanwhile
        doubled(work)

    parts.make(slowly, work, "f")
    assert parts.done(tmp_path / "part", "f")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["number", "part"]


def test_a_damaged_part_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("1")
    work = Work({"number": tmp_path / "number"}, {}, tmp_path / "part", 0)
    parts.make(doubled, work, "f")
    (tmp_path / "part" / "deep" / "bytes").write_bytes(b"")
    assert not parts.done(tmp_path / "part", "f")
    parts.make(doubled, work, "f")
    assert parts.done(tmp_path / "part", "f")
    assert not parts.done(tmp_path / "part", "g")


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        parts.make(doubled, Work({}, {}, tmp_path / "part", 0), "f")
    assert list(tmp_path.iterdir()) == []

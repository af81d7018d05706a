"""A file is read once, and again when it is another one."""

import os
from pathlib import Path

import pytest

from tasks.store import digests
from tasks.store.digests import Digests
from tasks.store.files import sha256


def test_a_link_of_a_known_file_is_not_read_but_a_copy_or_a_change_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    monkeypatch.setattr(digests, "sha256", lambda path: read.append(path.name) or sha256(path))
    (first := tmp_path / "first").write_text("abc")
    known = Digests()
    known.learn(first, sha256(first))
    os.link(first, tmp_path / "link")
    (tmp_path / "copy").write_text("abc")
    assert {known.of(tmp_path / name) for name in ("first", "link", "copy")} == {sha256(first)}
    assert read == ["copy"]
    first.write_text("abcd")
    assert known.of(tmp_path / "link") == sha256(first)
    assert read == ["copy", "link"]

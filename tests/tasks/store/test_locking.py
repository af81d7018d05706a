"""One night at a time in a store: within a machine, between machines, and after a death."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from recmodels.errors import ConfigError
from tasks.store import lease, locking
from tasks.store.files import read_json, write_json
from tasks.store.lease import InUseError
from tasks.store.locking import held, in_use, is_held
from tasks.store.paths import Store
from tests.waiting import PATIENCE, until


def of_another_machine(store: Store, age: float, flow_run: str = "some run") -> None:
    """The lease of a night on another machine, last touched so many seconds ago."""
    content = {"token": "theirs", "machine": "another", "host": "gpu-box", "pid": 42, "since": "01:00"}
    write_json(store.lease, content | {"flow_run": flow_run})
    os.utime(store.lease, (time.time() - age,) * 2)


def test_one_night_at_a_time_holds_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with held(store) as token:
        assert in_use(store)
        assert is_held(store, token)
        with (
            pytest.raises(InUseError, match=r"Another night is running in the store .*, on .* since .*process"),
            held(store),
        ):
            pass
        assert is_held(store, token)
    assert not in_use(store)
    assert not is_held(store, token)
    assert not store.lease.exists()


def test_a_night_whose_store_goes_away_says_so_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(lease.os, "kill", lambda pid, number: ended.set())
    monkeypatch.setattr(locking, "beating", lambda path, wanted: lease.beating(path, wanted, every=0.01))
    store = Store(tmp_path)
    with held(store):
        assert not ended.is_set()
        store.lease.unlink()
        assert ended.wait(60)
    assert f"{tmp_path} has gone away, or another night has taken it over: see that its disk is mounted" in caplog.text


def test_a_night_on_another_machine_holds_it_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    of_another_machine(store, age=30)
    assert in_use(store)
    with pytest.raises(InUseError, match=r"on gpu-box since 01:00 \(process 42\)"), held(store):
        pass
    assert read_json(store.lease)["token"] == "theirs"


def test_a_night_that_died_on_another_machine_leaves_the_store_to_the_next(tmp_path: Path) -> None:
    store, dead = Store(tmp_path), []
    of_another_machine(store, age=lease.STALE + 1)
    with held(store, found_dead=dead.append) as token:
        assert is_held(store, token)
    assert dead == ["some run"]


def test_one_that_died_on_this_machine_leaves_it_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    of_another_machine(store, age=1)
    write_json(store.lease, json.loads(store.lease.read_text()) | {"machine": lease.machine()})
    with held(store) as token:
        assert is_held(store, token)


def test_patience_is_rewarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "POLL", 0.05)
    store, done = Store(tmp_path), threading.Event()

    def first() -> None:
        with held(store):
            done.wait(PATIENCE)

    thread = threading.Thread(target=first)
    thread.start()
    until("the store is in use", lambda: in_use(store), every=0.01)
    threading.Timer(0.3, done.set).start()
    with held(store, patience=PATIENCE) as token:
        assert is_held(store, token)
    thread.join()


def test_of_two_machines_that_find_a_dead_night_one_goes_on(tmp_path: Path) -> None:
    """The slower one has read the dead lease, and finds that the faster one has replaced it."""
    store = Store(tmp_path)
    of_another_machine(store, age=lease.STALE + 1)
    dead = json.loads(store.lease.read_text())
    store.lease.unlink()
    locking.write_new(store, dead | {"token": "faster"})
    with pytest.raises(InUseError):
        locking.put_aside(store, dead)
    assert read_json(store.lease)["token"] == "faster"
    with pytest.raises(InUseError):
        locking.write_new(store, dead | {"token": "slower"})


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=r"file/store cannot be written .*--store"),
        held(Store(tmp_path / "file/store")),
    ):
        pass


def test_a_new_store_is_its_users_own(tmp_path: Path) -> None:
    store, before = Store(tmp_path / "store"), os.umask(0o022)
    try:
        with held(store):
            write_json(store.root / "nights" / "2026-03-31" / "night.json", {})
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o077 for path in (store.root, *store.root.rglob("*"))} == {0}


def test_a_store_that_a_group_may_enter_shows_it_the_exports_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.root.mkdir()
    store.root.chmod(0o750)
    with held(store):
        write_json(store.export_manifest("2026-03-31"), {})
        write_json(store.root / "nights" / "2026-03-31" / "night.json", {})
    assert store.export_manifest("2026-03-31").stat().st_mode & 0o777 == 0o640
    assert (store.exports / "manifests").stat().st_mode & 0o777 == 0o750
    assert (store.root / "nights").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"token": 1}'])
def test_a_damaged_lease_is_somebodys_while_it_is_touched(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path)
    store.lease.write_bytes(content)
    with pytest.raises(InUseError), held(store):
        pass
    os.utime(store.lease, (time.time() - lease.STALE - 1,) * 2)
    with held(store) as token:
        assert is_held(store, token)


def test_a_clock_that_was_set_back_leaves_no_store_held(tmp_path: Path) -> None:
    store = Store(tmp_path)
    of_another_machine(store, age=-3600)
    with held(store) as token:
        assert is_held(store, token)

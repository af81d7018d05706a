"""A store in a bucket and its working copies: what is read is current, and what is written arrives."""

import shutil
from pathlib import Path

import pytest

from recmodels.errors import NightrecError
from tasks.store import bucket_lease, in_step
from tasks.store.bucket import StoreBucket
from tasks.store.in_step import leave_nothing, send, store_folder
from tasks.store.lease import InUseError
from tasks.store.locking import held
from tasks.store.paths import Store

AT = "nights/2026-01-01/night.json"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(bucket_lease, "MOMENT", 0.0)
    monkeypatch.setattr(in_step, "FRESH", 0.0)
    return f"file://{tmp_path}/bucket/site"


def on(machine: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store as a command finds it that begins on a machine."""
    monkeypatch.setenv("NIGHTREC_STORE_CACHE", str(tmp_path / machine))
    return Store(store_folder(address))


def write(store: Store, text: str) -> None:
    (store.root / AT).parent.mkdir(parents=True, exist_ok=True)
    (store.root / AT).write_text(text)


def test_the_folder_of_a_store_on_a_disk_is_that_folder(tmp_path: Path) -> None:
    assert store_folder(str(tmp_path)) == store_folder(tmp_path) == tmp_path
    with in_step.in_step(Store(tmp_path)):
        send(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_night_leaves_is_on_other_machines(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = on("here", address, tmp_path, monkeypatch)
    with held(store):
        write(store, "the first night")
        with pytest.raises(InUseError), held(on("there", address, tmp_path, monkeypatch)):
            pass
    other = on("there", address, tmp_path, monkeypatch)
    assert (other.root / AT).read_text() == "the first night"
    with held(other):
        write(other, "the second night")
    assert (on("here", address, tmp_path, monkeypatch).root / AT).read_text() == "the second night"


def test_a_driver_goes_on_from_the_last_stage_that_was_sent(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = on("here", address, tmp_path, monkeypatch)
    with pytest.raises(KeyboardInterrupt), held(store):
        write(store, "a stage")
        send(store.root / "nights" / "2026-01-01" / "raw")
        write(store, "half of the next one")
        raise KeyboardInterrupt
    other = on("there", address, tmp_path, monkeypatch)
    assert (other.root / AT).read_text() == "a stage"
    with held(other):  # nobody has to wait for the lease of who was stopped
        pass
    assert (on("here", address, tmp_path, monkeypatch).root / AT).read_text() == "half of the next one"


def test_a_stage_goes_on_where_the_bucket_fails_and_a_night_does_not_end_well(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = on("here", address, tmp_path, monkeypatch)
    put = StoreBucket(address).place.__class__.put

    def refused(self: object, key: str, content: Path | bytes) -> None:
        if key == "index.json":
            raise OSError("When uploading: AWS Error ACCESS_DENIED during PutObject: somebody's secret")
        put(self, key, content)  # type: ignore[arg-type]

    monkeypatch.setattr("recmodels.engine.exchange.Exchange.put", refused)
    refusal = r"^The store .*/bucket/site is not reached \(AWS Error ACCESS_DENIED\): see that"
    with pytest.raises(NightrecError, match=refusal), held(store):
        write(store, "a night")
        send(store.root)
    monkeypatch.undo()


def test_who_is_forgotten_leaves_nothing(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = on("here", address, tmp_path, monkeypatch)
    with held(store):
        write(store, "u1")
    with held(store):
        write(store, "nobody")
        leave_nothing(store)
    assert {path.read_text() for path in (tmp_path / "bucket" / "site" / "objects").iterdir()} == {"nobody"}


def test_a_command_beside_a_night_leaves_sending_to_it(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = on("here", address, tmp_path, monkeypatch)
    with held(store):
        write(store, "a night")
        monkeypatch.setattr(in_step, "_writing", {})  # as in another process
        with in_step.in_step(store):
            write(store, "a night, and pinned")
        assert not (tmp_path / "bucket" / "site" / "index.json").exists()
        monkeypatch.undo()
        monkeypatch.setattr(bucket_lease, "MOMENT", 0.0)
    shutil.rmtree(tmp_path / "there", ignore_errors=True)
    assert (on("there", address, tmp_path, monkeypatch).root / AT).read_text() == "a night, and pinned"

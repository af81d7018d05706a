"""A store in a bucket: what is sent comes back, a state at a time, and nothing of another driver is overwritten."""

import shutil
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from recmodels.engine.exchange import Exchange
from recmodels.errors import ConfigError, NightrecError
from tasks.store import bucket as module
from tasks.store.bucket import StoreBucket, Unreached
from tasks.store.working_copy import WorkingCopy, working_copy
from tests.recmodels.engine.contract import bytes_in

AT = ("nights/2026-01-01/raw/a.parquet", "nights/2026-01-01/night.json", "exports/latest.json")


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"file://{tmp_path}/bucket/site"


def copy_on(machine: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> WorkingCopy:
    """The working copy of a machine."""
    monkeypatch.setenv("NIGHTREC_STORE_CACHE", str(machine))
    copy = WorkingCopy.at(working_copy(address))
    assert copy is not None
    return copy


@pytest.fixture
def here(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> WorkingCopy:
    copy = copy_on(tmp_path / "here", address, monkeypatch)
    for path in AT:
        write(copy, path, path)
    return copy


@pytest.fixture
def there(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> WorkingCopy:
    return copy_on(tmp_path / "there", address, monkeypatch)


def write(copy: WorkingCopy, path: str, text: str) -> None:
    (copy.root / path).parent.mkdir(parents=True, exist_ok=True)
    (copy.root / path).write_text(text)


def content(copy: WorkingCopy) -> dict[str, bytes]:
    return {path: content for path, content in bytes_in(copy.root).items() if not path.startswith(".bucket")}


def test_another_machine_gets_the_same_bytes_and_times(here: WorkingCopy, there: WorkingCopy, address: str) -> None:
    write(here, "tuning/als.jsonl", AT[0])  # the same content as another file
    for path in (".lock", ".lease.json", "nights/2026-01-01/parts/als/part.json", "nights/2026-01-01/.tmp-raw/half"):
        write(here, path, "of this machine")
    (here.root / "nights/2026-01-01/quarantine").mkdir()  # it says that nothing was refused
    bucket = StoreBucket(address)
    assert bucket.push(here) == 5
    assert bucket.pull(there) == 5
    assert list((there.root / "nights/2026-01-01/quarantine").iterdir()) == []
    assert content(there) == {path: path.encode() for path in AT} | {"tuning/als.jsonl": AT[0].encode()}
    assert all((here.root / path).stat().st_mtime_ns == (there.root / path).stat().st_mtime_ns for path in AT)
    assert len(list(Path(bucket.place.root, "objects").iterdir())) == 3


def test_only_what_is_new_is_sent_and_fetched(
    here: WorkingCopy, there: WorkingCopy, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, moved = StoreBucket(address), []
    bucket.push(here)
    bucket.pull(there)
    put, get = Exchange.put, Exchange.get

    def sent(self: Exchange, key: str, what: Path | bytes) -> None:
        moved.append(f"put {what if isinstance(what, bytes) else what.name}" if key != "index.json" else "index")
        put(self, key, what)

    def fetched(self: Exchange, key: str, expected: str, to: Path) -> None:
        get(self, key, expected, to)
        moved.append(f"get {to.read_text()}")

    monkeypatch.setattr(Exchange, "put", sent)
    monkeypatch.setattr(Exchange, "get", fetched)
    assert bucket.push(here) == bucket.pull(there) == 0
    write(here, "nights/2026-01-01/champion/model.npy", "a model")
    shutil.rmtree((here.root / AT[0]).parent)
    assert bucket.push(here) == 1
    assert bucket.pull(there) == 1
    assert moved == ["put model.npy", "index", "get a model"]
    assert content(there) == content(here)
    assert not (there.root / AT[0]).parent.exists()


def test_a_driver_that_dies_while_it_sends_leaves_the_state_before(
    here: WorkingCopy, there: WorkingCopy, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = StoreBucket(address)
    bucket.push(here)
    before = content(here)
    write(here, AT[1], "a later night")
    write(here, "new", "new")
    put = Exchange.put

    def cut_short(self: Exchange, key: str, what: Path | bytes) -> None:
        if key == "index.json":
            raise InterruptedError
        put(self, key, what)

    with monkeypatch.context() as patch, pytest.raises(NightrecError, match="is not reached"):
        patch.setattr(Exchange, "put", cut_short)
        bucket.push(here)
    bucket.pull(there)
    assert content(there) == before
    assert bucket.push(here) == 2  # what was not sent is not lost where it is
    bucket.pull(there)
    assert content(there) == content(here)


def test_who_was_overtaken_overwrites_nothing(here: WorkingCopy, there: WorkingCopy, address: str) -> None:
    bucket = StoreBucket(address)
    bucket.push(here)
    bucket.pull(there)
    write(there, AT[1], "theirs")
    bucket.push(there)
    write(here, AT[1], "ours")
    write(here, "simulations/market/result.json", "took hours")
    with pytest.raises(NightrecError, match=r"Another driver has written to the store .*bucket/site meanwhile"):
        bucket.push(here)
    bucket.pull(here)
    assert content(here) == content(there) | {"simulations/market/result.json": b"took hours"}


def test_an_index_that_arrived_without_an_answer_is_our_own(
    here: WorkingCopy, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, put = StoreBucket(address), Exchange.put
    bucket.push(here)

    def without_answer(self: Exchange, key: str, what: Path | bytes) -> None:
        put(self, key, what)
        if key == "index.json":
            raise TimeoutError

    write(here, AT[1], "a later night")
    with monkeypatch.context() as patch, pytest.raises(Unreached):
        patch.setattr(Exchange, "put", without_answer)
        bucket.push(here)
    write(here, AT[1], "and a stage more")
    again = WorkingCopy.at(here.root)  # by the next process
    assert again is not None
    bucket.pull(again)
    assert bucket.push(again) == 1
    assert (again.root / AT[1]).read_text() == "and a stage more"


def test_a_copy_outlives_an_index_that_is_removed(here: WorkingCopy, there: WorkingCopy, address: str) -> None:
    bucket = StoreBucket(address)
    bucket.push(here)
    shutil.rmtree(bucket.place.root)
    bucket.pull(here)
    assert bucket.push(here) == bucket.pull(there) == 3
    assert content(there) == content(here)


def test_what_no_index_names_goes_after_two_days_or_at_once(here: WorkingCopy, address: str) -> None:
    bucket = StoreBucket(address)
    bucket.push(here)
    (here.root / AT[0]).unlink()
    bucket.push(here)
    assert bucket.sweep() == 0
    assert bucket.sweep(timedelta()) == 1
    assert len(list(Path(bucket.place.root, "objects").iterdir())) == 2


def test_a_copy_follows_an_index_that_is_replaced_meanwhile(
    here: WorkingCopy, there: WorkingCopy, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = StoreBucket(address)
    bucket.push(here)
    old, index = bucket.index(), bucket.index
    write(here, AT[0], "newer")
    bucket.push(here)
    bucket.sweep(timedelta())
    answers = [old]
    monkeypatch.setattr(bucket, "index", lambda: answers.pop() if answers else index())
    bucket.pull(there)
    assert content(there) == content(here)


def test_what_comes_is_what_was_sent(here: WorkingCopy, there: WorkingCopy, address: str) -> None:
    bucket = StoreBucket(address)
    bucket.push(here)
    next(Path(bucket.place.root, "objects").iterdir()).write_text("something else")
    with pytest.raises(NightrecError, match="is not what was sent"):
        bucket.pull(there)
    with pytest.raises(NightrecError, match=r"index.json of the store .* is damaged"):
        bucket.place.put("index.json", b'{"written": "1", "files": {"../../home": ["0", 1, 1]}}')
        bucket.pull(there)


def test_who_does_not_answer_is_not_waited_for(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    over = Event()
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    monkeypatch.setattr(module, "Exchange", lambda _: over.wait())
    with pytest.raises(NightrecError, match=r"The store file://.*/bucket/site is not reached \(TimeoutError\)"):
        StoreBucket(address)
    over.set()


def test_an_address_holds_no_secret(address: str) -> None:
    with pytest.raises(ConfigError, match=r"holds a secret .* set AWS_ACCESS_KEY_ID"):
        working_copy("s3://somebody:geheim@bucket/site")
    assert working_copy("s3://bucket/a/site?region=eu-west-1").name.startswith("bucket-a-site-")
    StoreBucket(address).probe()

"""One driver at a time in a store in a bucket."""

import os
from pathlib import Path

import psutil
import pytest

from tasks.store import bucket_lease
from tasks.store.bucket import StoreBucket
from tasks.store.bucket_lease import is_ours, leased
from tasks.store.lease import InUseError
from tasks.store.working_copy import WorkingCopy


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoreBucket:
    monkeypatch.setattr(bucket_lease, "MOMENT", 0.0)
    return StoreBucket(f"file://{tmp_path}/bucket/site")


def copy(tmp_path: Path, name: str) -> WorkingCopy:
    return WorkingCopy(tmp_path, "", name)


def test_a_second_driver_is_refused_until_the_first_has_ended(bucket: StoreBucket, tmp_path: Path) -> None:
    here, there = copy(tmp_path, "here"), copy(tmp_path, "there")
    with leased(bucket, here, held=True):
        assert is_ours(bucket, here) and not is_ours(bucket, there)
        refusal = rf"Another night is running in the store .*bucket/site, on .* since .* \(process {os.getpid()}\)"
        with pytest.raises(InUseError, match=refusal), leased(bucket, there, held=True):
            pass
        assert is_ours(bucket, here)
    with leased(bucket, there, held=True):
        assert is_ours(bucket, there)


def test_the_lease_of_a_dead_driver_is_passed_on(
    bucket: StoreBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = copy(tmp_path, "here"), copy(tmp_path, "there")
    abandoned = leased(bucket, here, held=True)
    abandoned.__enter__()
    lease = Path(bucket.place.path("lease.json"))
    with pytest.raises(InUseError), leased(bucket, there, held=True):  # it was renewed just now
        pass
    with pytest.raises(InUseError), leased(bucket, here, held=False):  # others of the same copy may be at work
        pass
    with leased(bucket, here, held=True):  # we hold its copy, so it cannot be
        pass
    abandoned = leased(bucket, here, held=True)
    abandoned.__enter__()
    long_ago = lease.stat().st_mtime - 121
    os.utime(lease, (long_ago, long_ago))
    with leased(bucket, there, held=True):
        assert is_ours(bucket, there)


def test_a_process_that_lives_is_not_dead_though_its_copy_is_held(
    bucket: StoreBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = copy(tmp_path, "here")
    monkeypatch.setattr(os, "getpid", lambda: 42)
    with leased(bucket, here, held=False):
        monkeypatch.setattr(os, "getpid", lambda: 43)
        monkeypatch.setattr(psutil, "pid_exists", lambda pid: pid == 42)
        with pytest.raises(InUseError, match="process 42"), leased(bucket, here, held=True):
            pass


def test_of_two_at_the_same_moment_the_later_one_stays(
    bucket: StoreBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(_: float) -> None:
        bucket.place.put("lease.json", b'{"token": "theirs", "host": "gpu-box", "since": "01:00", "pid": 42}')

    monkeypatch.setattr(bucket_lease.time, "sleep", meanwhile)
    with (
        pytest.raises(InUseError, match=r"on gpu-box since 01:00 \(process 42\)"),
        leased(bucket, copy(tmp_path, "here"), held=True),
    ):
        pass
    assert bucket.place.read("lease.json") is not None

"""Damaged exports come back from the copy, file by file, and never in another version."""

import shutil
from pathlib import Path

import pytest

from recmodels.errors import NightrecError
from recmodels.published.reader import read_latest
from tasks.publish.mirror import mirror
from tasks.publish.restore import restore
from tasks.store.exports import intact, manifest_of
from tasks.store.paths import Store
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

ID = str(RUN_DATE)
PART = "topk/part-00000.parquet"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and its copy beside it."""
    root = tmp_path_factory.mktemp("site")
    night = prepare_night(root / "store")
    publish(night)
    mirror.fn(night.store, f"file://{root}/copy")
    return root


@pytest.fixture
def site(tmp_path: Path, copied: Path) -> tuple[Store, str]:
    shutil.copytree(copied, tmp_path / "site", symlinks=True)
    return Store(tmp_path / "site" / "store"), f"file://{tmp_path}/site/copy"


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_part_and_a_lost_manifest_come_back_byte_for_byte(site: tuple[Store, str]) -> None:
    store, url = site
    before = {path: path.read_bytes() for path in store.exports.rglob("*") if path.is_file()}
    spoil(store.export(ID) / PART)
    assert restore(store, ID, url).startswith("1 file is restored from file://")
    store.export_manifest(ID).unlink()
    shutil.rmtree(store.export(ID) / "similar")
    assert restore(store, ID, url).startswith("1 file is restored")
    assert {path: path.read_bytes() for path in store.exports.rglob("*") if path.is_file()} == before
    intact(store, manifest_of(store, ID) or {})


def test_a_copy_that_is_damaged_too_is_not_taken(site: tuple[Store, str], tmp_path: Path) -> None:
    store, url = site
    spoil(store.export(ID) / PART)
    spoil(tmp_path / "site" / "copy" / "exports" / ID / PART)
    with pytest.raises(NightrecError, match=r"is not the same at file://.* run the night again"):
        restore(store, ID, url)


def test_a_damaged_export_is_not_copied_over_a_good_one(site: tuple[Store, str], tmp_path: Path) -> None:
    store, url = site
    good = (tmp_path / "site" / "copy" / "exports" / ID / PART).read_bytes()
    spoil(store.export(ID) / PART)
    spoil(store.export_manifest(ID))
    assert mirror.fn(store, url)["copied"] == []
    assert (tmp_path / "site" / "copy" / "exports" / ID / PART).read_bytes() == good
    assert read_latest(tmp_path / "site" / "copy").num_rows

"""The commands that look at exports and undo, as people call them."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.flows.running import nightrec
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

FIRST = date(2026, 3, 30)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which two nights are published."""
    root = tmp_path_factory.mktemp("store")
    publish(prepare_night(root, FIRST))
    publish(prepare_night(root), k=2)
    return root


@pytest.fixture
def site(tmp_path: Path, published: Path) -> Path:
    """A folder with a copy of the store."""
    shutil.copytree(published, tmp_path / "store", symlinks=True)
    return tmp_path


def test_going_back_and_looking_at_it(site: Path) -> None:
    assert nightrec("rollback", cwd=site).out == f"Readers see {FIRST} now; before, it was {RUN_DATE}.\n"
    verified = nightrec("verify", cwd=site)
    assert verified.code == 0 and verified.out.startswith(f"{FIRST}: 4 files and 15 rows are as published, and")
    assert nightrec("rollback", "--to", str(RUN_DATE), cwd=site).code == 0
    nowhere = nightrec("rollback", "--to", "2026-01-01", cwd=site)
    assert nowhere.code == 2 and "There is no export 2026-01-01" in nowhere.err


def test_a_pointer_that_names_another_manifest_does_not_pass(site: Path) -> None:
    manifest = site / "store" / "exports" / "manifests" / f"{RUN_DATE}.json"
    manifest.write_text(manifest.read_text() + " ")
    refused = nightrec("verify", cwd=site)
    assert refused.code == 4 and "is not what" in refused.err and "latest.json points to" in refused.err


def test_the_difference_of_two_nights(site: Path) -> None:
    told = nightrec("diff", str(FIRST), str(RUN_DATE), cwd=site)
    assert told.code == 0, told.err
    assert f"{FIRST} (item_knn, top 3) → {RUN_DATE} (item_knn, top 2)" in told.out
    assert "Users: 5 in both, 0 came, 0 went." in told.out and "33.3% of a user's list is new" in told.out
    found = json.loads(nightrec("diff", str(FIRST), str(RUN_DATE), "--json", cwd=site).out)
    assert found["places_changed"] == 5 and found["pairs_in_both"] == 10


def test_pinning(site: Path) -> None:
    assert nightrec("pin", str(FIRST), cwd=site).out == f"{FIRST} is pinned.\n"
    assert nightrec("unpin", str(FIRST), cwd=site).out == f"{FIRST}: no longer pinned.\n"
    assert nightrec("unpin", str(FIRST), cwd=site).code == 2

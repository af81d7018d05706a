"""Going back: readers are moved to an earlier export, and no night moves them on by accident."""

import json
import shutil
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from expectations.errors import ExportRefused
from recmodels.errors import ConfigError, NightrecError
from recmodels.published.reader import Export
from tasks.store.exports import REWRITTEN, rollback, switches, whole_exports
from tasks.store.files import read_json, sha256, write_json
from tasks.store.manifests import describe
from tasks.store.paths import Night, Store
from tasks.store.records import sealed
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

FIRST = date(2026, 3, 30)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights that are published."""
    root = tmp_path_factory.mktemp("store")
    for run_date in (FIRST, RUN_DATE):
        publish(prepare_night(root, run_date))
    return root


@pytest.fixture
def night(tmp_path: Path, published: Path) -> Night:
    """The later night of a store."""
    return Store(shutil.copytree(published, tmp_path / "store", symlinks=True)).night(RUN_DATE)


def current(night: Night) -> str:
    pointer = read_json(night.store.pointer) or {}
    assert pointer["manifest_sha256"] == sha256(night.store.exports / pointer["manifest"])
    assert night.store.link.readlink() == Path(pointer["path"])
    assert Export.latest(night.store.root).manifest["export_id"] == pointer["export_id"]
    return str(pointer["export_id"])


def test_readers_go_back_to_the_export_before(night: Night) -> None:
    assert current(night) == str(RUN_DATE)
    assert rollback(night.store) == (str(RUN_DATE), str(FIRST))
    assert current(night) == str(FIRST)
    with pytest.raises(ConfigError, match="no export before"):
        rollback(night.store)


def test_a_rewrite_that_was_cut_short_is_completed_before_readers_go_back(night: Night) -> None:
    manifest = read_json(night.store.export_manifest(str(FIRST))) or {}
    aside = night.store.exports / f"{REWRITTEN}{FIRST}"
    part = "topk/part-00000.parquet"
    (aside / "topk").mkdir(parents=True)
    old = night.store.export(str(FIRST)) / part
    pq.write_table(pq.read_table(old).replace_schema_metadata({}), aside / part, compression="none")
    files = [describe(aside / part, aside) if file["path"] == part else file for file in manifest["files"]]
    write_json(aside / "manifest.json", sealed(manifest | {"files": files}))
    (aside / part).replace(old)  # here it was killed: the manifest is still the old one
    assert rollback(night.store) == (str(RUN_DATE), str(FIRST))
    assert current(night) == str(FIRST)
    assert not aside.exists()


def test_readers_are_told_that_the_manifest_of_the_current_export_is_lost(night: Night) -> None:
    night.store.export_manifest(str(RUN_DATE)).unlink()
    with pytest.raises(NightrecError, match=r"2026-03-31.json of the current export is gone or damaged: `nightrec doc"):
        Export.latest(night.store.root)
    assert rollback(night.store) == (str(RUN_DATE), str(FIRST))
    assert current(night) == str(FIRST)


def test_a_second_export_of_a_night_goes_back_to_the_first(night: Night) -> None:
    publish(night, k=2)
    assert rollback(night.store) == (f"{RUN_DATE}.2", str(RUN_DATE))


def test_a_night_that_is_run_again_does_not_bring_back_what_was_rolled_back(night: Night) -> None:
    rollback(night.store)
    assert publish(night)["skipped"]
    assert current(night) == str(FIRST)
    assert publish(night, fresh=True)["export_id"] == f"{RUN_DATE}.2"
    assert current(night) == f"{RUN_DATE}.2"
    assert publish(night, k=2)["export_id"] == f"{RUN_DATE}.3"
    assert rollback(night.store, f"{RUN_DATE}.2") == (f"{RUN_DATE}.3", f"{RUN_DATE}.2")


def test_one_may_go_forward_again_by_name(night: Night) -> None:
    rollback(night.store, str(FIRST))
    assert rollback(night.store, str(RUN_DATE)) == (str(FIRST), str(RUN_DATE))
    assert "withdrawn" not in (read_json(night.store.pointer) or {})
    assert publish(night)["skipped"] and current(night) == str(RUN_DATE)


def test_nobody_goes_back_to_what_is_damaged_or_not_there(night: Night) -> None:
    with pytest.raises(ConfigError, match=r"no export 2026-03-29 .* 2026-03-30 to 2026-03-31"):
        rollback(night.store, "2026-03-29")
    part = night.store.export(str(FIRST)) / "topk" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    with pytest.raises(ExportRefused, match="is not what was published"):
        rollback(night.store)
    part.unlink()
    with pytest.raises(ExportRefused, match="is missing"):
        rollback(night.store)
    assert current(night) == str(RUN_DATE)


def test_every_switch_is_written_down(night: Night) -> None:
    rollback(night.store)
    publish(night, fresh=True)
    told = [(line["instead_of"], line["export_id"], line["by"]) for line in switches(night.store)]
    first, second = str(FIRST), str(RUN_DATE)
    assert told == [
        (None, first, "night"),
        (first, second, "night"),
        (second, first, "rollback"),
        (first, f"{second}.2", "night"),
    ]
    with (night.store.root / "published.jsonl").open("a") as log:
        log.write(json.dumps({"at": "cut short"})[:-3])
    assert len(switches(night.store)) == 4


def test_exports_are_in_the_order_of_nights_and_numbers(night: Night) -> None:
    for _ in range(9):
        publish(night, fresh=True)
    assert whole_exports(night.store)[-3:] == [f"{RUN_DATE}.{n}" for n in (8, 9, 10)]
    assert whole_exports(night.store)[:2] == [str(FIRST), str(RUN_DATE)]

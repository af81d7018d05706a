"""The index of the items' vectors finds what comparing all of them finds, and nothing that lists may not have."""

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from usearch.index import Index

from recmodels.errors import ConfigError
from recmodels.factors.als import ALS
from tasks.export import vector_index
from tasks.export.refilter import refilter
from tasks.export.settings import ExportSettings
from tasks.export.vector_index import FILE, FOLDER, _recall, without_unavailable, write_index
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.export.verification import verified
from tasks.store.exports import manifest_of
from tasks.store.paths import Night
from tests.tasks.export.test_vectors import fitted, read
from tests.tasks.publishing import prepare_night, publish, with_manifests

SITE = 2000, 300, 16  # items, users, numbers of a vector


def written(
    out: Path, seed: int = 0, users: int = SITE[1], gone: int = 10
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], ...]:
    """Vectors of items in two files, of different length as a model's are, and of users; one in `gone` is gone."""
    random, (n_items, _, length) = np.random.default_rng(seed), SITE
    items = (random.normal(size=(n_items, length)) * random.lognormal(size=(n_items, 1))).astype(np.float32)
    people = random.normal(size=(users, length)).astype(np.float32)
    available = np.arange(n_items) % gone > 0
    for folder, vectors, parts in ((ITEM_VECTORS, items, 2), (USER_VECTORS, people, 1)):
        (out / folder).mkdir(parents=True)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), length)
        table = pa.table({"vector": column} | ({"available": available} if parts == 2 else {}))
        for part in range(parts):
            rows = table.slice(part * len(table) // parts, len(table) // parts)
            pq.write_table(rows, out / folder / f"part-{part:05d}.parquet")
    return items, people, available


def test_a_search_finds_the_share_of_the_best_that_was_asked_for(tmp_path: Path) -> None:
    items, users, available = written(tmp_path)
    about = write_index(tmp_path, 10, 0.95, 0)
    index = Index.restore(str(tmp_path / FOLDER / FILE))
    index.expansion_search = about["expansion_search"]
    keys = index.search(users, 10).keys.astype(np.int64)
    best = np.argsort(-(users @ np.where(available, items.T, 0) - 1e9 * ~available), axis=1)[:, :10]
    recall = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(keys, best, strict=True)])
    assert about["users"] == len(users) and about["items"] == available.sum() == len(index)
    assert recall == pytest.approx(about["recall"], abs=1e-3) and recall >= 0.95
    assert available[keys].all()


def test_a_single_user_is_enough_to_measure_it_and_no_item_too_few(tmp_path: Path) -> None:
    written(tmp_path, users=1)
    about = write_index(tmp_path, 10, 0.5, 0)
    assert about["users"] == 1 and about["recall"] >= 0.5
    nothing = tmp_path / "nothing"
    written(nothing, users=1, gone=1)
    assert write_index(nothing, 10, 0.5, 0) | {"path": ""} == {
        "path": "", "items": 0, "recall": 1.0, "expansion_search": 64, "users": 1
    }  # fmt: skip
    without = tmp_path / "without"
    written(without, users=1, gone=1)
    assert without_unavailable(tmp_path, without, 10, 0.5, 0) == about | {"items": 0, "recall": 1.0}


def test_places_that_a_search_leaves_empty_are_not_found() -> None:
    found = SimpleNamespace(keys=np.zeros((2, 2), np.uint64), counts=np.array([1, 1]))
    index = SimpleNamespace(search=lambda *_: found)
    one = np.ones((1, 1), np.float32)
    assert _recall(index, one, np.ones((2, 1), np.float32), np.ones((1, 2), np.float32)) == 0.5


@pytest.mark.slow
def test_a_higher_share_takes_more_candidates(tmp_path: Path) -> None:
    sizes = []
    for number, recall in enumerate((0.5, 1.0)):
        written(tmp_path / str(number))
        sizes.append(write_index(tmp_path / str(number), 10, recall, 0)["expansion_search"])
    assert sizes[0] == vector_index.FIRST_SEARCH < sizes[1] <= vector_index.LAST_SEARCH


@pytest.mark.slow
def test_the_same_vectors_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for number in range(2):
        written(tmp_path / str(number))
        write_index(tmp_path / str(number), 10, 0.5, 0)
        digests.add(hashlib.sha256((tmp_path / str(number) / FOLDER / FILE).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_it_is_published_verified_and_follows_what_goes_between_nights(tmp_path: Path) -> None:
    night = prepare_night(tmp_path)
    with_manifests(night)
    fitted(night, ALS(factors=4))
    manifest = publish(night, vectors="als", vector_index=True)
    assert manifest["vectors"]["index"] == {
        "path": "item_index/items.usearch", "items": 7, "recall": 1.0, "expansion_search": 64, "users": 5
    }  # fmt: skip
    assert "item_index/items.usearch" in [file["path"] for file in manifest["files"]]
    assert "keep the contract" in verified(night.store.root, None).sentence
    there = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 6 for n in range(8)]})
    assert refilter(night.store, there, ExportSettings(), complete=True, max_gone_share=0.5, name="now.csv").published
    items = read(night, ITEM_VECTORS)
    index = Index.restore(str(night.store.link.resolve() / FOLDER / FILE))
    keys = index.search(np.ones(4, np.float32), 8).keys
    assert {items["item_id"][int(key)].as_py() for key in keys} == {f"i{n}" for n in range(8) if n not in (5, 6)}
    refiltered = manifest_of(night.store, night.store.link.resolve().name)
    assert refiltered and refiltered["vectors"]["index"] == manifest["vectors"]["index"] | {"items": 6}


def test_without_the_package_it_is_said_how_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ConfigError, match=r"pip install 'nightrec\[vectors\]'"):
        write_index(tmp_path, 10, 0.5, 0)


def test_a_night_without_vectors_has_no_index(tmp_path: Path) -> None:
    night: Night = prepare_night(tmp_path)
    publish(night, vectors="champion", vector_index=True)
    assert not (night.store.link.resolve() / FOLDER).exists()

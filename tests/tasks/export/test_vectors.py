"""Published vectors: their products are the scores of the model, whoever reads them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from expectations.errors import ExportRefused
from recmodels.base import Recommender
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.factors.als import ALS
from recmodels.factors.bpr import BPR
from recmodels.factors.mf import MF
from recmodels.pairwise.hybrid import Hybrid
from recmodels.persistence import save
from recmodels.published.pseudonyms import hashed
from tasks.export import buckets
from tasks.export.audit_items import check_columns
from tasks.export.refilter import refilter
from tasks.export.settings import ExportSettings
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.export.verification import verified
from tasks.forgetting.forget import forget
from tasks.store.files import Json
from tasks.store.manifests import write_manifest
from tasks.store.paths import Night
from tests.tasks.publishing import prepare_night, publish, with_manifests


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def fitted(night: Night, model: Recommender, name: str = "als") -> Recommender:
    """Fit a model beside the winner, as a night does."""
    model.fit(Dataset.load(night.features, "full"))
    save(model, night.arm_model(name))
    about: Json = {"inputs": {}, "parameters": {}, "code": "", "fingerprint": "", "summary": {}, "files": []}
    write_manifest(night.arm_model(name), about | {"output": name})
    return model


def read(night: Night, table: str) -> pa.Table:
    return pq.read_table(night.store.link.resolve() / table).combine_chunks()


def matrix(table: pa.Table) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.stack(table["vector"].to_numpy())


@pytest.mark.parametrize(
    "model", [ALS(factors=4), BPR(factors=4, epochs=2), MF(factors=4, epochs=2), Hybrid(factors=4, epochs=1)]
)
def test_products_are_the_scores_of_the_model(night: Night, model: Recommender) -> None:
    fitted(night, model)
    manifest = publish(night, vectors="als")
    users, items = read(night, USER_VECTORS), read(night, ITEM_VECTORS)
    data = Dataset.load(night.features, "full")
    user_ids = pq.read_table(night.prepared / layout.USERS)["user_id"].to_pylist()
    item_ids = pq.read_table(night.prepared / layout.ITEMS)["item_id"].to_pylist()
    rows = np.array([user_ids.index(user) for user in users["user_id"].to_pylist()], np.int32)
    columns = [item_ids.index(item) for item in items["item_id"].to_pylist()]
    expected = model._score(data, rows)
    np.testing.assert_allclose(matrix(users) @ matrix(items).T, expected[:, columns], rtol=1e-5, atol=1e-6)
    others = np.setdiff1d(np.arange(len(item_ids)), columns)
    assert not np.isfinite(expected[:, others]).any()  # what has no vector has no score
    assert users["user_id"].to_pylist() == sorted(set(range(5)))  # 7 has done nothing, 8 opted out
    assert items["available"].to_pylist() == [item != "i5" for item in items["item_id"].to_pylist()]
    assert manifest["vectors"] == {"model": "als", "metric": "inner product"}
    assert {"item_vectors", "user_vectors"} <= manifest["schema"].keys()
    assert verified(night.store.root, None).users == manifest["users"]


@pytest.mark.slow
def test_vectors_do_not_depend_on_the_number_of_buckets(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(night, ALS(factors=4))
    publish(night, vectors="als")
    whole = read(night, USER_VECTORS)
    monkeypatch.setattr(buckets, "PLACES", 2)
    manifest = publish(night, vectors="als", fresh=True)
    assert sum(file["path"].startswith(USER_VECTORS) for file in manifest["files"]) == 3
    assert read(night, USER_VECTORS).equals(whole)


@pytest.mark.slow
def test_a_model_that_needs_the_others_sees_them_in_every_bucket(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(night, ALS(factors=4))
    n = len(Dataset.load(night.features, "full"))

    def of_all(_: ALS, data: Dataset, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.full((len(users), 4), len(data), np.float32)

    monkeypatch.setattr(ALS, "needs_others", True)
    monkeypatch.setattr(ALS, "_user_vectors", of_all)
    monkeypatch.setattr(buckets, "PLACES", 2)
    publish(night, vectors="als")
    assert matrix(read(night, USER_VECTORS)).tolist() == [[n] * 4] * 5


def test_those_of_the_winner_are_published_whichever_it_is(night: Night) -> None:
    save(ALS(factors=4).fit(Dataset.load(night.features, "full")), night.champion)
    assert publish(night, vectors="champion")["vectors"]["model"] == "item_knn"  # as the fixture calls its winner
    assert set(read(night, ITEM_VECTORS)["model"].to_pylist()) == {"item_knn"}


@pytest.mark.parametrize(
    ("wanted", "why"), [("champion", "item_knn does not score by vectors; name"), ("als", "als could not be fitted")]
)
def test_a_night_without_vectors_is_published_and_says_why(
    night: Night, caplog: pytest.LogCaptureFixture, wanted: str, why: str
) -> None:
    manifest = publish(night, vectors=wanted)
    assert "vectors" not in manifest and not (night.store.link.resolve() / ITEM_VECTORS).exists()
    assert f"no vectors are published tonight: {why}" in caplog.text


@pytest.mark.slow
def test_another_model_makes_another_export(night: Night) -> None:
    fitted(night, ALS(factors=4))
    first = publish(night, vectors="als")
    assert publish(night, vectors="als")["skipped"]
    about = night.arm_model("als") / "manifest.json"
    about.write_text(about.read_text().replace('"output": "als"', '"output": "another"'))
    again = publish(night, vectors="als")
    assert not again["skipped"] and again["export_id"] != first["export_id"]


def test_ids_are_hashed_as_in_lists(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", key := "a key of sixteen bytes")
    fitted(night, ALS(factors=4))
    publish(night, vectors="als", hash_key_env="KEY")
    assert set(read(night, USER_VECTORS)["user_id"].to_pylist()) == {
        hashed(str(user), key.encode()) for user in range(5)
    }


@pytest.mark.slow
def test_items_that_are_gone_since_are_not_available(night: Night) -> None:
    with_manifests(night)
    fitted(night, ALS(factors=4))
    publish(night, vectors="als")
    users, items = read(night, USER_VECTORS), read(night, ITEM_VECTORS)
    there = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 6 for n in range(8)]})
    assert refilter(night.store, there, ExportSettings(), complete=True, max_gone_share=0.5, name="now.csv").published
    assert read(night, USER_VECTORS).equals(users)
    left = read(night, ITEM_VECTORS)
    assert left.drop_columns("available").equals(items.drop_columns("available"))
    assert items.filter(pc.not_equal(items["available"], left["available"]))["item_id"].to_pylist() == ["i6"]
    assert "keep the contract" in verified(night.store.root, None).sentence


def test_vectors_of_whoever_is_forgotten_are_gone(night: Night) -> None:
    fitted(night, ALS(factors=4))
    publish(night, vectors="als")
    forget(night.store, "3")
    assert read(night, USER_VECTORS)["user_id"].to_pylist() == [0, 1, 2, 4]


def test_a_file_with_other_vectors_breaks_the_contract(night: Night) -> None:
    fitted(night, ALS(factors=4))
    publish(night, vectors="als")
    out = night.store.link.resolve()
    path = f"{ITEM_VECTORS}/part-00000.parquet"
    table = pq.read_table(out / path)
    text = table.set_column(2, "vector", pa.array(["1"] * len(table)))
    pq.write_table(text, out / path)
    with pytest.raises(ExportRefused, match="the column vector is string, the contract has fixed_size_list"):
        check_columns(out)

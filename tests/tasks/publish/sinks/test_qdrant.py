"""Qdrant: requests are those of its own client, and an alias points to all vectors of an export, or to the last ones.

There is no server of Qdrant here: another one answers as its API is described, on the local mode of the client.
"""

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recmodels.engine.current import using
from recmodels.published.reader import Export
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.forgetting.forget import forget
from tasks.publish.sinks import qdrant as module
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import QdrantSettings, SinkSettings, failures
from tasks.publish.sinks.vector_texts import matrix
from tasks.store.paths import Night, Store
from tests.tasks.loading import Twice, publish_vectors, succeeds
from tests.tasks.qdrant_server import KEY, Qdrant, qdrant
from tests.tasks.site import RUN_DATE

pytestmark = pytest.mark.slow

SETTINGS = SinkSettings(
    qdrant=QdrantSettings(url_env="SHOP_QDRANT", api_key_env="SHOP_KEY", collection="items", users=True)
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Qdrant]:
    pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")
    monkeypatch.setattr(module, "ASKED_EVERY", 0.01)
    with qdrant() as found:
        monkeypatch.setenv("SHOP_QDRANT", found.url)
        monkeypatch.setenv("SHOP_KEY", KEY)
        yield found


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """The store of a night that is published with vectors."""
    root = shutil.copytree(prepared, tmp_path_factory.mktemp("vectors") / "store", symlinks=True)
    publish_vectors(Store(root).night(RUN_DATE), 4)
    return root


@pytest.fixture
def night(tmp_path: Path, vectors: Path) -> Night:
    return Store(shutil.copytree(vectors, tmp_path / "store", symlinks=True)).night(RUN_DATE)


def point_of(item: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, item))


def points(server: Qdrant, alias: str) -> dict[Any, Any]:
    found, _ = server.local.scroll(alias, limit=100, with_vectors=True)
    return {one.id: one for one in found}


def test_qdrant_holds_the_vectors_of_the_current_export(night: Night, server: Qdrant) -> None:
    with using(Twice()):
        outcome = succeeds(night.store, SETTINGS)
    items = Export.latest(night.store.root).table(ITEM_VECTORS)
    users = Export.latest(night.store.root).table(USER_VECTORS)
    assert outcome["qdrant"]["tables"][ITEM_VECTORS]["rows"] == len(items)
    vectors, found = matrix(items["vector"]), points(server, "items")
    assert set(found) == {point_of(one) for one in items["item_id"].to_pylist()}
    for item, available, vector in zip(
        *(items[name].to_pylist() for name in ("item_id", "available", "vector")), strict=True
    ):
        point = found[point_of(item)]
        payload = {"item_id": item, "available": available, "model": "als", "title": f"Title {item[1:]}"}
        genre = {} if item == "i6" else {"genre": "xyxyxy-x"[int(item[1:])]}
        assert point.payload == payload | genre
        assert point.vector["inner_product"] == vector
        np.testing.assert_allclose(point.vector["cosine"], np.array(vector) / np.linalg.norm(vector), rtol=1e-6)
    people = points(server, "items_users")  # whole numbers are their own ids
    assert {one: point.vector["inner_product"] for one, point in people.items()} == dict(
        zip(users["user_id"].to_pylist(), users["vector"].to_pylist(), strict=True)
    )

    from qdrant_client import models

    user = np.float32(people[1].vector["inner_product"])
    offered = models.Filter(must=[models.FieldCondition(key="available", match=models.MatchValue(value=True))])
    best = server.local.query_points("items", query=user.tolist(), using="inner_product", query_filter=offered, limit=3)
    listed = vectors[items["available"].to_numpy()]
    np.testing.assert_allclose([one.score for one in best.points], np.sort(listed @ user)[::-1][:3], rtol=1e-5)


def test_an_alias_is_switched_when_all_is_there_and_what_was_before_goes(night: Night, server: Qdrant) -> None:
    succeeds(night.store, SETTINGS)
    before = {one.alias_name: one.collection_name for one in server.local.get_aliases().aliases}
    assert all(name.startswith(f"{alias}-{night.run_date}-") for alias, name in before.items())
    server.loses = 2
    assert "has 7 rows of 8" in failures({"sinks": load(night.store, SETTINGS, fresh=True, task=False)})[0]
    server.loses, server.refuses = 0, {"POST /collections/aliases": 500}
    assert "(HTTP 500)" in failures({"sinks": load(night.store, SETTINGS, fresh=True, task=False)})[0]
    server.refuses = {}
    assert {one.alias_name: one.collection_name for one in server.local.get_aliases().aliases} == before
    assert {one.name for one in server.local.get_collections().collections} == set(before.values())
    assert 1 in points(server, "items_users")
    forget(night.store, "1")
    succeeds(night.store, SETTINGS)
    assert set(points(server, "items_users")) == {0, 2, 3, 4}
    left = {one.name for one in server.local.get_collections().collections}
    assert len(left) == 2 and not left & set(before.values())


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_requests_are_those_of_the_client(night: Night, server: Qdrant) -> None:
    from qdrant_client import QdrantClient, models

    succeeds(night.store, SinkSettings(qdrant=SETTINGS.qdrant.model_copy(update={"users": False})))
    (alias,) = server.local.get_aliases().aliases
    name, there = alias.collection_name, points(server, "items")
    expected = exported_order(night)
    with qdrant() as other:
        client = QdrantClient(url=other.url, api_key=KEY, check_compatibility=False)
        client.get_aliases()
        vector = models.VectorParams(size=4, distance=models.Distance.DOT)
        graph = models.HnswConfigDiff(m=16, ef_construct=128)
        client.create_collection(name, {"inner_product": vector, "cosine": vector}, hnsw_config=graph)
        client.create_payload_index(name, "available", models.PayloadSchemaType.BOOL, wait=True)
        client.create_payload_index(name, "genre", models.PayloadSchemaType.KEYWORD, wait=True)
        vectors = {metric: [there[one].vector[metric] for one in expected] for metric in ("inner_product", "cosine")}
        payloads = [there[one].payload for one in expected]
        client.upsert(name, models.Batch(ids=expected, vectors=vectors, payloads=payloads), wait=True)
        client.retrieve(name, expected, with_payload=True, with_vectors=True)
        client.count(name, exact=True)
        for _ in range(2):  # it is busy, as the server says the first time
            client.get_collection(name)
        switch = models.CreateAlias(collection_name=name, alias_name="items")
        client.update_collection_aliases([models.CreateAliasOperation(create_alias=switch)])
        client.get_collections()
    assert as_float32(server.asked) == as_float32(other.asked)


def as_float32(content: Any) -> Any:
    """JSON whose numbers are what 32 bits hold of them: clients write them with more digits or fewer."""
    return json.loads(json.dumps(content), parse_float=lambda text: float(np.float32(text)))


def exported_order(night: Night) -> list[Any]:
    return [point_of(one) for one in Export.latest(night.store.root).table(ITEM_VECTORS)["item_id"].to_pylist()]

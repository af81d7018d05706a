"""pgvector, on a real server: the tables hold the published vectors, and searches find what numpy does."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recmodels.published.reader import Export
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import PgvectorSettings, SinkSettings, failures
from tasks.publish.sinks.vector_texts import from_texts, matrix, rounded_to_half, to_texts
from tasks.store.exports import rollback
from tasks.store.paths import Night
from tests.tasks import servers
from tests.tasks.loading import publish_vectors, succeeds
from tests.tasks.publishing import publish

PGVECTOR = SinkSettings(pgvector=PgvectorSettings(dsn_env="SHOP_DSN", table="shop.items", users=True))


def stored(connection: Any, name: str, column: str) -> dict[Any, list[float]]:
    rows = connection.execute(f"SELECT {column}, vector::text FROM {name}").fetchall()
    return {key: [float(np.float32(number)) for number in text[1:-1].split(",")] for key, text in rows}


def exported(night: Night, table: str, column: str) -> dict[Any, list[float]]:
    found = Export.latest(night.store.root).table(table)
    return dict(zip(found[column].to_pylist(), found["vector"].to_pylist(), strict=True))


def test_vectors_are_the_same_numbers_after_they_were_texts() -> None:
    numbers = np.float32([[0.1, -1e-20, 3e38], [0, 1 / 3, 16_777_217]])
    rows = pa.table({"id": ["a", "b"], "vector": pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), 3)})
    texts = to_texts(rows)
    assert texts["vector"][1].as_py().startswith("[0,0.33333334,")
    assert from_texts(texts.slice(1), rows.schema).equals(rows.slice(1))
    small = rows.slice(1).set_column(1, "vector", pa.FixedSizeListArray.from_arrays(pa.array(numbers[1, :2]), 2))
    assert matrix(rounded_to_half(small)["vector"]).tolist() == [[0, 0.333251953125]]


@pytest.mark.skipif(not servers.with_pgvector(), reason="there is no server with pgvector")
def test_pgvector_holds_the_vectors_of_the_current_export(night: Night, postgres: Any) -> None:
    postgres.execute("CREATE SCHEMA shop")
    publish(night)
    assert "has no vectors" in failures({"sinks": load(night.store, PGVECTOR, task=False)})[0]
    publish_vectors(night, 4)
    for options in ({}, {"fresh": True}):
        succeeds(night.store, PGVECTOR, **options)
        assert stored(postgres, "shop.items", "item_id") == exported(night, ITEM_VECTORS, "item_id")
        assert stored(postgres, "shop.items_users", "user_id") == exported(night, USER_VECTORS, "user_id")
    items = Export.latest(night.store.root).table(ITEM_VECTORS)
    listed = items.filter(items["available"])
    vectors, names = matrix(listed["vector"]), listed["item_id"].to_pylist()
    user = np.float32(exported(night, USER_VECTORS, "user_id")[1])
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    asked = "SELECT item_id FROM shop.items WHERE available ORDER BY vector {} %s::vector LIMIT 3"
    postgres.execute("SET enable_seqscan = off; SET enable_sort = off")
    for operator, scores, query in (("<#>", vectors @ user, user), ("<=>", unit @ unit[0], vectors[0])):
        found = postgres.execute(asked.format(operator), [str(query.tolist())]).fetchall()
        best = [scores[names.index(one)] for (one,) in found]
        np.testing.assert_allclose(best, np.sort(scores)[::-1][:3], rtol=1e-6)
        (plan,) = postgres.execute("EXPLAIN (FORMAT json) " + asked.format(operator), [str(query.tolist())]).fetchone()
        assert "Index Scan" in str(plan) and "items_next_vector_idx" in str(plan), plan

    postgres.execute("CREATE VIEW shop.shown AS SELECT * FROM shop.items WHERE available")
    publish_vectors(night, 3)  # of another length
    assert "a view holds them" in failures({"sinks": load(night.store, PGVECTOR, task=False)})[0]
    assert len(stored(postgres, "shop.items", "item_id")["i0"]) == 4
    postgres.execute("DROP VIEW shop.shown")
    succeeds(night.store, PGVECTOR)
    assert stored(postgres, "shop.items", "item_id") == exported(night, ITEM_VECTORS, "item_id")
    half = PGVECTOR.model_validate({"pgvector": {"dsn_env": "SHOP_DSN", "table": "shop.items", "half": True}})
    succeeds(night.store, half)
    nearest = {key: np.float16(one).tolist() for key, one in exported(night, ITEM_VECTORS, "item_id").items()}
    found = {key: np.float16(one).tolist() for key, one in stored(postgres, "shop.items", "item_id").items()}
    assert found == nearest
    rollback(night.store)
    succeeds(night.store, PGVECTOR)
    assert len(stored(postgres, "shop.items", "item_id")["i0"]) == 4
    assert stored(postgres, "shop.items_users", "user_id")
    alone = PGVECTOR.model_validate({"pgvector": {"dsn_env": "SHOP_DSN", "table": "shop.items"}})
    succeeds(night.store, alone)
    assert stored(postgres, "shop.items_users", "user_id") == {}  # of whom some may be forgotten since
    postgres.execute("DROP SCHEMA shop CASCADE")

"""What searches of published vectors find, by pgvector and by the index: ``-m tests.benchmarks.vector_searches STORE``.

Of a store whose current export has vectors and their index (`export.vectors`, `export.vector_index`): the sink loads a
PostgreSQL server of its own, then a thousand items ask for the ten available ones that are most similar to them, and a
thousand users for the ten with the highest score. Recall is the share of places that items with no lower score than the
last exact one have; exact ones are numpy's. What is asked by an item excludes the item.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import psycopg
from usearch.index import Index

from recmodels.data.arrays import Floats, Longs
from recmodels.errors import ConfigError
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.publish.sinks import pgvector
from tasks.publish.sinks.settings import PgvectorSettings
from tasks.publish.sinks.source import Published
from tasks.publish.sinks.vector_texts import matrix, texts
from tasks.store.paths import Store
from tests.tasks import servers

K, ASKED, VARIABLE = 10, 1_000, "VECTOR_SEARCHES"


def recall(found: list[list[int]], asked: Floats, items: Floats, itself: Longs | None = None) -> float:
    """Of the places of the best K items, those that hold items with no lower score than the last exact one."""
    scores = asked @ items.T
    if itself is not None:
        scores[np.flatnonzero(itself >= 0), itself[itself >= 0]] = -np.inf
    least = np.sort(scores, axis=1)[:, -K]
    right = [
        sum(scores[row, one] >= least[row] - 1e-5 * abs(least[row]) for one in some) for row, some in enumerate(found)
    ]
    return float(np.mean(right)) / K


def by_pgvector(address: str, operator: str, asked: Floats, names: dict[object, int], search: int) -> list[list[int]]:
    """The nearest items to each vector, as many as are needed to leave one out."""
    query = f"SELECT item_id FROM item_vectors WHERE available ORDER BY vector {operator} %s::vector LIMIT {K + 1}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"SET hnsw.ef_search = {search}; SET enable_seqscan = off; SET enable_sort = off")
        return [
            [names[one] for (one,) in connection.execute(query, [text])]
            for text in texts(np.ascontiguousarray(asked, np.float32)).to_pylist()
        ]


def without(found: list[list[int]], itself: Longs | None = None) -> list[list[int]]:
    return [[one for one in some if itself is None or one != itself[row]][:K] for row, some in enumerate(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    published = Published.latest(Store(parser.parse_args().store))
    about = published.export.manifest["vectors"]
    if "index" not in about:
        raise ConfigError("The current export has no index of vectors: set export.vector_index.")
    table, draw = published.export.table(ITEM_VECTORS), np.random.default_rng(0)
    vectors, offered = matrix(table["vector"]), np.flatnonzero(table["available"].to_numpy())
    users = draw.permutation(matrix(published.export.table(USER_VECTORS)["vector"]))[:ASKED]
    items, place = vectors[offered], np.full(len(vectors), -1)
    place[offered] = np.arange(len(offered))
    names = dict(zip(table["item_id"].take(offered).to_pylist(), range(len(offered)), strict=True))
    chosen = draw.permutation(len(vectors))[:ASKED]
    asked, itself = vectors[chosen], place[chosen]
    unit, unit_items = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (asked, items))
    index = Index.restore(str(published.export.folder / about["index"]["path"]), view=True)
    print(
        f"{len(offered):,} items, vectors of {vectors.shape[1]} ({about['model']}); "
        f"{len(asked):,} items and {len(users):,} users ask"
    )
    programs = next(iter(servers.with_pgvector()), None)
    with servers.postgres(programs=programs) as address:
        os.environ[VARIABLE] = address
        pgvector.load(PgvectorSettings(dsn_env=VARIABLE), published)
        for search in (40, 100, 200):
            index.expansion_search = search
            by_file = [
                [place[one].tolist() for one in index.search(some, K + 1).keys.astype(int)] for some in (asked, users)
            ]
            similar, near = (without(by_pgvector(address, one, asked, names, search), itself) for one in ("<=>", "<#>"))
            liked = without(by_pgvector(address, "<#>", users, names, search))
            print(
                f"{search:4} candidates: pgvector, items by cosine {recall(similar, unit, unit_items, itself):.4f}, "
                f"by product {recall(near, asked, items, itself):.4f}, users {recall(liked, users, items):.4f}; "
                f"index file, items by product {recall(without(by_file[0], itself), asked, items, itself):.4f}, "
                f"users {recall(without(by_file[1]), users, items):.4f}"
            )


if __name__ == "__main__":
    main()

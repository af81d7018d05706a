"""The tables of vectors that a site may give: what they are called, and what is said of them in their files."""

from pathlib import Path

import pyarrow.parquet as pq

VECTOR_TABLES = {"item_vectors": "item_id", "user_vectors": "user_id"}
"""By name, the column of ids."""
VECTOR = "vector"
DIMENSION = b"dimension"
"""Schema metadata of a raw table: how many numbers most of its vectors have, as decimal text."""


def dimension_of(path: Path) -> int:
    """How many numbers most vectors of a raw table have; 0 where there is no vector."""
    return int((pq.read_metadata(path).metadata or {}).get(DIMENSION, b"0"))

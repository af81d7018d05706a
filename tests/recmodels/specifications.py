"""What a candidate's process is asked to do in the tests, on `small_site` as the pipeline would write it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.testing import N_ITEMS, N_USERS, small_site


def specification(features: Path, **changes: Any) -> Path:
    home = features.parent
    spec = {
        "features": str(features),
        "split": "train",
        "recommender": "ease",
        "params": {"regularization": 20},
        "seed": 0,
        "fit": True,
        "model": str(home / "model"),
        "lists": {"out": str(home / "lists"), "users": "all", "k": 5, "min_history": 1, "repeats": False},
        "result": str(home / "result.json"),
    }
    path = home / "spec.json"
    path.write_text(json.dumps(spec | changes))
    return path


def written_features(home: Path) -> Path:
    """`small_site` as the pipeline would write it; item 4 is not available, users 3 and 5 are in the holdout."""
    folder, data = home / "features", small_site()
    available = pa.array([item != 4 for item in range(N_ITEMS)])
    tables = {
        layout.USERS: pa.table({"user_index": np.arange(N_USERS, dtype=np.int32)}),
        layout.ITEMS: pa.table({"item_index": np.arange(N_ITEMS, dtype=np.int32), "available": available}),
        layout.HOLDOUT: pa.table({"user_index": pa.array([3, 3, 5], pa.int32())}),
        layout.interactions_file("train"): pa.table(
            {
                "user_index": data.user_index,
                "item_index": data.item_index,
                "timestamp": pa.array(data.timestamp, pa.timestamp("us", tz="UTC")),
                "weight": data.weight,
            }
        ).replace_schema_metadata({layout.SPLIT_END: str(data.end).encode()}),
    }
    for name, table in tables.items():
        path = folder / layout.PREPARED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return folder

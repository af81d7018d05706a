"""What a candidate's process is asked to do in the tests, on `small_site` as the pipeline would write it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.data.layout import Split
from recmodels.testing import small_site


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


def written_features(home: Path, data: Dataset | None = None, split: Split = "train") -> Path:
    """`small_site`, or others, as the pipeline would write it; item 4 is not available, users 3 and 5 are held out."""
    folder, data = home / "features", data or small_site()
    available = pa.array([item != 4 for item in range(data.n_items)])
    tables = {
        layout.USERS: pa.table({"user_index": np.arange(data.n_users, dtype=np.int32)}),
        layout.ITEMS: pa.table({"item_index": np.arange(data.n_items, dtype=np.int32), "available": available}),
        layout.HOLDOUT: pa.table({"user_index": pa.array([3, 3, 5], pa.int32())}),
        layout.interactions_file(split): pa.table(
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

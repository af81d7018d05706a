"""Contexts of pairs by a column of the interactions: the last event's, of few values, as models read them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data.contexts import StoredContexts
from recmodels.data.dataset import Dataset
from recmodels.data.layout import CONTEXTS, SPLIT_END
from recmodels.data.pairs import Pairs
from recmodels.errors import ConfigError
from tasks.features.contexts import write_contexts

LAST = [("a", 7, 30, "phone"), ("a", 8, 10, "web"), ("b", 7, 20, None), ("b", 9, 25, "tv"), ("b", 8, 5, "phone")]
EARLIER = [("a", 7, 20, "web"), ("c", 7, 1, "car"), ("b", 9, 40, "web")]  # before the last, of nobody, held out


def night(root: Path, rows: list[tuple[str, int, int, str | None]], *, column: str = "context") -> tuple[Path, Path]:
    prepared, valid = root / "features" / "prepared", root / "valid"
    (prepared / "full").mkdir(parents=True)
    valid.mkdir()
    user, item, time, context = zip(*rows, strict=True)
    times = pa.array(time, pa.timestamp("us", "UTC"))
    log = {"user_id": user, "item_id": item, "timestamp": times, column: pa.array(context, pa.string())}
    pq.write_table(pa.table(log), valid / "interactions.parquet")
    pq.write_table(
        pa.table({"user_id": ["a", "b"], "user_index": np.arange(2, dtype=np.int32)}), prepared / "users.parquet"
    )
    items = {"item_id": [7, 8, 9], "item_index": np.arange(3, dtype=np.int32), "available": [True] * 3}
    pq.write_table(pa.table(items), prepared / "items.parquet")
    pairs = sorted(("ab".index(u), t, i - 7) for u, i, t, _ in LAST)
    stored = pa.table(
        {
            "user_index": np.array([p[0] for p in pairs], np.int32),
            "item_index": np.array([p[2] for p in pairs], np.int32),
            "timestamp": pa.array([p[1] for p in pairs], pa.timestamp("us", "UTC")),
            "weight": np.array([0 if p == (1, 5, 1) else 1 for p in pairs], np.float32),  # (b, 8) is excluded
        }
    ).replace_schema_metadata({SPLIT_END: "35"})
    pq.write_table(stored, prepared / "full" / "interactions.parquet")
    (root / "features" / "full").mkdir()
    return prepared, valid


def test_a_pair_has_the_context_of_its_last_event(tmp_path: Path) -> None:
    prepared, valid = night(tmp_path, LAST + EARLIER)
    write_contexts(prepared.parent / "full" / CONTEXTS, prepared, valid, Pairs(prepared, "full"))
    contexts = StoredContexts.found(prepared.parent, "full")
    data = Dataset.load(prepared.parent, "full")
    assert contexts is not None and StoredContexts.found(prepared.parent, "train") is None
    assert contexts.names == ["phone", "tv", "web"]
    assert [*zip(data.user_index.tolist(), data.item_index.tolist(), contexts.of(data).tolist(), strict=True)] == [
        (0, 1, 2), (0, 0, 0), (1, 0, -1), (1, 2, 1),
    ]  # fmt: skip
    earlier = Dataset.from_arrays([0], [0], timestamp=[20], n_users=2, n_items=3)  # a fold knows nothing of the later
    assert contexts.of(earlier).tolist() == [-1]


def test_too_many_values_and_no_column_are_refused(tmp_path: Path) -> None:
    many = [("a", 7, 30, f"v{n:02}") for n in range(20)]
    prepared, valid = night(tmp_path / "few", [("a", 7, 30, "x")], column="device")
    with pytest.raises(ConfigError, match="no column context"):
        write_contexts(prepared.parent / "full" / CONTEXTS, prepared, valid, Pairs(prepared, "full"))
    rows = [(user, item, time, f"v{n}") for n, (user, item, time, _) in enumerate(LAST)]
    prepared, valid = night(tmp_path / "many", many + rows[1:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.features.contexts.MOST", 3)
        with pytest.raises(ConfigError, match="has 4 values"):
            write_contexts(prepared.parent / "full" / CONTEXTS, prepared, valid, Pairs(prepared, "full"))

"""A small site that has drawn a place of its lists on two nights, and has logged what came of it."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.store.feedback import PROPOSALS, SHOWN, learned
from tasks.store.files import write_json
from tasks.store.paths import Night, Store
from tests.tasks.site import END, RUN_DATE

DAY = 86_400_000_000  # µs
EPSILON, SLOT = 0.5, 3
MODELS = ("good", "bad", "same")
USUAL, GOOD, BAD = "u", "g", "b"
CHANCES = {USUAL: 0.3, GOOD: 0.6, BAD: 0.1}
"""How often each item is clicked."""


def drawn_site(root: Path, users: int = 400, assumed: bool = False, seed: int = 0) -> Night:
    """Two nights with the champion `ease`; `good` proposes what is clicked most, `bad` least, `same` what is there."""
    night = Store(root).night(RUN_DATE)
    for folder in (night.prepared, night.valid):
        folder.mkdir(parents=True)
    ids = np.arange(users) * 3 + 7
    pq.write_table(
        pa.table({"user_index": pa.array(range(users), pa.int32()), "user_id": ids}), night.prepared / "users.parquet"
    )
    items = [USUAL, GOOD, BAD]
    table = {"item_index": pa.array(range(3), pa.int32()), "item_id": items, "category": ["x", "x", "y"]}
    pq.write_table(pa.table(table), night.prepared / "items.parquet")
    random = np.random.default_rng(seed)
    times = pa.array(END - (1 + random.integers(20, size=3 * users)) * DAY, pa.timestamp("us", "UTC"))
    happened = {
        "user_id": random.choice(ids, 3 * users),
        "item_id": random.choice(items, 3 * users),
        "timestamp": times,
    }
    pq.write_table(pa.table(happened), night.valid / "interactions.parquet")
    for back in (2, 1):
        day = RUN_DATE - timedelta(days=back)
        propose(night.store, day, ids)
        shown(night.store, day, ids, back, random, assumed)
    return night


def propose(store: Store, day: date, ids: np.ndarray) -> None:
    """The proposals of a night's export, each model's as likely."""
    n, k = len(ids), len(MODELS)
    table = pa.table(
        {
            "user_id": np.repeat(ids, k),
            "model": pa.DictionaryArray.from_arrays(pa.array(np.tile(np.arange(k), n), pa.int16()), list(MODELS)),
            "item_id": [GOOD, BAD, USUAL] * n,
            "usual": [USUAL] * (k * n),
            "slot": pa.array([SLOT] * (k * n), pa.int16()),
            "share": pa.array([1 / k] * (k * n), pa.float32()),
        }
    )
    with learned(store, day, PROPOSALS) as path:
        pq.write_table(table.replace_schema_metadata({"export_id": str(day), "epsilon": repr(EPSILON)}), path)
    about = {"export_id": str(day), "run_date": str(day), "champion": "ease", "files": [], "cutoff": f"{day}T00:00:00Z"}
    write_json(store.export_manifest(str(day)), about)


def shown(
    store: Store, day: date, ids: np.ndarray, back: int, random: np.random.Generator, assumed: bool = False
) -> None:
    """The log of a night: the drawn place once or twice for each user, and a place that was not drawn."""
    n = len(ids)
    chances = {USUAL: EPSILON / 3 + 1 - EPSILON, GOOD: EPSILON / 3, BAD: EPSILON / 3}
    items = random.choice(list(chances), n, p=list(chances.values()))
    clicked = random.random(n) < [CHANCES[item] for item in items]
    times = END - back * DAY + 6 * DAY // 24 + np.arange(n)
    ranks, twice = np.full(n, SLOT, np.int16), np.arange(0, n, 4)
    rows = {
        "user_id": [ids, ids[twice], ids],
        "item_id": [items, items[twice], np.full(n, "other")],
        "rank": [ranks, ranks[twice], np.ones(n, np.int16)],
        "timestamp": [times, times[twice] + 1000, times],
        "reward": [clicked, np.zeros(len(twice)), np.ones(n)],
        "propensity": [[chances[item] for item in items], [chances[item] for item in items[twice]], np.ones(n)],
    }
    columns = {name: np.concatenate(parts) for name, parts in rows.items()}
    total = len(columns["rank"])
    table = pa.table(
        {
            **columns,
            "reward": columns["reward"].astype(np.float32),
            "propensity": columns["propensity"].astype(np.float32),
            "export_id": [str(day)] * total,
            "arm": ["main"] * total,
            "policy": ["ease"] * total,
            "assumed": [assumed] * total,
        }
    )
    with learned(store, RUN_DATE - timedelta(days=back - 1), SHOWN) as path:
        pq.write_table(table.replace_schema_metadata({"reward": "clicked"}), path)

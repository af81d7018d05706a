"""What a night costs that learns from what was shown: ``python -m tests.benchmarks.feedback FOLDER``.

A site of so many users and items, interactions of two months, lists of 20 for each of so many nights, in which place 10
is drawn for a fifth of the users from what seven candidates propose, and so many exposures of these lists, nine in ten
as they were published. Timed are the three stages of the night after them: exposures are joined to what was published
and logged; each candidate gets its off-policy value; the panel is measured. Seconds are wall time and those of the
cores; the peak is that of the process, which has written the tables before.
"""

import argparse
import resource
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.exploration.slot import Explored, explore
from tasks.exploration.proposals import ProposalFile
from tasks.exposures.settings import FeedbackSettings
from tasks.exposures.stage import write_exposures
from tasks.features.settings import FeatureSettings
from tasks.offpolicy.evaluation import Champion, evaluate
from tasks.panel.settings import PanelSettings
from tasks.panel.stage import write_panel
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tasks.store.files import append_line, write_json
from tasks.store.paths import Night, Store
from tests.benchmarks.exposures import RUN_DATE, K, shown

CUTOFF = datetime(RUN_DATE.year, RUN_DATE.month, RUN_DATE.day, tzinfo=UTC)
MODELS = ["als", "content", "ease", "graph_filter", "item_knn", "popularity", "popularity_7d"]
CHAMPION = "als"
EPSILON, SLOT = 0.2, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    sizes = {"users": 500_000, "items": 50_000, "nights": 7, "exposures": 10_000_000, "interactions": 10_000_000}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    night = write_site(given.folder, given.users, given.items, given.nights, given.exposures, given.interactions)
    settings = FeedbackSettings()
    timed("exposures", lambda: write_exposures(night, settings, CUTOFF, night.exposures)["message"])
    timed("off-policy values", lambda: values(night, settings.ope_days))
    timed("panel", lambda: panel(night))


def timed(name: str, work: Callable[[], str]) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    said = work()
    seconds, of_cores = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name}: {seconds:.1f} s, {of_cores:.1f} s of the cores, peak so far {peak:.1f} GiB; {said}", flush=True)


def values(night: Night, days: int) -> str:
    found = evaluate(night, CUTOFF, days, MODELS, Champion(CHAMPION, CHAMPION), night.exposures)
    return found.message if found else "nothing that was drawn was seen"


def panel(night: Night) -> str:
    day = str(RUN_DATE - timedelta(1))
    export = {"export_id": day, "champion": CHAMPION, "k": K}
    out = night.store.panel(RUN_DATE)
    out.mkdir(parents=True)
    settings, features = PanelSettings(), FeatureSettings()
    return write_panel(night, settings, features, CUTOFF, export, [], out, logged=True)["message"]


def write_site(root: Path, users: int, items: int, nights: int, exposures: int, interactions: int) -> Night:
    rng = np.random.default_rng(0)
    night = Store(root).night(RUN_DATE)
    for folder in (night.prepared, night.valid, night.exposures):
        folder.mkdir(parents=True)
    user_ids, item_ids = (pa.array(np.arange(n) * 3 + 7) for n in (users, items))
    pq.write_table(log(rng, user_ids, item_ids, interactions), night.valid / "interactions.parquet")
    category = pa.array(rng.choice(["a", "b", "c", "d"], items))
    pq.write_table(pa.table({"item_id": item_ids, "category": category}), night.valid / "items.parquet")
    write_prepared(night.valid, PrepareSettings(), CUTOFF, night.prepared)
    parts = []
    for back in range(nights, 0, -1):
        day = RUN_DATE - timedelta(back)
        lists = (rng.integers(items, size=(users, 1)) + np.arange(K) * 977) % items
        proposals = (lists[:, SLOT - 1 : SLOT] + rng.integers(3, size=(users, len(MODELS)))) % items
        drawn = explore(lists, proposals, rng.random(users), epsilon=EPSILON, slot=SLOT - 1)
        names, of = [*MODELS[1:], CHAMPION], (str(day), EPSILON)
        with ProposalFile(root / "proposals.parquet", user_ids, item_ids, names, *of) as file:
            file.write(np.arange(users), proposals, lists[:, SLOT - 1], drawn)
            file.keep(night.store, day)
        publish(night.store, day, user_ids, item_ids, drawn)
        parts.append(shown(rng, day, drawn.items, exposures // nights))
    pq.write_table(pa.concat_tables(parts), night.valid / "exposures.parquet")
    return night


def log(rng: np.random.Generator, user_ids: pa.Array, item_ids: pa.Array, n: int) -> pa.Table:
    """Interactions, some items far more popular than others."""
    item = (len(item_ids) * rng.random(n) ** 3).astype(np.int64)
    since = (CUTOFF - timedelta(60)).timestamp()
    times = ((since + np.sort(rng.random(n)) * 60 * 86_400) * 1_000_000).astype(np.int64)
    users: NDArray[np.int64] = rng.integers(len(user_ids), size=n)
    columns = {"user_id": user_ids.take(pa.array(users)), "item_id": item_ids.take(pa.array(item))}
    return pa.table({**columns, "timestamp": pa.array(times, pa.timestamp("us", "UTC"))})


def publish(store: Store, day: date, user_ids: pa.Array, item_ids: pa.Array, drawn: Explored) -> None:
    """An export with its manifest, to which readers were pointed from 5:00 on."""
    users = len(user_ids)
    topk = store.export(str(day)) / "topk"
    topk.mkdir(parents=True)
    explored = np.zeros((users, K), np.int8)
    explored[drawn.explored, SLOT - 1] = 1
    policy = pa.DictionaryArray.from_arrays(pa.array(explored.ravel()), pa.array([CHAMPION, "explore"]))
    same = pa.array(np.zeros(users * K, np.int8))
    table = pa.table(
        {
            "user_id": user_ids.take(pa.array(np.repeat(np.arange(users), K))),
            "rank": np.tile(np.arange(1, K + 1, dtype=np.int16), users),
            "item_id": item_ids.take(pa.array(drawn.items.ravel())),
            "model": pa.DictionaryArray.from_arrays(same, pa.array([CHAMPION])),
            "arm": pa.DictionaryArray.from_arrays(same, pa.array(["main"])),
            "policy": policy,
            "propensity": drawn.propensity.ravel(),
        }
    )
    pq.write_table(table, topk / "part-00000.parquet", row_group_size=128_000)
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    about = {
        "export_id": str(day),
        "run_date": str(day),
        "champion": CHAMPION,
        "files": [],
        "cutoff": start.isoformat(),
    }
    write_json(store.export_manifest(str(day)), about)
    at = (start + timedelta(hours=5)).isoformat()
    append_line(store.root / "published.jsonl", {"at": at, "export_id": str(day), "instead_of": None, "by": "night"})


if __name__ == "__main__":
    main()

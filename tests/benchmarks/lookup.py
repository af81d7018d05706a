"""Looking users and items up in a large store: ``python -m tests.benchmarks.lookup [--users N] [--items N] ...``.

A store is made by hand: prepared tables with a history, exports of several nights with `similar` and `listed`, of which
the lists of the last two are there. Printed are milliseconds, median and most, of look-ups of users and items all over
the store, as a call and as a page by HTTP from `nightrec ui` in a process of its own; the first of each reads what is
kept later and is printed apart. Then the seconds of a comparison of the last two nights, and of counting the items.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.fallback import Lists
from tasks.export.item_tables import PAIRS_A_GROUP
from tasks.export.listed import write_listed
from tasks.export.writer import Parts, Writer, coded, describe_part, same_date
from tasks.lookup.compare import compared
from tasks.lookup.items import item_seen, search
from tasks.lookup.sides import of_export
from tasks.lookup.users import user_seen
from tasks.prepare.interactions import Rows
from tasks.prepare.tables import write_index, write_rows
from tasks.store.exports import point_to, write_export_manifest
from tasks.store.paths import Night, Store

LAST = date(2026, 3, 31)
LOOKED_UP = 40
PORT = 4391
SERVER = """
import sys, uvicorn
from pathlib import Path
from flows.ui.app import application
from flows.ui.site import Site
from tasks.store.paths import Store
uvicorn.run(application(Site(Store(Path(sys.argv[1])))), port=int(sys.argv[2]), log_level="error")
"""


def drawn(random: np.random.Generator, n: int, k: int, n_items: int, power: float = 0.8) -> Ints:
    """Items by their popularity, no item twice in a row: int32 [n, k]."""
    weights = np.cumsum(1 / np.arange(1, n_items + 1) ** power)
    items = np.searchsorted(weights / weights[-1], random.random((n, k))).astype(np.int32)
    while True:
        order = np.argsort(items, axis=1, kind="stable")
        ranked = np.take_along_axis(items, order, axis=1)
        again = np.zeros_like(ranked, dtype=bool)
        again[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
        if not again.any():
            return items
        row, place = np.nonzero(again)
        items[row, order[row, place]] = random.integers(0, n_items, len(row))


def prepare(night: Night, users: pa.Array, items: pa.Array, history: int) -> None:
    """Users of whom one in a hundred has opted out, items with titles, and a history of each user."""
    random = np.random.default_rng(0)
    night.valid.mkdir(parents=True)
    pq.write_table(
        pa.table({"user_id": users, "opted_out": random.random(len(users)) < 0.01}), night.valid / "users.parquet"
    )
    words = np.array(["Verdict", "Museum", "Ballad", "Coroner", "Lantern", "Safe", "Ferry", "Violin"])
    titles = [" ".join(words[row]) for row in random.integers(0, len(words), (len(items), 4))]
    source = night.valid / "items.parquet"
    pq.write_table(pa.table({"item_id": items, "title": titles}), source)
    night.prepared.mkdir(parents=True)
    write_index(night.prepared / "users.parquet", "user", users, night.valid / "none.parquet")
    write_index(night.prepared / "items.parquet", "item", items, source)
    item = drawn(random, len(users), history, len(items)).ravel()
    user = np.repeat(np.arange(len(users), dtype=np.int32), history)
    at = np.sort(random.integers(1, 10**15, (len(users), history)), axis=1).ravel()
    weight = np.ones(len(user), np.float32)
    write_rows(
        night.prepared / "full" / "interactions.parquet", [Rows(user, item, at, at, weight, None)], 10**15, began=False
    )


def publish(store: Store, day: date, users: pa.Array, items: pa.Array, k: int) -> None:
    """An export of lists and of similar items."""
    random = np.random.default_rng(day.toordinal())
    out = store.export(str(day))
    out.mkdir(parents=True)
    with Writer(day, "als", users, items, out / "topk") as writer:
        for start in range(0, len(users), 200_000):
            batch = np.arange(start, min(start + 200_000, len(users)), dtype=np.int32)
            shape = (len(batch), k)
            scores = -np.sort(-random.random(shape).astype(np.float32), axis=1)
            reasons = random.integers(0, len(items), shape).astype(np.int32)
            none = np.zeros(shape, bool)
            writer.write(Lists(batch, drawn(random, *shape, len(items)), scores, none, reasons, none))
    write_listed(out, day)
    size = 20 * len(items)
    columns = {
        "run_date": same_date(day, size),
        "item_id": items.take(pa.array(np.repeat(np.arange(len(items)), 20))),
        "rank": pa.array(np.tile(np.arange(1, 21), len(items)), pa.int16()),
        "similar_item_id": items.take(pa.array(random.integers(0, len(items), size))),
        "score": np.tile(np.linspace(1, 0.1, 20).astype(np.float32), len(items)),
        "model": coded(np.zeros(size, np.int8), ["als"]),
    }
    parts = Parts(out / "similar", PAIRS_A_GROUP)
    parts.write(pa.table(columns))
    parts.close()
    describe(store, day, len(users), k)


def describe(store: Store, day: date, users: int, k: int) -> None:
    out = store.export(str(day))
    files = [describe_part(path, out) for path in sorted(out.rglob("*.parquet"))]
    about = {"export_id": str(day), "run_date": str(day), "champion": "als", "k": k, "users": users, "files": files}
    point_to(store, write_export_manifest(store, about))


def a_store(root: Path, options: argparse.Namespace) -> tuple[Store, list[str], list[str]]:
    store = Store(root)
    users, items = (
        pa.array([f"{kind}{n:07d}" for n in range(size)]) for kind, size in (("u", options.users), ("i", options.items))
    )
    if not store.exports.exists():
        prepare(store.night(LAST), users, items, options.history)
        for n in range(options.nights, 2, -1):  # of older nights the counts alone
            day = LAST - timedelta(days=n - 1)
            store.export(str(day)).mkdir(parents=True)
            if n == options.nights:
                publish_small(store, day, users, items, options.k)
            else:
                first = LAST - timedelta(days=options.nights - 1)
                shutil.copytree(store.export(str(first)), store.export(str(day)), dirs_exist_ok=True)
            describe(store, day, options.users, options.k)
        for n in (1, 0):
            publish(store, LAST - timedelta(days=n), users, items, options.k)
    random = np.random.default_rng(1)
    return store, *([ids[int(n)].as_py() for n in random.integers(0, len(ids), LOOKED_UP)] for ids in (users, items))  # type: ignore[return-value]


def publish_small(store: Store, day: date, users: pa.Array, items: pa.Array, k: int) -> None:
    """The lists of some users, and the counts of items in them."""
    random = np.random.default_rng(2)
    n = min(len(users), 50_000)
    none = np.zeros((n, k), bool)
    listed = drawn(random, n, k, len(items), 0)
    lists = Lists(
        np.arange(n, dtype=np.int32), listed, np.ones((n, k), np.float32), none, np.full_like(listed, -1), none
    )
    with Writer(day, "als", users, items, store.export(str(day)) / "topk") as writer:
        writer.write(lists)
    write_listed(store.export(str(day)), day)


def milliseconds(
    work: Callable[[str], object], wanted: Sequence[str], used: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Of the first, the median and the most of the others, and what these take of the cores on average.

    `used`: seconds of the cores so far.
    """
    found, before = [], used()
    for n, one in enumerate(wanted):
        before = used() if n == 1 else before
        start = time.perf_counter()
        work(one)
        found.append(1000 * (time.perf_counter() - start))
    cores = 1000 * (used() - before) / (len(wanted) - 1)
    return {"first": found[0], "median": statistics.median(found[1:]), "most": max(found[1:]), "cores": cores}


def by_http(store: Store, users: list[str], items: list[str]) -> dict[str, Any]:
    """The same as pages."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(store.root), str(PORT)])

    def used() -> float:
        return sum(psutil.Process(server.pid).cpu_times()[:2])

    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}/nightrec", timeout=60) as client:
            for _ in range(600):
                try:
                    client.get("/static/site.css")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)

            def get(path: str) -> None:
                answer = client.get(path)
                assert answer.status_code in (200, 404), answer.status_code  # 404: has opted out

            return {
                "page of a user": milliseconds(lambda one: get(f"/lookup/user?id={one}"), users, used),
                "page of an item": milliseconds(lambda one: get(f"/lookup/item?id={one}"), items, used),
                "page of a comparison": milliseconds(lambda _: get("/compare"), items[:4], used),
            }
    finally:
        server.terminate()
        server.wait()


def user_or_none(store: Store, user: str) -> None:
    try:
        user_seen(store, user)
    except Exception as error:  # one in a hundred has opted out
        assert "is not in the export" in str(error), error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--history", type=int, default=10, help="Items of each user's history.")
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument(
        "--store", type=Path, help="Folder of the store, which is made once and kept [a temporary one]."
    )
    options = parser.parse_args()
    root = options.store or Path(mkdtemp(prefix="nightrec-lookup-"))
    store, users, items = a_store(root, options)
    yesterday, today = (str(LAST - timedelta(days=n)) for n in (1, 0))
    found: dict[str, Any] = {
        "user": milliseconds(lambda one: user_or_none(store, one), users),
        "item": milliseconds(lambda one: item_seen(store, one), items),
        "search": milliseconds(lambda one: search(store, one), ["ferry", "Museum Ballad", "nothing", "i0000042"] * 3),
        "comparison": milliseconds(
            lambda _: compared(store, of_export(store, yesterday), of_export(store, today)), ["x"] * 4
        ),
        **by_http(store, users, items),
    }
    print(json.dumps({name: {of: round(v, 1) for of, v in one.items()} for name, one in found.items()}, indent=2))
    if options.store is None:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()

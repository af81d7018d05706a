"""The demo grocer: people who come back every few days for what has run out, and now and then try something else."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Doubles, Ints, Longs
from recmodels.data.times import SECONDS_PER_DAY
from recmodels.demo.files import Format, write_tables
from recmodels.errors import ConfigError

DEPARTMENTS = {  # days that a purchase lasts, and what there is
    "bakery": (4, ("Bread", "Rolls", "Toast", "Bagels")),
    "dairy": (7, ("Milk", "Yogurt", "Butter", "Cheese", "Cream")),
    "produce": (6, ("Apples", "Bananas", "Carrots", "Salad", "Tomatoes")),
    "meat": (9, ("Chicken", "Ham", "Sausages", "Salmon")),
    "pantry": (28, ("Pasta", "Rice", "Flour", "Olive oil", "Coffee", "Tea")),
    "household": (45, ("Detergent", "Soap", "Tissues", "Sponges")),
    "treats": (15, ("Chocolate", "Crisps", "Cookies", "Ice cream")),
}
STAPLES = 24  # draws of what a household buys again and again
OTHERS = 1.5  # what it puts into the basket besides, on average
PROMPT = 6.0  # how sharply a staple is bought as soon as it is due
SPREAD = 0.35  # of intervals from household to household (log)


@dataclass(frozen=True)
class Purchases:
    """A log in order of time."""

    user: Ints  # [n]
    item: Ints  # [n]
    seconds: Longs  # [n], from the first day


@dataclass(frozen=True)
class Assortment:
    """What the shop sells.

    Attributes:
        department: [n_items], a number of `DEPARTMENTS`.
        interval: [n_items], days that a purchase lasts.
        appeal: [n_items], of sum 1.
    """

    department: Ints
    interval: Doubles
    appeal: Doubles

    @classmethod
    def of(cls, n_items: int, rng: np.random.Generator) -> "Assortment":
        department = rng.integers(0, len(DEPARTMENTS), n_items).astype(np.int32)
        lasts = np.array([days for days, _ in DEPARTMENTS.values()], float)
        appeal = 1 / (rng.permutation(n_items) + 5.0)
        return cls(department, lasts[department] * np.exp(rng.normal(0, 0.2, n_items)), appeal / appeal.sum())


def shop(n: int, n_users: int, days: int, assortment: Assortment, rng: np.random.Generator) -> Purchases:
    """Exactly `n` purchases within so many days.

    A household comes every three to ten days. A staple is bought with the chance 1 / (1 + exp(-PROMPT (t / T - 1))), t
    being the days since it was bought last and T its interval in this household.
    """
    n_items = len(assortment.appeal)
    own = rng.choice(n_items, (n_users, STAPLES), p=assortment.appeal)
    interval = assortment.interval[own] * np.exp(rng.normal(0, SPREAD, own.shape))
    last = -rng.random(own.shape) * interval  # days, before the first
    pause = rng.uniform(3, 10, n_users)
    now = rng.random(n_users) * pause
    users, items = list[Ints](), list[Ints]()
    times = list[Doubles]()
    while (
        sum(np.count_nonzero(time < now.min()) for time in times) < n
    ):  # everybody has been there until the last of them
        due = rng.random(own.shape) < 1 / (1 + np.exp(-PROMPT * ((now[:, None] - last) / interval - 1)))
        row, place = np.nonzero(due)
        last[row, place] = now[row]
        others = rng.poisson(OTHERS, n_users)
        user = np.concatenate([row, np.repeat(np.arange(n_users), others)])
        item = np.concatenate([own[row, place], rng.choice(n_items, int(others.sum()), p=assortment.appeal)])
        users.append(user.astype(np.int32))
        items.append(item.astype(np.int32))
        times.append(now[user])
        now = now + pause * rng.uniform(0.7, 1.3, n_users)
    day = np.concatenate(times)
    order = np.argsort(day, kind="stable")[:n]
    user, item, day = np.concatenate(users)[order], np.concatenate(items)[order], day[order]
    seconds = (day * (days / (day[-1] + 1e-3)) * SECONDS_PER_DAY).astype(np.int64)  # the last is on the last day
    return Purchases(user, item, seconds)


def write_grocery(
    folder: Path,
    *,
    users: int = 1_000,
    items: int = 1_000,
    interactions: int = 250_000,
    days: int = 180,
    end: date,
    seed: int = 0,
    format: Format = "parquet",  # noqa: A002 (the word a reader looks for)
) -> dict[str, Any]:
    """Write `interactions`, `items` and `users` of a grocer into `folder`, made if missing.

    interactions: user_id string, item_id int64, timestamp (UTC, whole seconds), event purchase; by time, all in [end -
        days, end). Most repeat a pair. How long purchases last follows from the number of interactions: where there
        are few for so many users and days, people come seldom, and all intervals are longer by the same factor.
    items: item_id int64, title, category (the department), price, margin (of the price), available.
    users: user_id string, household (how many people).

    Returns what `write_site` does. The same arguments give the same bytes.

    Raises:
        ConfigError: a number is too small, or the folder cannot be written.
    """
    for name, value, least in (
        ("users", users, 1),
        ("items", items, 2),
        ("interactions", interactions, 1),
        ("days", days, 1),
    ):
        if value < least:
            raise ConfigError(f"The demo grocer needs {name} of at least {least}, got {value}.")
    streams = [np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(3)]
    assortment = Assortment.of(items, streams[0])
    log = shop(interactions, users, days, assortment, streams[1])
    start = np.datetime64(end - timedelta(days=days), "us").astype(np.int64)
    user_id = pa.array([f"h{number:06}" for number in range(users)])
    tables = {
        "interactions": pa.table(
            {
                "user_id": user_id.take(pa.array(log.user)),
                "item_id": pa.array(log.item.astype(np.int64) + 1),
                "timestamp": pa.array(start + log.seconds * 1_000_000, pa.timestamp("us", "UTC")),
                "event": pa.array(["purchase"] * len(log.user)),
            }
        ),
        "items": _items(assortment, streams[2]),
        "users": pa.table({"user_id": user_id, "household": pa.array(streams[2].integers(1, 6, users))}),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = {name: folder / f"{name}.{format}" for name in tables}
        rows = write_tables(files, {name: iter([table]) for name, table in tables.items()}, format)
    except OSError as error:
        raise ConfigError(f"Cannot write the demo grocer into {folder}: {error.strerror or error}.") from error
    return {"files": {name: path.name for name, path in files.items()}, "rows": rows, "dirty": {}, "dirty_rows": 0}


def _items(assortment: Assortment, rng: np.random.Generator) -> pa.Table:
    n = len(assortment.department)
    names = [words for _, words in DEPARTMENTS.values()]
    chosen = rng.random(n)
    titles = [
        f"{words[int(share * len(words))]} {number}"
        for number, (share, words) in enumerate(
            zip(chosen, (names[one] for one in assortment.department), strict=True), start=1
        )
    ]
    price = np.round(np.exp(rng.normal(1.0, 0.5, n)), 2)
    return pa.table(
        {
            "item_id": pa.array(np.arange(1, n + 1)),
            "title": titles,
            "category": [list(DEPARTMENTS)[one] for one in assortment.department],
            "price": price,
            "margin": np.round(price * rng.uniform(0.05, 0.4, n), 2),
            "available": pa.array(np.ones(n, bool)),
        }
    )

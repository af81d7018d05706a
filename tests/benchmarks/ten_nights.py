"""Ten nights of a small demo site, and what the gate decides in each: ``python -m tests.benchmarks.ten_nights``.

The champion is chosen on the first night. On the fifth, a challenger that is better by less than the gate asks for
competes; on the seventh, one that is clearly better; the ninth is poisoned: the items of its interactions are
shuffled. Each decision is checked, and the lists of the poisoned night must not come out.
"""

import json
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.flows.running import Ran, nightrec

FIRST = date(2026, 3, 20)
NIGHTS = [FIRST + timedelta(days=day) for day in range(10)]
SLIGHT, CLEAR, POISONED = 4, 6, 8

INPUTS = """
[inputs.interactions]
path = "{log}"
[inputs.items]
path = "site/items.parquet"
[inputs.users]
path = "site/users.parquet"
[prepare]
holdout = "days"
[gate]
min_gain = {min_gain}
[models.popularity]
"""
MODEL = '[models.{name}]\nrecommender = "{recommender}"\nparameters = {{ {parameters} }}\n'
WEAK = {"name": "weak", "recommender": "item_knn", "parameters": "neighbors = 3"}
SLIGHTLY = {"name": "slight", "recommender": "item_knn", "parameters": "neighbors = 5"}
CLEARLY = {"name": "clear", "recommender": "als", "parameters": ""}


def main() -> None:
    from tests.flows import conftest  # noqa: F401  (a home of its own for Prefect)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ran = nightrec(
            "demo", "site", "--users", 1500, "--items", 250, "--interactions", 60000, "--until", NIGHTS[-1], cwd=folder
        )
        assert ran.code == 0, ran.err
        poison(folder / "site/interactions.parquet", folder / "site/poisoned.parquet")
        for index, night in enumerate(NIGHTS):
            ran = one_night(folder, index, night)
            told(folder, night, ran)
            check(folder, index, night, ran)


def one_night(folder: Path, index: int, night: date) -> Ran:
    """A night as a backfill of itself, with that night's field and data."""
    log = "site/poisoned.parquet" if index == POISONED else "site/interactions.parquet"
    field = [WEAK]
    field += [SLIGHTLY] if index == SLIGHT else []
    field += [CLEARLY] if index == CLEAR else []
    # How much the challenger gains is the demo site's; what is asked for is set above it, and then as by default.
    settings = INPUTS.format(log=log, min_gain=0.25 if index == SLIGHT else 0.01)
    (folder / "nightrec.toml").write_text(settings + "".join(MODEL.format(**model) for model in field))
    return nightrec("backfill", "--from", night, "--to", night, "--publish", "all", cwd=folder)


def poison(source: Path, target: Path) -> None:
    """The same log with the items of its rows shuffled."""
    table = pq.read_table(source)
    order = np.random.default_rng(0).permutation(len(table))
    place = table.column_names.index("item_id")
    pq.write_table(table.set_column(place, "item_id", table["item_id"].take(pa.array(order))), target)


def decision(folder: Path, night: date) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"store/nights/{night}/evaluation/decision.json").read_text())
    return content


def latest(folder: Path) -> str:
    content: dict[str, Any] = json.loads((folder / "store/exports/latest.json").read_text())
    return str(content["run_date"])


def told(folder: Path, night: date, ran: Ran) -> None:
    one = decision(folder, night)
    print(
        f"{night}  exit {ran.code}  {one['verdict']:<9} {one['winner']:<8} {one['refused'] or one['reason']}",
        flush=True,
    )


def check(folder: Path, index: int, night: date, ran: Ran) -> None:
    one = decision(folder, night)
    if index == POISONED:
        assert ran.code != 0
        assert one["refused"]
        assert latest(folder) == str(NIGHTS[index - 1])
        return
    assert ran.code == 0, ran.err
    assert latest(folder) == str(night)
    if index == 0:
        assert one["verdict"] == "first"
    elif index == CLEAR:
        assert (one["verdict"], one["winner"]) == ("promoted", "clear")
    else:
        assert one["verdict"] == "stays"
        assert one["winner"] == ("weak" if index < CLEAR else "clear")
    if index == SLIGHT:
        assert any("is asked for (gate.min_gain)" in reason for reason in one["challengers"][0]["reasons"])


if __name__ == "__main__":
    sys.exit(main())

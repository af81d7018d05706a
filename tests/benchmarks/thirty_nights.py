"""Thirty nights of a demo site whose users react: what nightrec says of its lists, beside what is true.

    python -m tests.benchmarks.thirty_nights FOLDER [--nights 30] [--users 3000] [--check]

Every night explores, two arms compete with the main one, and what was shown is logged. FOLDER keeps the site, its
store and `nightrec.toml`, so that `nightrec ui`, `nightrec ope` and `nightrec arms` can be tried there. With `--check`
nothing is run, and only the comparison is printed again.
"""

import argparse
import json
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from flows.operate.server import embedded_server
from tests.benchmarks.believed import Believed, picture
from tests.benchmarks.truth import clicks_by_arm, values_of
from tests.flows import conftest  # noqa: F401  (Prefect as the tests have it)
from tests.flows.reacting import nights
from tests.flows.running import nightrec
from tests.prefect_homes import new_home

FIRST = date(2026, 3, 1)
SETTINGS = """
[exploration]
epsilon = 0.2
slot = 3

[arms]
salt = "spring 2026"

[arms.groups.holdback]
share = 0.1
policy = "popularity"

[arms.groups.challenger]
share = 0.2
policy = "challenger"

[models.popularity]
[models.item_knn]
[models.als]
[models.ease]
[models.content]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--users", type=int, default=3_000)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    if not options.check:
        run(folder, options.nights, options.users)
    compare(folder)


def run(folder: Path, n: int, users: int) -> None:
    """The nights, with a line for each."""
    new_home(folder / "prefect")
    size = ("--users", str(users), "--items", str(users // 3), "--interactions", str(30 * users))
    with embedded_server() as ready:
        ready()
        for day, ran in nights(folder, FIRST, n, SETTINGS, *size):
            said = [line for line in (ran.err or ran.result).splitlines() if line.startswith(("Winner", "nightrec"))]
            print(f"{day}  exit {ran.code}  {' '.join(said)}", flush=True)
        last = FIRST + timedelta(days=n - 1)
        nightrec("report", "--date", str(last), cwd=folder)  # with its charts


def compare(folder: Path) -> None:
    """What the commands say, beside what the generator knows, printed and as `thirty-nights.svg`."""
    models, arms = of_models(folder), of_arms(folder)
    for title, form, rows in (models, arms):
        print(f"\n{title}")
        for row in rows:
            held = "holds" if row.low <= row.truth <= row.high else "misses"
            interval = f"{row.value:{form}} [{row.low:{form}}, {row.high:{form}}]"
            print(f"  {row.name:<14} {interval} {'doubted, ' * row.doubted}{held} the true {row.truth:{form}}")
    (folder / "thirty-nights.svg").write_text(picture([models, arms]), encoding="utf-8")


def of_models(folder: Path) -> tuple[str, str, list[Believed]]:
    """The off-policy values of the candidates, by `nightrec ope`."""
    said = json.loads(nightrec("ope", "--json", cwd=folder).out)
    true = values_of(folder, *(date.fromisoformat(said[end]) for end in ("first", "last")))
    rows = []
    for one in said["values"]:
        if one["role"] == "candidate":
            ends = (one["estimates"]["dr"][end] for end in ("value", "low", "high"))
            rows.append(Believed(one["name"], *ends, true[one["name"]], one["trust"] != "trust"))
    title = f"Clicks a list in the drawn place: {said['events']:,} lists of {said['users']:,} users"
    return title, ".3f", sorted(rows, key=lambda row: -row.truth)


def of_arms(folder: Path) -> tuple[str, str, list[Believed]]:
    """The effects of the arms, by `nightrec arms`."""
    clicks = {arm: float(np.sum(days)) for arm, days in clicks_by_arm(folder).items()}
    rows = []
    for one in json.loads(nightrec("arms", "--json", cwd=folder).out)["arms"]:
        outcome = one["metrics"][0]
        ends = (outcome[end] / outcome["main"] for end in ("difference", "low", "high"))
        certain = outcome["low"] > 0 or outcome["high"] < 0
        rows.append(Believed(one["arm"], *ends, clicks[one["arm"]] / clicks["main"] - 1, not certain))
    return "Clicks of the users of an arm, against those of main", "+.0%", rows


if __name__ == "__main__":
    main()

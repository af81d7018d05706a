"""What a billion interactions would take, by the formulas of `nightrec plan`: machines, hours, cost, bottlenecks."""

from collections.abc import Mapping

from docs.site.tables import markdown
from tasks.estimates.counts import Counts
from tasks.estimates.estimator import Estimator
from tasks.estimates.measured import Measured
from tasks.estimates.plan import Line, Plan, plan
from tasks.estimates.speeds import fitted
from tasks.train.settings import Candidate

GIB, HOUR = 2**30, 3600
INTERACTIONS, USERS, ITEMS, MEASURED = 1_000_000_000, 100_000_000, 5_000_000, 100_000
MODELS = ("popularity", "item_knn", "als")
PUBLISHED = "item_knn"
MACHINES = ((16, 64), (32, 128), (64, 256))
"""Cores and GiB: those of m7g.4xlarge, m7g.8xlarge and m7g.16xlarge of Amazon EC2."""

PRICE = 0.0816 / 2
"""US dollars an hour for a core and 4 GiB: half of m7g.large. Its source is named in docs/scale.md."""

ADVICE: Mapping[str, str] = {
    "export": "`export.approximate = true` where the winner has vectors (`als` and other products of vectors); a "
    "smaller `export.k`; `export.similar = 0` where nobody reads similar items.",
    "prepare": "`memory` as large as the machine allows, so that there are few ranges of users; the store on a local "
    "SSD, where what it spills goes; higher `prepare.min_user_interactions` and `prepare.min_item_interactions`.",
    "validate": "nothing after the first night, as files that were checked are not checked again: keep the log in "
    "files of a day, to which nothing is added later.",
    "ingest": "Parquet instead of CSV, and files of a day: what was read is not read again on the next night.",
    "panel": "`panel.enabled = false` where nobody follows users over weeks.",
    "features full": "fewer columns as terms (`[features]`).",
    "features train": "fewer columns as terms (`[features]`).",
    "als": "fewer `factors` or `iterations` under `[models.als.parameters]`.",
    "item_knn": "fewer `neighbors` under `[models.item_knn.parameters]`.",
}
"""What to configure where a stage, or the training of a model, takes the most time."""


def plans() -> dict[tuple[int, int], Plan]:
    """A night on each machine."""
    return {machine: _plan(*machine) for machine in MACHINES}


def _plan(cores: int, memory: int) -> Plan:
    speeds = fitted()
    counts = Counts(
        interactions=INTERACTIONS,
        users=USERS,
        items=ITEMS,
        pairs=round(speeds.pairs * INTERACTIONS),
        measured=MEASURED,
        planned=memory * GIB,
    )
    baseline = {"popularity_7d": Candidate(recommender="popularity", parameters={"days": 7})}  # there in every night
    candidates = {name: Candidate(recommender=name) for name in MODELS} | baseline
    estimator = Estimator(speeds, Measured())
    return plan(counts, candidates, estimator, cores, min(cores, len(candidates)), likely=PUBLISHED)


def machines() -> str:
    """A row a machine, and the command that says the same."""
    found = plans()
    rows = [
        [
            f"{cores}",
            f"{memory} GiB",
            f"{made.seconds / HOUR:,.1f} h",
            f"{made.memory / GIB:,.0f} GiB" + ("" if made.memory <= memory * GIB else ": more than there is"),
            f"{(made.disk + made.spill) / 1e9:,.0f} GB",
            ", ".join(sorted(made.left_out)) or "none",
            f"{PRICE * cores * made.seconds / HOUR:,.2f} $",
        ]
        for (cores, memory), made in found.items()
    ]
    head = ["cores", "memory", "a first night", "held at a time", "disk", "models left out", "cost"]
    cores, memory = MACHINES[-1]
    command = (
        f"nightrec plan --interactions {INTERACTIONS} --users {USERS} --items {ITEMS} \\\n"
        f"  --models {','.join(MODELS)} --cores {cores} --memory {memory}GiB"
    )
    return markdown(head, rows) + f"\n```\n{command}\n```\n"


def bottlenecks() -> str:
    """The three stages that take the most time on the largest machine, and what to configure."""
    made = plans()[MACHINES[-1]]
    slowest = sorted((line for line in made.lines if line.seconds), key=lambda line: -(line.seconds or 0))[:3]
    return "\n".join(f"{n}. {_bottleneck(line, made)}" for n, line in enumerate(slowest, 1)) + "\n"


def _bottleneck(line: Line, made: Plan) -> str:
    seconds = line.seconds or 0
    advice = ADVICE.get(line.name) or ADVICE.get(line.name.partition(" ")[2], "")
    return f"**{line.name}**, {seconds / HOUR:.1f} of {made.seconds / HOUR:.1f} hours: {advice}"

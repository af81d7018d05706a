"""What nights on clusters take, simulated from what the maps of a night took on one machine: docs/cluster.json.

Work, bytes and buckets of each map grow with the numbers that they follow from, and so does what the driver does
between maps while the nodes wait.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from docs.site.curves import ROOT
from docs.site.tables import markdown
from recmodels.engine.sizes import bucket_count
from recmodels.parted.sums import SUMMED, row_edges
from tasks.estimates.cluster import Cluster, Phase, simulate

FILE = ROOT / "docs" / "cluster.json"


class Map(BaseModel):
    """A map over buckets: CPU seconds and bytes of all buckets together.

    `once` are the bytes that several of them read; `fetched` says whether the driver reads the parts; `since` are the
    CPU seconds after the last map of the stage.
    """

    stage: str
    function: str
    buckets: int
    seconds: float
    work: float
    read: int
    once: int
    written: int
    fetched: bool
    since: float


class StageTime(BaseModel):
    """Seconds of a stage, by the clock and of the cores."""

    stage: str
    seconds: float
    work: float


class Measured(BaseModel):
    """A night, and the maps in their order."""

    interactions: int
    users: int
    items: int
    pairs: int
    commit: str
    maps: list[Map]
    stages: list[StageTime]


@dataclass(frozen=True)
class Site:
    """How large a site is."""

    interactions: int
    users: int
    items: int
    pairs: int

    def number(self, name: str) -> float:
        """One of the numbers that something grows with, by name; `a*b` is a product, `a/b` a quotient."""
        if "*" in name:
            left, _, right = name.rpartition("*")
            return self.number(left) * self.number(right)
        if "/" in name:
            left, _, right = name.partition("/")
            return self.number(left) / self.number(right)
        if name == "sums":
            return min(bucket_count(self.pairs), SUMMED)
        if name == "added":  # what a step of a range of items reads: sums, and its four arrays from before
            return self.number("sums") + 4
        if name == "ranges":
            return len(row_edges(self.items, VECTOR)) - 1
        return 1.0 if name == "1" else float(getattr(self, name))


@dataclass(frozen=True)
class Growth:
    """What of a map grows with which numbers of a site; `buckets` are those of so many rows if not said otherwise."""

    rows: str
    work: str = ""
    read: str = ""
    once: str = "items"
    written: str = ""
    since: str = "items"
    buckets: str = ""

    def of(self, what: str) -> str:
        return str(getattr(self, what) or self.rows)


GROWTHS: Mapping[str, Growth] = {
    "check_parts": Growth("interactions", since="interactions"),
    "write_range": Growth("pairs", once="pairs", since="pairs"),
    "list_items": Growth("pairs", written="sums*items", since="pairs", buckets="sums"),
    "diagonal_basis": Growth("1", since="1"),
    "turn": Growth("items", once="1", since="ranges", buckets="ranges"),
    "improve_users": Growth("pairs", written="users", since="ranges"),
    "add_products": Growth("pairs", written="sums*items", since="ranges", buckets="sums"),
    "take_step": Growth("items", read="added*items", work="added*items", once="1", since="ranges", buckets="ranges"),
    "measure_items": Growth("pairs", written="sums*items", since="pairs", buckets="sums"),
    "join_users": Growth("pairs"),
    "compare_items": Growth("pairs", work="pairs*pairs/users", once="pairs", written="items"),
    "similar_to_all": Growth("pairs", work="pairs*pairs/users", once="pairs", written="items", since="pairs"),
    "write_lists": Growth("users", read="pairs", once="pairs"),
    "write_some": Growth("1", once="pairs"),
    "write_similar": Growth("items", once="pairs"),
}
"""By the name of the function; of the others, with the rows of the log."""

VECTOR = 4 * 128
"""Bytes of an item's vector of `als`."""

ROWS = Growth("interactions", since="interactions")
ALONE: Mapping[str, str] = {
    "train": "pairs",
    "refit": "pairs",
    "features": "pairs",
    "export": "users",
    "panel": "pairs",
}
"""What the driver's part of a stage grows with, before its first map and after its last one; else the interactions."""

SKIPPED = ("evaluate", "compare", "train popularity")
"""Stages that take seconds whatever the size, as a drawn sample of users is measured."""


def phases(measured: Measured, site: Site, skipped: tuple[str, ...] = SKIPPED) -> Iterator[Phase]:
    """The night of a site, as it follows from one that was measured, without stages whose names begin so."""
    here = Site(measured.interactions, measured.users, measured.items, measured.pairs)

    def grown(value: float, name: str) -> float:
        return value * site.number(name) / here.number(name)

    for stage in measured.stages:
        if stage.stage.startswith(skipped):
            continue
        maps = [one for one in measured.maps if one.stage == stage.stage]
        rest = max(0.0, stage.work - sum(one.work + one.since for one in maps))
        yield Phase(stage.stage, alone=grown(rest, ALONE.get(stage.stage.split()[0], "interactions")))
        for one in maps:
            growth = GROWTHS.get(one.function.rpartition(":")[2], ROWS)
            if growth.buckets:
                buckets = int(site.number(growth.buckets))
            else:
                rows = round(grown(one.buckets * (1 << 21), growth.rows)) if one.buckets > 1 else 1
                buckets = bucket_count(rows)
            written = grown(one.written, growth.of("written"))
            yield Phase(stage.stage, alone=grown(one.since, growth.of("since")))
            yield Phase(
                stage.stage,
                buckets=buckets,
                work=grown(one.work, growth.of("work")),
                read=grown(one.read, growth.of("read")),
                once=grown(one.once, growth.of("once")),
                written=written,
                fetched=written if one.fetched else 0.0,
            )


def read(path: Path = FILE) -> Measured:
    return Measured.model_validate_json(path.read_bytes())


BILLION = Site(interactions=10**9, users=10**8, items=5 * 10**6, pairs=5 * 10**8)
CORES = 16  # of a node
NODES = (1, 4, 16, 64)
BANDWIDTH = 1.25e9  # bytes a second: 10 Gbit/s
LOST = 0.05  # nodes an hour and node: one in twenty hours
PRICE = 0.0408  # $ an hour and core, see the page


def clusters() -> str:
    """Time, efficiency and cost of the night of a billion interactions, by the number of nodes."""
    measured, rows = read(), []
    for nodes in NODES:
        cluster = Cluster(nodes, CORES, BANDWIDTH, lost_an_hour=LOST)
        steps = list(phases(measured, BILLION))
        found = simulate(steps, cluster)
        alone = sum(one.alone + one.fetched / BANDWIDTH for one in steps)
        longest = sorted(found.of_stage.items(), key=lambda one: -one[1])[:3]
        rows.append(
            [
                f"{nodes} of {CORES}",
                f"{found.seconds / 3600:.1f} h",
                f"{alone / found.seconds:.0%}",
                f"{found.efficiency(cluster):.0%}",
                f"{found.lost}; {found.repeated}",
                f"{found.seconds / 3600 * nodes * CORES * PRICE:,.2f} $",
                ", ".join(f"`{name}` {seconds / found.seconds:.0%}" for name, seconds in longest),
            ]
        )
    head = ["nodes of cores", "a first night", "of it the driver alone", "efficiency", "nodes lost; buckets repeated"]
    return markdown([*head, "cost", "longest"], rows)

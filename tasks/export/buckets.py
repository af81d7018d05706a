"""What an engine makes of an export: the lists of some users, and the similar items of some items, counted at once.

Each bucket leaves files of the export, and the counts of what they hold as they were written (`audit`). Its part is the
same wherever it is made, and does not depend on the others.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.compute.memory import trim
from recmodels.engine.sizes import bucket_count
from recmodels.engine.work import Bucket, Work
from recmodels.ranking.rerank import Rules
from tasks.exploration.drawing import exploring
from tasks.export.audit import profile_of, summed
from tasks.export.audit_exposure import Exposed
from tasks.export.audit_items import SIMILAR_COUNTS, similar_counts
from tasks.export.basis import NAME, basis_of
from tasks.export.explored import draw, found_in
from tasks.export.item_tables import PAIRS_A_GROUP, similar_tables
from tasks.export.listed import counted_in
from tasks.export.more_lists import more_servings, write_more
from tasks.export.writer import Parts, Writer
from tasks.store.feedback import PROPOSALS
from tasks.store.files import Json

PLACES = 2**18  # of lists that a bucket makes: some seconds of work, and a file of some megabytes
SCATTERED, LARGER = 16, 8  # buckets of users who stand in no order, that are no fewer, and how much larger more are
COUNTS, LISTED = "counts.json", "counted.parquet"


def buckets_of(n: int, k: int, basis: Path, recommenders: Sequence[str], *, scattered: bool = False) -> list[Bucket]:
    """Ranges of `n` users or items with lists of `k`, as buckets of about as many places each.

    `scattered`: they come in another order than their rows lie in, as users whose ids are hashed do. Each bucket then
    reads nearly all rows to find its own, so there are fewer.
    """
    count = min(bucket_count(n * k, PLACES), max(n, 1))
    if scattered:
        count = min(count, max(SCATTERED, count // LARGER))
    edges = [number * n // count for number in range(count + 1)]
    return [
        Bucket(
            f"part-{number:05d}",
            {NAME: basis},
            {"first": first, "end": end, "recommenders": list(recommenders)},
        )
        for number, (first, end) in enumerate(pairwise(edges))
    ]


def write_lists(work: Work) -> None:
    """Write the lists of some users, in the order of the export, and what they and exploration came to."""
    basis = basis_of(work)
    users = np.asarray(basis.order[work.arguments["first"] : work.arguments["end"]])
    data = basis.everybody or basis.data(users)
    serving, plan, explored = basis.serving_from(data), basis.plan, None
    with ExitStack() as stack:
        lists, origins = serving.lists(users)
        if basis.explores is not None:
            one = basis.explores
            exploration = stack.enter_context(
                exploring(
                    basis.night, basis.about["export_id"], one.settings, one.seed, one.proposers, data, basis.own_ids,
                    basis.item_ids, users, basis.settings.longest, basis.allowed, basis.settings.repeats, plan,
                    work.out, one.shares, one.seldom,
                )
            )  # fmt: skip
            lists, origins = draw(exploration, lists, origins, plan, serving.explored(users))
            explored = found_in(exploration)
        writer = Writer(basis.night.run_date, basis.name, basis.user_ids, basis.item_ids, work.out / "topk")
        with writer:
            writer.write(lists, origins)
    del lists, origins
    trim()  # before the audit, or what the lists took stays beside what that takes
    pq.write_table(counted_in(_files(work.out, "topk")), work.out / LISTED)
    counts = profile_of(
        work.out,
        basis.night.features,
        data,
        basis.settings.k,
        repeats=basis.settings.repeats,
        rules=plan,
        published=basis.user_ids,
        users=users,
    )
    if "exposure" in counts:
        counts["exposure"] = counts["exposure"].sums()
    about = {"lists": counts, "explored": explored}
    for table, servings in more_servings(serving, basis.domains, basis.settings).items():
        about[table] = write_more(basis, table, servings, data, users, work.out)
    (work.out / COUNTS).write_text(json.dumps(about))
    del data, serving
    trim()


def write_similar(work: Work) -> None:
    """Write the similar items of some items, and what breaks the contract in them."""
    basis = basis_of(work)
    items = np.arange(work.arguments["first"], work.arguments["end"], dtype=np.int32)
    (name, model), k, day = basis.similar, basis.settings.similar, basis.night.run_date
    parts = Parts(work.out / "similar", PAIRS_A_GROUP)
    for table in similar_tables(model, name, basis.item_ids, basis.allowed, k, day, items):
        parts.write(table)
    parts.close()
    offered = basis.item_ids.filter(pa.array(basis.items["available"].to_numpy() & basis.allowed))
    counts = similar_counts(_files(work.out, "similar"), basis.item_ids, offered)
    (work.out / COUNTS).write_text(json.dumps(counts))
    trim()


@dataclass(frozen=True, eq=False)
class Made:
    """The parts of an export that were made, in order.

    Attributes:
        lists: of users.
        similar: of items.
    """

    lists: Sequence[Path]
    similar: Sequence[Path]

    def counts(self, rules: Rules | None) -> Json:
        """All that the audit counts in them; with bounds, `exposure` is an `Exposed`."""
        profiles = [one["lists"] for one in self._counts]
        for one in profiles:
            if "exposure" in one and rules is not None and rules.bounds is not None:
                one["exposure"] = Exposed.of(rules.bounds, one["exposure"])
        similar = [json.loads((part / COUNTS).read_text()) for part in self.similar]
        return summed(profiles) | {name: sum(one[name] for one in similar) for name in SIMILAR_COUNTS}

    def more(self, table: str) -> Json | None:
        """The same of the lists of a table that has several for every user; None where there are none."""
        profiles = [one[table] for one in self._counts if table in one]
        return summed(profiles) if profiles else None

    @property
    def explored(self) -> list[Json]:
        """What became of exploration in each part of the lists."""
        return [one["explored"] for one in self._counts]

    @property
    def proposals(self) -> list[Path]:
        return [part / PROPOSALS for part in self.lists]

    @property
    def listed(self) -> tuple[list[pa.Table], list[int]]:
        """What is known of each item from each part of the lists, and with which row of all lists that begins."""
        rows = [one["lists"]["rows"] for one in self._counts]
        return [pq.read_table(part / LISTED) for part in self.lists], [sum(rows[:n]) for n in range(len(rows))]

    @property
    def _counts(self) -> list[Json]:
        return [json.loads((part / COUNTS).read_text()) for part in self.lists]


def files_of(parts: Sequence[Path], table: str) -> list[Path]:
    """The files of a table, in order: without those that have no rows, but for one where all have none."""
    files = [file for part in parts for file in _files(part, table)]
    return [file for file in files if pq.read_metadata(file).num_rows] or files[:1]


def _files(folder: Path, table: str) -> list[Path]:
    return sorted((folder / table).glob("*.parquet"))

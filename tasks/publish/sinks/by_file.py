"""Loading a sink file by file: each file of the export is a bucket, which a node of the night's engine loads."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from recmodels.engine.work import Bucket, Function
from tasks.publish.by_nodes import by_nodes
from tasks.publish.sinks.source import Published, Tally
from tasks.store.files import Json

ROWS = "rows"
Answers = dict[str, list[Json]]
"""What buckets have left, by table; at the least the proof of a tally."""


def by_file(
    function: Function,
    published: Published,
    told: Mapping[str, Any],
    tables: Collection[str],
    *,
    inputs: Mapping[str, Path] | None = None,
    reached: bool = True,
) -> Answers:
    """Have a function load, or read back, the files of some tables.

    Args:
        function: leaves `by_nodes.ANSWER`. Its bucket has the file as the input `ROWS`, and the arguments `table` and
            `part`, a name of the file that no other has.
        published: the export.
        told: further arguments of each bucket, as JSON can say them.
        tables: of the export.
        inputs: further inputs of each bucket.
        reached: as of `by_nodes`.

    Raises:
        NightrecError, OSError: as `by_nodes`.
    """
    buckets = [
        Bucket(part, {ROWS: file, **(inputs or {})}, {**told, "table": table, "part": part})
        for part, (table, file) in files_of(published, tables).items()
    ]
    return by_table(buckets, by_nodes(function, buckets, published.folder, reached=reached))


def files_of(published: Published, tables: Collection[str]) -> dict[str, tuple[str, Path]]:
    """The table and the path of each file, by the name of its bucket."""
    return {
        f"{table}-{number:05}": (table, Path(file))
        for table in tables
        for number, file in enumerate(published.files(table))
    }


def by_table(buckets: Sequence[Bucket], answers: Sequence[Json]) -> Answers:
    """Answers by what their buckets have been told of as `table`."""
    found: Answers = defaultdict(list)
    for bucket, answer in zip(buckets, answers, strict=True):
        found[bucket.arguments["table"]].append(answer)
    return found


def total(answers: Sequence[Json]) -> Tally:
    """The sum of the tallies that buckets have left."""
    found = Tally()
    for answer in answers:
        found.add_proof(answer)
    return found

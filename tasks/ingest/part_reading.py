"""Parts of a raw table, read wherever the engine has room: each bucket is the files of one part.

Which files make a part depends on how many of their rows are kept, which is known once they are read. So it is
predicted, from the rows that the files have, and what was predicted wrongly is read again: then all of it is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from pydantic import TypeAdapter

from recmodels.compute.cores import threads
from recmodels.engine.current import engine
from recmodels.engine.work import Bucket, Work
from recmodels.errors import DataRefused
from tasks.ingest.landing.first_rows import Remote, remote_of
from tasks.ingest.reading import columns, rejects
from tasks.ingest.reading.copies import Unreadable
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.packing import head
from tasks.ingest.reading.sources import Source
from tasks.ingest.reading.tables import Table
from tasks.ingest.reading.textfiles import count_lines
from tasks.ingest.reading.timestamps import Credible, Timestamps
from tasks.ingest.table_pass import BUFFER, Shared, TablePass
from tasks.ingest.table_result import TableResult
from tasks.store.duckdb import SHARE, connect
from tasks.store.files import write_json
from tasks.store.versions import code_of

_SAMPLE = 1 << 20  # bytes of a text file that say how long its lines are


@dataclass(frozen=True)
class Told:
    """How some files of a table are read, as JSON can say it: see `Table` and `TablePass`.

    `remote`: those that are on an object store, and of which only the first rows are where the others are.
    """

    name: str
    given: TableInput
    sources: list[Source]
    remote: list[Remote | None]
    maps: list[dict[str, str]]
    optional: list[str]
    others: dict[str, columns.Kind]
    times: list[Timestamps | None]
    spans: list[dict[str, Timestamps]]
    credible: tuple[int, int]
    id_types: dict[str, str]
    cutoff: int


@dataclass(frozen=True)
class Outcome:
    """What came of reading some files: the result; or ids that are no integers after all, or why they are refused.

    `unreadable`: the file that could not be read to its end, for the reason that is `refused`.
    """

    result: TableResult | None = None
    text_ids: tuple[str, ...] = ()
    refused: str = ""
    unreadable: Path | None = None

    def checked(self) -> Outcome:
        """The outcome.

        Raises:
            DataRefused: a file cannot be used.
        """
        if self.unreadable is not None:
            raise Unreadable(self.unreadable, self.refused)
        if self.refused:
            raise DataRefused(self.refused)
        return self


_TOLD, _OUTCOME = TypeAdapter(Told), TypeAdapter(Outcome)
_PART, _REJECTS, _ABOUT = "part.parquet", "rejects.parquet", "outcome.json"


def read_part(work: Work) -> None:
    """Read the files of a part, which are the inputs `0`, `1` and so on, as the argument `told` says.

    Those of an object store are fetched, and are no inputs.

    Files that are refused are an outcome, too: which of them a person hears of is decided where all outcomes are known.
    """
    told = _TOLD.validate_python(work.arguments["told"], strict=False)
    with TemporaryDirectory(dir=work.out) as folder:
        here = {
            source.path: work.inputs[str(number)].absolute() if remote is None else remote.fetched(Path(folder))
            for number, (source, remote) in enumerate(zip(told.sources, told.remote, strict=True))
        }
        outcome = _read(told, here, work)
    if outcome.result is not None:
        if outcome.result.rejects:
            pq.write_table(rejects.table(outcome.result.rejects), work.out / _REJECTS)
        outcome = replace(outcome, result=replace(outcome.result, rejects=[]))
    else:
        (work.out / _PART).unlink(missing_ok=True)
    write_json(work.out / _ABOUT, _OUTCOME.dump_python(outcome, mode="json"))


def _read(told: Told, here: Mapping[Path, Path], work: Work) -> Outcome:
    table, there = _table(told, here), {source.path: source.readable for source in told.sources}

    def as_there(text: str) -> str:
        for path, readable in there.items():
            text = text.replace(str(here[path]), str(readable))
        return text

    memory = f"{int(work.memory * SHARE)}B"
    with connect(work.out, memory, threads()) as db, ThreadPoolExecutor(1) as counting:
        db.execute(f"SET streaming_buffer_size = '{BUFFER}'")
        one = TablePass(
            Shared(db, counting, work.out, told.cutoff, table.credible), table, told.id_types, work.out / _PART
        )
        try:
            text_ids = one.run(deque(table.sources))
        except Unreadable as error:
            return Outcome(refused=as_there(error.reason), unreadable=error.path)
        except DataRefused as error:
            return Outcome(refused=as_there(str(error)))
    return Outcome(text_ids=tuple(sorted(text_ids))) if text_ids else Outcome(one.result)


def _table(told: Told, here: Mapping[Path, Path]) -> Table:
    """The table of some files that lie `here`."""
    sources = [replace(source, readable=here[source.path]) for source in told.sources]
    times = {source.path: how for source, how in zip(sources, told.times, strict=True) if how is not None}
    return Table(
        told.name,
        told.given,
        sources,
        {source.path: mapped for source, mapped in zip(sources, told.maps, strict=True)},
        told.optional,
        told.others,
        [],
        times,
        {(source.path, ours): how for source, of in zip(sources, told.spans, strict=True) for ours, how in of.items()},
        Credible(*told.credible),
        [],
    )


def _told(table: Table, sources: Sequence[Source], id_types: Mapping[str, str], cutoff: int) -> Told:
    spans: dict[Path, dict[str, Timestamps]] = {source.path: {} for source in sources}
    for (path, ours), how in table.spans.items():
        if path in spans:
            spans[path][ours] = how
    return Told(
        table.name,
        table.given,
        list(sources),
        [remote_of(source.readable) for source in sources],
        [table.maps[source.path] for source in sources],
        table.optional,
        table.others,
        [table.times.get(source.path) for source in sources],
        [spans[source.path] for source in sources],
        table.credible,
        dict(id_types),
        cutoff,
    )


def read_parts(
    table: Table, sources: Sequence[Source], id_types: Mapping[str, str], cutoff: int, to: Path, full: int | None
) -> Iterator[tuple[list[Source], Path, Outcome]]:
    """Read some files of a table that follow one another, and give the parts that they make, in their order.

    Args:
        table: theirs.
        sources: the files, none of them closed.
        id_types: id column -> DuckDB type.
        cutoff: µs since 1970.
        to: a folder for the work.
        full: with how many rows a part is complete; all files are one part, if not given.

    Yields:
        The files of a part, the file that has its rows, and what came of reading it. If ids are no integers after all,
        the outcome says so, and is the last.

    Raises:
        DataRefused: a file cannot be used.
    """
    rows = {source.path: _predicted_rows(source, full) for source in sources} if full else {}
    made = dict[tuple[Path, ...], tuple[Path, Outcome]]()
    while True:
        runs = division(sources, rows, full)
        missing = [run for run in runs if _key(run) not in made]
        if not missing:
            break
        place = {source.path: number for number, source in enumerate(sources)}
        buckets = [
            Bucket(
                f"{place[run[0].path]:06}-{len(run)}",
                {
                    str(n): of.readable
                    for n, (of, remote) in enumerate(zip(run, told.remote, strict=True))
                    if not remote
                },
                {"told": _TOLD.dump_python(told, mode="json")},
            )
            for run in missing
            for told in [_told(table, run, id_types, cutoff)]
        ]
        folders = engine().map(read_part, buckets, to / table.name, code=code_of(__name__))
        for run, folder in zip(missing, folders, strict=True):
            outcome = _outcome(folder).checked()
            if outcome.text_ids:
                yield run, folder / _PART, outcome
                return
            assert outcome.result is not None
            made[_key(run)] = folder / _PART, outcome
            rows |= {source.path: of["rows"] for source, of in zip(run, outcome.result.files, strict=True)}
    for run in runs:
        yield run, *made[_key(run)]


def division(sources: Sequence[Source], rows: Mapping[Path, int], full: int | None) -> list[list[Source]]:
    """The files of each part: they follow one another until they have as many rows as are enough."""
    if full is None:
        return [list(sources)]
    runs, so_far = list[list[Source]](), full
    for source in sources:
        if so_far >= full:
            runs.append([])
            so_far = 0
        runs[-1].append(source)
        so_far += rows[source.path]
    return runs


def _key(run: Sequence[Source]) -> tuple[Path, ...]:
    return tuple(source.path for source in run)


def _predicted_rows(source: Source, full: int) -> int:
    """How many rows a file has, before any is left out; of long text files roughly."""
    if (remote := remote_of(source.readable)) is not None:
        return remote.rows
    if not source.is_text:
        return int(pq.read_metadata(source.readable).num_rows)
    start = head(source.readable, _SAMPLE)
    roughly = source.readable.stat().st_size * start.count(b"\n") // max(len(start), 1)
    return roughly if roughly > 2 * full else count_lines(source.readable).total - source.skip


def _outcome(folder: Path) -> Outcome:
    outcome: Outcome = _OUTCOME.validate_json((folder / _ABOUT).read_bytes())
    if outcome.result is not None and (refused := folder / _REJECTS).exists():
        outcome.result.rejects = rejects.of_table(pq.read_table(refused))
    return outcome

"""Parts of tables, checked wherever the engine has room: each bucket is some parts that follow one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from expectations.runner import Suite
from expectations.settings import ValidationSettings
from expectations.tables import row_rules
from recmodels.compute.cores import threads
from recmodels.engine.current import engine
from recmodels.engine.sizes import ROWS
from recmodels.engine.work import Bucket, Work
from tasks.store.duckdb import SHARE, connect
from tasks.store.files import read_json, write_json
from tasks.store.versions import code_of
from tasks.validate.copies import prevailing
from tasks.validate.rows import Split, Verdict, derived_columns, find_refused, is_good

_ERRORS, _CATALOGUE = "errors.json", "items"


def check_parts(work: Work) -> None:
    """Check some parts of a table, which are the inputs `0`, `1` and so on.

    Of each part the codes of its rows are written, and, where it is not good as it is, its good rows and the others.
    What is told: the `table`, its `columns`, the `settings`, `now`, and when exports were `published`.
    """
    told, name = work.arguments, work.arguments["table"]
    settings = ValidationSettings.model_validate(told["settings"])
    published = {export_id: datetime.fromisoformat(at) for export_id, at in told["published"].items()}
    suite = Suite(f"{name}-rows", row_rules(name, told["columns"], settings, datetime.fromisoformat(told["now"])))
    sources = [work.inputs[str(number)] for number in range(told["parts"])]
    with connect(work.out, f"{int(work.memory * SHARE)}B", threads()) as db:
        catalogue = work.inputs.get(_CATALOGUE, Path())

        def derive() -> Any:
            return derived_columns(db, name, sources[0], catalogue, settings, published)

        found = list(find_refused(sources, [None] * len(sources), suite, derive))
        flags = prevailing(db, name, sources[0])
    for number, (source, codes) in enumerate(zip(sources, found, strict=True)):
        np.save(work.out / f"codes-{number}.npy", codes)
        if not is_good(pq.read_schema(source), codes):
            with Split(name, [one.rule.reason for one in suite.findings], _bad(work.out, number), flags) as split:
                split.part(source, codes, _good(work.out, number), None)
    write_json(work.out / _ERRORS, {"errors": [finding.error for finding in suite.findings]})


def checked(
    name: str,
    columns: Sequence[str],
    suite: Suite,
    sources: Sequence[Path],
    known: Sequence[Verdict | None],
    catalogue: Path | None,
    settings: ValidationSettings,
    now: datetime,
    published: Mapping[str, datetime],
    to: Path,
) -> list[Verdict]:
    """The verdicts on the parts of a table, those that are not known by the engine.

    Args:
        name: of the table.
        columns: that its rules know.
        suite: of the rules of its rows, which learns of those that cannot be evaluated.
        sources: the raw parts.
        known: what is known of each.
        catalogue: the valid items, if they must be known.
        settings: the rules.
        now: rows that are later by a day are refused.
        published: when the exports that exposures may name were published.
        to: a folder for the work.
    """
    told = {
        "table": name,
        "columns": list(columns),
        "settings": settings.model_dump(mode="json"),
        "now": now.isoformat(),
        "published": {export_id: at.isoformat() for export_id, at in published.items()},
    }
    runs = _runs([source for source, verdict in zip(sources, known, strict=True) if verdict is None])
    buckets = [
        Bucket(
            f"{place:05}",
            {str(number): source for number, source in enumerate(run)} | ({_CATALOGUE: catalogue} if catalogue else {}),
            told | {"parts": len(run)},
        )
        for place, run in enumerate(runs)
    ]
    made = list[Verdict]()
    for run, folder in zip(
        runs, engine().map(check_parts, buckets, to / name, code=code_of(__name__)) if buckets else (), strict=True
    ):
        errors: Any = read_json(folder / _ERRORS)
        suite.add(0, [0] * len(suite.findings), errors["errors"])
        made += [_verdict(folder, number) for number in range(len(run))]
    new = iter(made)
    return [verdict or next(new) for verdict in known]


def _runs(sources: Sequence[Path]) -> list[list[Path]]:
    """Parts that follow one another, about as many rows of them as a bucket has."""
    runs, so_far = list[list[Path]](), ROWS
    for source in sources:
        if so_far >= ROWS:
            runs.append([])
            so_far = 0
        runs[-1].append(source)
        so_far += pq.read_metadata(source).num_rows
    return runs


def _verdict(folder: Path, number: int) -> Verdict:
    good, bad = _good(folder, number), _bad(folder, number)
    codes = np.load(folder / f"codes-{number}.npy", allow_pickle=False)
    return Verdict(codes, good if good.exists() else None, pq.read_table(bad) if bad.exists() else None)


def _good(folder: Path, number: int) -> Path:
    return folder / f"good-{number}.parquet"


def _bad(folder: Path, number: int) -> Path:
    return folder / f"bad-{number}.parquet"

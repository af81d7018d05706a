"""Imitations of public data sets, laid out as they are downloaded, and their rows as a night reads them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.presets.apply import apply
from tests.tasks.raw import ingest, read

LATE = datetime(2024, 1, 1, tzinfo=UTC)


def lay(folder: Path, files: dict[str, str | bytes]) -> Path:
    """A folder with files; texts are in UTF-8, those named `.gz` are packed."""
    for name, contents in files.items():
        raw = contents if isinstance(contents, bytes) else contents.encode()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return folder


def rows(folder: Path, preset: str, table: str = "interactions", **given: Any) -> list[dict[str, Any]]:
    """The rows of a table as a night reads them, without where they come from."""
    inputs = apply(preset, Inputs(interactions=TableInput(path=str(folder), **given)))
    hidden = folder.parent / f".night-{folder.name}"
    hidden.mkdir(exist_ok=True)
    summary, out = ingest(hidden, inputs, LATE)
    assert summary["rejects"] == 0
    found: list[dict[str, Any]] = read(out, table).to_pylist()
    unread = [row[key] for row in found for key in row if key.endswith("_text")]
    assert set(unread) <= {None}
    return [
        {key: row[key] for key in row if not key.startswith("source_") and not key.endswith("_text")} for row in found
    ]


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc,arg-type]


def only(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


ML_100K = {
    "u.data": "196\t242\t3\t881250949\n186\t302\t3\t891717742\n",
    "u.item": (
        "242|Kolya (1996)|24-Jan-1997||http://us.imdb.com/M/title-exact?Kolya%20(1996)|"
        + "|".join("0" * 5 + "1" + "0" * 13)
        + '\n302|Misérables, "Les" (1995)|19-Sep-1997||http://us.imdb.com/M|'
        + "|".join("0" * 19)
        + "\n"
    ).encode("latin-1"),
    "u.user": "196|49|M|writer|55105\n186|39|F|executive|00000\n",
    "u.genre": "unknown|0\n",
    "u1.base": "196\t242\t3\t881250949\n",
}
ML_CSV = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n",
    "movies.csv": 'movieId,title,genres\n296,"American President, The (1995)",Comedy|Drama|Romance\n',
    "tags.csv": "userId,movieId,tag,timestamp\n3,296,classic,1439472355\n",
    "links.csv": "movieId,imdbId,tmdbId\n296,0112346,9087\n",
    "genome-scores.csv": "movieId,tagId,relevance\n296,1,0.02875\n",
}

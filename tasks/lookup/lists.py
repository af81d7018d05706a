"""One user's list, with the titles of its items and of its reasons."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.base import Recommender
from recmodels.data import layout
from recmodels.errors import ConfigError
from recmodels.published.reader import Export
from recmodels.published.schema import BY_CONTEXT, BY_DOMAIN, MORE_LISTS
from tasks.lookup.cached import kept
from tasks.lookup.catalogue import Catalogue, catalogue_of
from tasks.lookup.published import has_opted_out, list_in, night_of, not_found, published_as
from tasks.store.files import read_json
from tasks.store.paths import Night, Store

Row = dict[str, Any]

TERMS = 3  # that are named of each reason


def list_of(
    store: Path,
    user_id: str,
    run_date: date | None = None,
    domain: str | None = None,
    context: str | None = None,
    why: bool = False,
) -> list[Row]:
    """The rows of a user's list, with the titles of the items and of the reasons, and the terms that matched.

    With a `domain` it is the list of that domain alone, with a `context` the one in that context. `why` asks the model
    for the column that each item ranks high by, `reason_column`, which takes the time to read all interactions.

    Raises:
        ConfigError: nothing is published, or the user has no list in it, or has opted out; there is no such domain or
            context, or both are given.
    """
    if domain is not None and context is not None:
        raise ConfigError("There are lists of a domain and lists in a context, and none of both: name one of the two.")
    export = Export.of_night(store, run_date) if run_date else Export.latest(store)
    which = (BY_DOMAIN, domain) if domain is not None else (BY_CONTEXT, context)
    rows = with_titles(Store(store), export, rows_of(Store(store), export, user_id, *which))
    if not why:
        return rows
    from tasks.lookup.columns import with_columns

    return with_columns(Store(store), export, user_id, rows, domain, context)


def rows_of(store: Store, export: Export, user_id: str, table: str = BY_DOMAIN, value: str | None = None) -> pa.Table:
    """The rows of a user's list in an export, as they are published; with a `value`, of that list in another `table`.

    Raises:
        ConfigError: the user has no list in it, or has opted out; there is no such domain or context.
    """
    published = published_as(export, user_id)
    rows = list_in(export, published) if value is None else _one_of_several(export, published, table, value)
    if not rows.num_rows or has_opted_out(store, export, user_id):
        raise not_found(export, user_id)
    return rows


def _one_of_several(export: Export, published: Any, table: str, value: str) -> pa.Table:
    column = MORE_LISTS[table]
    if not any(file["path"].startswith(f"{table}/") for file in export.manifest["files"]):
        raise ConfigError(f"The export {export.manifest['export_id']} has no lists of {column}s: leave --{column} out.")
    rows = export.table(table, [published])
    of_row = rows[column].cast(pa.string())
    if len(rows) and value not in (there := sorted(set(of_row.to_pylist()))):
        raise ConfigError(f"There is no {column} {value!r} in the user's lists: there are {', '.join(there)}.")
    return rows.filter(pc.equal(of_row, value)).sort_by("rank")


def someone(store: Path, run_date: date) -> tuple[Any, list[Row]] | None:
    """A user with a personal list, and that list: the first one of a night's export, or the first of all; None where
    nobody has a list.
    """
    export = Export.of_night(store, run_date)
    first = next(file for file in export.manifest["files"] if file["path"].startswith("topk/"))
    opened = pq.ParquetFile(export.folder / first["path"])
    head = next(opened.iter_batches(100_000, columns=["user_id", "source"]), None)
    if head is None:
        return None
    personal = pc.equal(head["source"].cast(pa.string()), "personal").to_numpy(zero_copy_only=False)
    user_id = head["user_id"][int(personal.argmax())].as_py()
    return user_id, with_titles(Store(store), export, export.table("topk", [user_id]).sort_by("rank"))


def with_titles(store: Store, export: Export, rows: pa.Table) -> list[Row]:
    """The rows of a list with titles; without them, where the night's working files are gone."""
    night = night_of(store, export)
    catalogue = catalogue_of(night)
    listed = rows.to_pylist()
    terms = [[] for _ in listed] if catalogue is None else _matched_terms(night, catalogue, listed)
    return [
        row
        | {
            "title": None if catalogue is None else catalogue.title_of(row["item_id"]),
            "reason_title": None if catalogue is None else catalogue.title_of(row["reason_item_id"]),
            "reason_terms": found,
        }
        for row, found in zip(listed, terms, strict=True)
    ]


def _matched_terms(night: Night, catalogue: Catalogue, rows: list[Row]) -> list[list[str]]:
    """For each row the terms that its item shares with its reason, best first, where the model looks at terms."""
    from recmodels.content import Content
    from tasks.features.column_roles import VECTOR

    found: list[list[str]] = [[] for _ in rows]
    champion, vocabulary = night.champion / "model.json", night.features / "full" / layout.VOCABULARY
    if (read_json(champion) or {}).get("recommender") != "content" or not vocabulary.exists():
        return found
    pairs = [
        (n, catalogue.index_of(row["reason_item_id"]), catalogue.index_of(row["item_id"]))
        for n, row in enumerate(rows)
        if row.get("policy", row["model"]) == row["model"]  # of other models nothing is known here
    ]
    known = [pair for pair in pairs if None not in pair]
    if not known:
        return found
    model = _model(champion)
    assert isinstance(model, Content)
    place, sources, targets = (np.array(column, np.int32) for column in zip(*known, strict=True))
    table = pq.read_table(vocabulary, columns=["term", "column"])
    names, of_words = table["term"], pc.not_equal(table["column"], VECTOR).to_numpy()
    for row, terms in zip(place, model.matched_terms(sources, targets, TERMS, of_words), strict=True):
        found[row] = list(dict.fromkeys(names.take(terms[terms >= 0]).to_pylist()))  # of several columns
    return found


@kept(1)
def _model(path: Path) -> Recommender:
    """The model whose description is in a file."""
    from recmodels.persistence import load

    return load(path.parent)

"""More lists than one for every user: from each domain alone, of a site with several, and in each context that counts.

`topk_by_domain` and `topk_by_context` have the columns of the main lists, and one that says which list a row is of.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.published.schema import BY_CONTEXT, BY_DOMAIN, MORE_LISTS, arrow_schema
from recmodels.ranking.rerank import Rules
from tasks.export.audit import profile_of, summed
from tasks.export.serving import Serving
from tasks.export.settings import ExportSettings
from tasks.export.writer import Parts, Writer, coded
from tasks.store.files import Json

if TYPE_CHECKING:
    from tasks.export.basis import Basis

_ONE = "one-of-several"
USERS_AT_A_TIME = 2048  # whose lists in all contexts follow one another: they are made of the same candidates
"""Of domains the candidates differ: the lists of all users in one follow one another."""


def more_servings(serving: Serving, domains: Domains | None, settings: ExportSettings) -> dict[str, dict[str, Serving]]:
    """What makes the lists of each of the tables that there are, by the values of its column."""
    of_domains = {} if domains is None else {name: _among(serving, domains, name) for name in domains.names}
    in_contexts = serving.main.model.in_contexts() if settings.context_lists else {}
    of_arms = {name: model.in_contexts() for name, model in serving.models.items()} if in_contexts else {}
    of_contexts = {
        context: replace(
            serving,
            main=replace(serving.main, model=model),
            models={name: of_arms[name].get(context, one) for name, one in serving.models.items()},
        )
        for context, model in in_contexts.items()
    }
    return {table: made for table, made in ((BY_DOMAIN, of_domains), (BY_CONTEXT, of_contexts)) if made}


def _among(serving: Serving, domains: Domains, name: str) -> Serving:
    """What makes lists of the items of a domain alone."""
    main, domain = serving.main, domains.items(name)
    rules = None if main.rules is None else main.rules.within(domain)
    return replace(serving, main=replace(main, allowed=main.allowed & domain, rules=rules))


def write_more(
    basis: "Basis", table: str, servings: Mapping[str, Serving], data: Dataset, users: Ints, out: Path
) -> Json:
    """Write the lists of some users, in the order of the export, and count what the audit of lists counts in them."""
    names, tables, counts = list(servings), [], []
    folders = {name: out / f"{_ONE}-{number}" for number, name in enumerate(names)}
    with ExitStack() as stack:
        writers = {}
        for name, folder in folders.items():
            folder.mkdir()
            writer = Writer(basis.night.run_date, basis.name, basis.user_ids, basis.item_ids, folder / "topk")
            writers[name] = stack.enter_context(writer)
        step = USERS_AT_A_TIME if table == BY_CONTEXT else max(1, len(users))
        for start in range(0, len(users), step):
            for name, own in servings.items():
                writers[name].write(*own.lists(users[start : start + step]))
    for name, folder in folders.items():
        main = servings[name].main
        counts.append(
            profile_of(
                folder,
                basis.night.features,
                data,
                basis.settings.k,
                repeats=basis.settings.repeats,
                rules=Rules(allowed=main.allowed) if main.rules is None else replace(main.rules, bounds=None),
                published=basis.user_ids,
                users=users,
            )
        )
        tables.append(with_name(pa.concat_tables(map(pq.read_table, _files(folder, "topk"))), table, name, names))
        for path in _files(folder, "topk"):
            path.unlink()
        (folder / "topk").rmdir()
        folder.rmdir()
    parts = Parts(out / table)
    parts.write(in_order(tables, MORE_LISTS[table]))
    parts.close()
    return summed(counts)


def with_name(rows: pa.Table, table: str, name: str | None, names: Sequence[str]) -> pa.Table:
    """Rows of `topk` as rows of this table, or rows of this table as they are, where no `name` is given."""
    schema = arrow_schema(table, rows.schema.field("user_id").type, rows.schema.field("item_id").type)
    if name is not None:
        codes = np.full(len(rows), names.index(name), np.int8)
        rows = rows.append_column(MORE_LISTS[table], coded(codes, list(names)))
    return rows.select(schema.names).cast(schema)


def in_order(tables: Sequence[pa.Table], column: str) -> pa.Table:
    """The rows of some tables in the order of the contract."""
    rows = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    keys = pa.table({"user_id": rows["user_id"], column: rows[column].cast(pa.string()), "rank": rows["rank"]})
    return rows.take(pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]))


def _files(folder: Path, table: str) -> list[Path]:
    return sorted((folder / table).glob("*.parquet"))

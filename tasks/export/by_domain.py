"""`topk_by_domain`: of a site with several domains, a list for every user from each of them alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.published.schema import BY_DOMAIN, arrow_schema
from recmodels.ranking.rerank import Rules
from tasks.export.audit import profile_of, summed
from tasks.export.serving import Serving
from tasks.export.writer import Parts, Writer, coded
from tasks.store.files import Json

if TYPE_CHECKING:
    from tasks.export.basis import Basis

ORDER = ("user_id", "domain", "rank")
_ONE = "one-domain"


def among(serving: Serving, domain: Bools) -> Serving:
    """What makes lists of the items of a domain alone: bool [n_items]."""
    main = serving.main
    rules = None if main.rules is None else main.rules.within(domain)
    return replace(serving, main=replace(main, allowed=main.allowed & domain, rules=rules))


def write_by_domain(basis: "Basis", domains: Domains, serving: Serving, data: Dataset, users: Ints, out: Path) -> Json:
    """Write the lists of some users, in the order of the export, and count what the audit of lists counts in them."""
    tables, counts = [], []
    for name in domains.names:
        own, folder = among(serving, domains.items(name)), out / _ONE
        folder.mkdir()
        with Writer(basis.night.run_date, basis.name, basis.user_ids, basis.item_ids, folder / "topk") as writer:
            writer.write(*own.lists(users))
        counts.append(
            profile_of(
                folder,
                basis.night.features,
                data,
                basis.settings.k,
                repeats=basis.settings.repeats,
                rules=own.main.rules or Rules(allowed=own.main.allowed),
                published=basis.user_ids,
                users=users,
            )
        )
        tables.append(with_domain(pa.concat_tables(map(pq.read_table, _files(folder, "topk"))), name, domains.names))
        for path in _files(folder, "topk"):
            path.unlink()
        (folder / "topk").rmdir()
        folder.rmdir()
    parts = Parts(out / BY_DOMAIN)
    parts.write(in_order(tables))
    parts.close()
    return summed(counts)


def with_domain(rows: pa.Table, name: str | None, names: Sequence[str]) -> pa.Table:
    """Rows of `topk` as rows of this table, or rows of this table as they are, where no `name` is given."""
    schema = arrow_schema(BY_DOMAIN, rows.schema.field("user_id").type, rows.schema.field("item_id").type)
    if name is not None:
        rows = rows.append_column("domain", coded(np.full(len(rows), names.index(name), np.int8), list(names)))
    return rows.select(schema.names).cast(schema)


def in_order(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of some tables in the order of the contract."""
    rows = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    keys = pa.table({"user_id": rows["user_id"], "domain": rows["domain"].cast(pa.string()), "rank": rows["rank"]})
    return rows.take(pc.sort_indices(keys, [(name, "ascending") for name in ORDER]))


def _files(folder: Path, table: str) -> list[Path]:
    return sorted((folder / table).glob("*.parquet"))

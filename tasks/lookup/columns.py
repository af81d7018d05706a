"""Which column of the site an item of a user's list ranks high by, where its model tells."""

from typing import Any

import numpy as np
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.data.lookup import SortedIds
from recmodels.persistence import load
from recmodels.published.reader import Export
from recmodels.ranking.topk import TopK
from tasks.export.made_from import check_made_from
from tasks.lookup.answers import rules_of
from tasks.lookup.published import night_of
from tasks.store.paths import Store

Row = dict[str, Any]


def with_columns(
    store: Store, export: Export, user_id: str, rows: list[Row], domain: str | None = None, context: str | None = None
) -> list[Row]:
    """The rows of a user's list, each with `reason_column`, None where no column counts for more than the histories.

    Args:
        store: of the site.
        export: whose list it is.
        user_id: the user, as the site writes it.
        rows: of the list.
        domain: of the list, where it is of one alone.
        context: of the list, where it is one in a context.

    Raises:
        NightrecError: what the export was made of is not there any more.
    """
    night, about = night_of(store, export), export.manifest
    check_made_from(night, about)
    model = load(night.champion, mapped=True)
    model = model if context is None else model.in_contexts().get(context, model)
    rules, plan = rules_of(night, about)
    items = pq.read_table(night.prepared / layout.ITEMS, columns=["item_id", "available"])
    allowed = items["available"].to_numpy() if plan is None else plan.allowed
    if domain is not None and (domains := Domains.read(night.prepared)) is not None:
        allowed = allowed & domains.items(domain)
    known = pq.read_table(night.prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    user, ids = SortedIds(known).index(user_id), SortedIds(items["item_id"].combine_chunks())
    places = [ids.index(row["item_id"]) if row.get("policy", row["model"]) == row["model"] else None for row in rows]
    listed = np.array([[-1 if place is None or user is None else place for place in places]], np.int32)
    top = TopK(listed, np.zeros(listed.shape, np.float32))
    data = Dataset.load(night.features, "full")
    users = np.array([user or 0], np.int32)
    (names,) = model.column_reasons(data, users, top, allowed, rules.repeats)
    return [row | {"reason_column": name} for row, name in zip(rows, names, strict=True)]

"""A night as its models' lists find it: who is followed, what people did next, and what is popular, new or in the tail.

It is the same for all models of a night, and made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy import sparse

from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints, Longs, Truth
from recmodels.data.parquet import read_columns
from recmodels.metrics.beyond_accuracy import Counts
from tasks.evaluate.slices import item_slices
from tasks.panel.known import Known, known
from tasks.replay.cut import TRUTH
from tasks.replay.settings import ReplaySpec
from tasks.store.paths import Night


@dataclass(frozen=True, eq=False)
class Scene:
    """What figures of lists are made of.

    Attributes:
        site: users, items and choices.
        users: who is followed, ascending [n_followed].
        judged: the users that the night knows and that did something new next, ascending [n].
        truth: what that was, [n, n_items + unknown]: items that the night did not know come last; nobody lists them.
        history: the choices of each user, [n_users].
        count: those of each item, [n_items + unknown].
        tail: which items are unpopular, likewise.
        new: which items nobody has chosen before the last days, [n_items].
        beyond: how many users of what came next the night did not know.
    """

    site: Known
    users: Ints
    judged: Ints
    truth: Truth
    history: Longs
    count: Counts
    tail: Bools
    new: Bools
    beyond: int

    @classmethod
    def of(cls, night: Night, spec: ReplaySpec, next_: Path) -> Scene:
        """By what a night has prepared, and the folder of what came next."""
        site, full = known(night, spec.features, spec.followed), night.features / "full"
        count = read_columns(full / layout.ITEM_FEATURES, ["interactions"])["interactions"]
        history = read_columns(full / layout.USER_FEATURES, ["interactions"])["interactions"]
        judged, truth, beyond = _truth(site, pq.read_table(next_ / TRUTH))
        unknown = truth.shape[1] - site.n_items
        tail = item_slices(night.prepared, full, spec.evaluation)["items:tail"]
        now = int(spec.cutoff(night.run_date).timestamp()) * 1_000_000
        return cls(
            site,
            site.users,
            judged,
            truth,
            history,
            np.append(count, np.zeros(unknown, count.dtype)),
            np.append(tail, np.ones(unknown, np.bool_)),
            ~(site.ages(now) > spec.export.new_days),
            beyond,
        )


def _truth(site: Known, table: pa.Table) -> tuple[Ints, Truth, int]:
    """Who did something new, and what, under the indices of the night; how many users it does not know."""
    user = pc.index_in(table["user_id"].combine_chunks(), value_set=site.user_ids)
    theirs = pc.is_valid(user)
    beyond = pc.count_distinct(table["user_id"].filter(pc.invert(theirs))).as_py()
    item = table["item_id"].combine_chunks().filter(theirs)
    place = pc.index_in(item, value_set=site.item_ids)
    strange = item.filter(pc.is_null(place)).dictionary_encode()
    column = place.fill_null(0).to_numpy().astype(np.int64)
    column[pc.is_null(place).to_numpy(zero_copy_only=False)] = site.n_items + strange.indices.to_numpy()
    judged, row = np.unique(user.filter(theirs).to_numpy(), return_inverse=True)
    shape = (len(judged), site.n_items + len(strange.dictionary))
    truth = sparse.csr_array((np.ones(len(row), np.bool_), (row, column)), shape=shape)
    return judged.astype(np.int32), truth, beyond

"""How each row of the lists came there: the arm of its user, the policy that put the item there, and how probably."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Bools, Floats
from recmodels.experiments.assignment import MAIN
from recmodels.published.schema import ADDED
from tasks.store.feedback import EXPLORE

Codes = np.ndarray[Any, np.dtype[np.int8]]


@dataclass(frozen=True, eq=False)
class Origins:
    """The origins of the lists of some users, in the order of the lists.

    Attributes:
        arms: the names of arms.
        arm: which of them each user is in: int8 [n].
        policies: the names of policies: the models and rules that put items into lists.
        policy: which of them put an item at its place: int8 [n, k].
        propensity: with which probability that item got the place, in (0, 1]: float32 [n, k].
    """

    arms: list[str]
    arm: Codes
    policies: list[str]
    policy: Codes
    propensity: Floats

    @classmethod
    def of_one(cls, policy: str, n: int, k: int, arm: str = MAIN) -> Self:
        """Users of one arm, whose lists one policy made without drawing lots."""
        return cls([arm], np.zeros(n, np.int8), [policy], np.zeros((n, k), np.int8), np.ones((n, k), np.float32))


def made_by(rows: Sequence[Mapping[str, Any]]) -> str:
    """The models or rules that a list comes from, in the order of its places; what was drawn is by none of them."""
    names = dict.fromkeys(row.get("policy") or row["model"] for row in rows)
    return " and ".join([name for name in names if name != EXPLORE] or [rows[0]["model"]])


def origin_counts(rows: pa.Table, starts: Bools) -> dict[str, int]:
    """What breaks the contract in the columns of origins; `starts` are the rows that begin a list.

    An export that was written before there were such columns breaks nothing.
    """
    if not set(ADDED) <= set(rows.column_names):
        return {}
    arm, policy = _codes(rows["arm"]), _codes(rows["policy"])
    propensity = pc.fill_null(rows["propensity"], 0).to_numpy()
    return {
        "origins_unnamed": int(((arm < 0) | (policy < 0)).sum()),
        "arms_mixed": int((~starts[1:] & (arm[1:] != arm[:-1])).sum()),
        "propensities_wrong": int((~((propensity > 0) & (propensity <= 1))).sum()),
    }


def _codes(column: pa.ChunkedArray) -> Codes:
    """The values of a column of dictionaries as numbers, -1 where there is none or an empty text."""
    values = column.combine_chunks()
    codes: Codes = pc.fill_null(values.indices, -1).to_numpy(zero_copy_only=False)
    empty = pc.index(values.dictionary, "").as_py()
    return np.where(codes == empty, -1, codes)

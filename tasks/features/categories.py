"""The categories of items, which the rules of lists cap and the metrics of diversity count."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Ints
from recmodels.data.domains import SEPARATOR
from tasks.features.column_roles import role_of
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import category, tags_as_written

DOMAIN = "domain"
"""The column that says of which catalogue an item is, as its id does; that of another site is its own affair."""


def categories_of(items: pa.Table, settings: FeatureSettings) -> tuple[list[str], Ints, Ints]:
    """The site's categories (its first category column, else its first tags), and the (item, category) pairs.

    The domains of a site with several are its categories only where it has no others.
    """
    roles = {name: role_of(items, name, settings) for name in items.column_names}
    own = {name: role for name, role in roles.items() if not _is_domain(items, name)}
    wanted = [(some, role) for some in (own, roles) for role in ("category", "tags")]
    column = next((name for some, role in wanted for name in some if some[name] == role), None)
    if column is None:
        return [], np.empty(0, np.int32), np.empty(0, np.int32)
    split = category if roles[column] == "category" else tags_as_written
    of_item = [sorted(set(split(value))) for value in items[column].to_pylist()]
    names = sorted({name for some in of_item for name in some})
    index = {name: position for position, name in enumerate(names)}
    pair_item = np.repeat(np.arange(len(of_item), dtype=np.int32), [len(some) for some in of_item])
    return names, pair_item, np.array([index[name] for some in of_item for name in some], np.int32)


def _is_domain(items: pa.Table, name: str) -> bool:
    if name != DOMAIN or not pa.types.is_string(items["item_id"].type):
        return False
    of_id = pc.list_element(pc.split_pattern(items["item_id"], SEPARATOR, max_splits=1), 0)
    return pc.all(pc.equal(of_id, items[name])).as_py() is True

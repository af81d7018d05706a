"""The categories of items, which the rules of lists cap and the metrics of diversity count."""

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Ints
from tasks.features.column_roles import role_of
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import category, tags_as_written


def categories_of(items: pa.Table, settings: FeatureSettings) -> tuple[list[str], Ints, Ints]:
    """The site's categories (its first category column, else its first tags), and the (item, category) pairs."""
    roles = {name: role_of(items, name, settings) for name in items.column_names}
    column = next((name for wanted in ("category", "tags") for name in roles if roles[name] == wanted), None)
    if column is None:
        return [], np.empty(0, np.int32), np.empty(0, np.int32)
    split = category if roles[column] == "category" else tags_as_written
    of_item = [sorted(set(split(value))) for value in items[column].to_pylist()]
    names = sorted({name for some in of_item for name in some})
    index = {name: position for position, name in enumerate(names)}
    pair_item = np.repeat(np.arange(len(of_item), dtype=np.int32), [len(some) for some in of_item])
    return names, pair_item, np.array([index[name] for some in of_item for name in some], np.int32)

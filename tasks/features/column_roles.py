"""What the columns of the tables of items and users are: texts, tags, categories, numbers; configured, or guessed."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data import layout
from recmodels.data.arrays import Doubles
from recmodels.errors import ConfigError
from tasks.features.runs import may_reach_back, runs_of
from tasks.features.settings import FeatureSettings, Role
from tasks.features.tokens import TAG_DELIMITER, length_in_words

VECTOR = layout.OF_VECTORS
"""Nights before 0.2 have it in the vocabulary of items, too."""
SHORTEST_VECTOR = 16  # numbers of a list of fractions that is no list of tags, such as sizes


def role_of(items: pa.Table, name: str, settings: FeatureSettings) -> Role:
    """The configured role of a column, or the one its type and content suggest."""
    if name in settings.roles:
        return settings.roles[name]
    kind = items.schema.field(name).type
    if name in ("item_index", "item_id", "available", "user_index", "user_id") or pa.types.is_temporal(kind):
        return "ignore"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "ignore" if _are_vectors(items[name]) else "tags"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numeric"
    if pa.types.is_boolean(kind):
        return "category"
    if name == "title":
        return "text"
    return _role_of_strings(items[name])


def _are_vectors(lists: pa.ChunkedArray) -> bool:
    """Whether lists of numbers are what an encoder made, which are no tags: all of one length, and that is long."""
    if not pa.types.is_floating(lists.type.value_type):
        return False
    lengths = pc.list_value_length(lists[:10_000]).unique().drop_null()
    return len(lengths) == 1 and lengths[0].as_py() >= SHORTEST_VECTOR


def numbers_of(table: pa.Table, name: str) -> Doubles:
    """A column that is numeric as float64 [n], NaN where a value is missing.

    Raises:
        ConfigError: the settings say that it is, and it holds none.
    """
    try:
        found: Doubles = pc.cast(table[name], pa.float64(), safe=False).to_numpy()
    except pa.ArrowException as error:
        kind = table.schema.field(name).type
        raise ConfigError(
            f"features.roles: the column {name} is to be numeric, and holds values ({kind}) that are no numbers."
        ) from error
    return found


def _role_of_strings(column: pa.ChunkedArray) -> Role:
    some = column.drop_null()[:10_000].cast(pa.string())
    if not len(some):
        return "ignore"
    if pc.sum(pc.match_substring(some, TAG_DELIMITER)).as_py() > 0.1 * len(some):
        return "tags"
    if _words(some) > 3 * len(some):
        return "text"
    return "category" if len(some.unique()) <= max(2, len(some) // 5) else "ignore"


def _words(texts: pa.ChunkedArray) -> float:
    """About how many words all texts have, as `length_in_words` counts them."""
    runs = runs_of(texts.combine_chunks())[0].dictionary_encode()
    if may_reach_back(runs.dictionary):
        return sum(map(length_in_words, texts.to_pylist()))
    times = np.bincount(runs.indices.to_numpy(), minlength=len(runs.dictionary))
    return float(times @ [length_in_words(run) for run in runs.dictionary.to_pylist()])

"""What the columns of the tables of items and users are: texts, tags, categories, numbers; configured, or guessed."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.features.runs import STROKE, runs_of
from tasks.features.settings import FeatureSettings, Role
from tasks.features.tokens import TAG_DELIMITER, length_in_words

VECTOR = "(embedder)"
"""What vocabularies of nights before 0.2 call a column of terms that are numbers of vectors, and no words."""


def role_of(items: pa.Table, name: str, settings: FeatureSettings) -> Role:
    """The configured role of a column, or the one its type and content suggest."""
    if name in settings.roles:
        return settings.roles[name]
    kind = items.schema.field(name).type
    if name in ("item_index", "item_id", "available", "user_index", "user_id") or pa.types.is_temporal(kind):
        return "ignore"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "tags"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numeric"
    if pa.types.is_boolean(kind):
        return "category"
    if name == "title":
        return "text"
    return _role_of_strings(items[name])


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
    if pc.any(pc.starts_with(runs.dictionary, STROKE)).as_py():
        return sum(map(length_in_words, texts.to_pylist()))
    times = np.bincount(runs.indices.to_numpy(), minlength=len(runs.dictionary))
    return float(times @ [length_in_words(run) for run in runs.dictionary.to_pylist()])

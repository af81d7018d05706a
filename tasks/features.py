"""Stage 4, features: what is known of items and users at the end of a window, fitted on that window alone.

Vocabularies, IDF weights, scales and popularity come from the items that the window's users have interacted with, so
the training window knows nothing of the holdout; every item of the catalogue is then described by them.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp
from pydantic import BaseModel, ConfigDict, Field

from recmodels import dataset as layout
from recmodels.dataset import Window
from tasks.stage import stage_task, told_stage
from tasks.store import Json, Manifest, Night, outputs

Role = Literal["text", "tags", "category", "numeric", "ignore"]

DAY = 24 * 3600 * 1_000_000  # µs
WORD = re.compile(r"\w\w+")
TAG_DELIMITER = "|"


class FeatureRules(BaseModel):
    """Which columns of the item table describe an item, and how."""

    model_config = ConfigDict(extra="forbid")

    roles: dict[str, Role] = Field(
        default={}, description='What an item column is, e.g. {brand = "category", sku = "ignore"}; guessed otherwise.'
    )
    min_items_per_term: int = Field(default=2, ge=1, description="Terms in fewer items are left out.")
    max_items_share: float = Field(default=0.5, gt=0, le=1, description="Words in more of the items are left out.")
    max_terms: int = Field(default=200_000, ge=1, description="Terms kept of each column, the most frequent first.")


@dataclass(frozen=True)
class Terms:
    """One column's TF-IDF: a row an item, a column a term."""

    column: str
    names: list[str]
    document_frequency: npt.NDArray[np.int32]
    idf: npt.NDArray[np.float32]
    weights: sp.csr_array  # [n_items, n_terms] float32


@stage_task("features-{window}")
def features(
    night: Night, window: Window, rules: FeatureRules, prepared: Manifest, valid: Manifest, fresh: bool = False
) -> Manifest:
    """Bring ``features/<window>/`` up to date with what was prepared."""

    def build(out: Path) -> Json:
        return write_features(night.prepared, night.valid, window, rules, out)

    inputs = outputs(prepared=prepared, valid=valid)
    label, folder = f"features {window}", night.features / window
    return told_stage(label, folder, build, inputs=inputs, parameters=rules.model_dump(), fresh=fresh)


def write_features(prepared: Path, valid: Path, window: Window, rules: FeatureRules, out: Path) -> dict[str, Any]:
    """Read ``features/prepared/`` (and ``valid/tags.parquet``) and write the features of one window."""
    items = pq.read_table(prepared / layout.ITEMS)
    n_users = pq.read_metadata(prepared / layout.USERS).num_rows
    path = prepared / layout.interactions_file(window)
    learnt = pq.read_table(path, filters=pc.field("weight") > 0)
    end = layout.window_end(path)
    user = learnt["user_index"].to_numpy()
    item = learnt["item_index"].to_numpy()
    time = learnt["timestamp"].cast(pa.int64()).to_numpy()
    known = np.bincount(item, minlength=items.num_rows) > 0

    documents = item_documents(items, rules) | tag_documents(valid / "tags.parquet", items["item_id"], end)
    columns = [term for name, texts in documents.items() if (term := fit_terms(name, texts, known, rules))]
    write_terms(out, columns, items.num_rows)
    numeric = scaled_numbers(items, rules, known)
    pq.write_table(activity("item_index", item, items.num_rows, time, end, numeric), out / layout.ITEM_FEATURES)
    pq.write_table(activity("user_index", user, n_users, time, end, {}), out / layout.USER_FEATURES)
    write_sequences(out / layout.SEQUENCES, user, learnt, n_users)
    n_terms = sum(len(term.names) for term in columns)
    return {
        "told": f"{n_terms:,} terms and {len(numeric)} scaled columns, fitted on {known.sum():,} items",
        "terms": {term.column: len(term.names) for term in columns},
        "numeric": sorted(numeric),
        "fitted_on_items": int(known.sum()),
        "items": items.num_rows,
        "users": n_users,
    }


def item_documents(items: pa.Table, rules: FeatureRules) -> dict[str, list[list[str]]]:
    """The words, tags or category of each item, for each describing column."""
    split = {"text": words, "tags": tags, "category": category}
    return {
        name: [split[role](value) for value in items[name].to_pylist()]
        for name in items.column_names
        if (role := role_of(items, name, rules)) in split
    }


def role_of(items: pa.Table, name: str, rules: FeatureRules) -> Role:
    """The configured role of a column, or the one its type and content suggest."""
    if name in rules.roles:
        return rules.roles[name]
    kind = items.schema.field(name).type
    if name in ("item_index", "item_id", "available") or pa.types.is_temporal(kind):
        return "ignore"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "tags"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numeric"
    if pa.types.is_boolean(kind):
        return "category"
    if name == "title":
        return "text"
    return role_of_strings(items[name])


def role_of_strings(column: pa.ChunkedArray) -> Role:
    some = column.drop_null()[:10_000].cast(pa.string()).to_pylist()
    if not some:
        return "ignore"
    if sum(TAG_DELIMITER in value for value in some) > 0.1 * len(some):
        return "tags"
    if sum(len(WORD.findall(value)) for value in some) > 3 * len(some):
        return "text"
    return "category" if len(set(some)) <= max(2, len(some) // 5) else "ignore"


def words(value: object) -> list[str]:
    return WORD.findall(str(value).lower()) if value is not None else []


def tags(value: object) -> list[str]:
    return [tag.lower() for tag in tags_as_written(value)]


def tags_as_written(value: object) -> list[str]:
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(TAG_DELIMITER)
    return [tag for part in parts if part is not None and (tag := str(part).strip())]


def category(value: object) -> list[str]:
    return [] if value is None else [str(value)]


def tag_documents(path: Path, item_ids: pa.ChunkedArray, end: int) -> dict[str, list[list[str]]]:
    """The tags that users gave to each item before the window's end."""
    if not path.exists():
        return {}
    table = pq.read_table(path)
    if "timestamp" in table.column_names:
        table = table.filter(pc.less(table["timestamp"].cast(pa.int64()), end))
    rows = pc.index_in(table["item_id"], value_set=item_ids.combine_chunks())
    documents: list[list[str]] = [[] for _ in range(len(item_ids))]
    for row, tag in zip(rows.to_pylist(), table["tag"].to_pylist(), strict=True):
        if row is not None:
            documents[row] += tags(tag)
    return {"user_tags": documents}


def fit_terms(
    column: str, documents: list[list[str]], known: npt.NDArray[np.bool_], rules: FeatureRules
) -> Terms | None:
    """TF-IDF with sub-linear term frequency (1 + ln tf), fitted on the known items; None where no term is left."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer=list,  # the documents are lists of terms already
        sublinear_tf=True,
        norm=None,
        min_df=rules.min_items_per_term,
        max_df=rules.max_items_share if known.sum() * rules.max_items_share >= rules.min_items_per_term else 1.0,
        max_features=rules.max_terms,
        dtype=np.float32,
    )
    try:
        vectorizer.fit([documents[row] for row in np.flatnonzero(known)])
    except ValueError:  # "no terms remain" and "empty vocabulary": the column says nothing
        return None
    n_known = int(known.sum())
    idf = vectorizer.idf_.astype(np.float32)
    frequency = np.rint((1 + n_known) / np.exp(vectorizer.idf_ - 1) - 1).astype(np.int32)  # idf = ln((1+n)/(1+df)) + 1
    names = [str(name) for name in vectorizer.get_feature_names_out()]
    return Terms(column, names, frequency, idf, sp.csr_array(vectorizer.transform(documents)))


def write_terms(out: Path, columns: list[Terms], n_items: int) -> None:
    """``terms.parquet``: rows of unit length over all columns; ``vocabulary.parquet``: what each term is."""
    weights = sp.hstack([term.weights for term in columns], format="csr") if columns else sp.csr_array((n_items, 0))
    length = np.sqrt(np.asarray(weights.power(2).sum(axis=1)).ravel())
    counts = np.diff(weights.indptr)
    item = np.repeat(np.arange(n_items, dtype=np.int32), counts)
    weights.sort_indices()
    unit = (weights.data / length[item]).astype(np.float32)
    terms = pa.table({"item_index": item, "term_index": weights.indices.astype(np.int32), "weight": unit})
    pq.write_table(terms, out / layout.TERMS)
    vocabulary = {
        "term_index": pa.array(np.arange(weights.shape[1], dtype=np.int32)),
        "term": pa.array([name for term in columns for name in term.names], pa.string()),
        "column": pa.array([term.column for term in columns for _ in term.names], pa.string()),
        "document_frequency": pa.array([df for term in columns for df in term.document_frequency], pa.int32()),
        "idf": pa.array([idf for term in columns for idf in term.idf], pa.float32()),
    }
    pq.write_table(pa.table(vocabulary), out / layout.VOCABULARY)


def scaled_numbers(
    items: pa.Table, rules: FeatureRules, known: npt.NDArray[np.bool_]
) -> dict[str, npt.NDArray[np.float32]]:
    """Numeric columns at mean 0 and deviation 1 over the known items; 0 where a value is missing."""
    scaled = {}
    for name in items.column_names:
        if role_of(items, name, rules) == "numeric":
            value = pc.cast(items[name], pa.float64()).to_numpy()
            seen = value[known & np.isfinite(value)]
            if len(seen) and (deviation := seen.std()) > 0:
                standard = (value - seen.mean()) / deviation
                scaled[name] = np.where(np.isfinite(value), standard, 0).astype(np.float32)
    return scaled


def activity(
    index: str, row: npt.NDArray[np.int32], n: int, time: npt.NDArray[np.int64], end: int, more: dict[str, Any]
) -> pa.Table:
    """How often, how lately and since when each item (or user) was interacted with; null where never."""
    count = np.bincount(row, minlength=n)
    last, first = np.full(n, np.iinfo(np.int64).min), np.full(n, np.iinfo(np.int64).max)
    np.maximum.at(last, row, time)
    np.minimum.at(first, row, time)
    never = count == 0
    days = {
        "recency_days": np.where(never, 0, end - last) / DAY,
        "age_days": np.where(never, 0, end - first) / DAY,
    }
    return pa.table(
        {
            index: np.arange(n, dtype=np.int32),
            "interactions": count.astype(np.int32),
            "popularity": (count / max(1, count.sum())).astype(np.float32),
            **{name: pa.array(value.astype(np.float32), mask=never) for name, value in days.items()},
            **more,
        }
    )


def write_sequences(path: Path, user: npt.NDArray[np.int32], learnt: pa.Table, n_users: int) -> None:
    """Each user's items in order of time (an item at its last time), a row a user."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))]).astype(np.int32))
    lists = {
        name: pa.ListArray.from_arrays(offsets, learnt[name].combine_chunks()) for name in ("item_index", "timestamp")
    }
    pq.write_table(pa.table({"user_index": pa.array(np.arange(n_users, dtype=np.int32)), **lists}), path)


def categories_of(items: pa.Table, rules: FeatureRules) -> tuple[list[str], layout.Ints, layout.Ints]:
    """The site's categories (its first category column, else its first tags), and the (item, category) pairs."""
    roles = {name: role_of(items, name, rules) for name in items.column_names}
    column = next((name for wanted in ("category", "tags") for name in roles if roles[name] == wanted), None)
    if column is None:
        return [], np.empty(0, np.int32), np.empty(0, np.int32)
    split = category if roles[column] == "category" else tags_as_written
    of_item = [sorted(set(split(value))) for value in items[column].to_pylist()]
    names = sorted({name for some in of_item for name in some})
    index = {name: position for position, name in enumerate(names)}
    pair_item = np.repeat(np.arange(len(of_item), dtype=np.int32), [len(some) for some in of_item])
    return names, pair_item, np.array([index[name] for some in of_item for name in some], np.int32)

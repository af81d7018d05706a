"""A dataset from pandas frames, with ids of any kind."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recmodels.data.arrays import Csr, Longs
from recmodels.data.ids import Ids
from recmodels.errors import DataRefused

if TYPE_CHECKING:
    import pandas as pd

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}  # microseconds in each


def arrays_of(
    frame: "pd.DataFrame",
    *,
    user: str,
    item: str,
    time: str | None,
    time_unit: str,
    rating: str | None,
    weight: str | None,
    items: "pd.DataFrame | None",
    text: str | Sequence[str],
    item_ids: Iterable[Any] | None,
) -> dict[str, Any]:
    """The arguments of `Dataset.from_arrays` for what `Dataset.from_pandas` is given."""
    import pandas as pd

    for column in (user, item, time, rating, weight):
        if column is not None:
            _check_column(frame, column, "interactions")
    for column in (user, item):
        _check_complete(frame, column)
    user_index, user_ids = pd.factorize(frame[user], sort=True)
    known = _catalogue(frame, item, items, item_ids)
    item_index = known.get_indexer(pd.Index(frame[item]))
    if (item_index < 0).any():
        unknown = frame[item].tolist()[int((item_index < 0).argmax())]
        raise DataRefused(f"{item} {unknown!r} is not one of the {len(known):,} items of the catalogue; add it there.")
    columns: dict[str, Any] = {"user": user_index, "item": item_index}
    columns["time"] = 0 if time is None else _microseconds(frame[time], time_unit)
    columns["weight"] = 1.0 if weight is None else frame[weight].to_numpy(np.float64)
    if rating is not None:
        columns["rating"] = frame[rating].to_numpy(np.float64)
    pairs = pd.DataFrame(columns).sort_values("time", kind="stable").groupby(["user", "item"], sort=False)
    merged = pairs.last()  # of repeated pairs the last time and the last rating that was given ...
    merged["weight"] = pairs["weight"].max()  # ... and the largest weight, as a night merges them by default
    merged = merged.reset_index()
    return {
        "user_index": merged["user"].to_numpy(),
        "item_index": merged["item"].to_numpy(),
        "timestamp": merged["time"].to_numpy(),
        "weight": merged["weight"].to_numpy(),
        "rating": None if rating is None else merged["rating"].to_numpy(),
        "terms": None if items is None else _terms(items, item, [text] if isinstance(text, str) else text, known),
        "n_users": len(user_ids),
        "n_items": len(known),
        "ids": Ids(np.asarray(user_ids), np.asarray(known)),
    }


def _check_column(frame: "pd.DataFrame", column: str, what: str) -> None:
    if column not in frame.columns:
        raise DataRefused(f"The {what} have no column {column!r}; they have: {', '.join(map(str, frame.columns))}.")


def _check_complete(frame: "pd.DataFrame", column: str) -> None:
    missing = frame[column].isna().to_numpy()
    if missing.any():
        raise DataRefused(f"{column} is missing in row {frame.index[int(missing.argmax())]!r}; leave such rows out.")


def _catalogue(
    frame: "pd.DataFrame", item: str, items: "pd.DataFrame | None", item_ids: Iterable[Any] | None
) -> "pd.Index[Any]":
    """The ids of all items, by index."""
    import pandas as pd

    if items is not None:
        _check_column(items, item, "items")
        _check_complete(items, item)
    if item_ids is not None:
        known: pd.Index[Any] = pd.Index(list(item_ids))
    elif items is not None:
        known = pd.Index(items[item])
    else:
        known = pd.Index(pd.factorize(frame[item], sort=True)[1])
    if not known.is_unique:
        raise DataRefused(
            f"The item {known[known.duplicated()].tolist()[0]!r} is in the catalogue twice; leave one out."
        )
    return known


def _microseconds(times: "pd.Series[Any]", unit: str) -> Longs:
    """Times as microseconds since 1970 (UTC): datetimes and texts as they say, numbers in `unit`."""
    import pandas as pd

    if unit not in UNITS:
        raise ValueError(f"time_unit is {unit!r}; there are: {', '.join(UNITS)}.")
    if times.isna().any():
        raise DataRefused(f"{times.name} is missing in row {times.index[int(times.isna().to_numpy().argmax())]!r}.")
    if pd.api.types.is_numeric_dtype(times):
        return np.round(times.to_numpy() * UNITS[unit]).astype(np.int64)
    try:
        moments = pd.to_datetime(times, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise DataRefused(f"{times.name} holds what is no time: {str(error).splitlines()[0]}") from None
    return np.asarray(moments.astype("datetime64[us, UTC]"), "datetime64[us]").astype(np.int64)


def _terms(items: "pd.DataFrame", item: str, text: Sequence[str], known: "pd.Index[Any]") -> Csr | None:
    """TF-IDF of the words in the columns `text`, a row an item of `known`; None without such columns."""
    if not text:
        return None
    from sklearn.feature_extraction.text import TfidfVectorizer

    for column in text:
        _check_column(items, column, "items")
    words = items.set_index(item)[list(text)].reindex(known).fillna("").astype(str).agg(" ".join, axis=1)
    try:
        found: Any = TfidfVectorizer(dtype=np.float32).fit_transform(words)
    except ValueError:  # no word at all
        return None
    from scipy import sparse

    matrix: Csr = sparse.csr_array(found)
    return matrix

"""What a list is: the site's rules, and their translation from its own ids, columns and names into indices."""

from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Floats, Ints
from recmodels.data.domains import Domains
from recmodels.data.layout import Split
from recmodels.data.pairs import Pairs
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import ConfigError
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.lists.exposure import bounds_of
from tasks.lists.settings import Id, ListSettings
from tasks.store.events import log_event
from tasks.store.paths import Night

FILE = "rules.parquet"
NO_CAP = 1000  # as many items as a list can have


def translate(
    night: Night, split: Split, settings: ListSettings, features: FeatureSettings, note: bool = False
) -> Rules:
    """The rules under dense indices, as of the end of a split.

    What names nothing (an id that is not in the catalogue, a segment without users) is passed over, with a `note`.

    Raises:
        ConfigError: a rule names a column or category that the items do not have.
    """
    items = pq.read_table(night.prepared / layout.ITEMS)
    age, first_seen = _ages(night, split, items, settings)
    allowed = items["available"].to_numpy().copy()
    allowed[_indices_of(items, settings.excluded, "excluded", note)] = False
    if settings.max_item_age_days is not None:
        allowed &= ~(age > settings.max_item_age_days)  # an age that nobody knows is no reason
    categories, caps = _caps_of(items, settings, features)
    if note and settings.pinned and settings.pinned_rank > settings.longest:
        said = f"export.pinned_rank is {settings.pinned_rank}, and no list has more than {settings.longest} items"
        log_event("lists", "note", f"{said}: what is pinned is listed only where nothing else is left")
    return Rules(
        allowed=allowed,
        pool=settings.pool,
        relevance_weight=settings.relevance_weight,
        min_score=settings.min_score,
        new_share=settings.new_share,
        pinned=_indices_of(items, settings.pinned, "pinned", note).tolist(),
        pinned_rank=settings.pinned_rank,
        new=~(first_seen > settings.new_days) if settings.new_share else None,
        categories=categories,
        caps=caps,
        calibration=settings.calibration,
        popularity_damping=settings.popularity_damping,
        popularity=_popularity(night, split) if settings.popularity_damping else None,
        value_weight=settings.value.weight if settings.value else 0.0,
        value=_value(items, settings.value.column) if settings.value else None,
        bounds=_bounds(items, settings, features, note),
        lengths=_lengths_of(night, split, settings, note),
        **_domain_shares(night, settings),
    )


def _domain_shares(night: Night, settings: ListSettings) -> dict[str, Any]:
    """The quotas of the domains. Raises ConfigError where the site has no such domain, or they leave places open."""
    if not settings.domain_shares:
        return {}
    found = Domains.read(night.prepared)
    if found is None:
        raise ConfigError("export.domain_shares: the site has no domains; give its inputs some, or leave it out.")
    shares = settings.domain_shares
    if unknown := next((name for name in shares if name not in found.names), None):
        raise ConfigError(f"export.domain_shares: there is no domain {unknown!r}; {_hint(unknown, [*found.names])}")
    most = [shares[name].most if name in shares else 1.0 for name in found.names]
    if sum(most) < 1 - 1e-9:
        raise ConfigError("export.domain_shares: the largest shares leave places open; they must come to 1 or more.")
    least = [shares[name].least if name in shares else 0.0 for name in found.names]
    return {"domains": found.codes, "domain_least": least, "domain_most": most}


def _indices_of(items: pa.Table, ids: list[Id], rule: str, note: bool) -> Ints:
    """The indices of a site's own ids, in their order; what is not in the catalogue is left out."""
    known = items["item_id"].combine_chunks()
    written = [_as_written(name, known.type) for name in ids]
    places = [None if one is None else pc.index_in(one, value_set=known).as_py() for one in written]
    missing = [str(name) for name, place in zip(ids, places, strict=True) if place is None]
    if missing and note:
        some = ", ".join(missing[:3]) + (" and others" if len(missing) > 3 else "")
        log_event("lists", "note", f"export.{rule}: {len(missing)} of {len(ids)} ids are not in the catalogue: {some}")
    return np.array(list(dict.fromkeys(place for place in places if place is not None)), np.int32)


def _as_written(name: Id, kind: pa.DataType) -> pa.Scalar | None:
    """An id of the configuration in the type of the catalogue's; None where it cannot be one."""
    try:
        return pa.scalar(int(name) if pa.types.is_integer(kind) else str(name), kind)
    except (ValueError, OverflowError):
        return None


def _ages(night: Night, split: Split, items: pa.Table, settings: ListSettings) -> tuple[Floats, Floats]:
    """Days since each item's date, and since its first interaction; NaN where there is none: float32 [n_items]."""
    seen = pq.read_table(night.features / split / layout.ITEM_FEATURES, columns=["age_days"])["age_days"]
    first_seen: Floats = seen.to_numpy().astype(np.float32)
    if settings.item_date is None:
        return first_seen, first_seen
    column = _column_of(items, settings.item_date, "item_date", "items")
    try:
        at = pc.cast(_as_times(column), pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(
            f"export.item_date: the column {settings.item_date} of the items holds no dates ({column.type}); "
            "name one that does."
        ) from error
    end = Pairs(night.prepared, split).end
    day = (end - pc.cast(at, pa.float64(), safe=False).to_numpy(zero_copy_only=False)) / MICROSECONDS_PER_DAY
    age: Floats = np.where(np.isnan(day), first_seen, day).astype(np.float32)
    return age, first_seen


def _as_times(column: pa.Array) -> pa.Array:
    """Dates, times, or ISO 8601 texts, as microseconds; those without a zone are in UTC, and an empty text is none.

    Raises:
        pa.ArrowInvalid, pa.ArrowNotImplementedError: they are none.
    """
    kind = column.type
    if pa.types.is_string(kind):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, kind), column)
        zoned, none = pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$"), pa.scalar(None, kind)
        plain = pc.cast(pc.if_else(zoned, none, column), pa.timestamp("us"))
        return pc.coalesce(
            pc.cast(pc.if_else(zoned, column, none), pa.timestamp("us", "UTC")), pc.assume_timezone(plain, "UTC")
        )
    if not pa.types.is_temporal(kind):
        raise pa.ArrowInvalid("no dates")
    return pc.cast(column, pa.timestamp("us", getattr(kind, "tz", None)))


def _bounds(items: pa.Table, settings: ListSettings, features: FeatureSettings, note: bool) -> Bounds | None:
    """Raises ConfigError where the items have no such column."""
    if settings.exposure is None:
        return None
    _column_of(items, settings.exposure.column, "exposure.column", "items")
    return bounds_of(items, settings.exposure, features, note)


def _value(items: pa.Table, name: str) -> Floats:
    """What each item is worth, from 0 to 1 between the 1st and the 99th percentile: float32 [n_items].

    An item of which nothing is known is worth as little as the lowest. Raises ConfigError for a column that holds no
    numbers.
    """
    column = _column_of(items, name, "value.column", "items")
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise ConfigError(
            f"export.value: the column {name} of the items holds no numbers ({kind}); name one that does."
        )
    values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [1, 99]) if len(known) else (0.0, 0.0)
    share = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    worth: Floats = np.where(np.isfinite(values), share, 0).astype(np.float32)
    return worth


def _popularity(night: Night, split: Split) -> Floats:
    """How popular each item is: log(1 + interactions) in proportion to the most popular one's: float32 [n_items]."""
    path = night.features / split / layout.ITEM_FEATURES
    logs = np.log1p(pq.read_table(path, columns=["interactions"])["interactions"].to_numpy())
    popularity: Floats = (logs / (logs.max(initial=0) or 1)).astype(np.float32)
    return popularity


def _caps_of(
    items: pa.Table, settings: ListSettings, features: FeatureSettings
) -> tuple[tuple[np.ndarray[Any, np.dtype[np.int64]], Ints] | None, Ints]:
    """Each item's categories, and the cap of each. Raises ConfigError where there are none, or not that one."""
    by_cap = settings.max_per_category is not None or settings.category_caps
    if not by_cap and not settings.calibration:
        return None, np.empty(0, np.int32)
    names, pair_item, pair_category = categories_of(items, features)
    if not names:
        raise ConfigError(
            f"export.{'max_per_category' if by_cap else 'calibration'}: the items have no column of categories or "
            "tags; name one in features.roles, "
            'e.g. roles = { genre = "category" }.'
        )
    caps = np.full(len(names), settings.max_per_category or NO_CAP, np.int32)
    place = {name: index for index, name in enumerate(names)}
    for name, cap in settings.category_caps.items():
        if name not in place:
            raise ConfigError(f"export.category_caps: no item has the category {name!r}; {_hint(name, names)}")
        caps[place[name]] = cap
    indptr = np.searchsorted(pair_item, np.arange(items.num_rows + 1)).astype(np.int64)
    return (indptr, pair_category.astype(np.int32)), caps


def _column_of(table: pa.Table, name: str, rule: str, kind: str) -> pa.Array:
    """A column of the site's own. Raises ConfigError where there is no such one."""
    own = [column for column in table.column_names if not column.endswith("_index")]
    if name not in own:
        raise ConfigError(f"export.{rule}: the {kind} have no column {name!r}; {_hint(name, own)}")
    return table[name].combine_chunks()


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:10])}."


def _lengths_of(night: Night, split: Split, settings: ListSettings, note: bool) -> Ints | None:
    """Each user's own k: by segment, 0 for those that are not active; None where all have the same.

    Raises:
        ConfigError: the users have no such column.
    """
    if settings.segments is None and settings.active_days is None:
        return None
    users = pq.read_table(night.prepared / layout.USERS)
    lengths = np.full(users.num_rows, settings.k, np.int32)
    if settings.segments is not None:
        column = _column_of(users, settings.segments.column, "segments.column", "users")
        if pa.types.is_nested(column.type):
            raise ConfigError(
                f"export.segments: the column {settings.segments.column} of the users has several values a user "
                f"({column.type}); name one that has one."
            )
        column = pc.cast(column, pa.string())
        for name, k in settings.segments.k.items():
            within = pc.fill_null(pc.equal(column, name), False).to_numpy(zero_copy_only=False)
            lengths[within] = k
            if note and not within.any():
                log_event("lists", "note", f"export.segments.k: no user has {name!r} in {settings.segments.column}")
    if settings.active_days is not None:
        seen = pq.read_table(night.features / split / layout.USER_FEATURES, columns=["recency_days"])["recency_days"]
        lengths[~(seen.to_numpy() <= settings.active_days)] = 0  # nor those without any interaction
    return lengths

"""What a list is: the site's rules, and their translation from its own ids, columns and names into indices."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from recmodels.data import layout
from recmodels.data.arrays import Floats, Ints
from recmodels.data.layout import Split
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import ConfigError
from recmodels.ranking.rerank import Rules
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.store.files import Json
from tasks.store.manifests import Manifest, outputs
from tasks.store.paths import Night
from tasks.store.stage import log_event, logged_stage, stage_task
from tasks.store.versions import code_of

FILE = "rules.parquet"
Id = int | str


class Segments(BaseModel):
    """Users whose lists have a length of their own."""

    model_config = ConfigDict(extra="forbid")

    column: str = Field(description="User column that says of which segment a user is.")
    k: dict[str, int] = Field(min_length=1, description="Items in the lists of a segment, by the value of the column.")

    @field_validator("k")
    @classmethod
    def possible(cls, k: dict[str, int]) -> dict[str, int]:
        if wrong := [name for name, length in k.items() if not 0 <= length <= 1000]:
            raise ValueError(f"k.{wrong[0]} is {k[wrong[0]]}; a list has 0 to 1000 items")
        return k


class ListSettings(BaseModel):
    """What a list is, for candidates and for the export alike."""

    model_config = ConfigDict(extra="forbid")

    k: int = Field(ge=1, le=1000, description="Items in a user's list.")
    repeats: bool = Field(default=False, description="Whether items the user already has may be recommended again.")
    relevance_weight: float = Field(
        default=1, ge=0, le=1, description="Relevance against variety of content; 1: the model's order (lambda of MMR)."
    )
    pool: int = Field(default=100, ge=1, le=10_000, description="Candidates that lists under rules are chosen from.")
    max_per_category: int | None = Field(default=None, ge=1, description="The most items of one category in a list.")
    category_caps: dict[str, int] = Field(default={}, description="The same for some categories, e.g. { Horror = 1 }.")
    new_share: float = Field(default=0, ge=0, le=1, description="Share of a list's places that go to new items.")
    new_days: float = Field(default=30, gt=0, description="New: first seen within so many days, or never.")
    excluded: list[Id] = Field(default=[], description="Ids of items that are on no list.")
    pinned: list[Id] = Field(default=[], description="Ids of items that everybody is shown who does not have them.")
    pinned_rank: int = Field(default=1, ge=1, description="Rank of the first pinned item; the others follow.")
    max_item_age_days: float | None = Field(default=None, gt=0, description="Older items are on no list.")
    item_date: str | None = Field(
        default=None, description="Item column that an age counts from; the first interaction where there is none."
    )
    min_score: float | None = Field(default=None, description="The model's items below it give way to popular ones.")
    segments: Segments | None = Field(
        default=None, description='k by a user column, in the export: { column = "plan", k = { premium = 20 } }.'
    )
    active_days: float | None = Field(
        default=None, gt=0, description="Only users with an interaction in so many last days are in the export."
    )

    @model_validator(mode="after")
    def whole(self) -> "ListSettings":
        if wrong := [name for name, cap in self.category_caps.items() if cap < 0]:
            raise ValueError(f"category_caps.{wrong[0]} is below 0; 0 keeps a category off the lists")
        if both := [item for item in self.pinned if item in self.excluded]:
            raise ValueError(f"the item {both[0]!r} is pinned and excluded; decide for one")
        return self

    @property
    def rerank(self) -> bool:
        """Whether there is any rule beyond the model's own order."""
        plain = {"k", "repeats", "pool", "new_days", "pinned_rank"}  # these alone change nothing
        fields = ListSettings.model_fields.items()
        return any(getattr(self, name) != field.default for name, field in fields if name not in plain)

    @property
    def longest(self) -> int:
        """Items in the longest list."""
        return max([self.k, *(self.segments.k.values() if self.segments else [])])

    def measured(self, k: int) -> "ListSettings":
        """The same rules for the lists of the candidates: every measured user has one, as long as is measured."""
        mine = {name: getattr(self, name) for name in ListSettings.model_fields}
        return ListSettings.model_validate(mine | {"k": k, "segments": None, "active_days": None})


@stage_task("lists")
def list_rules(
    night: Night,
    rules: ListSettings,
    features: FeatureSettings,
    prepared: Manifest,
    described: Manifest,
    fresh: bool = False,
) -> Manifest:
    """Write the rules of the candidates' lists to ``features/rules/``.

    Raises:
        ConfigError: a rule names a column or category that the items do not have.
    """

    def build(out: Path) -> Json:
        translated = translate(night, "train", rules, features, note=True)
        translated.save(out / FILE)
        return {"message": f"{translated.allowed.sum():,} of {len(translated.allowed):,} items may be listed"}

    parameters = rules.model_dump(exclude={"k"}) | {"roles": features.roles}
    inputs = outputs(prepared=prepared, described=described)
    return logged_stage(
        "lists", night.list_rules, build, code=code_of(__name__), inputs=inputs, parameters=parameters, fresh=fresh
    )


def translate(night: Night, split: Split, rules: ListSettings, features: FeatureSettings, note: bool = False) -> Rules:
    """The rules under dense indices, as of the end of a split.

    What names nothing (an id that is not in the catalogue, a segment without users) is passed over, with a `note`.

    Raises:
        ConfigError: a rule names a column or category that the items do not have.
    """
    items = pq.read_table(night.prepared / layout.ITEMS)
    age, first_seen = ages(night, split, items, rules)
    allowed = items["available"].to_numpy().copy()
    allowed[indices_of(items, rules.excluded, "excluded", note)] = False
    if rules.max_item_age_days is not None:
        allowed &= ~(age > rules.max_item_age_days)  # an age that nobody knows is no reason
    categories, caps = caps_of(items, rules, features)
    return Rules(
        allowed=allowed,
        pool=rules.pool,
        relevance_weight=rules.relevance_weight,
        min_score=rules.min_score,
        new_share=rules.new_share,
        pinned=indices_of(items, rules.pinned, "pinned", note).tolist(),
        pinned_rank=rules.pinned_rank,
        new=~(first_seen > rules.new_days) if rules.new_share else None,
        categories=categories,
        caps=caps,
        lengths=lengths_of(night, split, rules, note),
    )


def indices_of(items: pa.Table, ids: list[Id], rule: str, note: bool) -> Ints:
    """The indices of a site's own ids, in their order; what is not in the catalogue is left out."""
    known = items["item_id"].combine_chunks()
    places = [
        pc.index_in(written, value_set=known).as_py() if (written := as_written(name, known.type)) is not None else None
        for name in ids
    ]
    missing = [str(name) for name, place in zip(ids, places, strict=True) if place is None]
    if missing and note:
        some = ", ".join(missing[:3]) + (" and others" if len(missing) > 3 else "")
        log_event("lists", "note", f"export.{rule}: {len(missing)} of {len(ids)} ids are not in the catalogue: {some}")
    return np.array(list(dict.fromkeys(place for place in places if place is not None)), np.int32)


def as_written(name: Id, kind: pa.DataType) -> pa.Scalar | None:
    """An id of the configuration in the type of the catalogue's; None where it cannot be one."""
    try:
        return pa.scalar(int(name) if pa.types.is_integer(kind) else str(name), kind)
    except (ValueError, OverflowError):
        return None


def ages(night: Night, split: Split, items: pa.Table, rules: ListSettings) -> tuple[Floats, Floats]:
    """Days since each item's date, and since its first interaction; NaN where there is none: float32 [n_items]."""
    seen = pq.read_table(night.features / split / layout.ITEM_FEATURES, columns=["age_days"])["age_days"]
    first_seen: Floats = seen.to_numpy().astype(np.float32)
    if rules.item_date is None:
        return first_seen, first_seen
    column = column_of(items, rules.item_date, "item_date", "items")
    try:
        if not (pa.types.is_temporal(column.type) or pa.types.is_string(column.type)):
            raise pa.ArrowInvalid("no dates")
        kind = pa.timestamp("us") if pa.types.is_string(column.type) else column.type
        written = pc.cast(pc.cast(column, kind), pa.timestamp("us", getattr(kind, "tz", None)))
        at = pc.cast(written, pa.int64())
    except pa.ArrowInvalid as error:
        raise ConfigError(
            f"export.item_date: the column {rules.item_date} of the items holds no dates ({column.type}); "
            "name one that does."
        ) from error
    end = layout.split_end(night.prepared / layout.interactions_file(split))
    day = (end - pc.cast(at, pa.float64()).to_numpy(zero_copy_only=False)) / MICROSECONDS_PER_DAY
    age: Floats = np.where(np.isnan(day), first_seen, day).astype(np.float32)
    return age, first_seen


def caps_of(
    items: pa.Table, rules: ListSettings, features: FeatureSettings
) -> tuple[tuple[np.ndarray[Any, np.dtype[np.int64]], Ints] | None, Ints]:
    """Each item's categories, and the cap of each. Raises ConfigError where there are none, or not that one."""
    if rules.max_per_category is None and not rules.category_caps:
        return None, np.empty(0, np.int32)
    names, pair_item, pair_category = categories_of(items, features)
    if not names:
        raise ConfigError(
            "export.max_per_category: the items have no column of categories or tags; name one in features.roles, "
            'e.g. roles = { genre = "category" }.'
        )
    caps = np.full(len(names), rules.max_per_category or 1000, np.int32)
    place = {name: index for index, name in enumerate(names)}
    for name, cap in rules.category_caps.items():
        if name not in place:
            raise ConfigError(f"export.category_caps: no item has the category {name!r}; {hint(name, names)}")
        caps[place[name]] = cap
    indptr = np.searchsorted(pair_item, np.arange(items.num_rows + 1)).astype(np.int64)
    return (indptr, pair_category.astype(np.int32)), caps


def column_of(table: pa.Table, name: str, rule: str, kind: str) -> pa.Array:
    """A column of the site's own. Raises ConfigError where there is no such one."""
    own = [column for column in table.column_names if not column.endswith("_index")]
    if name not in own:
        raise ConfigError(f"export.{rule}: the {kind} have no column {name!r}; {hint(name, own)}")
    return table[name].combine_chunks()


def hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:10])}."


def lengths_of(night: Night, split: Split, rules: ListSettings, note: bool) -> Ints | None:
    """Each user's own k: by segment, 0 for those that are not active; None where all have the same.

    Raises:
        ConfigError: the users have no such column.
    """
    if rules.segments is None and rules.active_days is None:
        return None
    users = pq.read_table(night.prepared / layout.USERS)
    lengths = np.full(users.num_rows, rules.k, np.int32)
    if rules.segments is not None:
        column = pc.cast(column_of(users, rules.segments.column, "segments.column", "users"), pa.string())
        for name, k in rules.segments.k.items():
            within = pc.fill_null(pc.equal(column, name), False).to_numpy(zero_copy_only=False)
            lengths[within] = k
            if note and not within.any():
                log_event("lists", "note", f"export.segments.k: no user has {name!r} in {rules.segments.column}")
    if rules.active_days is not None:
        seen = pq.read_table(night.features / split / layout.USER_FEATURES, columns=["recency_days"])["recency_days"]
        lengths[~(seen.to_numpy() <= rules.active_days)] = 0  # nor those without any interaction
    return lengths

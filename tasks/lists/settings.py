"""What a list is: the site's rules for the lists of the candidates and of the export."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Id = int | str


class Segments(BaseModel):
    """Users whose lists have a length of their own."""

    model_config = ConfigDict(extra="forbid", validate_default=True)  # as a worker is told it: 28.0, not 28

    column: str = Field(description="User column with the segments.")
    k: dict[str, int] = Field(min_length=1, description="Items in the lists of a segment, by the value of the column.")

    @field_validator("k")
    @classmethod
    def possible(cls, k: dict[str, int]) -> dict[str, int]:
        if wrong := [name for name, length in k.items() if not 0 <= length <= 1000]:
            raise ValueError(f"k.{wrong[0]} is {k[wrong[0]]}; a list has 0 to 1000 items")
        return k


Share = Annotated[float, Field(ge=0, le=1)]


class ExposureSettings(BaseModel):
    """Which share of the exposure of all lists items must have at least, and may have at most."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    column: str = Field(description="Item column that the shares are of: a provider, a brand, a category, tags.")
    least: dict[str, Share] = Field(default={}, description="Least share of the exposure by value of the column.")
    most: dict[str, Share] = Field(default={}, description="Largest share of the exposure by value of the column.")
    measure: Literal["discounted", "places"] = Field(
        default="discounted", description="discounted: a place counts 1 / log2(rank + 1); places: all count the same."
    )
    required: bool = Field(default=False, description="Whether an export that misses a bound is refused.")

    @model_validator(mode="after")
    def possible(self) -> "ExposureSettings":
        if not self.values:
            raise ValueError("neither least nor most names a value of the column")
        if wrong := [name for name in self.values if self.least.get(name, 0) > self.most.get(name, 1)]:
            raise ValueError(f"least.{wrong[0]} is above most.{wrong[0]}")
        return self

    @property
    def values(self) -> list[str]:
        """The values that have a bound."""
        return sorted({*self.least, *self.most})


class DomainShare(BaseModel):
    """Which share of the places of a mixed list the items of a domain have."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    least: Share = Field(default=0, description="At least, rounded down.")
    most: Share = Field(default=1, description="At most, rounded up.")


class ValueSettings(BaseModel):
    """What an item is worth to the site beside what it is to a user."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    column: str = Field(description="Numeric item column: a margin, a stock; the more, the better.")
    weight: float = Field(
        ge=0,
        le=10,
        description="How much the highest value adds to relevance, which is 0 to 1 within a user's candidates.",
    )


class ListSettings(BaseModel):
    """What a list is, for the candidates and for the export."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    k: int = Field(ge=1, le=1000, description="Items in a user's list.")
    repeats: bool | Literal["due"] = Field(
        default=False,
        description="Whether items the user already has may be recommended again; due: once their interval has passed.",
    )
    relevance_weight: float = Field(
        default=1,
        ge=0,
        le=1,
        description="Relevance against diversity; 1: the model's order (lambda of MMR).",
    )
    calibration: float = Field(
        default=0,
        ge=0,
        le=1,
        description="How much a user's mix of categories counts against relevance; 0: not at all (Steck's lambda).",
    )
    popularity_damping: float = Field(
        default=0,
        ge=0,
        le=10,
        description="How much popularity lowers relevance, which is 0 to 1 within a user's candidates; 0: off.",
    )
    value: ValueSettings | None = Field(
        default=None, description='What items are worth to you: { column = "margin", weight = 0.2 }.'
    )
    exposure: ExposureSettings | None = Field(
        default=None,
        description='Bounds on shares of all lists: { column = "brand", least = { X = 0.02 }, most = { Y = 0.3 } }.',
    )
    domain_shares: dict[str, DomainShare] = Field(
        default={},
        description="Shares of each list's places by domain, of a site with several: { films = { least = 0.3, most = "
        "0.7 } }. Where a domain has too few items for a user, others take the places.",
    )
    pool: int = Field(default=100, ge=1, le=10_000, description="Items per user that rules choose a list from.")
    max_per_category: int | None = Field(default=None, ge=1, description="The most items of one category in a list.")
    category_caps: dict[str, int] = Field(default={}, description="The same for some categories, e.g. { Horror = 1 }.")
    new_share: float = Field(default=0, ge=0, le=1, description="Share of a list's places that go to new items.")
    new_days: float = Field(
        default=30, gt=0, description="An item is new until this many days after its first interaction."
    )
    excluded: list[Id] = Field(default=[], description="Ids of items that are never recommended.")
    pinned: list[Id] = Field(default=[], description="Ids of items on the list of everybody who does not have them.")
    pinned_rank: int = Field(default=1, ge=1, description="Rank of the first pinned item; the others follow.")
    max_item_age_days: float | None = Field(default=None, gt=0, description="Older items are not recommended.")
    item_date: str | None = Field(
        default=None, description="Item column that an age counts from; the first interaction where there is none."
    )
    min_score: float | None = Field(
        default=None, description="Items with a lower model score are replaced by popular ones."
    )
    segments: Segments | None = Field(
        default=None, description='k by a user column, in the export: { column = "plan", k = { premium = 20 } }.'
    )
    active_days: float | None = Field(
        default=None, gt=0, description="Only users with an interaction in this many last days are exported."
    )

    @model_validator(mode="after")
    def whole(self) -> "ListSettings":
        if wrong := [name for name, cap in self.category_caps.items() if cap < 0]:
            raise ValueError(f"category_caps.{wrong[0]} is below 0; 0 keeps a category off the lists")
        if wrong := [name for name, share in self.domain_shares.items() if share.least > share.most]:
            raise ValueError(f"domain_shares.{wrong[0]}: least is above most")
        if sum(share.least for share in self.domain_shares.values()) > 1 + 1e-9:
            raise ValueError("the least shares in domain_shares are more than a list has: together at most 1")
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
    def steers(self) -> bool:
        """Whether a rule steers what all lists together show."""
        return bool(self.calibration or self.popularity_damping or self.value or self.exposure)

    @property
    def longest(self) -> int:
        """Items in the longest list."""
        return max([self.k, *(self.segments.k.values() if self.segments else [])])

    def measured(self, k: int) -> "ListSettings":
        """The same rules for the lists of the candidates: every measured user has one, as long as is measured."""
        mine = {name: getattr(self, name) for name in ListSettings.model_fields}
        return ListSettings.model_validate(mine | {"k": k, "segments": None, "active_days": None})

"""What the columns of the tables of items and users are: texts, tags, categories, numbers; configured, or guessed."""

from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tasks.features.tokens import TAG_DELIMITER, length_in_words

VECTOR = "(embedder)"
"""What the vocabulary calls the column of terms that are numbers of an embedder's vectors, and no words."""

Role = Literal["text", "tags", "category", "numeric", "ignore"]


class FeatureSettings(BaseModel):
    """Which columns of the item table describe an item, and of the user table a user, and how."""

    model_config = ConfigDict(extra="forbid")

    roles: dict[str, Role] = Field(
        default={},
        description='What an item or user column is, e.g. {brand = "category", sku = "ignore"}; guessed otherwise.',
    )
    column_weights: dict[str, float] = Field(
        default={}, description="How much a column's terms count, e.g. {genres = 2}; 1 otherwise, 0 leaves it out."
    )
    stop_words: list[str] = Field(
        default=[], description='Languages (ISO 639-1) whose function words are left out of texts, e.g. ["en", "ja"].'
    )
    ngrams: int = Field(
        default=2, ge=1, le=5, description="Characters in a term where words are not parted by spaces (Chinese, Thai)."
    )
    bins: int = Field(
        default=8, ge=0, description="Ranges that a numeric column is cut into, a term each; 0: numbers are no terms."
    )
    min_items_per_term: int = Field(default=2, ge=1, description="Terms in fewer items are left out.")
    max_items_share: float = Field(default=0.5, gt=0, le=1, description="Words in more of the items are left out.")
    max_terms: int = Field(default=200_000, ge=1, description="Terms kept of each column, the most frequent first.")
    embedder: str | None = Field(
        default=None, description="Folder of a sentence-transformers model that reads the texts; nothing is downloaded."
    )
    embedder_share: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="How much its vectors count in the likeness of items.",
    )

    @field_validator("column_weights")
    @classmethod
    def no_negative_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if wrong := [name for name, weight in weights.items() if not 0 <= weight < float("inf")]:
            raise ValueError(f"the weight of {wrong[0]} is {weights[wrong[0]]}; give 0 or more")
        return weights

    @field_validator("stop_words")
    @classmethod
    def known_languages(cls, languages: list[str]) -> list[str]:
        if languages:
            import stopwordsiso

            if unknown := set(languages) - stopwordsiso.langs():
                raise ValueError(
                    f"no stop words for {sorted(unknown)[0]!r}; give codes such as en or ja, of "
                    f"{', '.join(sorted(stopwordsiso.langs()))}"
                )
        return languages


def role_of(items: pa.Table, name: str, rules: FeatureSettings) -> Role:
    """The configured role of a column, or the one its type and content suggest."""
    if name in rules.roles:
        return rules.roles[name]
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
    return role_of_strings(items[name])


def role_of_strings(column: pa.ChunkedArray) -> Role:
    some = column.drop_null()[:10_000].cast(pa.string()).to_pylist()
    if not some:
        return "ignore"
    if sum(TAG_DELIMITER in value for value in some) > 0.1 * len(some):
        return "tags"
    if sum(length_in_words(value) for value in some) > 3 * len(some):
        return "text"
    return "category" if len(set(some)) <= max(2, len(some) // 5) else "ignore"

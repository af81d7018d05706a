"""What is published, in addition to the rules of the lists."""

from typing import Annotated

from pydantic import Field

from tasks.lists.settings import ListSettings

CHAMPION = "champion"
"""As the model whose vectors are published: the one that won the night, whichever it is."""


class ExportSettings(ListSettings):
    """What is published."""

    k: int = Field(default=10, ge=1, le=1000, description="Items in a user's list.")
    similar: int = Field(
        default=20, ge=0, le=1000, description="Items named as similar to each item; 0: no such table."
    )
    popular_days: list[Annotated[int, Field(ge=1)]] = Field(
        default=[7, 1], description="Windows of the popular items in days, beside all time."
    )
    domain_lists: bool = Field(
        default=True,
        description="Whether each domain of a site that has several has lists of its own, beside the mixed ones.",
    )
    context_lists: bool = Field(
        default=True,
        description="Whether each context (features.context) has lists of its own, where the winner's differ by it.",
    )
    approximate: bool = Field(
        default=False,
        description="Whether lists may miss items that exact ones have, where that makes them much faster.",
    )
    recall: float = Field(
        default=0.99,
        ge=0.9,
        le=0.999,
        description="Share of the exact lists that approximate ones must have; it is measured every night.",
    )
    vectors: str | None = Field(
        default=None,
        description="The model whose vectors of users and items are published beside the lists: a candidate, which is "
        "fitted for this if another one wins, or champion; none by default.",
    )
    vector_index: bool = Field(
        default=False,
        description="Whether an index of the items' vectors is published as well (needs nightrec[vectors]): searches "
        "in it are to find the share `recall` of the best k.",
    )
    delta: bool = Field(default=True, description="Whether the lists that changed are published apart as well.")
    hash_key_env: str | None = Field(
        default=None,
        description="Environment variable with a key by which user ids are hashed in exports; they are plain without.",
    )
    valid_hours: float = Field(default=48, gt=0, description="How long downstream jobs may rely on an export.")

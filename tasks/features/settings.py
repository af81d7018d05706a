"""Settings of the stage features."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from recmodels.compute.memory import size_of

Role = Literal["text", "tags", "category", "numeric", "ignore"]


class PairSettings(BaseModel):
    """Queries of your own, whose numbers an ensemble's trees see of users, items and pairs of them."""

    model_config = ConfigDict(extra="forbid")

    sql: str | list[str] = Field(
        default=[],
        description="SELECT (or several) over interactions, items and users as of the split, as_of() being its end.",
    )
    seconds: float = Field(default=300, gt=0, description="What each query may take.")
    memory: str = Field(default="1GiB", description="The memory that the queries may take.")

    @field_validator("memory")
    @classmethod
    def amount_of_memory(cls, memory: str) -> str:
        size_of(memory, least=0)
        return memory

    def parameters(self) -> dict[str, Any]:
        """As an ensemble is told them; nothing without a query."""
        queries = [self.sql] if isinstance(self.sql, str) else self.sql
        return {"pairs": queries, "pair_seconds": self.seconds, "pair_memory": self.memory} if queries else {}


class EncoderSettings(BaseModel):
    """What makes vectors of the items' texts, tags and categories."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["static", "sentence-transformers", "model2vec", "onnx"] = Field(
        default="static",
        description="static: from the items' own words, by a singular value decomposition; else a model's package, "
        "sentence-transformers if a model is named without.",
    )
    model: str | None = Field(
        default=None, description="Folder of the model; with `download` its name on the hub, such as 'owner/model'."
    )
    download: bool = Field(default=False, description="Whether the model may be fetched from the hub by its name.")
    size: int = Field(default=64, ge=1, le=1024, description="Numbers of a vector of the static encoder.")
    batch: int = Field(default=64, ge=1, description="Texts that a model reads at a time.")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="What a model computes on.")

    @model_validator(mode="before")
    @classmethod
    def read_by_sentence_transformers(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("model") is not None and "kind" not in given:
            return given | {"kind": "sentence-transformers"}
        return given

    @model_validator(mode="after")
    def named(self) -> Self:
        if self.kind == "static" and self.model is not None:
            raise ValueError("the static encoder reads no model: leave it out, or say which kind it is")
        if self.kind != "static" and self.model is None:
            raise ValueError(f"{self.kind} needs a model: name its folder")
        if self.download and self.kind == "onnx":
            raise ValueError("an ONNX model is read from a folder; leave download out")
        return self


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
        default=[], description='Languages (ISO 639-1) whose stop words are left out of texts, e.g. ["en", "ja"].'
    )
    ngrams: int = Field(
        default=2, ge=1, le=5, description="Characters per term in languages written without spaces (Chinese, Thai)."
    )
    bins: int = Field(
        default=8, ge=0, description="Bins that a numeric column is cut into, a term each; 0: numbers are no terms."
    )
    min_items_per_term: int = Field(default=2, ge=1, description="Terms in fewer items are left out.")
    max_items_share: float = Field(default=0.5, gt=0, le=1, description="Words in more of the items are left out.")
    max_terms: int = Field(default=200_000, ge=1, description="Terms kept of each column, the most frequent first.")
    encoder: EncoderSettings | None = Field(
        default=None, description="What makes vectors of the items; none: only those that are given (item_vectors)."
    )
    longest_vectors: int = Field(
        default=256,
        ge=1,
        description="Numbers of a vector that models are given; longer ones are reduced to principal components.",
    )
    sequences: bool = Field(
        default=False,
        description="Write sequences.parquet, each user's items in order of time, for your own use; no model reads it.",
    )

    events: bool = Field(
        default=False,
        description="Write events.parquet, single events, for models of repeats (personal_frequency, tifu_knn).",
    )
    event_kinds: list[str] = Field(
        default=[], description='Events that are in it, by name, e.g. ["purchase"]; all, if none is named.'
    )
    due_after: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description='With export.repeats = "due": the share of its interval after which an item may be listed again.',
    )
    context: Literal["weekday", "column"] | None = Field(
        default=None,
        description="What an ensemble's trees know of an interaction, for lists by its values: its weekday, or the "
        "column `context` of the interactions, such as a device (at most 10 values).",
    )
    pairs: PairSettings = PairSettings()

    def for_ensembles(self, timezone: str) -> dict[str, Any]:
        """What every ensemble of a night is told, in whose time zone weekdays begin."""
        context = {"context": self.context} if self.context else {}
        return self.pairs.parameters() | context | ({"context_zone": timezone} if self.context == "weekday" else {})

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

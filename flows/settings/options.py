"""The options of a night and of a backfill: the forms of the Prefect UI."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic.json_schema import SkipJsonSchema

from flows.settings.renamed import with_new_names
from flows.settings.site import NightConfig, model_names
from recmodels.errors import ConfigError
from tasks.replay.settings import FOLLOWED, ReplaySpec
from tasks.simulate.settings import SimulateSettings
from tasks.store.machine import core_count
from tasks.store.paths import SIMULATION, Night, Store

RENAMED = {"champion": "forced_model"}


def several_models(position: int) -> dict[str, Any]:
    """How the form offers the models of the deployed configuration."""
    return {"position": position, "items": {"type": "string", "enum": model_names()}}


def may_be_empty(position: int, **limits: Any) -> Callable[[dict[str, Any]], None]:
    """A field of the form that may be left empty: it has no default, for which the form would ask for a type."""

    def change(schema: dict[str, Any]) -> None:
        for name in ("default", "ge", "le"):
            schema.pop(name, None)
        schema |= {"position": position, **limits}

    return change


class NightOptions(BaseModel):
    """What tonight does differently from the site's configuration; leave everything empty for an ordinary night."""

    model_config = ConfigDict(extra="forbid")

    run_date: date | SkipJsonSchema[None] = Field(
        default=None,
        title="Date",
        description="The night sees the data before 00:00 of this day; the day it is scheduled for, if left empty.",
        json_schema_extra=may_be_empty(0),
    )
    models: list[str] = Field(
        default=[],
        title="Models",
        description="Only these compete, with the popularity baseline; all that are configured, if left empty.",
        json_schema_extra=several_models(1),
    )
    k: int | SkipJsonSchema[None] = Field(
        default=None,
        ge=1,
        le=1000,
        title="List length (k)",
        description="Items in each user's list, 1 to 1000; as configured, if left empty.",
        json_schema_extra=may_be_empty(2, minimum=1, maximum=1000),
    )
    dry_run: bool = Field(
        default=False,
        title="Dry run",
        description="Train and compare, publish nothing.",
        json_schema_extra={"position": 3},
    )
    forced_model: str | SkipJsonSchema[None] = Field(
        default=None,
        title="Force a model",
        description="Publish the lists of this model, whatever the gate says; the winner's, if left empty.",
        json_schema_extra=may_be_empty(4, enum=model_names()),
    )
    fresh: bool = Field(
        default=False,
        title="Start afresh",
        description="Do everything again, even what is done already.",
        json_schema_extra={"position": 5},
    )

    @model_validator(mode="before")
    @classmethod
    def new_names(cls, given: Any) -> Any:
        return with_new_names(given, "options", RENAMED) if isinstance(given, dict) else given

    @model_serializer(mode="wrap")
    def without_empty(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was left empty stays empty in the form of the next run, too."""
        return {name: value for name, value in dump(self).items() if value is not None}

    def applied_to(self, config: NightConfig) -> NightConfig:
        """A configuration with what was chosen.

        Raises:
            ConfigError: a model is neither configured nor a recommender.
        """
        if self.models:
            config = config.only([*self.models, *([self.forced_model] if self.forced_model else [])])
        return config.with_k(self.k)


ORDINARY = NightOptions()


class BackfillOptions(BaseModel):
    """Which nights are run, and which of them are published."""

    model_config = ConfigDict(extra="forbid")

    first: date = Field(title="From", description="The first night.", json_schema_extra={"position": 0})
    last: date = Field(title="To", description="The last night.", json_schema_extra={"position": 1})
    models: list[str] = Field(
        default=[],
        title="Models",
        description="Only these compete, with the popularity baseline; all that are configured, if left empty.",
        json_schema_extra=several_models(2),
    )
    parallel: int = Field(
        default=1,
        ge=1,
        le=16,
        title="Nights at a time",
        description="One after another, a night knows how many rows the nights before it had.",
        json_schema_extra={"position": 3},
    )
    publish: Literal["newest", "all", "none"] = Field(
        default="newest",
        title="Publish",
        description="The others are trained and compared only. Readers never go back to an earlier night.",
        json_schema_extra={"position": 4},
    )
    fresh: bool = Field(
        default=False,
        title="Start afresh",
        description="Do everything again, even nights that are complete.",
        json_schema_extra={"position": 5},
    )

    @model_validator(mode="after")
    def a_range(self) -> "BackfillOptions":
        if self.last < self.first:
            raise ConfigError(f"The range ends on {self.last}, before it begins on {self.first}: swap the two dates.")
        return self

    def nights(self, store: Store) -> Iterator[Night]:
        for day in range((self.last - self.first).days + 1):
            yield store.night(self.first + timedelta(day))

    def publishes(self, run_date: date) -> bool:
        return self.publish == "all" or (self.publish == "newest" and run_date == self.last)


class SimulateOptions(BaseModel):
    """Which simulation is run; leave everything empty for what the site's configuration says of them."""

    model_config = ConfigDict(extra="forbid")

    from_store: bool = Field(
        default=True,
        title="From the store",
        description="Users and items like the site's own, as of the last night; an invented market otherwise.",
        json_schema_extra={"position": 0},
    )
    nights: int | SkipJsonSchema[None] = Field(
        default=None,
        ge=1,
        le=10_000,
        title="Nights",
        description="How many go by; as configured, if left empty.",
        json_schema_extra=may_be_empty(1, minimum=1, maximum=10_000),
    )
    policies: list[str] = Field(
        default=[],
        title="Policies",
        description="Only these are compared; with the champion all candidates, and the champion with exploration and "
        "with re-ranked lists, or those that are configured, if left empty.",
        json_schema_extra={"position": 2},
    )
    name: str | SkipJsonSchema[None] = Field(
        default=None,
        title="Name",
        description="One that was cut short goes on under its name. The date of the night, if left empty.",
        json_schema_extra=may_be_empty(3),
    )
    users: int | SkipJsonSchema[None] = Field(
        default=None,
        ge=20,
        le=1_000_000,
        title="Users",
        description="How many take part at most; as configured, if left empty.",
        json_schema_extra=may_be_empty(4, minimum=20, maximum=1_000_000),
    )
    repetitions: int | SkipJsonSchema[None] = Field(
        default=None,
        ge=1,
        le=100,
        title="Repetitions",
        description="With other chances each time; as configured, if left empty.",
        json_schema_extra=may_be_empty(5, minimum=1, maximum=100),
    )
    fresh: bool = Field(
        default=False,
        title="Start afresh",
        description="Replace what there is under this name.",
        json_schema_extra={"position": 6},
    )

    @model_serializer(mode="wrap")
    def without_empty(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was left empty stays empty in the form of the next run, too."""
        return {name: value for name, value in dump(self).items() if value is not None}

    def applied_to(self, config: NightConfig) -> SimulateSettings:
        """The site's settings of simulations with what was chosen."""
        chosen = {name: getattr(self, name) for name in ("nights", "users", "repetitions")}
        update = {name: value for name, value in chosen.items() if value is not None}
        return config.simulate.model_copy(update=update)


class ReplayOptions(BaseModel):
    """Which nights of the past are replayed, and how far ahead their lists are held against what people did."""

    model_config = ConfigDict(extra="forbid")

    first: date = Field(title="From", description="The first night.", json_schema_extra={"position": 0})
    last: date = Field(title="To", description="The last night.", json_schema_extra={"position": 1})
    every: int = Field(
        default=1,
        ge=1,
        le=366,
        title="Days between nights",
        description="1 replays every night, 7 one a week.",
        json_schema_extra={"position": 2},
    )
    horizon: int | SkipJsonSchema[None] = Field(
        default=None,
        ge=1,
        le=366,
        title="Days that follow",
        description="Lists are held against what people did in so many days after the night; until the next night, if "
        "left empty.",
        json_schema_extra=may_be_empty(3, minimum=1, maximum=366),
    )
    models: list[str] = Field(
        default=[],
        title="Models",
        description="Only these are replayed, with the popularity baseline; all that are configured, if left empty.",
        json_schema_extra=several_models(4),
    )
    parallel: int = Field(
        default=0,
        ge=0,
        le=64,
        title="Nights at a time",
        description="One a core, if 0.",
        json_schema_extra={"position": 5},
    )
    name: str | SkipJsonSchema[None] = Field(
        default=None,
        pattern=SIMULATION,
        title="Name",
        description="Of its folder in replays/; by its range, if left empty. What is there already is not done again.",
        json_schema_extra=may_be_empty(6, pattern=SIMULATION),
    )
    fresh: bool = Field(
        default=False,
        title="Start afresh",
        description="Do everything again, even nights that are measured.",
        json_schema_extra={"position": 7},
    )

    @model_validator(mode="after")
    def a_range(self) -> "ReplayOptions":
        if self.last < self.first:
            raise ConfigError(f"The range ends on {self.last}, before it begins on {self.first}: swap the two dates.")
        return self

    @model_serializer(mode="wrap")
    def without_empty(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was left empty stays empty in the form of the next run, too."""
        return {name: value for name, value in dump(self).items() if value is not None}

    def spec(self, config: NightConfig) -> ReplaySpec:
        """The replay that is meant, by the settings of a site."""
        name = self.name or f"{self.first}-{self.last}-{self.every}d"
        candidates = config.enabled_models()
        chained = ReplaySpec.starts_from_earlier(candidates)
        return ReplaySpec(
            name=name,
            root=Store(config.store.absolute()).replay(name).root,
            first=self.first,
            last=self.last,
            every=self.every,
            horizon=self.horizon or self.every,
            timezone=config.timezone,
            validation=config.validation,
            prepare=config.preparation(),
            features=config.features,
            evaluation=config.evaluation,
            export=config.export,
            gate=config.gate,
            candidates=candidates,
            seed=config.training.seed,
            followed=FOLLOWED,
            parallel=1 if chained else self.parallel or core_count(),
            fresh=self.fresh,
        )

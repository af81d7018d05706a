"""The configuration of a site: every setting with its default, read from `nightrec.toml` and the command line."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from expectations.settings import ValidationSettings
from flows.settings import CONFIG_VARIABLE, STORE_VARIABLE
from flows.settings.demo import DemoSettings
from flows.settings.engine import EngineSettings
from flows.settings.mistakes import brief, reason, sentence
from flows.settings.renamed import with_new_names
from flows.settings.schedule import RefilterSettings, ScheduleSettings, WorkerSettings
from flows.settings.training import TrainingSettings
from recmodels.compute.memory import size_of
from recmodels.errors import ConfigError
from recmodels.messages import short
from recmodels.registry import create, kind_of
from tasks.arms.settings import ArmsSettings
from tasks.compare.settings import GateSettings
from tasks.exploration.settings import ExplorationSettings
from tasks.export.settings import ExportSettings
from tasks.exposures.settings import FeedbackSettings
from tasks.features.settings import FeatureSettings
from tasks.ingest.reading.addresses import beside
from tasks.ingest.reading.inputs import Inputs
from tasks.ingest.reading.presets.apply import apply
from tasks.ingest.reading.presets.catalog import preset_of
from tasks.ingest.reading.remedies import option
from tasks.panel.settings import PanelSettings
from tasks.prepare.settings import PrepareSettings
from tasks.publish.settings import MirrorSettings, RetentionSettings
from tasks.publish.sinks.settings import SinkSettings
from tasks.report.settings import MetricsSettings, MlflowSettings, NotifySettings
from tasks.simulate.settings import CHAMPION, ORACLE, RANDOM, SimulateSettings
from tasks.store.in_step import follow, store_folder
from tasks.store.settings import DiskSettings
from tasks.store.working_copy import address_of, working_copy
from tasks.train.members import with_members, with_site
from tasks.train.settings import NAME, Candidate, EvaluationSettings

FILE = "nightrec.toml"


def default_models() -> dict[str, Candidate]:
    return {
        "popularity": Candidate(required=True),
        "popularity_7d": Candidate(recommender="popularity", parameters={"days": 7}),
        "item_knn": Candidate(),
        "als": Candidate(),
        "ease": Candidate(),
        "graph_filter": Candidate(),
        "content": Candidate(),
        "ensemble": Candidate(enabled=False),
    }


class NightConfig(BaseModel):
    """One site's settings."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field(
        default="site", pattern="^[a-z0-9][a-z0-9-]*$", description="Names the site's deployments and messages."
    )
    store: Path = Field(
        default=Path("store"),
        description="The site's folder: nights, exports, history; or the address of one in a bucket, such as "
        "s3://bucket/path (docs/operations.md).",
    )
    timezone: str = Field(default="UTC", description="The zone in which a night's date begins at 00:00.")
    memory: int | None = Field(
        default=None,
        description='The most memory that stages and trainings plan with, such as "8GiB"; all that the machine or its '
        "container has, if not given.",
    )
    preset: str | None = Field(
        default=None, description="Public data set that the inputs are; `nightrec presets` lists them."
    )
    inputs: Inputs | None = Field(default=None, description="The site's tables; the demo site where there are none.")
    validation: ValidationSettings = ValidationSettings()
    prepare: PrepareSettings = PrepareSettings()
    features: FeatureSettings = FeatureSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    panel: PanelSettings = PanelSettings()
    training: TrainingSettings = TrainingSettings()
    engine: EngineSettings = EngineSettings()
    workers: WorkerSettings = WorkerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    notify: NotifySettings = NotifySettings()
    models: dict[str, Candidate] = Field(default_factory=default_models, description="Tonight's candidates, by name.")
    arms: ArmsSettings = ArmsSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    gate: GateSettings = GateSettings()
    export: ExportSettings = ExportSettings()
    exploration: ExplorationSettings = ExplorationSettings()
    refilter: RefilterSettings = RefilterSettings()
    retention: RetentionSettings = RetentionSettings()
    disk: DiskSettings = DiskSettings()
    mirror: MirrorSettings = MirrorSettings()
    metrics: MetricsSettings = MetricsSettings()
    mlflow: MlflowSettings = MlflowSettings()
    sinks: SinkSettings = SinkSettings()
    simulate: SimulateSettings = SimulateSettings()
    demo: DemoSettings = DemoSettings()

    @field_validator("store", mode="before")
    @classmethod
    def folder_of_bucket(cls, store: Any) -> Any:
        return working_copy(store) if isinstance(store, str) and "://" in store else store

    @field_validator("timezone")
    @classmethod
    def known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"there is no time zone {zone!r}; use a name such as Europe/Berlin")
        return zone

    @field_validator("memory", mode="before")
    @classmethod
    def amount_of_memory(cls, memory: Any) -> int | None:
        return None if memory is None else size_of(memory)

    @field_validator("models")
    @classmethod
    def known_models(cls, models: dict[str, Candidate]) -> dict[str, Candidate]:
        for name, candidate in models.items():
            if not re.match(NAME, name):
                raise ValueError(f"{name!r} is no model name: use lower-case letters, digits and _")
            create(candidate.recommender or name, candidate.parameters)
        with_members(models)
        return models

    @field_validator("arms")
    @classmethod
    def models_of_arms_compete(cls, arms: ArmsSettings, info: ValidationInfo) -> ArmsSettings:
        there = [name for name, one in with_members(info.data.get("models") or {}).items() if one.enabled]
        for name, arm in arms.groups.items():
            if there and arm.model is not None and arm.model not in there:
                what = f"groups.{name}.model is {short(repr(arm.model))}"
                raise ValueError(f"{what}, which is no enabled candidate of the night: {', '.join(there)}")
        return arms

    @field_validator("export")
    @classmethod
    def model_of_vectors_competes(cls, export: ExportSettings, info: ValidationInfo) -> ExportSettings:
        there = {name: one for name, one in with_members(info.data.get("models") or {}).items() if one.enabled}
        if there and export.vectors not in (None, CHAMPION, *there):
            what = f"vectors is {short(repr(export.vectors))}"
            raise ValueError(f"{what}, which is neither champion nor an enabled candidate: {', '.join(there)}")
        if (candidate := there.get(export.vectors or "")) is not None:
            from recmodels.scoring.dot_product import DotProduct

            if not issubclass(kind_of(candidate.recommender or str(export.vectors)), DotProduct):
                raise ValueError(f"vectors is {export.vectors}, which does not score by vectors; als, for one, does")
        if export.vector_index and export.vectors is None:
            raise ValueError('vector_index is of the vectors, which export.vectors publishes: set it, to "als", say')
        return export

    @field_validator("export")
    @classmethod
    def what_is_due_is_known(cls, export: ExportSettings, info: ValidationInfo) -> ExportSettings:
        features, prepare = info.data.get("features"), info.data.get("prepare")
        if export.repeats == "due" and not (features and features.events and prepare and prepare.holdout_repeats):
            wanted = "features.events = true and prepare.holdout_repeats = true"
            raise ValueError(
                f'repeats = "due" follows from single events, and is measured by what came back: set {wanted}'
            )
        return export

    @field_validator("sinks")
    @classmethod
    def vectors_that_are_loaded_are_published(cls, sinks: SinkSettings, info: ValidationInfo) -> SinkSettings:
        export = info.data.get("export")
        for name in ("pgvector", "qdrant"):
            if export is not None and export.vectors is None and getattr(sinks, name) is not None:
                raise ValueError(
                    f'{name} is loaded with vectors, which export.vectors publishes: set it, to "als", say'
                )
        return sinks

    @field_validator("simulate")
    @classmethod
    def models_of_policies_exist(cls, simulate: SimulateSettings, info: ValidationInfo) -> SimulateSettings:
        there = with_members(info.data.get("models") or {})
        for name, policy in simulate.policies.items():
            model = policy.model or name
            candidate = there.get(model, Candidate())
            if model in there or model not in (CHAMPION, RANDOM, ORACLE):
                try:
                    create(candidate.recommender or model, candidate.parameters | policy.parameters)
                except ConfigError as error:
                    raise ValueError(f"policies.{name}: {str(error).rstrip('.')}") from None
        return simulate

    @property
    def copy_at(self) -> str | None:
        """Where the exports are copied to: as configured or, of a store in a bucket, to readers of the bucket."""
        return self.mirror.to or address_of(self.store)

    def cutoff(self, run_date: date) -> datetime:
        """The instant before which a night may see data: its date, 00:00 in the site's zone."""
        return datetime.combine(run_date, time(), ZoneInfo(self.timezone))

    def today(self) -> date:
        return datetime.now(UTC).astimezone(ZoneInfo(self.timezone)).date()

    def tables(self) -> Inputs | None:
        """The inputs as they are read, the preset applied; None for the demo site.

        Raises:
            ConfigError: the preset does not fit the inputs, or there are none.
        """
        if self.preset is None:
            return self.inputs
        if self.inputs is not None and self.inputs.has_domains:
            raise ConfigError(f"The preset {self.preset} is of one data set, and the inputs have domains: drop one.")
        if self.inputs is None:
            raise ConfigError(f"The preset {self.preset} has no files to read: name their folder with --interactions.")
        return apply(self.preset, self.inputs)

    def preparation(self) -> PrepareSettings:
        """The settings of the stage prepare: the preset says which ratings are likes, unless they say it themselves."""
        least = preset_of(self.preset).min_rating if self.preset else None
        if least is None or "min_rating" in self.prepare.model_fields_set:
            return self.prepare
        return self.prepare.model_copy(update={"min_rating": least})

    def with_inputs(
        self,
        tables: dict[str, tuple[str | None, dict[str, str] | None]],
        preset: str | None,
        reading: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> "NightConfig":
        """This configuration with the paths, column names and other settings (`reading`) given for each table.

        Raises:
            ConfigError: there is a table but no interactions, settings for a table that is not there, or an impossible
                value.
        """
        there = self.inputs.tables() if self.inputs else {}
        inputs = {name: table.model_dump(exclude_unset=True) for name, table in there.items()}
        for name, (path, columns) in tables.items():
            if path is not None:
                inputs[name] = {"path": path}
            if columns is not None and name not in inputs:
                raise ConfigError(f"Column names for {name}, but no such table: name it with --{name}.")
            if columns is not None:
                inputs[name]["columns"] = columns
            for setting, value in ((reading or {}).get(name) or {}).items():
                if name not in inputs:
                    raise ConfigError(f"{option(name, setting)} is given, but no such table: name it with --{name}.")
                inputs[name][setting] = value
        if inputs and "interactions" not in inputs:
            raise ConfigError("There are no interactions to go with the tables: name them with --interactions.")
        update: dict[str, Any] = {"preset": preset or self.preset}
        if inputs:
            update["inputs"] = self._checked(inputs)
        return self.model_copy(update=update)

    @staticmethod
    def _checked(inputs: dict[str, Any]) -> Inputs:
        try:
            return Inputs.model_validate(inputs)
        except ValidationError as error:
            mistake = error.errors()[0]
            table, *setting = (str(part) for part in mistake["loc"])
            named = (option(table, setting[0]) if setting else None) or f"inputs.{'.'.join([table, *setting])}"
            value = f" {brief(mistake['input'])}" if setting else ""
            raise ConfigError(f"{named}{value}: {reason(mistake['msg'])}.") from None

    def enabled_models(self) -> dict[str, Candidate]:
        """The candidates of tonight, with every ensemble's members."""
        complete = with_site(with_members(self.models), self.features.for_ensembles(self.timezone))
        return {name: candidate for name, candidate in complete.items() if candidate.enabled}

    def with_k(self, k: int | None) -> "NightConfig":
        """This configuration with lists of another length in the export; measured lists keep theirs."""
        return self if k is None else self.model_copy(update={"export": self.export.model_copy(update={"k": k})})

    def only(self, names: list[str]) -> "NightConfig":
        """This configuration with the named models alone, in the given order; the baseline always competes.

        Raises:
            ConfigError: a name is neither configured nor a recommender.
        """
        chosen = {}
        more = (self.gate.pinned_model, *self.arms.models, self.export.vectors)
        pinned = [name for name in more if name not in (None, CHAMPION)]
        for name in dict.fromkeys(["popularity", *names, *pinned]):
            if name in self.models:
                chosen[name] = self.models[name].model_copy(update={"enabled": True})
            else:
                create(name, {})
                chosen[name] = Candidate()
        return self.model_copy(update={"models": with_members(chosen, self.models)})


def deployed() -> NightConfig:
    """The configuration of a deployed flow, which the deployment and the worker name in the environment.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    named, store = os.environ.get(CONFIG_VARIABLE), os.environ.get(STORE_VARIABLE)
    config = load(Path(named) if named else None)
    return config.model_copy(update={"store": store_folder(store)}) if store else config


def model_names() -> list[str]:
    """The models of the deployed configuration, read without judging it, for forms."""
    try:
        content = tomllib.loads(Path(os.environ.get(CONFIG_VARIABLE) or FILE).read_text(encoding="utf-8"))
        return [str(name) for name in content["models"]]
    except (OSError, ValueError, KeyError, TypeError):
        return list(default_models())


def load(path: Path | None) -> NightConfig:
    """The configuration in a TOML file; the defaults without one. Paths in it are relative to the file.

    Raises:
        ConfigError: the file is missing, is not TOML, or holds an unknown key or an impossible value.
    """
    if path is None:
        path = Path(FILE)
        if not path.exists():
            return NightConfig()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}: write one with `nightrec init`.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}.") from error
    config = checked(content, str(path))
    follow(config.store)
    return relative_to(config, path.parent)


def checked(content: dict[str, Any], where: str) -> NightConfig:
    """Validate settings; the first mistake becomes one sentence."""
    try:
        return NightConfig.model_validate(without_none(with_new_names(content, where)))
    except ValidationError as error:
        raise ConfigError(f"{where}: {sentence(error, NightConfig)}") from None


def without_none(value: Any) -> Any:
    """Settings in which `"none"` means no value, which TOML cannot say."""
    if isinstance(value, dict):
        return {key: inner if key == "columns" else without_none(inner) for key, inner in value.items()}
    return None if value == "none" else value


def _from(folder: Path, path: str) -> str:
    """A table's path or address, as it counts from the folder of the configuration."""
    return beside(path, folder) if "://" in path else str(folder / path)


def relative_to(config: NightConfig, folder: Path) -> NightConfig:
    """Relative paths of a configuration file count from the file's own folder."""
    inputs = config.inputs
    if inputs is not None:
        tables = {
            name: table.model_copy(
                update={
                    "path": table.path and _from(folder, table.path),
                    "domains": {domain: _from(folder, path) for domain, path in table.domains.items()},
                }
            )
            for name in type(inputs).model_fields
            if (table := getattr(inputs, name)) is not None
        }
        inputs = inputs.model_copy(update=tables)
    features = config.features
    if features.encoder is not None and features.encoder.model is not None and not features.encoder.download:
        encoder = features.encoder.model_copy(update={"model": str(folder / features.encoder.model)})
        features = features.model_copy(update={"encoder": encoder})
    sinks = config.sinks
    if sinks.delta and "://" not in sinks.delta.path:
        delta = sinks.delta.model_copy(update={"path": str(folder / sinks.delta.path)})
        sinks = sinks.model_copy(update={"delta": delta})
    if config.engine.exchange and "://" not in config.engine.exchange:
        exchange = str(folder.absolute() / config.engine.exchange)
        config = config.model_copy(update={"engine": config.engine.model_copy(update={"exchange": exchange})})
    if config.metrics.file is not None:
        metrics = config.metrics.model_copy(update={"file": folder / config.metrics.file})
        config = config.model_copy(update={"metrics": metrics})
    places = {"store": folder / config.store, "inputs": inputs, "features": features, "sinks": sinks}
    return config.model_copy(update=places)

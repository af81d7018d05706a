"""What a site's settings ask of a worker: optional packages, and variables of its environment."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

from pydantic import BaseModel

from flows.settings.site import NightConfig
from recmodels.engine.choice import CLUSTERS
from recmodels.errors import ConfigError
from recmodels.registry import kind_of
from tasks.features.encoders import NEEDS
from tasks.train.settings import CPU_POOL, SIGNALS_POOL

MODULES = {  # by extra: what is imported of it
    "torch": "torch",
    "postgres": "psycopg",
    "redis": "redis",
    "delta": "deltalake",
    "mlflow": "mlflow",
    "embeddings": "sentence_transformers",
    "model2vec": "model2vec",
    "onnx": "onnxruntime",
    "vectors": "usearch",
    "ray": "ray",
    "dask": "distributed",
}


def check_extras(config: NightConfig, pool: str) -> None:
    """Check that a worker of a pool has what its runs import.

    Raises:
        ConfigError: something is missing; with the setting that asks for it, and how it is installed.
    """
    missing: dict[str, str] = {}
    for extra, setting in needs(config, pool):
        if find_spec(MODULES[extra]) is None:
            missing.setdefault(extra, setting)
    if missing:
        extras = ",".join(missing)
        raise ConfigError(
            f"{', '.join(missing.values())[:150]}: what it needs is not installed here; pip install "
            f"'nightrec[{extras}]', or build the image with NIGHTREC_EXTRAS={extras}."
        )


def check_variables(config: NightConfig, pool: str) -> None:
    """Check that a worker that runs nights has the secrets in its environment that the settings name.

    Raises:
        ConfigError: a variable is not set.
    """
    for setting, variable in variables(config) if pool == CPU_POOL else ():
        if not os.environ.get(variable):
            raise ConfigError(
                f"{setting} names the environment variable {variable[:60]}, which is not set where this worker is "
                "started: set it there."
            )


def variables(settings: BaseModel, of: str = "") -> Iterator[tuple[str, str]]:
    """Settings that name a variable of the environment, each with the variable."""
    for name in (*type(settings).model_fields, *(settings.__pydantic_extra__ or {})):
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from variables(value, f"{of}{name}.")
        elif name.endswith("_env") and value:
            yield f"{of}{name}", value


def needs(config: NightConfig, pool: str) -> Iterator[tuple[str, str]]:
    """Extras that runs of a pool import, each with the setting that asks for it."""
    if config.engine.kind in CLUSTERS and pool != SIGNALS_POOL:
        yield config.engine.kind, "engine.kind"
    for name, candidate in config.enabled_models().items():
        if candidate.workplace == pool and kind_of(candidate.recommender or name).needs_torch:
            yield "torch", f"[models.{name}]"
    if pool != CPU_POOL:  # where nights run: the others only train, or send messages
        return
    for sink, extra in (("postgres", "postgres"), ("pgvector", "postgres"), ("redis", "redis"), ("delta", "delta")):
        if getattr(config.sinks, sink) is not None:
            yield extra, f"[sinks.{sink}]"
    if config.mlflow.uri is not None:
        yield "mlflow", "[mlflow]"
    if config.export.vectors is not None and config.export.vector_index:
        yield "vectors", "export.vector_index"
    if (encoder := config.features.encoder) is not None and encoder.kind in NEEDS:
        yield NEEDS[encoder.kind][1], "features.encoder.kind"

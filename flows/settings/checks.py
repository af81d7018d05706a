"""Mistakes that show before a night starts: what is missing is said before anything slow is imported or started."""

from datetime import date
from importlib.util import find_spec

from flows.settings.extras import MODULES
from flows.settings.site import NightConfig
from recmodels.compute.device import require_torch
from recmodels.engine.choice import CLUSTERS
from recmodels.errors import ConfigError
from recmodels.registry import kind_of
from tasks.store.paths import Store


def check_installed(config: NightConfig) -> None:
    """Check that the models and the engine of a night that is run on this machine have what they need.

    Raises:
        ConfigError: one needs PyTorch, or the other Ray or Dask, which is not installed.
    """
    if (kind := config.engine.kind) in CLUSTERS and find_spec(MODULES[kind]) is None:
        raise ConfigError(f"engine.kind is {kind}, which is not installed here: pip install 'nightrec[{kind}]'.")
    if config.features.encoder is not None and config.inputs is not None and config.inputs.item_vectors is not None:
        raise ConfigError(
            "The items have vectors (item_vectors) and features.encoder makes some: leave one of them out."
        )
    for name, candidate in config.enabled_models().items():
        if kind_of(candidate.recommender or name).needs_torch:
            require_torch(f"The model {name}")


def check_engine(config: NightConfig) -> None:
    """Check that somebody is at the address of the cluster that a night is to be run on, unless it can do without.

    Raises:
        EngineUnavailable: nobody takes connections there.
    """
    if config.engine.choice is not None and config.engine.fallback is None:
        config.engine.choice.knock()


def check_forced_model(config: NightConfig, store: Store, run_date: date, name: str) -> None:
    """Check that a model that is to be published is among tonight's.

    Raises:
        ConfigError: it is neither configured, nor what is published now, nor the baseline.
    """
    candidates = config.enabled_models()
    if name in candidates:
        return
    from tasks.compare.champion import WEEK, last_export

    published = (last_export(store, run_date) or {}).get("champion")
    if name not in (published, f"{published}_standing", f"popularity_{WEEK}d"):
        raise ConfigError(
            f"{name} was chosen to be published, and there is no such model tonight: there are {', '.join(candidates)}."
        )

"""Mistakes that show before a night starts: what is missing is said before anything slow is imported or started."""

from datetime import date

from flows.settings.site import NightConfig
from recmodels.errors import ConfigError
from tasks.store.paths import Store


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

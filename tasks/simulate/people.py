"""A site's own users and items, as a simulation is fitted to them: read from what the last night has prepared.

The store is not held: a night may go on beside it. What is read while that night is made again, or is forgotten by, is
not used, but read once more.
"""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError, NightrecError
from recmodels.messages import counted
from recmodels.simulation.people import People
from tasks.features.categories import categories_of
from tasks.features.column_roles import role_of
from tasks.features.settings import FeatureSettings
from tasks.simulate.plan import Plan
from tasks.store.events import log_event, logged
from tasks.store.manifests import finished
from tasks.store.paths import Night, Store
from tasks.store.simulations import Simulation
from tasks.store.stage import stage_task

TRIES = 3


def last_prepared(store: Store) -> Night:
    """The newest night whose tables are there.

    Raises:
        ConfigError: there is none.
    """
    for night in reversed(store.all_nights()):
        if _state(night) is not None:
            return night
    raise ConfigError(
        f"No night of the store {store.root} has its tables any more: run one with `nightrec run`, then simulate."
    )


@stage_task("people")
def people(simulation: Simulation, plan: Plan, night: Night, features: FeatureSettings) -> None:
    """Draw the users and items of a simulation by lot, and keep them until it is complete.

    Raises:
        NightrecError: what the night has prepared cannot be read.
    """
    label = "people"
    if simulation.log.is_file():
        log_event(label, "skipped")
        return
    with logged(label) as line:
        # Where others were drawn before, and one of them was forgotten since, what they did is not that of these.
        for folder in (simulation.people, *map(simulation.policy, plan.policies)):
            shutil.rmtree(folder, ignore_errors=True)
        found = _read(night, plan, features)
        found.save(simulation.log)
        numbers = (counted(found.data.n_users, "user"), counted(found.data.n_items, "item"))
        line["text"] = f"{numbers[0]}, {numbers[1]}, {counted(len(found.data), 'interaction')} of {night.run_date}"


def _read(night: Night, plan: Plan, features: FeatureSettings) -> People:
    """What a night has prepared, if it stays as it is while it is read."""
    for _ in range(TRIES):
        before = _state(night)
        try:
            found = _drawn(night, plan, features)
        except (OSError, pa.ArrowException, KeyError) as error:
            failure: Exception = error
        else:
            if before is not None and before == _state(night):
                return found
            failure = NightrecError("it was made again meanwhile")
    raise NightrecError(
        f"The tables of the night {night.run_date} cannot be read ({failure}): see that no other night of that date is "
        "running, and simulate again."
    ) from failure


def _state(night: Night) -> tuple[str, str] | None:
    """What tells the tables of a night from those of the same night made again; None where they are not there."""
    prepared, full = finished(night.prepared), finished(night.features / "full")
    return (prepared["output"], full["output"]) if prepared and full else None


def _drawn(night: Night, plan: Plan, features: FeatureSettings) -> People:
    data = Dataset.load(night.features, "full")
    items = pq.read_table(night.prepared / layout.ITEMS)
    rng = np.random.default_rng(plan.seed)
    return People.drawn(data, texts_of(items, features), category_of(items, features), plan.users, plan.items, rng)


def texts_of(items: pa.Table, features: FeatureSettings) -> list[str]:
    """What can be read of each item: its texts, tags and categories."""
    columns = [name for name in items.column_names if role_of(items, name, features) in ("text", "tags", "category")]
    values = [items[name].to_pylist() for name in columns]
    return [". ".join(_text(column[item]) for column in values if column[item]) for item in range(len(items))]


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def category_of(items: pa.Table, features: FeatureSettings) -> Ints:
    """The category of each item, from 0: of several the one that fewest items have; one for all that have none."""
    names, pair_item, pair_category = categories_of(items, features)
    found: Ints = np.full(items.num_rows, len(names), np.int32)
    often = np.bincount(pair_category, minlength=len(names))
    order = np.lexsort((-often[pair_category], pair_item))  # the rarest last, which stays
    found[pair_item[order]] = pair_category[order]
    return np.unique(found, return_inverse=True)[1].astype(np.int32)

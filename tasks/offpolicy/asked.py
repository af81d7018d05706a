"""What a person asks of the log of a store, between nights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from recmodels.data import layout
from recmodels.errors import ConfigError, NightrecError
from recmodels.messages import short
from tasks.offpolicy.evaluation import Champion, evaluate
from tasks.offpolicy.reading import draws_of, logs_of
from tasks.offpolicy.values import OffPolicySummary
from tasks.store.exports import current, manifest_of
from tasks.store.files import TEMPORARY
from tasks.store.paths import Night, Store

NO_NIGHT = "No night of the store {store} has its tables any more: run one with `nightrec run`."
NOTHING_DRAWN = (
    "There is nothing to judge by: no place of a list was drawn in the last {days} days. Set exploration.epsilon, such "
    "as 0.1, and log what is shown (docs/feedback.md)."
)
NOTHING_LOGGED = (
    "There is nothing to judge by: nothing that was shown is logged of the last {days} days. Give the nights your "
    "exposures (--exposures, docs/feedback.md), or set feedback.assume_exposures."
)
NOTHING_SEEN = (
    "There is nothing to judge by: of the places that were drawn none is among what was shown in the last {days} days. "
    "What came of an exposure is known after feedback.outcome_hours."
)


def asked(
    store: Path,
    cutoff: Callable[[date], datetime],
    models: Sequence[str] | None,
    days: int,
    policy: Path | None = None,
) -> OffPolicySummary:
    """The values of models (all that the log knows, without a choice) and other policies, as of the newest night.

    Args:
        store: the site's folder.
        cutoff: when the data of a night end.
        models: the models to judge, by their names in the log.
        days: of how many days before the newest night the exposures are.
        policy: a policy of one's own, a Parquet file.

    Raises:
        NightrecError: there is nothing to judge by, with what to switch on.
        ConfigError: no night to ask, a model that the log does not know, or a file that is no policy.
    """
    night = _newest(Store(store))
    if not draws_of(night, days):
        raise NightrecError(NOTHING_DRAWN.format(days=days))
    if not logs_of(night, days):
        raise NightrecError(NOTHING_LOGGED.format(days=days))
    pointer = current(night.store)
    name = ((pointer and manifest_of(night.store, pointer["export_id"])) or {}).get("champion")
    champion = Champion(name, name) if name else None
    with TemporaryDirectory(prefix=TEMPORARY, dir=night.folder) as scratch:
        found = evaluate(night, cutoff(night.run_date), days, None, champion, Path(scratch), policy)
    if found is None:
        raise NightrecError(NOTHING_SEEN.format(days=days))
    if models is None:
        return found
    known = [one.name for one in found.values if one.role == "candidate"]
    if unknown := [one for one in models if one not in known]:
        raise ConfigError(f"The log of {days} days has no model {short(unknown[0])}; it has {short(', '.join(known))}.")
    chosen = [one for one in found.values if one.role != "candidate" or one.name in models]
    return found.model_copy(update={"values": chosen})


def _newest(store: Store) -> Night:
    """The newest night whose tables are there."""
    for night in reversed(store.all_nights()):
        if (night.prepared / layout.USERS).exists():
            return night
    raise ConfigError(NO_NIGHT.format(store=store.root))

"""One night in this process: its store held, and Prefect's server beside it unless one is configured."""

import threading
from datetime import date

from flows.operate.server import embedded_server
from flows.settings.site import NightConfig
from recmodels.compute.memory import all_stays
from tasks.publish.old_nights import retain_feedback, retain_nights
from tasks.store.files import Json
from tasks.store.locking import held
from tasks.store.paths import Store


def run_in_process(
    config: NightConfig, run_date: date, *, fresh: bool, dry_run: bool, forced_model: str | None
) -> Json:
    """Run a night and return its record.

    Raises:
        NightrecError: it failed, or another one is at work in the store.
    """
    store = Store(config.store.absolute())
    with held(store) as lease, embedded_server() as ready:
        with all_stays():  # a sixth of the time of these imports
            from flows.nightly import night

        if fresh or not store.night(run_date).valid.exists():
            warm_up()
        ready()
        record = night(config, run_date, fresh=fresh, dry_run=dry_run, forced_model=forced_model, lease=lease)
        retain_nights(store, config.retention, run_date)
        retain_feedback(store, config.feedback.keep_days, run_date)
    return record


def warm_up() -> None:
    """Import Great Expectations, which takes seconds, in the background, while Prefect's server starts."""

    def importing() -> None:
        from expectations.runner import great_expectations

        great_expectations()

    threading.Thread(target=importing, daemon=True).start()

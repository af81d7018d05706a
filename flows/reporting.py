"""The report of a night, written again: for a deployed site, from Prefect's UI."""

from datetime import date

from prefect import flow
from prefect.runtime import flow_run as this_run

from flows.no_storage import keep_nothing
from flows.settings.site import deployed
from tasks.report.artifacts import show_page, shown
from tasks.report.page import write_report
from tasks.store.paths import Store


def report_name() -> str:
    """The name of a run, by the night that it is about."""
    return f"report-{this_run.parameters.get('run_date') or 'newest'}"


@keep_nothing
@flow(name="report", flow_run_name=report_name, persist_result=False)
def report(run_date: date | None = None) -> str:
    """Write the report of a night again, from what the store holds of it; without a date that of the newest night.

    The artifact *report* says where it is.

    **When it fails**, the night has left no record in the store; `nightrec status` shows those that have.
    """
    store = Store(deployed().store.absolute())
    night = store.night(run_date) if run_date else store.last_nights()[-1]
    page = write_report(night)
    shown(lambda: show_page(night, page))
    return str(page)

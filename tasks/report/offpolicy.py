"""What the candidates would have earned by the log, as the report shows it and Prefect's artifact."""

from prefect.artifacts import create_table_artifact

from tasks.offpolicy.values import ESTIMATES, HEADINGS, OffPolicySummary, table
from tasks.store.files import Json
from tasks.store.paths import Night


def offpolicy_figures(found: OffPolicySummary | None) -> Json:
    """The section of the report; nothing where nothing was drawn."""
    if found is None:
        return {}
    return found.json_ready() | {
        "about": found.about,
        "headings": HEADINGS,
        "table": table(found),
        "sentences": found.sentences,
        "estimators": ESTIMATES,
    }


def show_offpolicy(night: Night, found: OffPolicySummary) -> None:
    """A row a policy, as an artifact."""
    rows = [dict(zip(HEADINGS, row, strict=True)) for row in table(found)]
    create_table_artifact(key="off-policy", table=rows, description=f"Night {night.run_date}. {found.about}")

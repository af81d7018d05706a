"""What the arms will have done, as the report shows it."""

from tasks.longterm.results import HEADINGS, SIGNAL_HEADINGS, LongTerm, rows, signal_rows
from tasks.store.files import Json


def foretold_figures(found: LongTerm | None) -> Json:
    """The section of the report; nothing where a site has no arms."""
    if found is None:
        return {}
    return found.json_ready() | {
        "about": found.about,
        "headings": HEADINGS,
        "table": rows(found),
        "signal_headings": SIGNAL_HEADINGS,
        "signal_table": signal_rows(found),
    }

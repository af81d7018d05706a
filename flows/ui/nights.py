"""The pages about nights: all of them, with a calendar and trends, and each one with its report."""

from collections.abc import Sequence
from datetime import date, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from flows.ui.calendar import months
from flows.ui.nights_read import NightSeen, report_of
from flows.ui.pages import Page, rendered
from flows.ui.report_page import report_parts
from flows.ui.site import Site
from flows.ui.trends import trends
from recmodels.errors import ConfigError
from tasks.store.exports import manifest_of
from tasks.store.ids import night_of
from tasks.store.paths import LONG_TERM

PERIODS = {"30": 30, "90": 90, "365": 365, "all": None}
PERIOD = "90"
STYLED_BY_THE_REPORT = {"style-src": "'self' 'unsafe-inline'"}


def overview(request: Request, site: Site) -> Response:
    """All nights of a period."""
    period = request.query_params.get("days", PERIOD)
    if period not in PERIODS:
        raise HTTPException(404)
    every = site.nights.all()
    shown = within(every, PERIODS[period])
    pointer = site.nights.pointer()
    current = next((one for one in every if pointer and str(one.run_date) == pointer["run_date"]), None)
    about = (manifest_of(site.store, pointer["export_id"]) if pointer else None) or {}
    return rendered(
        "nights.html.j2",
        request,
        site,
        title="Nights",
        nights=shown,
        hidden=len(every) - len(shown),
        last=every[-1] if every else None,
        pointer=pointer,
        current=current,
        by=about.get("champion", ""),
        months=months(shown),
        trends=trends(shown),
        period=period,
        periods=PERIODS,
    )


def within(nights: Sequence[NightSeen], days: int | None) -> list[NightSeen]:
    """The nights of the last days before the newest one."""
    if days is None or not nights:
        return list(nights)
    return [one for one in nights if nights[-1].run_date - one.run_date < timedelta(days=days)]


def one_night(request: Request, site: Site) -> Response:
    """A night: its report, or what is known without one."""
    day = the_day(request)
    night = site.nights.of(day)
    if night is None:
        raise ConfigError(f"The night {day} has left nothing in the store {site.store.root}.")
    before, after = site.nights.beside(day)
    path = report_of(site.store.night(day))
    report = report_parts(path) if path else None
    return rendered(
        "night.html.j2",
        request,
        site,
        title=f"Night {day}",
        policy=STYLED_BY_THE_REPORT if report else {},
        night=night,
        before=before,
        after=after,
        report=report,
    )


def long_run(request: Request, site: Site) -> Response:
    """The long run as a night has left it.

    Raises:
        HTTPException: it has no such page.
    """
    day = the_day(request)
    path = site.store.long_term(day)
    if not path.is_file() or (report := report_parts(path)) is None:
        raise HTTPException(404)
    return rendered(
        "long_run.html.j2",
        request,
        site,
        title=f"The long run, {day}",
        policy=STYLED_BY_THE_REPORT,
        day=day,
        report=report,
    )


def the_day(request: Request) -> date:
    """The date in the path of a page.

    Raises:
        HTTPException: it is none.
    """
    if (found := night_of(request.path_params["day"])) is None:
        raise HTTPException(404)
    return found


PAGES = (
    Page("/nights", overview, "Nights"),
    Page(f"/nights/{{day}}{LONG_TERM}.html", long_run),
    Page("/nights/{day}", one_night),
)

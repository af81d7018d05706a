"""The page about a site's health: tonight, missing nights, the data, the disk, and what `nightrec doctor` says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from flows.ui.nights_read import NightSeen
from flows.ui.pages import Page, rendered
from flows.ui.site import Site
from tasks.store.accounts import misfits, unused
from tasks.store.files import read_json
from tasks.store.paths import Store

LOOKED_BACK = 30  # days in which nights are missed
NO_NIGHT = "no night"


@dataclass(frozen=True)
class Tonight:
    """Whether the newest night is the one that should be there.

    Attributes:
        today: the site's date.
        due: when its export is to be out.
        news: how it stands, in a sentence.
        late: whether it should be out, and is not.
        missing: first and last day of the times of the last weeks without an export, and why.
    """

    today: date
    due: datetime
    news: str
    late: bool
    missing: Sequence[tuple[date, date, str]]


def health(request: Request, site: Site) -> Response:
    """How the site is."""
    nights = site.nights.all()
    anew = "again" in request.query_params
    with_data = [one for one in nights if one.interactions is not None]
    measured = with_data[-1] if with_data else nights[-1] if nights else None
    return rendered(
        "health.html.j2",
        request,
        site,
        title="Health",
        examination=site.examination.get(anew),
        disk=site.disk.get(anew),
        tonight=tonight_of(site, nights),
        newest=nights[-1] if nights else None,
        measured=measured,
        data=data_of(site.store, measured.run_date) if measured else None,
        recent=with_data[-14:],
        pointer=site.nights.pointer(),
    )


def tonight_of(site: Site, nights: Sequence[NightSeen], now: datetime | None = None) -> Tonight:
    """How the night of today stands, and which nights are missing before it."""
    settings = site.settings
    zone = ZoneInfo(settings.timezone)
    here = (now or datetime.now(zone)).astimezone(zone)
    today = here.date()
    due = datetime.combine(today, settings.schedule.due, zone)
    by_day = {one.run_date: one for one in nights}
    night = by_day.get(today)
    late = False
    if night is None:
        late = settings.schedule.active and here > due and bool(nights)
        news = f"The night of {today} has not run{', and its export was due' if late else ''}."
    elif night.published:
        news = f"The night of {today} is published."
    elif night.status == "running":
        late = here > due
        news = f"The night of {today} is running{', and its export was due' if late else ''}."
    else:
        late = night.failed
        said = "was only compared (a dry run)" if night.status == "compared" else f"is {night.status}"
        news = f"The night of {today} {said}."
    return Tonight(today, due, news, late, missing(by_day, today))


def missing(by_day: Mapping[date, NightSeen], today: date) -> list[tuple[date, date, str]]:
    """The days before today without an export, newest first, and why; none before the first night.

    Days without a night that follow one another are told as one time: its first and its last day.
    """
    if not by_day:
        return []
    first = max(min(by_day), today - timedelta(days=LOOKED_BACK))
    found: list[tuple[date, date, str]] = []
    for ordinal in range(today.toordinal() - 1, first.toordinal() - 1, -1):
        day = date.fromordinal(ordinal)
        night = by_day.get(day)
        if night is None and found and found[-1][2] == NO_NIGHT and found[-1][0].toordinal() == ordinal + 1:
            found[-1] = (day, found[-1][1], NO_NIGHT)
        elif night is None:
            found.append((day, day, NO_NIGHT))
        elif not night.published:
            found.append((day, day, "a dry run" if night.status == "compared" else night.status))
    return found


def data_of(store: Store, day: date) -> dict[str, Any]:
    """Rows in and rows refused by table and reason, as the report of a night or its record has them."""
    found = (read_json(store.report(day).with_suffix(".json")) or {}).get("data")
    found = found if isinstance(found, dict) else {}
    record = read_json(store.night(day).summary) or {}
    balances: Any = record.get("data")
    balances = balances if isinstance(balances, dict) else {}
    notes = found.get("notes") or [text for text in (unused(balances), misfits(balances)) if text]
    folder = store.night(day).quarantine
    return {
        "tables": _whole(found.get("tables"), ("table", "rows_in", "rows", "refused", "rejects", "share")),
        "reasons": _whole(found.get("reasons"), ("table", "reason", "rows")),
        "notes": [text for text in notes if isinstance(text, str)] if isinstance(notes, list) else [],
        "newest": found.get("newest"),
        "quarantine": folder if folder.is_dir() else None,
    }


def _whole(rows: object, names: Sequence[str]) -> list[Any]:
    """The rows of a report that have all that is shown of them."""
    there = rows if isinstance(rows, list) else []
    return [row for row in there if isinstance(row, dict) and set(names) <= row.keys()]


PAGES = (Page("/health", health, "Health"),)

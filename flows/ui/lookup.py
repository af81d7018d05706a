"""The pages that look users and items up: one user's list and what explains it, one item's places, and a search."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from flows.ui.figures import share
from flows.ui.pages import Page, rendered
from flows.ui.site import Site
from recmodels.errors import ConfigError
from tasks.lookup.items import Exposure, item_seen, search
from tasks.lookup.users import SHOWN, user_seen
from tasks.report.lines import Line, chart
from tasks.store.exports import whole_exports
from tasks.store.ids import age_order

FOUND = 50  # items that a search shows
NEWEST = 60  # exports that can be chosen
LONGEST = 400  # characters of what is looked for


def start(request: Request, site: Site) -> Response:
    """What can be looked up."""
    return _page(request, site, "Look up")


def user(request: Request, site: Site) -> Response:
    """A user's list, what changed in it, and the user's history."""
    user_id = _asked(request, "id")
    if not user_id:
        return _page(request, site, "Look up")
    try:
        seen = user_seen(site.store, user_id, request.query_params.get("night") or None)
    except ConfigError as error:
        return _page(request, site, "Nobody to show", told=str(error), user_id=user_id)
    title = f"User {user_id}"
    return _page(request, site, title, "lookup_user.html.j2", seen=seen, user_id=user_id, newest=SHOWN)


def item(request: Request, site: Site) -> Response:
    """An item by its id, or what a search finds."""
    item_id, text, night = _asked(request, "id"), _asked(request, "q"), request.query_params.get("night") or None
    if not item_id and not text:
        return _page(request, site, "Look up")
    try:
        if not item_id:
            found = search(site.store, text, night, FOUND + 1)
            exact = [one for one in found if len(found) == 1 or str(one.item_id) == text]
            if not exact:
                return _search(request, site, text, found)
            item_id = str(exact[0].item_id)
        seen = item_seen(site.store, item_id, night)
    except ConfigError as error:
        return _page(request, site, "No item to show", told=str(error), text=text or item_id)
    return _page(
        request,
        site,
        seen.title or f"Item {seen.item_id}",
        "lookup_item.html.j2",
        seen=seen,
        text=text or item_id,
        drawing=_drawn(seen.exposure),
    )


def _search(request: Request, site: Site, text: str, found: Sequence[Any]) -> Response:
    told = None if found else f"No item has “{text}” in its title or its id."
    return _page(
        request, site, "Items found" if found else "No item to show", told=told, text=text,
        found=found[:FOUND], more=len(found) > FOUND,
    )  # fmt: skip


def _page(
    request: Request, site: Site, title: str, template: str = "lookup.html.j2", told: str | None = None, **content: Any
) -> Response:
    """A page with the forms; `told` says why there is nothing to see."""
    ids = whole_exports(site.store)
    given = {"user_id": "", "text": "", "found": (), "more": False, **content}
    return rendered(
        template, request, site, title=title, status=404 if told else 200, told=told,
        night=request.query_params.get("night") or "", exports=ids[: -NEWEST - 1 : -1], **given,
    )  # fmt: skip


def _asked(request: Request, name: str) -> str:
    return request.query_params.get(name, "").strip()[:LONGEST]


def _drawn(exposure: Sequence[Exposure]) -> Markup | None:
    """The share of the lists that have an item, by night: of each night the newest export."""
    shares: dict[date, float] = {}
    for one in exposure:  # the newest first
        shares.setdefault(date.fromisoformat(age_order(one.export_id)[0]), one.share)
    points = sorted(shares.items())
    return chart("Share of all lists that have it", [Line("lists", points)], [], share) if len(points) > 1 else None


PAGES = (Page("/lookup", start, "Look up"), Page("/lookup/user", user), Page("/lookup/item", item))

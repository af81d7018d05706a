"""The page that compares two nights, or two models of a night: whose lists changed, and which items rose and fell."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from flows.ui.pages import Page, rendered
from flows.ui.site import Site
from recmodels.errors import ConfigError
from tasks.export.tally import TENTHS
from tasks.lookup.compare import compared
from tasks.lookup.sides import Side, models_of, of_export, of_model
from tasks.store.exports import current, whole_exports
from tasks.store.ids import age_order, night_of
from tasks.store.paths import Store

NEWEST = 60  # exports and nights that can be chosen


@dataclass(frozen=True)
class Kept:
    """How many users kept a part of their list, and which share they are of all."""

    part: str
    users: int
    share: float


def compare(request: Request, site: Site) -> Response:
    """Two sides beside each other: those that are asked for, or what readers see and the night before."""
    store, asked = site.store, request.query_params
    ids = whole_exports(store)[: -NEWEST - 1 : -1]
    nights = [night.run_date for night in reversed(store.all_nights()) if models_of(night)][:NEWEST]
    chosen = {name: asked.get(name) or "" for name in ("first", "second", "night", "model", "other")}
    told, found = None, None
    try:
        if (sides := _sides(store, ids, chosen)) is not None:
            found = compared(store, *sides)
    except ConfigError as error:
        told = str(error)
    day = night_of(chosen["night"]) or (nights[0] if nights else None)
    of_day = models_of(store.night(day)) if day else []
    return rendered(
        "compare.html.j2",
        request,
        site,
        title=f"{found.old.name} and {found.new.name}" if found else "Compare",
        status=404 if told else 200,
        told=told,
        found=found,
        kept=_kept(found.tally.overlap.tolist()) if found else (),
        exports=ids,
        nights=[str(one) for one in nights],
        models=of_day,
        chosen=chosen | {"night": str(day or "")},
    )


def _sides(store: Store, ids: Sequence[str], chosen: dict[str, str]) -> tuple[Side, Side] | None:
    """What is compared; None where there is nothing to compare yet. `chosen` gets what was not asked for.

    Raises:
        ConfigError: one of them is not there.
    """
    pointer = current(store)
    if not chosen["second"] and pointer is not None:
        chosen["second"] = pointer["export_id"]
    if not chosen["first"]:
        night = chosen["second"].partition(".")[0]  # somebody may have written anything
        earlier = [one for one in ids if age_order(one)[0] < night]
        chosen["first"] = earlier[0] if earlier else ""
    if chosen["model"] and chosen["other"]:
        day = night_of(chosen["night"])
        if day is None:
            raise ConfigError(f"There is no night {chosen['night'][:40]}: name one by its date.")
        return of_model(store.night(day), chosen["model"]), of_model(store.night(day), chosen["other"])
    if not chosen["first"] or not chosen["second"]:
        return None
    return of_export(store, chosen["first"]), of_export(store, chosen["second"])


def _kept(overlap: Sequence[int]) -> list[Kept]:
    """The users by how much of their list is in both, those who kept most first."""
    users = max(1, sum(overlap))
    parts = [f"{10 * n} to {10 * n + 9}%" for n in range(TENTHS)]
    return [Kept(part, n, n / users) for part, n in zip(["all", *reversed(parts)], reversed(overlap), strict=True)]


PAGES = (Page("/compare", compare, "Compare"),)

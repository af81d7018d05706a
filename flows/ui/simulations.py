"""The pages about what was not tonight: simulations of many nights to come, and replays of those that were."""

import re
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from flows.ui.nights import STYLED_BY_THE_REPORT
from flows.ui.pages import Page, rendered
from flows.ui.report_page import report_parts
from flows.ui.site import Site
from tasks.store.files import Json, read_json
from tasks.store.paths import SIMULATION, Store, entries
from tasks.store.simulations import Simulation, simulations


@dataclass(frozen=True)
class Listed:
    """A simulation in the list of all.

    Attributes:
        name: its name.
        state: complete, running or cut short.
        started_at: when it began.
        of: whom it is about.
        nights, users, runs: how many.
        policies: their names, the one that they are compared with first.
    """

    name: str
    state: str
    started_at: str | None
    of: str
    nights: int | None
    users: int | None
    runs: int | None
    policies: list[str]


def overview(request: Request, site: Site) -> Response:
    """All simulations and replays, the newest first."""
    found = [listed(one) for one in reversed(simulations(site.store))]
    return rendered(
        "simulations.html.j2", request, site, title="Simulations", simulations=found, replays=replays(site.store)
    )


def listed(one: Simulation) -> Listed:
    """What the list says of a simulation, as far as its files tell."""
    about: Json = one.about or {}
    plan = about["plan"] if isinstance(about.get("plan"), dict) else {}
    night, policies, started_at = about.get("night"), plan.get("policies"), about.get("started_at")
    numbers = {name: plan.get(name) for name in ("nights", "users", "repetitions")}
    numbers["users"] = (read_json(one.verdict) or {}).get("users", numbers["users"])  # may be fewer than asked for
    nights, users, runs = (value if isinstance(value, int) else None for value in numbers.values())
    return Listed(
        name=one.name,
        state="complete" if one.complete else "running" if one.at_work else "cut short",
        started_at=started_at if isinstance(started_at, str) else None,
        of=f"the site as of {night}" if night else "an invented market",
        nights=nights,
        users=users,
        runs=runs,
        policies=list(policies) if isinstance(policies, dict) else [],
    )


def one_simulation(request: Request, site: Site) -> Response:
    """The verdict of a simulation.

    Raises:
        HTTPException: there is none.
    """
    name = the_name(request)
    return shown(request, site, f"Simulation {name}", Simulation(site.store, name).page)


def replays(store: Store) -> list[str]:
    """The replays that have a page, by name."""
    names = (entry.name for entry in entries(store.root / "replays") if entry.is_dir())
    return sorted(name for name in names if re.match(SIMULATION, name) and replay_page(store, name).is_file())


def replay_page(store: Store, name: str) -> Path:
    return store.root / "replays" / name / "replay.html"


def one_replay(request: Request, site: Site) -> Response:
    """What a replay has found.

    Raises:
        HTTPException: there is none.
    """
    name = the_name(request)
    return shown(request, site, f"Replay {name}", replay_page(site.store, name))


def the_name(request: Request) -> str:
    """The name in the path of a page.

    Raises:
        HTTPException: it is none.
    """
    name: str = request.path_params["name"]
    if not re.match(SIMULATION, name):
        raise HTTPException(404)
    return name


def shown(request: Request, site: Site, title: str, path: Path) -> Response:
    """A page that a simulation or replay has written, within one of ours.

    Raises:
        HTTPException: there is no such file, or it is cut short.
    """
    if not path.is_file() or (report := report_parts(path)) is None:
        raise HTTPException(404)
    return rendered("simulation.html.j2", request, site, title=title, policy=STYLED_BY_THE_REPORT, report=report)


PAGES = (
    Page("/simulations", overview, "Simulations"),
    Page("/simulations/{name}", one_simulation),
    Page("/replays/{name}", one_replay),
)

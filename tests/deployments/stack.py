"""The team's stack, with processes in place of containers: a server with a password, two pools, a worker in each.

Its database is PostgreSQL where that is installed, as in compose.yaml. The tests of the stack and those of nights on
workers share one, and one night: most of their time would be starting another.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule

from tests.deployments import forked_python
from tests.deployments.live import ROOT, Site
from tests.prefect_homes import WITHOUT_EVENTS, fill_postgres, for_prefect
from tests.tasks.servers import postgres, postgres_folders
from tests.waiting import until

CONFIG = """\
site = "shop"

[demo]
users = 200
items = 80
interactions = 3000

[workers]
lost_seconds = 20
poll_seconds = 0.5

[schedule]
active = false

[gate]
min_nights = 100  # of so small a site one night says little about another

[models.popularity]
required = true
parameters.days = 7  # which makes it the baseline, too: a run less

[models.item_knn]
pool = "gpu"
"""
NIGHTLY = "nightly/nightly-shop"
PASSWORD = secrets.token_hex(12)


@dataclass(frozen=True)
class Nights:
    """A scheduled night, and one of the same date that was started by hand meanwhile, once both have ended."""

    date: date
    scheduled: FlowRun
    by_hand: FlowRun


@contextmanager
def running(factory: pytest.TempPathFactory, forked: bool = False) -> Iterator[Site]:
    """The stack, deployed and with its workers on their way: they come while the first night is scheduled.

    Args:
        forked: whether processes are forked from one that has imported what they need.
    """
    with ExitStack() as stack:
        if postgres_folders():
            site = Site(factory.mktemp("stack"))
            address = stack.enter_context(postgres("nightrec", PASSWORD))
            fill_postgres(address)
            database = {"PREFECT_API_DATABASE_CONNECTION_URL": for_prefect(address)}
        else:
            site, database = Site.new(factory, "stack"), {}
        stack.callback(site.stop_all)
        site.server = ("flows", "server")
        (site.folder / "nightrec.toml").write_text(CONFIG)
        auth = f"nightrec:{secrets.token_hex(12)}"
        site.environment = {"PREFECT_API_AUTH_STRING": auth}  # all that workers are told
        site.of_server = {
            **database,
            "PREFECT_SERVER_API_AUTH_STRING": auth,
            "PREFECT_UI_STATIC_DIRECTORY": str(site.folder / "ui"),
            **settings(site),
            **WITHOUT_EVENTS,
        }
        if forked:
            site.fork_processes(forked_python.shared(factory), as_it_is=(forked_python.TEAM_SERVER,))
        site.start_server()
        site.deploy()
        site.begin_worker("cpu")
        site.begin_worker("gpu", "--gpu", "")  # computes on the CPU, wherever this test runs
        yield site


def settings(site: Site) -> dict[str, str]:
    """What compose.yaml tells its server besides its secrets, with the address of this one."""
    server = yaml.safe_load((ROOT / "deployments/compose.yaml").read_text())["services"]["server"]
    here = {"NIGHTREC_URL": site.url, "NIGHTREC_PORT": str(site.port)}
    return {
        name: re.sub(r"\$\{(\w+):-[^}]*\}", lambda found: here[found[1]], value)
        for name, value in server["environment"].items()
        if not re.search("DATABASE|AUTH", name)
    }


def scheduled_and_by_hand(site: Site) -> Nights:
    """Have a night run by its schedule, and start another by hand as soon as it runs."""
    soon = datetime.now(UTC) + timedelta(seconds=20)
    with site.client() as client:
        nightly = client.read_deployment_by_name(NIGHTLY).id
        daily = IntervalSchedule(interval=timedelta(days=1), anchor_date=soon)
        schedule = client.create_deployment_schedules(nightly, [(daily, True)])[0]

    def due() -> FlowRun | None:
        return next((run for run in site.runs(NIGHTLY) if run.auto_scheduled and is_near(run, soon)), None)

    scheduled = until("it is scheduled", due, every=0.5)
    for pool in ("cpu", "gpu"):  # a model of a pool without a worker would go elsewhere
        site.wait_for_worker(pool)
    site.in_state(scheduled, "it runs", lambda state: state.is_running())
    by_hand = site.run(NIGHTLY)
    ended = Nights(soon.date(), site.ended(scheduled), site.ended(by_hand))
    with site.client() as client:
        client.delete_deployment_schedule(nightly, schedule.id)
    return ended


def is_near(run: FlowRun, when: datetime) -> bool:
    return abs((run.expected_start_time - when).total_seconds()) < 2

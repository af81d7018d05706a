"""The team's stack, with processes in place of containers: what it lets in, and what it keeps where."""

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

import pytest
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import PrefectHTTPStatusError

from flows.operate.deploy import job_template
from tasks.train.settings import CPU_POOL, GPU_POOL, SIGNALS_POOL
from tests.deployments.live import Site
from tests.deployments.stack import NIGHTLY, PASSWORD, Nights
from tests.tasks.servers import postgres_folder
from tests.waiting import PATIENCE

pytestmark = pytest.mark.server


def asked(site: Site, path: str, auth: str | None = None, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """What the server answers to a GET, or to a POST of this body, with these credentials: status and text."""
    request = urllib.request.Request(f"{site.url}{path}", data=body, headers={"Accept": "*/*", **headers})
    request.add_header("Content-Type", "application/json")
    if auth is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(auth.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_server_asks_for_its_password(site: Site) -> None:
    right = site.environment["PREFECT_API_AUTH_STRING"]
    assert [asked(site, "/api/admin/version", auth)[0] for auth in (None, "nightrec:guessed", right)] == [401, 401, 200]


def test_another_site_cannot_use_a_browser_that_has_logged_in(site: Site) -> None:
    right = site.environment["PREFECT_API_AUTH_STRING"]
    code, text = asked(site, "/api/flows/filter", right, b"{}")
    assert code == 403 and "CSRF" in text
    preflight = {"Access-Control-Request-Method": "POST"}
    for origin, allowed in ((site.url, 200), (f"http://localhost:{site.port}", 200), ("http://evil.example", 403)):
        request = urllib.request.Request(f"{site.url}/api/flows/filter", method="OPTIONS", headers=preflight)
        request.add_header("Origin", origin)
        try:
            assert urllib.request.urlopen(request, timeout=PATIENCE).status == allowed
        except urllib.error.HTTPError as error:
            assert error.code == allowed


def test_the_server_is_guarded_as_that_of_one_machine_is(site: Site) -> None:
    """Whoever knows the password, but is a page of another site or a name that was made to point here, gets nothing."""
    right = site.environment["PREFECT_API_AUTH_STRING"]
    for foreign in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert asked(site, "/api/admin/version", right, **foreign)[0] == 403, foreign
    worker = {"Host": "server:4200"}
    assert asked(site, "/api/admin/version", right, **worker)[0] == 200
    assert asked(site, "/api/ready", Host="10.1.2.3:4200")[0] == 200  # as Kubernetes asks


def test_the_ui_is_served_from_a_folder_of_its_own(site: Site) -> None:
    code, page = asked(site, "/", Accept="text/html")
    assert code == 200 and "<html" in page
    assert (site.folder / "ui/v1/index.html").exists()
    _, known = asked(site, "/ui-settings")
    assert json.loads(known)["available_uis"] == ["v1"]  # it offers no other, which would call an analytics service


def test_a_night_on_two_pools_is_published(site: Site, nights: Nights) -> None:
    run = nights.scheduled
    assert run.state is not None and run.state.is_completed(), run.state and run.state.message
    assert run.name == f"night-{nights.date}"
    workers = {name: child.labels["prefect.worker.name"] for name, child in site.children(run).items()}
    assert workers[f"train-item_knn-{nights.date}"] == "gpu"
    assert workers[f"train-popularity-{nights.date}"] == "cpu"
    pointer = json.loads((site.store / "exports/latest.json").read_text())
    assert pointer["run_date"] == str(nights.date)


def test_whoever_knows_the_password_chooses_no_command_either(site: Site, tmp_path: Path) -> None:
    """Neither in a run, which the server refuses, nor in the pool, which the worker does not follow."""
    here = tmp_path / "was-here"
    command = {"command": f"touch {here}"}
    with site.client() as client:
        id_ = client.read_deployment_by_name("report/report-shop").id
        with pytest.raises(PrefectHTTPStatusError, match="422"):
            client.create_flow_run_from_deployment(id_, job_variables=command)
        ours = client.read_work_pool(CPU_POOL).base_job_template
        theirs = ours | {"job_configuration": ours["job_configuration"] | command}
        client.update_work_pool(CPU_POOL, WorkPoolUpdate(base_job_template=theirs))
        run = site.ended(client.create_flow_run_from_deployment(id_))
        client.update_work_pool(CPU_POOL, WorkPoolUpdate(base_job_template=ours))
    assert run.state is not None and run.state.is_crashed()
    assert "The work pool has a command of its own" in str(run.state.message)
    assert not here.exists()


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_the_server_takes_the_pools_of_containers(site: Site, kind: Literal["docker", "kubernetes"]) -> None:
    for pool in (CPU_POOL, GPU_POOL, SIGNALS_POOL):
        with site.client() as client:
            template = job_template(client, pool, kind, "registry.example/nightrec:1")
            name = f"{kind}-{pool}"
            client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=template))
            there = client.read_work_pool(name).base_job_template
            client.delete_work_pool(name)
        assert there == template
        assert "registry.example/nightrec:1" in str(there["job_configuration"])


def test_all_of_it_is_in_postgresql_and_no_password_in_a_log(site: Site) -> None:
    postgres_folder()  # or it is skipped
    assert not list(site.folder.rglob("prefect.db"))
    logs = [site.log(name) for name in site.processes]
    for secret in (PASSWORD, site.environment["PREFECT_API_AUTH_STRING"].partition(":")[2]):
        assert not any(secret in log for log in logs)


def test_deploying_again_changes_nothing(site: Site) -> None:
    def things() -> set[object]:
        with site.client() as client:
            deployments = {(one.name, one.id) for one in client.read_deployments()}
            return deployments | {(one.name, one.id) for one in client.read_automations()}

    before = things()
    assert len(before) > 8
    hourly = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 * * * *"), active=False)
    with site.client() as client:  # of a version that gave all deployments of a site the same name
        flow = client.read_deployment_by_name(NIGHTLY).flow_id
        client.create_deployment(flow, "shop", tags=["nightrec", "shop"], schedules=[hourly])
        client.create_deployment(flow, "nightly", tags=["somebody-else's"])
    site.deploy()
    with site.client() as client:
        client.delete_deployment(client.read_deployment_by_name("nightly/nightly").id)
        assert things() == before
        adopted = [one for one in client.read_deployment_by_name(NIGHTLY).schedules if one.slug != "night"]
    assert [(one.schedule.cron, one.active) for one in adopted] == [("0 * * * *", False)]

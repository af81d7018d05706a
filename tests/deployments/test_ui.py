"""``nightrec serve`` in a real browser: foreign pages get nothing, its link lets a person start a night by a form."""

import base64
import json
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import FlowRun

from tests.deployments.forked_python import ENGINE, WORKER, shared
from tests.deployments.live import Site
from tests.prefect_homes import WITHOUT_EVENTS
from tests.waiting import PATIENCE, until, until_ended

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = os.environ.get("NIGHTREC_SCREENSHOTS")  # a folder, to renew the pictures of the documentation
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

CONFIG = """\
[demo]
users = 300
items = 120
interactions = 5000
[workers]
poll_seconds = 0.5
[models.popularity]
required = true
parameters.days = 7  # which makes it the baseline, too: a run less
[models.item_knn]
[models.ease]
"""


# What a foreign page tries: each way to read something, or to have a run started with a command of its own.
ATTACKS = """async ({server, deployment, mark}) => {
    const run = JSON.stringify({job_variables: {command: `touch ${mark}`}});
    const create = `${server}/api/deployments/${deployment}/create_flow_run`;
    const tried = async (what, promise) => [what, await promise.catch(() => "refused")];
    const read = (url, options) => fetch(url, options).then(answer => answer.ok ? answer.text() : "refused");
    const post = {method: "POST", body: run};
    const socket = url => new Promise((resolve, reject) => {
        const opened = new WebSocket(url, ["prefect"]);
        opened.onopen = () => resolve("open");
        opened.onerror = reject;
    });
    const element = (tag, url) => new Promise((resolve, reject) => {
        const made = document.createElement(tag);
        made.onload = () => resolve("loaded");
        made.onerror = reject;
        made.src = url;
        document.body.append(made);
    });
    return Promise.all([
        tried("read", read(`${server}/api/admin/version`)),
        tried("read page", read(`${server}/`)),
        tried("preflight", read(create, {...post, headers: {"Content-Type": "application/json"}})),
        tried("plain", read(create, {...post, headers: {"Content-Type": "text/plain"}})),
        tried("blind", fetch(create, {...post, mode: "no-cors"}).then(() => "refused")),
        tried("socket", socket(`${server.replace("http", "ws")}/api/events/out`)),
        tried("script", element("script", `${server}/ui-settings`)),
        tried("image", element("img", `${server}/favicon.ico`)),
    ]);
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site.new(tmp_path_factory, "serve", {} if SHOTS else WITHOUT_EVENTS)  # pictures show tasks, too
    (site.folder / "nightrec.toml").write_text(CONFIG)
    if sys.platform == "linux":
        site.fork_processes(shared(tmp_path_factory), as_it_is=(ENGINE, WORKER))
    try:
        site.start("serve", "flows", "serve", "--port", str(site.port), "--gpu", "trial")
        until("nightrec serve is ready", lambda: "Ready: " in site.log("serve") or site.processes["serve"].poll())
        assert f"Ready: {site.url}" in site.log("serve"), site.log("serve")
        yield site
    finally:
        site.stop_all()


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if CHROMIUM is None:
        pytest.skip("there is no Chromium or Chrome (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: "Browser", site: Site) -> "Page":
    """A page that the printed link has let in; what it was given lets the tests ask the server, too."""
    page = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE * 1000)
    link = re.search(r"^Ready: (\S+)$", site.log("serve"), re.MULTILINE)
    assert link
    page.goto(link[1])
    page.wait_for_url(f"{site.url}/**")
    page.get_by_text("Deployments").first.wait_for()
    assert "nightrec-link" not in page.url
    kept = page.evaluate("localStorage.getItem('prefect-password')")
    site.environment["PREFECT_API_AUTH_STRING"] = base64.b64decode(kept).decode()
    page.goto("about:blank")  # the page of the server asks it for news as long as it is open
    return page


def follow(page: "Page", path: str) -> None:
    """Go to another page of the interface that is open, as its own links do: to load it anew takes a second."""
    page.evaluate("path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }", path)


@contextmanager
def foreign_site(url: str = "") -> Iterator[int]:
    """A web server with a page of its own, which may show another in a frame; its port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<body>A foreign page <iframe src='{url}'></iframe>".encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def asked_of(site: Site, server: str, deployment: str) -> dict[str, str]:
    """What the attacks need to know."""
    return {"server": server, "deployment": deployment, "mark": str(site.folder / "was-here")}


@pytest.mark.browser
@pytest.mark.parametrize("name", ["127.0.0.1", "attacker.localhost"])
def test_a_foreign_page_gets_nothing(site: Site, page: "Page", name: str) -> None:
    """In the browser that was let in: from another port of the same address, and from another name."""
    with site.client() as client:
        deployment = str(client.read_deployment_by_name("nightly/nightly-site").id)
    foreign = page.context.new_page()
    with foreign_site(f"{site.url}/") as port:
        foreign.goto(f"http://{name}:{port}/")
        tried = dict(foreign.evaluate(ATTACKS, asked_of(site, site.url, deployment)))
        assert tried == dict.fromkeys(tried, "refused") and len(tried) == 8
        assert all("Dashboard" not in frame.content() for frame in foreign.frames)
        form = f"{site.url}/api/deployments/{deployment}/create_flow_run"
        foreign.set_content(f"<form method=post enctype=text/plain action='{form}'><input name='{{}}'></form>")
        with foreign.expect_navigation():
            foreign.evaluate("document.forms[0].submit()")
        assert "answers no pages of other sites" in foreign.content()
    foreign.close()
    assert by_hand(site) is None


@pytest.mark.browser
def test_a_name_that_was_made_to_point_here_gets_nothing(site: Site, page: "Page") -> None:
    """Which is how a page gets around the rules for pages of other sites: the browser takes the server for its own."""
    foreign = page.context.new_page()
    answer = foreign.goto(f"http://attacker.localhost:{site.port}/")
    assert answer and answer.status == 403
    tried = dict(foreign.evaluate(ATTACKS, asked_of(site, f"http://attacker.localhost:{site.port}", "x")))
    assert tried == dict.fromkeys(tried, "refused")
    foreign.close()


@pytest.mark.browser
def test_nothing_secret_is_in_a_command_line_or_a_log(site: Site, page: "Page") -> None:
    secret = site.environment["PREFECT_API_AUTH_STRING"].partition(":")[2]
    assert len(secret) > 30
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    texts = [*lines, site.log("serve"), (site.folder / "prefect/nightrec-server.log").read_text()]
    assert not any(secret in text for text in texts)


@pytest.mark.browser
def test_a_night_is_started_from_the_form(site: Site, page: "Page") -> None:
    def shot(name: str) -> None:
        if SHOTS:
            page.wait_for_timeout(1500)
            page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))

    page.goto(f"{site.url}/deployments")
    page.get_by_text("check-export").first.wait_for()
    shot("deployments")
    with site.client() as client:
        deployment = client.read_deployment_by_name("nightly/nightly-site").id
    follow(page, f"/deployments/deployment/{deployment}/run")
    page.get_by_text("List length (k)").wait_for()
    page.get_by_text("No items selected").click()
    page.keyboard.press("ArrowDown")  # opens the list
    for model in ("item_knn", "ease"):
        page.get_by_text(model, exact=True).first.click()
    page.keyboard.press("Escape")
    page.locator("input[type=number]").first.fill("20")
    shot("form")
    submit = page.get_by_role("button", name="Submit")
    submit.click()

    def created() -> FlowRun | None:
        """The run; a click that missed, as the page was drawn again beneath it, is repeated."""
        if by_hand(site) is None and submit.is_visible():
            page.wait_for_timeout(30_000)
            if by_hand(site) is None and submit.is_visible():
                submit.click()
        return by_hand(site)

    run = until("the night is created", created)
    assert {name: run.parameters["options"][name] for name in ("models", "k")} == {
        "models": ["item_knn", "ease"],
        "k": 20,
    }

    page.goto("about:blank")  # the page of a run that goes on draws all the time
    ended = site.ended(run)
    assert ended.state.is_completed(), ended.state.message
    page.goto(f"{site.url}/runs/flow-run/{run.id}")
    page.get_by_text("Completed").first.wait_for()
    shot("night")
    with site.client() as client:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        artifacts = {artifact.key: artifact.id for artifact in client.read_artifacts(artifact_filter=of_run)}
    assert {"model-comparison", "data-quality", "training-progress", "night-summary", "export"} <= set(artifacts)
    follow(page, f"/artifacts/artifact/{artifacts['model-comparison']}")
    for model in ("popularity", "item_knn", "ease"):
        page.get_by_text(model).first.wait_for()
    shot("comparison")
    text = page.locator("body").inner_text()
    assert all(model in text for model in ("popularity", "item_knn", "ease"))
    manifest = json.loads(next((site.store / "exports/manifests").glob("*.json")).read_text())
    assert manifest["k"] == 20
    assert not (site.folder / "was-here").exists()  # no command of the foreign pages


def by_hand(site: Site) -> FlowRun | None:
    return next((run for run in site.runs("nightly/nightly-site") if not run.auto_scheduled), None)


def test_the_link_lets_the_browser_see_the_pages_of_nightrec_too(site: Site, page: "Page") -> None:
    answer = page.goto(f"{site.url}/nightrec/nights")
    assert answer and answer.status == 200
    assert page.get_by_role("heading", name="Nights", exact=True).is_visible()


def test_ctrl_c_stops_all_that_was_started(site: Site) -> None:
    started = site.family("serve")
    assert len(started) > 6
    site.processes["serve"].send_signal(signal.SIGINT)
    assert site.processes["serve"].wait(PATIENCE) == 0
    until_ended(started)

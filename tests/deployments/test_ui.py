"""``nightrec serve``, and a night that a person starts from the form of the Prefect UI in a real browser."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import FlowRun

from tests.deployments.live import Site
from tests.waiting import PATIENCE, until, until_ended

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
[models.item_knn]
[models.ease]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site.new(tmp_path_factory, "serve")
    (site.folder / "nightrec.toml").write_text(CONFIG)
    try:
        site.start("serve", "flows", "serve", "--port", str(site.port), "--gpu", "trial")
        until("nightrec serve is ready", lambda: "Ready: " in site.log("serve") or site.processes["serve"].poll())
        assert f"Ready: {site.url}" in site.log("serve"), site.log("serve")
        yield site
    finally:
        site.stop_all()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium or Chrome (apt-get install chromium)")
@pytest.mark.browser
def test_a_night_is_started_from_the_form(site: Site) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE * 1000)

        def shot(name: str) -> None:
            if SHOTS:
                page.wait_for_timeout(1500)
                page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))

        page.goto(f"{site.url}/deployments")
        page.get_by_text("check-export").first.wait_for()
        shot("deployments")
        with site.client() as client:
            deployment = client.read_deployment_by_name("nightly/site").id
        page.goto(f"{site.url}/deployments/deployment/{deployment}/run")
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
        page.goto(f"{site.url}/artifacts/artifact/{artifacts['model-comparison']}")
        page.get_by_text("item_knn").first.wait_for()
        shot("comparison")
        text = page.locator("body").inner_text()
        assert all(model in text for model in ("popularity", "item_knn", "ease"))
        browser.close()
    manifest = json.loads(next((site.store / "exports/manifests").glob("*.json")).read_text())
    assert manifest["k"] == 20


def by_hand(site: Site) -> FlowRun | None:
    return next((run for run in site.runs("nightly/site") if not run.auto_scheduled), None)


def test_ctrl_c_stops_all_that_was_started(site: Site) -> None:
    started = site.family("serve")
    assert len(started) > 6
    site.processes["serve"].send_signal(signal.SIGINT)
    assert site.processes["serve"].wait(PATIENCE) == 0
    until_ended(started)

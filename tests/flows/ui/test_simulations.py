"""The pages of `nightrec ui` about simulations and replays."""

from pathlib import Path

import pytest

from flows.ui.site import Site
from tasks.store.files import write_json
from tasks.store.paths import Store
from tasks.store.simulations import Simulation, working_in
from tests.flows.ui.asking import asked, checked
from tests.flows.ui.stores import SPITE

PAGE = "<!doctype html><html lang=en><head><style>p {{}}</style></head><body><main><h1>{0}</h1></main></body></html>"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One of each kind, and a replay."""
    store = Store(tmp_path / "store")
    for day, name in enumerate(["complete", "short", "damaged", "odd"], start=1):
        plan = {"nights": 100, "users": 5000, "repetitions": 1, "policies": {"ease": {}, SPITE: {}}}
        about = {"started_at": f"2026-03-0{day}T03:00:00+00:00", "night": "2026-03-01", "plan": plan}
        write_json(Simulation(store, name).settings, about)
    Simulation(store, "damaged").settings.write_text("{")
    write_json(Simulation(store, "odd").settings, {"started_at": 3, "plan": [], "night": None})
    complete = Simulation(store, "complete")
    write_json(complete.verdict, {"failed": {}, "users": 943})
    complete.page.write_text(PAGE.format("What became of them"))
    replay = store.root / "replays" / "spring" / "replay.html"
    replay.parent.mkdir(parents=True)
    replay.write_text(PAGE.format("What was"))
    return Site(store)


def test_all_simulations_and_replays_are_listed_the_newest_first(site: Site) -> None:
    with working_in(Simulation(site.store, "odd")):
        page = checked(asked(site, "/simulations"))
    rows = {row.all("th")[0].text: [cell.text for cell in row.all("td")] for row in page.all("table")[0].all("tr")[1:]}
    assert {name: row[0] for name, row in rows.items()} == {
        "odd": "… running", "short": "✗ cut short", "complete": "✓ complete", "damaged": "✗ cut short",
    }  # fmt: skip
    assert rows["short"][1:5] == ["the site as of 2026-03-01", "100", "5,000", "1"]
    assert rows["complete"][3] == "943"
    links = [one.attributes["href"] for one in page.all("a")]
    assert "/nightrec/simulations/complete" in links and "/nightrec/replays/spring" in links
    assert "/nightrec/simulations/short" not in links


def test_a_verdict_and_a_replay_are_shown_within_a_page(site: Site) -> None:
    for address, text in (("/simulations/complete", "What became of them"), ("/replays/spring", "What was")):
        page = checked(asked(site, address), own=False)
        assert page.all("h1")[0].text == text


@pytest.mark.parametrize("address", ["/simulations/short", "/simulations/none", "/simulations/No", "/replays/none"])
def test_what_is_not_there_is_not_found(site: Site, address: str) -> None:
    assert asked(site, address).status_code == 404


def test_a_store_without_any_says_how_to_begin(tmp_path: Path) -> None:
    page = checked(asked(Site(Store(tmp_path)), "/simulations"))
    assert "nightrec simulate --from-store" in page.text

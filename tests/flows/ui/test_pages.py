"""What each page of `nightrec ui` says of a store with nights of all kinds, and that all of them can be read by all."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.ui.health import tonight_of
from flows.ui.settings import said
from flows.ui.site import Complaint, Examination, Site
from tasks.store.exports import write_export_manifest
from tasks.store.files import write_json
from tasks.store.paths import Store
from tests.flows.ui.asking import asked, checked, site_at
from tests.flows.ui.stores import a_store, night, report

CSS = (Path(__file__).parents[3] / "flows" / "ui" / "static" / "site.css").read_text(encoding="utf-8")
EVERY = [
    "/nights",
    "/nights?days=all",
    "/nights/2026-03-02",
    "/nights/2026-03-07",
    "/nights/2026-03-08",
    "/health",
    "/settings",
]

DAMAGED = ['{"run_date": "2026', '{"models": 3, "gate": [], "data": {"x": 1}, "status": "odd"}']


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return a_store(tmp_path_factory.mktemp("site") / "store")


@pytest.fixture(scope="module")
def site(store: Store) -> Site:
    file = store.root.parent / "nightrec.toml"
    file.write_text(
        f'site = "shop"\nstore = "{store.root}"\n[gate]\nmax_drop = 0.2\n[notify]\nwebhook = "https://x.test/S3CRET"\n'
    )
    complaint = Complaint("exports", "a file is missing", "/x<b>", "run the night again", True, False)
    return Site(store, file, lambda: Examination(["clock"], [complaint]))


@pytest.mark.parametrize("path", EVERY)
def test_every_page_can_be_read_by_all(site: Site, path: str) -> None:
    page = checked(asked(site, path), own=path != "/nights/2026-03-02")
    assert page.all("script") == []
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_the_nights_have_their_verdicts_figures_and_champion(site: Site) -> None:
    page = checked(asked(site, "/nights"))
    table = page.all("table")[-1]
    rows = {row.all("th")[0].text: [cell.text for cell in row.all("td")] for row in table.all("tr")[1:]}
    assert list(rows) == [f"2026-03-0{n}" for n in (8, 7, 5, 4, 3, 2, 1)]
    assert rows["2026-03-04"][:4] == [
        "✓ published lateststays",
        "0.14000.1300 to 0.1500",
        "ease",
        "0.0500",
    ]
    assert rows["2026-03-03"][4:] == ["500", "61 s", "50.0%", "0.75", "6.00", "25.0%", "1,002"]
    assert rows["2026-03-08"][0].startswith("! damaged")
    assert "Readers see 2026-03-04, by ease" in page.text


def test_the_calendar_leads_to_each_night_and_shows_the_days_without(site: Site) -> None:
    page = checked(asked(site, "/nights"))
    month = next(one for one in page.all("table") if one.all("caption")[0].text == "March 2026")
    links = {one.text: one.attributes["href"] for one in month.all("a")}
    assert links["4 ✓published"] == "/nightrec/nights/2026-03-04"
    assert links["5 =dry run"] == "/nightrec/nights/2026-03-05"
    assert links["7 ✗failed"] == "/nightrec/nights/2026-03-07"
    assert "6 no night" in [one.text for one in month.all("span")]


def test_the_trends_mark_where_the_champion_changed(site: Site) -> None:
    charts = {one.all("h3")[0].text: one for one in checked(asked(site, "/nights")).all("figure")}
    assert list(charts) == ["Accuracy: NDCG@10", "Coverage", "Gini", "Novelty", "Churn", "Data"]
    accuracy = charts["Accuracy: NDCG@10"]
    assert "2026-03-04: ease from here on" in [one.text for one in accuracy.all("title")]
    assert accuracy.all("desc")[0].text == (
        "the night's model: 0.1000 on 2026-03-01, 0.1000 on 2026-03-05, between 0.1000 and 0.1400. "
        "popularity: 0.0500 on 2026-03-01, 0.0500 on 2026-03-07, between 0.0500 and 0.0500."
    )


def test_a_night_shows_its_report_with_the_nights_beside_it(site: Site) -> None:
    page = checked(asked(site, "/nights/2026-03-02"), own=False)
    assert "What the report says" in page.all("main")[0].text
    links = {one.attributes["rel"]: one.attributes["href"] for one in page.all("a") if "rel" in one.attributes}
    assert links == {"prev": "/nightrec/nights/2026-03-01", "next": "/nightrec/nights/2026-03-03"}


def test_a_night_without_a_report_says_what_is_known(site: Site) -> None:
    page = checked(asked(site, "/nights/2026-03-07"))
    assert "✗ failed: the data were refused: <script>alert(1)</script>\\x1b[31m\\u202e" in page.text
    assert "nightrec report --date 2026-03-07" in page.text


def test_an_empty_store_says_how_to_begin(tmp_path: Path) -> None:
    site = site_at(tmp_path / "none")
    assert "nightrec run" in checked(asked(site, "/nights")).text
    checked(asked(site, "/health"))
    checked(asked(site, "/settings"))


def test_a_night_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    day = night(site.store, 0)
    assert "als" in checked(asked(site, "/nights")).text
    record = json.loads(site.store.night(day).summary.read_text())
    write_json(site.store.night(day).summary, record | {"winner": "item_knn", "models": {}})
    assert "item_knn" in checked(asked(site, "/nights")).all("table")[-1].text


def test_what_readers_see_is_of_its_night_once_it_was_refiltered(tmp_path: Path) -> None:
    store = Store(tmp_path)
    day = night(store, 0)
    store.export(f"{day}.2").mkdir()
    of = {"export_id": f"{day}.2", "run_date": str(day), "champion": "als", "files": [], "refilter": {"of": str(day)}}
    write_export_manifest(store, of)
    pointer = json.loads(store.pointer.read_text())
    write_json(
        store.pointer, pointer | {"export_id": f"{day}.2", "path": f"{day}.2", "manifest": f"manifests/{day}.2.json"}
    )
    page = checked(asked(site_at(tmp_path), "/nights"))
    assert f"Readers see {day}.2, by als" in page.text and "✓ published latest" in page.text


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.slow
def test_damaged_files_cost_no_page(tmp_path: Path, content: str) -> None:
    store = Store(tmp_path)
    day = night(store, 0)
    night(store, 1)
    report(store, day)
    store.history(day).parent.mkdir()
    damaged = [store.night(day).summary, store.report(day), store.report(day).with_suffix(".json"), store.history(day)]
    for path in (*damaged, store.export_manifest(str(day)), store.pointer):
        before = path.read_bytes() if path.exists() else b""
        path.write_text(content)
        site = site_at(store.root)
        assert str(day) in checked(asked(site, "/nights")).text
        checked(asked(site, f"/nights/{day}"), own=False)
        checked(asked(site, "/health"))
        path.write_bytes(before)


def test_a_page_that_fails_says_so_in_a_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("u000042")

    monkeypatch.setattr(site.nights, "all", broken)
    page = checked(asked(site, "/nights"), 500)
    assert "This page cannot be made (ZeroDivisionError): that is a fault of nightrec" in page.text
    assert "u000042" not in page.text


def test_what_is_not_there_and_what_cannot_be_done(site: Site) -> None:
    for path in (
        "/nothing",
        "/nights/2026-3-1",
        "/nights/..%2f..%2fetc",
        "/nights/2025-01-01",
        "/nights?days=7",
        "/static/x",
    ):
        assert "Not found" in checked(asked(site, path), 404).text
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = asked(site, "/nights", method)
        checked(answer, 405)
        assert answer.headers["allow"] == "GET, HEAD"
    assert asked(site, "/nights", "HEAD").content == b""
    assert asked(site, "").headers["location"] == "/nightrec/nights"


def test_health_says_what_is_late_missing_and_wrong(site: Site) -> None:
    page = checked(asked(site, "/health"))
    assert "1 thing is wrong" in page.text
    assert "/x<b>: a file is missing" in page.text
    assert "item_id is <script>alert(1)</script>\\x1b[31m\\u202e" in page.text
    nights = site.nights.all()
    now = tonight_of(site, nights, datetime(2026, 3, 9, 7, tzinfo=UTC))
    assert now.late
    assert [(str(first), why) for first, _, why in now.missing] == [
        ("2026-03-08", "damaged"), ("2026-03-07", "failed"), ("2026-03-06", "no night"), ("2026-03-05", "a dry run"),
    ]  # fmt: skip
    assert not tonight_of(site, nights, datetime(2026, 3, 9, 5, tzinfo=UTC)).late
    assert not tonight_of(site, nights, datetime(2026, 3, 4, 7, tzinfo=UTC)).late


def test_settings_say_where_each_comes_from_and_no_secrets(site: Site) -> None:
    page = checked(asked(site, "/settings"))
    rows = {(one.all("th")[0].text): [cell.text for cell in one.all("td")] for one in page.all("tr") if one.all("td")}
    assert rows["site"][:2] == ['"shop"', "nightrec.toml"]
    assert rows["max_drop"][:2] == ["0.2", "nightrec.toml"]
    assert rows["timezone"][:2] == ['"UTC"', "default"]
    assert rows["webhook"][:2] == ["set, and not shown", "nightrec.toml"]
    assert "S3CRET" not in page.text
    assert "timezone" not in checked(asked(site, "/settings?show=changed")).text
    of_a_sink = [{"user": "ann", "password": "S3CRET"}, "https://ann:S3CRET@x.test", 3]
    assert said("accounts", of_a_sink) == '[{ user = "ann", password = set, and not shown }, "https://x.test", 3]'
    assert said("api_keys", ["S3CRET", "env:KEY"]) == '[set, and not shown, "env:KEY"]'


def test_settings_that_cannot_be_read_are_said_to_be_wrong(tmp_path: Path) -> None:
    file = tmp_path / "nightrec.toml"
    file.write_text("gate = 3\n")
    assert "cannot be read, and the defaults are shown" in checked(asked(site_at(tmp_path, file), "/settings")).text


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(mode: str) -> None:
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", CSS.split("prefers-color-scheme: dark")[mode == "dark"]))
    for text in ("text", "muted", "link", "accent", "good", "bad", "warn"):
        for behind in ("card", "page", "accent-soft"):
            ratio = contrast(colors[text], colors[behind])
            assert ratio >= 4.5, f"{text} on {behind}: {ratio:.2f}"


def contrast(one: str, other: str) -> float:
    """By WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

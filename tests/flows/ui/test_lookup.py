"""The pages that look users and items up, on two nights of a small site."""

from datetime import date
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.ui.site import Site
from tests.flows.ui.asking import asked, checked, site_at
from tests.flows.ui.stores import SPITE
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

FIRST = date(2026, 3, 30)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("store")
    publish(prepare_night(root, FIRST))
    night = prepare_night(root, RUN_DATE)
    path = night.prepared / "items.parquet"
    items = pq.read_table(path)
    titles = pa.array([f"{SPITE} {n}" if n == 4 else f"Title {n}" for n in range(8)])
    pq.write_table(items.set_column(items.column_names.index("title"), "title", titles), path)
    publish(night, excluded=["i3"])
    return site_at(root)


@pytest.mark.parametrize("path", ["/lookup", "/lookup/user", "/lookup/user?id=+", "/lookup/item"])
def test_the_forms_are_there_before_anything_is_asked_for(site: Site, path: str) -> None:
    page = checked(asked(site, path))
    assert [form.attributes["action"] for form in page.all("form")] == [
        "/nightrec/lookup/user",
        "/nightrec/lookup/item",
    ]
    assert [one.attributes["value"] for one in page.all("option")] == ["", str(RUN_DATE), str(FIRST)] * 2


def test_a_user_has_a_list_with_reasons_what_changed_and_a_history(site: Site) -> None:
    page = checked(asked(site, "/lookup/user?id=1"))
    assert page.all("h1")[0].text == "User 1"
    listed, history = page.all("table")
    rows = [[cell.text for cell in row.all("th", "td")] for row in listed.all("tr")[1:]]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert "new" in {row[1] for row in rows}
    assert any(row[3].startswith("Title") for row in rows)
    assert "Title 3 excluded by the site's rules" in page.text
    assert [row.all("a")[0].text for row in history.all("tr")[1:]] == ["Title 5", "Title 1", "Title 0"]
    assert page.all("a")[-1].attributes["href"].startswith("/nightrec/")


def test_a_user_without_a_history_gets_what_is_popular(site: Site) -> None:
    page = checked(asked(site, f"/lookup/user?id=7&night={FIRST}"))
    assert "Popular items only: there is no history to go by." in page.text
    assert "There is no list of an earlier night" in page.text
    assert page.all("option")[2].attributes.get("selected") == ""


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/lookup/user?id=8", "User 8 is not in the export"),
        ("/lookup/user?id=99", "User 99 is not in the export"),
        ("/lookup/user?id=ann", "User ann cannot be"),
        (f"/lookup/user?id={quote(SPITE)}", "whole numbers"),
        ("/lookup/user?id=1&night=2020-01-01", "There is no export 2020-01-01"),
        ("/lookup/user?id=1&night=../../x", "There is no export ../../x"),
        ("/lookup/item?q=nowhere", "No item has “nowhere”"),
        (f"/lookup/item?q={quote(SPITE)}x", "No item has"),
        ("/lookup/item?id=i99", "There is no item i99"),
    ],
)
def test_what_is_not_there_is_said_beside_the_forms(site: Site, path: str, told: str) -> None:
    page = checked(asked(site, path), 404)
    assert told in page.text
    assert len(page.all("form")) == 2
    assert "\x1b" not in page.text


def test_an_item_is_found_by_its_title_and_says_who_gets_it(site: Site) -> None:
    page = checked(asked(site, "/lookup/item?q=title 2"))
    assert page.all("h1")[0].text == "Title 2"
    facts = dict(zip([one.text for one in page.all("dt")], [one.text for one in page.all("dd")], strict=True))
    assert facts["item"] == "i2"
    users = [one for one in page.all("a") if "/lookup/user?" in one.attributes["href"]]
    assert len(users) == int(facts["lists that have it"])
    assert [row.all("a")[0].text for row in page.all("table")[0].all("tr")[1:]] == [str(RUN_DATE), str(FIRST)]
    assert page.all("svg")[0].all("title")[0].text == "Share of all lists that have it"


def test_a_title_that_means_harm_does_none(site: Site) -> None:
    page = checked(asked(site, "/lookup/item?id=i4"))
    assert page.all("h1")[0].text.startswith("<script>alert(1)</script>")
    assert page.all("script") == []


def test_an_item_that_nobody_gets_says_why(site: Site) -> None:
    assert "It is excluded by the setting export.excluded." in checked(asked(site, "/lookup/item?id=i3")).text
    assert "It is not available" in checked(asked(site, "/lookup/item?id=i5")).text


def test_a_search_lists_what_it_found_in_that_night(site: Site) -> None:
    page = checked(asked(site, f"/lookup/item?q=tit&night={FIRST}"))
    links = [one for one in page.all("a") if "/lookup/item?" in one.attributes["href"]]
    assert [one.text for one in links] == [f"Title {n}" for n in range(8)]
    assert links[0].attributes["href"] == f"/nightrec/lookup/item?id=i0&night={FIRST}"


def test_a_store_without_exports_says_that_nothing_can_be_looked_up(tmp_path: Path) -> None:
    site = site_at(tmp_path)
    assert "Nothing is published yet" in checked(asked(site, "/lookup")).text
    assert "Nothing is published in the store" in checked(asked(site, "/lookup/user?id=1"), 404).text


def test_the_last_two_nights_are_compared_before_others_are_chosen(site: Site) -> None:
    page = checked(asked(site, "/compare"))
    assert page.all("h1")[0].text == f"{FIRST} and {RUN_DATE}"
    kept, _, fell = page.all("table")
    parts = [row.all("td") for row in kept.all("tr")[1:]]
    assert sum(int(cells[0].text) for cells in parts) == 5
    assert fell.all("tr")[1].all("a")[0].text == "Title 3"
    assert "alert(1)" in page.text and page.all("script") == []
    chosen = [one.attributes["value"] for one in page.all("option") if "selected" in one.attributes]
    assert chosen == [str(FIRST), str(RUN_DATE)]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/compare?first=2020-01-01", "There is no export 2020-01-01"),
        ("/compare?second=2030-01-01.x", "There is no export 2030-01-01.x"),
        ("/compare?model=als&other=ease&night=x", "There is no night x"),
        (f"/compare?model=als&other=ease&night={FIRST}", "has no lists of a model als"),
    ],
)
def test_what_cannot_be_compared_is_said(site: Site, path: str, told: str) -> None:
    assert told in checked(asked(site, path), 404).text


def test_one_night_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    assert "Nothing is published yet" in checked(asked(site_at(tmp_path), "/compare")).text

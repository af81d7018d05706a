"""What the settings of a table may be."""

from __future__ import annotations

import pytest

from tasks.ingest.reading.inputs import Inputs, TableInput


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        TableInput.model_validate({"path": "x", "colour": "red"})


@pytest.mark.parametrize(
    "zone", ["Mars", "posixrules", "localtime", "Factory", "EST", "MST", "EST5EDT", "GMT+5", "PRC", "posix/Asia/Tokyo"]
)
def test_a_zone_that_may_mean_another_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match=r"unknown or has more than one meaning; give UTC, or an area and a city"):
        TableInput(path="x", timezone=zone)


@pytest.mark.parametrize("zone", ["UTC", "GMT", "Europe/Kyiv", "America/Argentina/Salta", "Etc/GMT+5", "US/Eastern"])
def test_a_zone_with_an_area_is_taken(zone: str) -> None:
    assert TableInput(path="x", timezone=zone).timezone == zone


@pytest.mark.parametrize(
    ("letters", "why"),
    [
        ("%d.%m.%Y %Z", "%Z would have to guess what"),
        ("%d.%m.%Y %Q", "'%Q' is no letter of a timestamp_format"),
        ("%H:%M", "'%H:%M' names no whole day; give year, month and day"),
        ("%d.%m.", "names no whole day"),
        ("%d.%m.%Y %I:%M", "%I, the hour from 1 to 12, and %p, AM or PM, go together"),
    ],
)
def test_a_timestamp_format_that_leaves_something_open_is_refused(letters: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TableInput(path="x", timestamp_format=letters)


@pytest.mark.parametrize(
    "name", ["base64", "rot13", "idna", "punycode", "utf-7", "unicode_escape", "undefined", "utf9", "a\0"]
)
def test_what_is_no_encoding_of_text_files_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown encoding '.*'; for example 'utf-8' or 'latin-1'"):
        TableInput(path="x", encoding=name)


FILMS = {"films": "films.csv", "books": "books.csv"}


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"interactions": {}}, "there is no path; give one"),
        ({"interactions": {"path": "x", "domains": FILMS}}, "there is a path and there are domains"),
        ({"interactions": {"domains": {"a:b": "x"}}}, "'a:b' is no name of a domain: use letters, digits, _ and -"),
        ({"interactions": {"domains": {"a": "x", "b": "x"}}}, "two domains have the same path"),
        ({"interactions": {"domains": FILMS, "columns": {"domain": "shop"}}}, "a column names the domain, and there"),
        (
            {"interactions": {"domains": FILMS}, "items": {"path": "items.csv"}},
            "interactions have domains and items have none: an id could be several items",
        ),
        (
            {"interactions": {"domains": FILMS}, "items": {"domains": {"games": "x"}}},
            "items have the domain 'games' and",
        ),
        (
            {"interactions": {"path": "x"}, "users": {"domains": FILMS}},
            "users have no domains: they are of the whole site",
        ),
    ],
)
def test_domains_that_leave_an_item_unclear_are_refused(tables: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Inputs.model_validate(tables)

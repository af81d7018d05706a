"""Asking the pages of `nightrec ui` directly, and what every page keeps: landmarks, names, labels, headings, tables."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import httpx

from flows.ui.app import application
from flows.ui.site import Site
from tasks.store.paths import Store

HERE = "http://127.0.0.1:4300"
VOID = {"meta", "link", "br", "hr", "img", "input", "path", "circle", "rect", "polyline", "polygon"}
CONTROLS = {"input", "select", "textarea"}
SCRIPTED = ("script", "iframe", "object", "embed", "form[post]")


def site_at(root: Path, file: Path | None = None) -> Site:
    """The site of a store; `nightrec doctor` has nothing to say of it."""
    return Site(Store(root), file)


def asked(site: Site, path: str, method: str = "GET", headers: Mapping[str, str] = {}) -> httpx.Response:
    """The answer to a request, with the path as after `/nightrec`."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application(site))
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
            return await client.request(method, f"/nightrec{path}", headers=dict(headers))

    return asyncio.run(ask())


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    inside: list["Element | str"] = field(default_factory=list)

    def all(self, *tags: str) -> list["Element"]:
        """The elements below it with one of these tags, in order; all of them where none is named."""
        found: list[Element] = []
        for one in self.inside:
            if isinstance(one, Element):
                found += ([one] if not tags or one.tag in tags else []) + one.all(*tags)
        return found

    @property
    def text(self) -> str:
        """What is written in it."""
        return " ".join(self._written().split())

    def _written(self) -> str:
        return "".join(one if isinstance(one, str) else one._written() for one in self.inside)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in {one.tag for one in self.open}:
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read(answer: httpx.Response) -> Element:
    """The page of an answer."""
    reader = _Reader()
    reader.feed(answer.text)
    return reader.root


def checked(answer: httpx.Response, status: int = 200, own: bool = True) -> Element:
    """The page of an answer, once it is seen to keep what all pages keep.

    `own`: whether all of it is made by templates of `flows.ui`; a night's report has styles of its own.
    """
    assert answer.status_code == status, answer.text[:500]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    page = read(answer)
    _check_frame(page)
    _check_names(page)
    _check_tables(page)
    for one in page.all():
        assert one.tag not in SCRIPTED, one.tag
        assert not [name for name in one.attributes if name.startswith("on")], one.attributes
        if own:
            assert one.tag != "style", "a style in a page"
            assert "style" not in one.attributes, one.attributes
        for name in ("href", "src", "action"):
            assert one.attributes.get(name, "/").startswith(("/nightrec/", "#", "/")), one.attributes
    return page


def _check_frame(page: Element) -> None:
    (html,) = page.all("html")
    assert html.attributes["lang"] == "en"
    assert page.all("title")[0].text.endswith("nightrec")
    (main,) = page.all("main")
    assert len(page.all("footer")) >= 1
    assert page.all("a")[0].attributes["href"] == f"#{main.attributes['id']}", "the skip link comes first"
    levels = [int(one.tag[1]) for one in page.all("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1, f"headings {levels}"
    assert levels[0] == 1, f"headings {levels}"
    assert all(after <= before + 1 for before, after in pairwise(levels)), f"headings {levels}"
    ids = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
    for one in page.all():
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set(one.attributes.get(name, "").split()) <= set(ids), one.attributes
    for one in page.all("nav"):
        assert one.attributes.get("aria-label") or one.attributes.get("aria-labelledby")


def _check_names(page: Element) -> None:
    labelled = {one.attributes.get("for") for one in page.all("label")}
    inside = [id(control) for label in page.all("label") for control in label.all(*CONTROLS)]
    for one in page.all(*CONTROLS):
        if one.attributes.get("type") not in ("hidden", "submit"):
            named = one.attributes.get("aria-label") or one.attributes.get("id", "?") in labelled or id(one) in inside
            assert named, f"no label: {one.attributes}"
    for one in page.all("a", "button", "summary"):
        assert one.text or one.attributes.get("aria-label"), f"no name: {one.tag} {one.attributes}"
    for one in page.all("svg"):
        if one.attributes.get("aria-hidden") != "true":
            assert one.attributes.get("role") == "img"
            assert one.all("title")[0].text
    for one in page.all():
        if one.attributes.get("tabindex") == "0":
            assert one.attributes.get("aria-label") or one.attributes.get("aria-labelledby"), one.attributes


def _check_tables(page: Element) -> None:
    regions = {id(table) for one in page.all() if one.attributes.get("role") == "region" for table in one.all("table")}
    for table in page.all("table"):
        named = table.all("caption") or table.attributes.get("aria-label") or id(table) in regions
        assert named, "a table without a name"
        for head in table.all("th"):
            assert head.text, "an empty heading"
            assert head.attributes.get("scope") in ("row", "col", "colgroup"), head.text

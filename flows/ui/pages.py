"""What pages are made of: a page and its view, templates that escape everything, and the headers of each answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from flows.ui import PREFIX
from flows.ui.figures import FILTERS
from flows.ui.site import Site
from tasks.report.templates import templates

View = Callable[[Request, Site], Response]

POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        path: below the prefix, as Starlette writes it: `/nights/{day}`.
        view: makes the answer.
        name: what it is called in the navigation; empty for a page that is not in it.
    """

    path: str
    view: View
    name: str = ""


def rendered(
    template: str,
    request: Request,
    site: Site,
    *,
    title: str,
    status: int = 200,
    policy: Mapping[str, str] = {},
    **content: Any,
) -> HTMLResponse:
    """A page.

    Args:
        template: its file in `templates`.
        title: what it is about; the site's name follows.
        status: of the answer.
        policy: what this page may do beyond `POLICY`.
        **content: what the template names.
    """
    made = environment().get_template(template)
    text = made.render(title=title, site=site, path=request.url.path, **content)
    return HTMLResponse(text, status, headers(policy))


def headers(policy: Mapping[str, str] = {}) -> dict[str, str]:
    """The headers of an answer: no scripts, nothing from elsewhere, in no frame, and kept nowhere."""
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in {**POLICY, **policy}.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def to(*parts: object, **query: object) -> str:
    """The address of a page: the parts of its path, and its query; `None` in the query is left out."""
    path = "/".join(quote(str(part), safe="") for part in parts)
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    return f"{PREFIX}/{path}" + (f"?{asked}" if asked else "")


@cache
def environment() -> Environment:
    """The templates of these pages, with what they all use."""
    made = templates("flows.ui", "templates")
    made.filters |= FILTERS
    made.globals |= {"to": to, "version": version("nightrec"), "navigation": NAVIGATION}
    return made


NAVIGATION: list[tuple[str, str]] = []
"""The address and the name of each page that the navigation leads to; `app.py` fills it."""

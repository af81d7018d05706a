"""The application: which pages there are, and what is answered where there is none or something is wrong."""

from collections.abc import Callable
from http import HTTPStatus
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flows.ui import PREFIX, compare, health, lookup, nights, settings, simulations
from flows.ui.pages import NAVIGATION, Page, headers, rendered
from flows.ui.site import Site
from recmodels.errors import ConfigError, NightrecError
from tasks.store.damage import is_damage
from tasks.store.in_step import follow

PAGES: tuple[Page, ...] = (
    *nights.PAGES, *lookup.PAGES, *compare.PAGES, *simulations.PAGES, *health.PAGES, *settings.PAGES,
)  # fmt: skip
STATIC = {"site.css": "text/css", "icon.svg": "image/svg+xml"}
SAYS = {
    404: "There is no such page.",
    405: "These pages are only to be looked at: nothing can be changed here.",
}
UNREAD = (
    "Something in the store {store} cannot be read ({error}), or is being written just now: try again, and if it "
    "stays so, `nightrec doctor` says what is wrong."
)
FAULT = "This page cannot be made ({error}): that is a fault of nightrec, please report it. The other pages go on."


def application(site: Site) -> Starlette:
    """The pages of a site, as an ASGI application. Who may see them is the guard's business."""
    NAVIGATION[:] = [(PREFIX + page.path, page.name) for page in PAGES if page.name]
    routes = [Route(PREFIX + page.path, _answering(page, site), methods=["GET"]) for page in PAGES]
    first = RedirectResponse(NAVIGATION[0][0], headers=headers())
    routes += [Route(path, lambda _: first, methods=["GET"]) for path in ("/", PREFIX, f"{PREFIX}/")]
    routes += [Route(f"{PREFIX}/static/{name}", _static(name), methods=["GET"]) for name in STATIC]

    def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _told(request, site, status, SAYS.get(status, HTTPStatus(status).phrase + "."))

    app = Starlette(routes=routes, exception_handlers={HTTPException: refused})
    app.router.redirect_slashes = False
    return app


def _answering(page: Page, site: Site) -> Callable[[Request], Response]:
    """The endpoint of a page: whatever its view raises becomes a page with one sentence."""

    def answer(request: Request) -> Response:
        try:
            follow(site.store.root)
            return page.view(request, site)
        except HTTPException:
            raise
        except ConfigError as error:
            return _told(request, site, 404, str(error))
        except NightrecError as error:
            return _told(request, site, 500, str(error))
        except Exception as error:  # one page that cannot be made is no reason to show none
            says = UNREAD if is_damage(error) else FAULT
            return _told(request, site, 500, says.format(store=site.store.root, error=type(error).__name__))

    return answer


def _told(request: Request, site: Site, status: int, text: str) -> Response:
    title = {404: "Not found", 405: "Not here"}.get(status, "This cannot be shown")
    answer = rendered("error.html.j2", request, site, title=title, status=status, text=text)
    if status == 405:
        answer.headers["Allow"] = "GET, HEAD"
    return answer


def _static(name: str) -> Callable[[Request], Response]:
    """A file that pages need."""
    content = files("flows.ui").joinpath("static", name).read_bytes()

    def answer(_: Request) -> Response:
        return Response(content, headers=headers() | {"Cache-Control": "max-age=600"}, media_type=STATIC[name])

    return answer

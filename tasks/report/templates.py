"""The templates of pages. Everything they write is escaped, and what would hide or command is made visible."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from recmodels.messages import visible


def templates(package: str, folder: str = "") -> Environment:
    """The templates in the folder of a package."""
    return Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )


def _visible(value: object) -> object:
    return visible(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value

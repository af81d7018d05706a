"""The templates of pages. Everything they write is escaped, and what would hide or command is made visible."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from recmodels.messages import visible

FOLDS = {"few": "24rem", "some": "40rem", "many": "62rem", "most": "82rem"}
"""The widths below which the rows of a table become cards, by how many columns it has."""


def templates(package: str, folder: str = "") -> Environment:
    """The templates in the folder of a package."""
    made = Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.globals["folds"] = FOLDS
    made.filters["fold"] = _fold
    return made


def _fold(columns: int) -> str:
    """The class of a table with so many columns, which says how wide it must be to be one."""
    return "few" if columns <= 4 else "some" if columns <= 7 else "many" if columns <= 12 else "most"


def _visible(value: object) -> object:
    return visible(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value

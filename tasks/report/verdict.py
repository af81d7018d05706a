"""The verdict on a simulation as a page: one HTML file that needs nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recmodels.simulation.comparison import Comparison
from tasks.report.templates import templates
from tasks.report.verdict_view import View, shown


@dataclass(frozen=True)
class Likeness:
    """A figure of the site, and of what was fitted to it."""

    what: str
    site: float | None
    simulated: float | None


@dataclass(frozen=True)
class About:
    """What was simulated.

    Attributes:
        name: of the simulation.
        of: whose users they are like, to follow "users of".
        users, items: how many took part.
        k: places of a list.
        seed: that all chances follow from.
        behavior: the model of how they behave.
        limits: what it does not know, a sentence each.
        likeness: how like the site it is, where it is fitted to one.
        failed: policies that came to no end, and why.
    """

    name: str
    of: str
    users: int
    items: int
    k: int
    seed: int
    behavior: str
    limits: Sequence[str] = ()
    likeness: Sequence[Likeness] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def verdict_html(about: About, comparison: Comparison) -> str:
    """The page."""
    template = templates("tasks.report").get_template("verdict.html.j2")
    likeness = [(one.what, shown(one.site), shown(one.simulated)) for one in about.likeness]
    return template.render(about=about, comparison=comparison, view=View(comparison), likeness=likeness)

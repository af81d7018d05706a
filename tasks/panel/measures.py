"""What the panel measures: the names of its figures, what they are of, and how they are written."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """A figure of the panel.

    Attributes:
        name: in the history, in settings and in files.
        title: on pages.
        meaning: what more of it means, as a clause.
        theme: of what it is a figure: the items that are shown, the lists of people, or what people choose.
        per: what has a value of its own, over which slopes have intervals; None where the night alone has one.
        share: whether it is written in percent.
        exposed: whether it is of logged exposures where there are any.
        alike: the figure of a candidate's comparison that shows the same, and whether more of it means more of this.
    """

    name: str
    title: str
    meaning: str
    theme: Literal["items", "lists", "people"]
    per: Literal["user", "pair"] | None
    share: bool = False
    exposed: bool = False
    alike: tuple[str, int] | None = None


MEASURES = (
    Measure(
        "exposure_gini", "inequality of exposure (Gini)", "fewer items get more of the exposure", "items", "user",
        exposed=True, alike=("gini", 1),
    ),
    Measure(
        "unseen_7_days", "items not shown in 7 days", "more of the catalogue is shown to nobody", "items", None,
        share=True, exposed=True, alike=("coverage", -1),
    ),
    Measure(
        "unseen_28_days", "items not shown in 28 days", "more of the catalogue is shown to nobody", "items", None,
        share=True, exposed=True, alike=("coverage", -1),
    ),
    Measure(
        "provider_divergence", "exposure of providers against its target", "providers are further from their target",
        "items", "user", exposed=True,
    ),
    Measure(
        "popularity_lift", "popularity of lists against that of what users chose",
        "lists are more popular than what users choose themselves", "lists", "user", share=True,
        alike=("average_popularity", 1),
    ),
    Measure(
        "miscalibration", "distance of lists from their users' mix of categories",
        "lists are further from what their users like", "lists", "user",
    ),
    Measure(
        "random_overlap", "lists of any two users in common", "lists become alike", "lists", "pair", share=True,
        alike=("personalisation", -1),
    ),
    Measure(
        "nearest_overlap", "lists of similar users in common", "lists of similar users become alike", "lists", "pair",
        share=True, alike=("personalisation", -1),
    ),
    Measure(
        "age", "days since the recommended items first appeared", "lists are of older items", "lists", "user",
        alike=("cold_share", -1),
    ),
    Measure(
        "individual_entropy", "variety of what each user chooses (bits)", "each user chooses more various things",
        "people", "user",
    ),
    Measure(
        "collective_entropy", "variety of what all choose together (bits)", "all together choose more various things",
        "people", "user",
    ),
    Measure(
        "from_lists", "of what was chosen, what was in the list before", "more of what users do comes through lists",
        "people", None, share=True, exposed=True,
    ),
)  # fmt: skip
BY_NAME = {one.name: one for one in MEASURES}
OF_USERS = tuple(one.name for one in MEASURES if one.per == "user")
OF_PAIRS = tuple(one.name for one in MEASURES if one.per == "pair")

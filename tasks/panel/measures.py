"""What the panel measures: the names of its figures, what they are of, and how they are written."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """A figure of the panel.

    Attributes:
        name: in the history, in settings and in files.
        title: on pages.
        more, less: what it means that it grows, and that it falls, as clauses.
        theme: of what it is a figure: the items that are shown, the lists of people, or what people choose.
        per: what has a value of its own, over which slopes have intervals; None where nights share what they have.
        share: whether it is written in percent.
        exposed: whether it is of logged exposures where there are any.
        alike: the figure of a candidate's comparison that shows the same, and whether more of it means more of this.
    """

    name: str
    title: str
    more: str
    less: str
    theme: Literal["items", "lists", "people"]
    per: Literal["user", "pair", "night"] | None
    share: bool = False
    exposed: bool = False
    alike: tuple[str, int] | None = None


MEASURES = (
    Measure(
        "exposure_gini",
        "Inequality of exposure (Gini)",
        "exposure is gathering on fewer items",
        "exposure is spreading over more items",
        "items",
        "user",
        exposed=True,
        alike=("gini", 1),
    ),
    Measure(
        "unseen_7_days",
        "Items not shown in 7 days",
        "more of the catalogue is shown to nobody",
        "less of the catalogue is shown to nobody",
        "items",
        None,
        share=True,
        exposed=True,
        alike=("coverage", -1),
    ),
    Measure(
        "unseen_28_days",
        "Items not shown in 28 days",
        "more of the catalogue is shown to nobody",
        "less of the catalogue is shown to nobody",
        "items",
        None,
        share=True,
        exposed=True,
        alike=("coverage", -1),
    ),
    Measure(
        "provider_divergence",
        "Exposure of providers: distance from its target",
        "providers are moving away from their target",
        "providers are moving towards their target",
        "items",
        "user",
        exposed=True,
    ),
    Measure(
        "popularity_lift",
        "Popularity of lists beyond that of users' own choices",
        "lists lean more and more to popular items",
        "lists lean less and less to popular items",
        "lists",
        "user",
        share=True,
        alike=("average_popularity", 1),
    ),
    Measure(
        "miscalibration",
        "Distance of lists from their users' mix of categories",
        "lists are moving away from what their users like",
        "lists are moving towards what their users like",
        "lists",
        "user",
    ),
    Measure(
        "random_overlap",
        "Overlap of any two users' lists",
        "lists are becoming alike",
        "lists are becoming different from each other",
        "lists",
        "pair",
        share=True,
        alike=("personalisation", -1),
    ),
    Measure(
        "nearest_overlap",
        "Overlap of similar users' lists",
        "lists of similar users are becoming alike",
        "lists of similar users are becoming different",
        "lists",
        "pair",
        share=True,
        alike=("personalisation", -1),
    ),
    Measure(
        "age",
        "Age of what is recommended, in days",
        "lists are getting older",
        "lists are getting newer",
        "lists",
        "user",
        alike=("cold_share", -1),
    ),
    Measure(
        "individual_entropy",
        "Variety of what each user chooses (bits)",
        "each user chooses more and more various things",
        "each user chooses less and less various things",
        "people",
        "user",
    ),
    Measure(
        "collective_entropy",
        "Variety of what all choose together (bits)",
        "all together choose more and more various things",
        "all together choose less and less various things",
        "people",
        "user",
    ),
    Measure(
        "from_lists",
        "Share of choices that came through lists",
        "more of what users choose comes through lists",
        "less of what users choose comes through lists",
        "people",
        "night",
        share=True,
        exposed=True,
    ),
)
BY_NAME = {one.name: one for one in MEASURES}
OF_USERS = tuple(one.name for one in MEASURES if one.per == "user")
OF_PAIRS = tuple(one.name for one in MEASURES if one.per == "pair")

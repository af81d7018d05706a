"""What is measured of a simulated night: the names of the figures, what they mean, and which way is better."""

from dataclasses import dataclass
from typing import Literal

DAYS = 28  # over which variety, popularity and users' own mix are measured

Theme = Literal["people", "lists", "variety", "items", "cost"]


@dataclass(frozen=True)
class Figure:
    """A figure of a night.

    Attributes:
        name: in files and in code.
        title: on pages.
        means: what it is, in a sentence.
        unit: `share` of one, or what is counted; empty for a number of its own kind.
        theme: what it is a figure of.
        better: whether more or less of it is better; `neither` where that depends on what a site wants.
        by_user: whether each user has one of their own, so that two policies are compared user by user.
        total: whether it is the sum over users and not their mean.
        days: how far back it looks; before so many nights, days without lists are among them, and there is no slope.
        relative: whether policies are compared by shares of it; else by how much it differs.
    """

    name: str
    title: str
    means: str
    unit: Literal["", "share", "bits", "users", "items", "nights", "seconds", "times", "clicks"]
    theme: Theme
    better: Literal["more", "less", "neither"]
    by_user: bool = False
    total: bool = False
    days: int = 1
    relative: bool = True


FIGURES = (
    Figure(
        "total_utility",
        "Utility of all users together",
        "What the day's choices are truly worth to all users; who stayed away or has left gets nothing.",
        "",
        "people",
        "more",
        by_user=True,
        total=True,
    ),
    Figure(
        "utility",
        "Utility of a user",
        "What the day's choices are truly worth to a user who is still here, on average.",
        "",
        "people",
        "more",
        by_user=True,
    ),
    Figure(
        "group_gap",
        "Worst-off group of users",
        "By how much the utility of a user in the worst-off group is below that of a user on average.",
        "share",
        "people",
        "less",
        relative=False,
    ),
    Figure(
        "regret",
        "Regret of a place",
        "How much more a place of the best possible list would be worth, for some users drawn each night; as in NDCG, "
        "first places count more.",
        "",
        "lists",
        "less",
        by_user=True,
    ),
    Figure(
        "retention",
        "Chance to come tomorrow",
        "How likely a user who ever came is to come on the next day, on average; 0 for who has left for good.",
        "share",
        "people",
        "more",
        by_user=True,
    ),
    Figure(
        "visitors", "Visitors", "How many users came on that day.", "users", "people", "more", by_user=True, total=True
    ),
    Figure(
        "clicks",
        "Clicks of a visitor",
        "How often a visitor chose from the list, on average: what the site itself can count.",
        "clicks",
        "people",
        "more",
        by_user=True,
    ),
    Figure(
        "accuracy",
        "Accuracy (NDCG)",
        "NDCG of the night's lists against what users chose by themselves on that day: the offline metric.",
        "",
        "lists",
        "more",
        by_user=True,
    ),
    Figure(
        "recall",
        "Recall",
        "The share of what users chose by themselves on that day that was in their lists.",
        "share",
        "lists",
        "more",
        by_user=True,
    ),
    Figure(
        "individual_diversity",
        "Variety of what a user chooses",
        "The entropy of the categories that a user chose from in 28 days, on average.",
        "bits",
        "variety",
        "more",
        by_user=True,
        relative=False,
        days=DAYS,
    ),
    Figure(
        "collective_diversity",
        "Variety of what all choose",
        "The entropy of the categories that all users together chose from in 28 days.",
        "bits",
        "variety",
        "more",
        relative=False,
        days=DAYS,
    ),
    Figure(
        "overlap",
        "Overlap of two users' lists",
        "The items that two users' lists have in common, as a share of those in either, in fixed pairs of users.",
        "share",
        "variety",
        "less",
        by_user=True,
        relative=False,
    ),
    Figure(
        "homogenization",
        "Homogenization",
        "How much larger that overlap is than it was between the same users on the first night.",
        "share",
        "variety",
        "less",
        by_user=True,
        relative=False,
    ),
    Figure(
        "exposure_gini",
        "Inequality of exposure (Gini)",
        "How unequally the lists show the items that are out: 0 if all alike, near 1 if one has it all.",
        "",
        "items",
        "less",
        relative=False,
    ),
    Figure(
        "alive_items",
        "Items alive",
        "How many items were in at least one list in the last 7 nights.",
        "items",
        "items",
        "more",
    ),
    Figure(
        "dead_items",
        "Dead items",
        "The share of the items that have been out for 7 nights and were in no list for as long.",
        "share",
        "items",
        "less",
        relative=False,
    ),
    Figure(
        "new_item_nights",
        "Nights until a good new item is found",
        "Until it is in as many lists as the average item, 14 at most, of those that came out 14 to 28 nights ago and "
        "are among the best quarter.",
        "nights",
        "items",
        "less",
        relative=False,
    ),
    Figure(
        "miscalibration",
        "Distance of lists from users' own mix",
        "How far a list's categories are from those that its user chose in 28 days (Kullback-Leibler, nats).",
        "",
        "lists",
        "less",
        by_user=True,
        days=DAYS,
    ),
    Figure(
        "popularity_lift",
        "Popularity of lists beyond that of choices",
        "How much more popular lists are than what their users chose in 28 days.",
        "share",
        "lists",
        "less",
        by_user=True,
        relative=False,
        days=DAYS,
    ),
    Figure(
        "list_popularity",
        "Popularity of lists",
        "How many times as often as the average item the items of a list were chosen in 28 days, by all.",
        "times",
        "lists",
        "neither",
        by_user=True,
        days=DAYS,
    ),
    Figure(
        "cpu_seconds",
        "CPU time of a night",
        "Seconds that the policy took to learn and to make everybody's lists.",
        "seconds",
        "cost",
        "less",
    ),
)
BY_NAME = {one.name: one for one in FIGURES}

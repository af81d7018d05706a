"""What the default behavior model assumes of people and of a market, each with its unit and where it comes from."""

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Annotated, Self, get_type_hints

from annotated_types import Ge, Gt, Le

from recmodels.demo.words import GENRES
from recmodels.errors import ConfigError
from recmodels.parameters import check

DEMO = "the reactive demo's choice"
GUESS = "a guess"


@dataclass(frozen=True)
class About:
    """The unit of a setting, and where its default comes from: a paper, the demo shop's own choice, or a guess."""

    unit: str
    source: str


@dataclass(frozen=True)
class MarketSettings:
    """All that `Market` assumes. What is a point is a point of log-odds of being satisfied.

    Raises:
        ConfigError: a value is not legal.
    """

    # What there is to like
    dimensions: Annotated[int, Ge(2), About("numbers", "20 in Chaney et al. 2018")] = 16
    """Length of the vectors of users' tastes and of items."""
    categories: Annotated[int, Ge(1), Le(len(GENRES)), About("categories", DEMO)] = len(GENRES)
    """How many categories a generated market has."""
    niche_items: Annotated[int, Ge(1), About("items", "a guess; 16 in the demo")] = 40
    """Items in a niche of a category: they are alike, and read alike."""
    minority: Annotated[float, Ge(0), Le(1), About("share", "the women of MovieLens 1M")] = 0.28
    """Users of group 1: they like the smaller categories, or in a fitted market chose what is least popular."""

    # What satisfies
    base: Annotated[float, About("points", GUESS)] = -3.0
    """Satisfaction with an item of mean quality that does not match: 5 % at -3."""
    match: Annotated[float, Ge(0), About("points", GUESS)] = 4.0
    """What a perfect match of taste and item adds."""
    quality: Annotated[float, Ge(0), About("points", GUESS)] = 0.8
    """What an item adds whose quality is one standard deviation above the mean, for everybody."""
    satiation: Annotated[float, Ge(0), About("points", GUESS)] = 0.15
    """What each item of the same category takes away that was consumed lately."""
    satiation_half_life: Annotated[float, Gt(0), About("days", GUESS)] = 3.0
    """The days in which half of the satiation is gone."""
    novelty_spread: Annotated[float, Ge(0), About("standard deviation of the logarithm", GUESS)] = 0.5
    """How much users differ in how soon they want something else: satiation is multiplied by it."""
    boredom: Annotated[float, Ge(0), About("points", "a guess; 0 in the demo")] | None = None
    """What an item loses that was consumed already; none: it is never wanted again."""

    # What is chosen
    known: Annotated[float, Ge(0), Le(1), About("share", "Chaney et al. 2018: .98")] = 0.98
    """How much of what an item would give is known before it is consumed; the rest is imagined, at random."""
    noise: Annotated[float, Gt(0), About("points", GUESS)] = 0.5
    """Scale of the chance in choices (Gumbel): 1 chooses in proportion to the odds of being satisfied."""
    attention: Annotated[float, Ge(0), About("exponent", "Chaney et al. 2018: .8; the demo's too")] = 0.8
    """Place r of a list is looked at in a share r^-attention of the times that somebody turns to it."""
    adoption: Annotated[float, Ge(0), Le(1), About("share", "a guess; arXiv 2602.16315 varies it")] = 0.5
    """The choices for which users turn to their list first."""
    outside: Annotated[float, About("points, or none: they take what there is", GUESS)] | None = -0.5
    """What the list must offer; where nothing seen is better, users find something by themselves."""
    considered: Annotated[int, Ge(1), About("items", GUESS)] = 10
    """How many items users compare when they find something by themselves."""
    by_popularity: Annotated[float, Ge(0), Le(1), About("share", DEMO)] = 0.2
    """The items among these that come to mind because many have them."""
    by_taste: Annotated[float, Ge(0), Le(1), About("share", "a guess; .8 in the demo")] = 0.6
    """The items among these that come to mind because their category is liked; the rest is any item."""
    social: Annotated[float, Ge(0), About("exponent", "a guess; Salganik et al. 2006 for the effect")] = 0.5
    """Items come to mind in proportion to popularity to this power, among any of a kind; 0 leaves users uncoupled."""
    popularity_half_life: Annotated[float, Gt(0), About("days", GUESS)] = 28.0
    """The days in which half of an item's popularity is gone, unless it is chosen."""

    # How people change
    drift: Annotated[float, Ge(0), Le(1), About("share", "a guess; .02 in the demo")] = 0.01
    """How much of a taste moves to each item that is consumed."""

    # Who comes, and what is new
    visits: Annotated[float, Gt(0), About("a day", "a guess; .5 in the demo")] = 0.3
    """Visits of a user of mean activity who is as pleased as most."""
    activity_spread: Annotated[float, Ge(0), About("standard deviation of the logarithm", DEMO)] = 1.0
    """How much users differ in how often they come."""
    choices: Annotated[float, Ge(1), Le(10), About("a visit", GUESS)] = 2.0
    """How many items are consumed: 1, and more by a Poisson distribution."""
    patience: Annotated[float, Ge(0), Le(1), About("share", DEMO)] = 0.2
    """How much of a user's mood is that of the last visit: the mean satisfaction with what was consumed."""
    loyalty: Annotated[float, Ge(0), About("logarithm a unit of mood", DEMO)] = 1.5
    """How much more often those come whose mood is better."""
    leaving: Annotated[float, Ge(0), Le(1), About("a day", "a guess, about .25 in 120 days in the demo")] = 0.002
    """Hazard that a user of usual mood leaves for good."""
    disappointment: Annotated[float, Ge(0), About("logarithm a unit of mood", GUESS)] = 3.0
    """How much faster those leave whose mood is worse."""
    new_users: Annotated[float, Ge(0), About("a day, of the users at first", "as many as leave")] = 0.002
    """Users who come for the first time."""
    new_items: Annotated[float, Ge(0), About("a day, of the items at first", "a guess; .001 in the demo")] = 0.005
    """Items that appear; their quality is drawn as that of the others, and nobody knows it."""
    history_days: Annotated[int, Ge(1), About("days", GUESS)] = 28
    """What is known before the first night: choices that users made without lists."""

    feedback: bool = True
    """Whether anybody is changed by what they consume; without, tastes, popularity and moods stay as they are."""

    def __post_init__(self) -> None:
        check(type(self), {field.name: getattr(self, field.name) for field in fields(self)}, "behavior")
        if self.by_popularity + self.by_taste > 1:
            raise ConfigError(
                f"behavior: by_popularity {self.by_popularity:g} and by_taste {self.by_taste:g} are shares of the same "
                "items, and more than 1 together; lower one of them."
            )

    def without_feedback(self) -> Self:
        """The control: nothing that is shown changes anything, and nobody and nothing is new. All true trends are 0."""
        return replace(self, feedback=False, new_users=0.0, new_items=0.0)


@cache
def units() -> dict[str, About]:
    """The unit and the source of each setting that has one, by name."""
    hints = get_type_hints(MarketSettings, include_extras=True)
    found = {name: _about(hint) for name, hint in hints.items()}
    return {name: about for name, about in found.items() if about is not None}


def _about(annotation: object) -> About | None:
    parts = (annotation, *getattr(annotation, "__args__", ()))
    extras = [extra for part in parts for extra in getattr(part, "__metadata__", ())]
    return next((extra for extra in extras if isinstance(extra, About)), None)

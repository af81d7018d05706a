"""A comparison of policies as a page shows it: each with a letter, a color and a pattern of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

from markupsafe import Markup

from recmodels.metrics.trends import Slope
from recmodels.simulation import wording
from recmodels.simulation.comparison import LATER, TONIGHT, Comparison, Standing, Word
from recmodels.simulation.effects import Effect
from recmodels.simulation.figures import BY_NAME, FIGURES, Figure, Theme
from recmodels.simulation.trajectories import Trajectory
from tasks.report.curves import Curve, Spot, curves, sample, spots

LINES = 6  # policies that a drawing can show side by side
LETTERS = ascii_uppercase + ascii_lowercase
NAME = 22  # characters of a policy's name beside its point
COLUMNS = {
    LATER: "utility",
    "retention": "chance to come",
    "individual_diversity": "variety of a user",
    "alive_items": "items alive",
    "cpu_seconds": "CPU seconds a night",
}
"""Of the table that a person decides by; all others are on the page, too, folded away."""
THEMES: Mapping[Theme, str] = {
    "people": "What users have of it",
    "lists": "The lists",
    "variety": "Variety",
    "items": "The items",
    "cost": "The cost",
}
FRONTIERS = {
    LATER: "Utility of all users on the last nights",
    "individual_diversity": "Variety of what a user chooses",
    "alive_items": "Items alive",
}
SIGNS: Mapping[Word, str] = {"better": "▲", "worse": "▼", "alike": "="}
TONES: Mapping[Word, str] = {"better": "good", "worse": "bad", "alike": "same"}
HUNDRED = 100  # nights, in which slopes are told


@dataclass(frozen=True)
class Card:
    """What is said of a policy.

    Attributes:
        letter, role: by which it is found in drawings.
        name: its name.
        says: what it is, where the name does not tell.
        able: whether a site can have it.
        label: where it stands, in a few words; empty for the reference.
        signs: the same in two signs, of tonight and of the long run.
        tone: of the long run.
        sentence: one about it.
    """

    letter: str
    role: str
    name: str
    says: str
    able: bool
    label: str
    signs: str
    tone: str
    sentence: str


@dataclass(frozen=True)
class Cell:
    """What a table says of a figure: its level, by how much it differs, the interval of that, and how good it is."""

    level: str
    change: str = ""
    interval: str = ""
    tone: str = ""


class View:
    """What a page shows of a comparison."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        reference, *others = comparison.standings
        best = sorted(others, key=lambda one: -one.levels.get(LATER, 0.0))[: LINES - 1]
        self.letters = {one.policy: LETTERS[n % len(LETTERS)] for n, one in enumerate(comparison.standings)}
        self.drawn = [one for one in comparison.standings if one is reference or one in best]
        self._roles = {one.policy: f"s{n}" for n, one in enumerate(self.drawn)}

    @property
    def cards(self) -> list[Card]:
        return [self._card(one) for one in self.comparison.standings]

    def _card(self, one: Standing) -> Card:
        (tonight, later), other = one.words, one.policy != self.comparison.reference
        return Card(
            letter=self.letters[one.policy],
            role=self._role(one.policy),
            name=one.policy,
            says=one.says if one.says != one.policy else "",
            able=one.able,
            label=wording.label(one) if other else "",
            signs=f"{SIGNS[tonight]} {SIGNS[later]}" if other else "",
            tone=TONES[later],
            sentence=wording.sentence(one, self.comparison),
        )

    @property
    def headline(self) -> str:
        return wording.headline(self.comparison)

    @property
    def foresight(self) -> str:
        """Empty for too few policies."""
        return wording.foresight(self.comparison.foresight) if self.comparison.foresight else ""

    @property
    def offpolicy(self) -> str:
        """Empty where no policy explores."""
        return wording.offpolicy(self.comparison.offpolicy)

    @property
    def legend(self) -> list[tuple[Markup, str]]:
        return [(sample(self._role(one.policy), self.letters[one.policy]), one.policy) for one in self.drawn]

    @property
    def frontiers(self) -> list[tuple[str, Markup]]:
        """Accuracy tonight against what it comes to on the last nights."""
        found = []
        for name, points in self.comparison.frontiers.items():
            drawn = [
                Spot(self._role(one.policy), self._named(one.policy), one.tonight, one.later, one.first)
                for one in points
            ]
            title = FRONTIERS[name]
            found.append((title, spots(title, drawn, "accuracy tonight (NDCG)", _is_share(TONIGHT), _is_share(name))))
        return found

    @property
    def themes(self) -> list[tuple[str, list[tuple[Figure, Markup]]]]:
        """The figures over the nights, by what they are of."""
        found = [(title, [*self._trajectories(theme)]) for theme, title in THEMES.items()]
        return [(title, some) for title, some in found if some]

    def _trajectories(self, theme: Theme) -> list[tuple[Figure, Markup]]:
        found = []
        for figure in (one for one in FIGURES if one.theme == theme):
            lines = [line for one in self.drawn if (line := self._curve(one, figure.name))]
            if lines:
                found.append((figure, curves(figure.title, lines, _is_share(figure.name))))
        return found

    def _curve(self, one: Standing, name: str) -> Curve | None:
        of = next((line for line in one.trajectories if line.figure == name), None)
        points = _points(of) if of else []
        return Curve(self.letters[one.policy], self._role(one.policy), one.policy, points) if points else None

    @property
    def columns(self) -> list[str]:
        return ["accuracy tonight", *COLUMNS.values()]

    @property
    def rows(self) -> list[tuple[Standing, list[Cell]]]:
        """The policies in the table that a person decides by."""
        return [
            (one, [self._tonight(one), *(_cell(name, one.levels.get(name), one.later.get(name)) for name in COLUMNS)])
            for one in self.comparison.standings
        ]

    def _tonight(self, one: Standing) -> Cell:
        if found := one.tonight.get(TONIGHT):
            return _cell(TONIGHT, found.level, found)
        others = (other.tonight[TONIGHT].reference for other in self.comparison.standings if TONIGHT in other.tonight)
        return _cell(TONIGHT, next(others, None), None)

    @property
    def figures(self) -> list[tuple[Figure, list[Cell]]]:
        """All figures on the last nights, each with a cell a policy."""
        policies = self.comparison.standings
        return [
            (one, [_cell(one.name, each.levels.get(one.name), each.later.get(one.name)) for each in policies])
            for one in FIGURES
            if any(one.name in each.levels for each in policies)
        ]

    @property
    def slopes(self) -> list[tuple[Figure, list[Cell]]]:
        """How much figures change within each policy in a hundred nights."""
        of = [{line.figure: line.slope for line in one.trajectories} for one in self.comparison.standings]
        rows = [(figure, [each.get(figure.name) for each in of]) for figure in FIGURES]
        return [(figure, [_slope(figure, one) for one in some]) for figure, some in rows if any(some)]

    def _role(self, policy: str) -> str:
        return self._roles.get(policy, "rest")

    def _named(self, policy: str) -> str:
        name = policy if len(policy) <= NAME else f"{policy[: NAME - 1]}…"
        return f"{self.letters[policy]} {name}"


def shown(value: float | None) -> str:
    """A figure of no known kind."""
    return "-" if value is None or value != value else f"{value:.3g}"  # noqa: PLR0124  # not a number


def _is_share(name: str) -> bool:
    return BY_NAME[name].unit == "share"


def _points(line: Trajectory) -> Sequence[tuple[int, float, float | None, float | None]]:
    rows = zip(line.nights, line.values, line.low, line.high, strict=True)
    return [(night, value, low, high) for night, value, low, high in rows if value is not None]


def _cell(name: str, level: float | None, one: Effect | None) -> Cell:
    if level is None:
        return Cell("-")
    if one is None:
        return Cell(wording.number(level, name))
    tone = "" if one.good is None else "good" if one.good else "bad"
    return Cell(wording.number(level, name), wording.change(one), wording.between(one), tone)


def _slope(figure: Figure, one: Slope | None) -> Cell:
    if one is None:
        return Cell("-")
    value, low, high = (wording.amount(HUNDRED * end, figure.name) for end in (one.value, one.low, one.high))
    if not one.certain or figure.better == "neither":
        return Cell(value, "", f"{low} to {high}")
    return Cell(value, "", f"{low} to {high}", "good" if (one.value > 0) == (figure.better == "more") else "bad")

import pytest

from recmodels.simulation.comparison import LATER, Comparison, compare
from tasks.report.verdict_view import COLUMNS, LINES, View, shown
from tests.recmodels.simulation.made_up import run

BASE = {"accuracy": 0.3, "total_utility": 40.0, "alive_items": 100.0, "regret": (0.2, 0.3), "dead_items": 0.5}


def comparison(**policies: dict[str, float]) -> Comparison:
    others = {name: [run(**BASE | one)] for name, one in policies.items()}
    return compare({"base": [run(**BASE)], **others}, "base", unattainable=["oracle"])


@pytest.fixture(scope="module")
def view() -> View:
    return View(comparison(worse={"accuracy": 0.4, "total_utility": 30.0}, oracle={"total_utility": 60.0}))


def test_each_policy_has_a_letter_a_role_and_words(view: View) -> None:
    base, worse, oracle = view.cards
    assert [(one.letter, one.role) for one in view.cards] == [("A", "s0"), ("B", "s1"), ("C", "s2")]
    assert (base.label, base.signs) == ("", "")
    assert (worse.label, worse.signs, worse.tone) == ("better tonight, worse in the long run", "▲ ▼", "bad")
    assert (oracle.signs, oracle.tone, oracle.able) == ("= ▲", "good", False)


def test_tables_say_levels_changes_and_what_is_no_chance(view: View) -> None:
    assert view.columns[1:] == list(COLUMNS.values())
    (_, base), (_, worse), _ = view.rows
    assert (base[0].level, base[0].change) == ("0.303", "")
    assert (worse[0].level, worse[0].change, worse[0].tone) == ("0.404", "+33%", "good")
    later = worse[1 + list(COLUMNS).index(LATER)]
    assert (later.level, later.change, later.interval, later.tone) == ("29.9", "-25%", "-25% to -25%", "bad")
    assert base[1 + list(COLUMNS).index("retention")].level == "-"  # it was not measured

    figures = {figure.name: cells for figure, cells in view.figures}
    assert set(figures) == set(BASE)
    assert figures["dead_items"][1].level == "50.0%" and figures["dead_items"][1].change == "+0.0 points"


def test_slopes_are_told_for_a_hundred_nights(view: View) -> None:
    slopes = {figure.name: cells for figure, cells in view.slopes}
    assert slopes["regret"][0].level == "+0.36" and slopes["regret"][0].tone == "bad"
    assert LATER not in slopes  # a sum is of no user


def test_drawings_show_the_reference_and_the_most_useful_of_many() -> None:
    many = View(comparison(**{f"p{n}": {"total_utility": 30.0 + n} for n in range(LINES + 3)}))
    assert [one.policy for one in many.drawn] == ["base", *(f"p{n}" for n in range(4, LINES + 3))]
    assert len(many.legend) == LINES and len(many.cards) == LINES + 4
    assert {card.role for card in many.cards} == {*(f"s{n}" for n in range(LINES)), "rest"}


def test_figures_of_no_known_kind_are_shown_too() -> None:
    assert [shown(value) for value in (None, float("nan"), 0.12345, 1234.5)] == ["-", "-", "0.123", "1.23e+03"]

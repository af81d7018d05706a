import numpy as np

from recmodels.simulation import wording
from recmodels.simulation.comparison import Comparison, compare
from recmodels.simulation.effects import Effect, Interval
from recmodels.simulation.offpolicy import Valued
from tests.recmodels.simulation.made_up import run


def comparison(**policies: dict[str, float]) -> Comparison:
    base = {"accuracy": 0.3, "total_utility": 40.0, "alive_items": 100.0}
    return compare({"base": [run(**base)]} | {name: [run(**base | one)] for name, one in policies.items()}, "base")


def said(**levels: float) -> str:
    found = comparison(other=levels)
    return wording.sentence(found.standings[1], found)


def test_one_sentence_says_tonight_and_the_long_run() -> None:
    assert said(accuracy=0.312, total_utility=39.2, alive_items=70) == (
        "Tonight +4.0% accuracy (+4.0% to +4.0%); after 28 nights -2.0% utility (-2.0% to -2.0%), and 30% fewer items "
        "alive."
    )


def test_what_is_much_more_is_told_in_times() -> None:
    assert "2.5 times the accuracy (2.5 to 2.5 times)" in said(accuracy=0.75)
    assert said(alive_items=300).endswith("and 3.0 times as many items alive.")
    assert said(alive_items=120).endswith("and 20% more items alive.")
    assert said().endswith("and as many items alive.")


def test_what_may_be_chance_is_told_as_such() -> None:
    found = compare({"base": [run(1, accuracy=0.3)], "other": [run(2, accuracy=0.3)]}, "base")
    sentence = wording.sentence(found.standings[1], found)
    assert sentence.startswith("Tonight no difference in accuracy that this run can show (-")
    assert sentence.endswith("after 28 nights its utility is not known.")
    assert wording.label(found.standings[1]) == "no different, as far as this can show"


def test_the_reference_is_told_as_it_is() -> None:
    found = comparison(other={})
    assert wording.sentence(found.standings[0], found) == (
        "The others are compared with it: tonight 0.303 accuracy; after 28 nights 39.9 utility and 100 items alive."
    )


def test_the_headline_names_what_is_of_most_use_and_whether_accuracy_does() -> None:
    more = {"accuracy": 0.35, "total_utility": 44.0}
    assert wording.headline(comparison(a=more, b={"total_utility": 42.0})) == (
        "After 28 nights a is of most use: +10% utility (+10% to +10%). None is surely more accurate tonight."
    )
    greedy = {"accuracy": 0.5, "total_utility": 30.0}
    assert wording.headline(comparison(a=more, greedy=greedy)).endswith(" The most accurate tonight is greedy.")
    shy = {"accuracy": 0.2, "total_utility": 44.0}
    assert wording.headline(comparison(shy=shy)).endswith(" The most accurate tonight is base.")
    assert wording.headline(comparison(greedy=greedy)) == (
        "After 28 nights no policy is of more use than base, as far as this can show."
    )
    assert wording.headline(comparison()) == ""


def test_a_headline_names_no_policy_that_no_site_can_have() -> None:
    runs = {"base": [run(accuracy=1, total_utility=1)], "oracle": [run(accuracy=2, total_utility=2)]}
    assert wording.headline(compare(runs, "base", unattainable=["oracle"])) == ""


def test_it_is_said_whether_accuracy_foretells_utility() -> None:
    misled = comparison(a={"accuracy": 0.4, "total_utility": 30.0}, b={"accuracy": 0.2, "total_utility": 35.0})
    assert wording.foresight(misled.foresight) == (
        "Tonight's accuracy puts 1 of 3 pairs of policies into the order that utility has later (rank correlation "
        "-0.50 of 3 policies). It misleads where it is no chance: a is more accurate tonight, and base of more use "
        "later; a is more accurate tonight, and b of more use later."
    )
    right = comparison(a={"accuracy": 0.4, "total_utility": 50.0}, b={"accuracy": 0.2, "total_utility": 35.0})
    assert wording.foresight(right.foresight).endswith("No pair is surely the other way around.")


def test_it_is_said_how_far_logs_are_to_be_believed() -> None:
    als, popular = Valued("a", "als", 0.5, 0.4, 0.6, 0.55), Valued("a", "popular", 0.6, 0.5, 0.7, 0.4)
    other = Valued("b", "als", 1, 0, 2, 1)
    assert wording.offpolicy([als, popular, other]) == (
        "Intervals from the logs hold the true value for 2 of 3 proposers, and the logs put 0 of 1 pair of them into "
        "the true order."
    )
    assert wording.offpolicy([als]) == "Intervals from the logs hold the true value for 1 of 1 proposer."
    assert wording.offpolicy([]) == ""


def test_shares_are_told_in_points_and_bits_with_two_digits_that_count() -> None:
    points = Effect("dead_items", 0.3, 0.2, Interval(0.1, 0.05, 0.15), None, "runs")
    assert (wording.change(points), wording.between(points)) == ("+10.0 points", "+5.0 points to +15.0 points")
    bits = Effect("individual_diversity", 2.0, 2.1, Interval(-0.0123), None, "nothing")
    assert (wording.change(bits), wording.between(bits)) == ("-0.012", "")


def test_levels_have_the_digits_that_count() -> None:
    shown = [wording.number(value, "total_utility") for value in (12345.6, 45.678, 0.12345)]
    assert shown == ["12,346", "45.7", "0.123"]
    assert wording.number(0.1234, "dead_items") == "12.3%"
    assert np.isfinite(float(wording.number(0.0, "regret")))

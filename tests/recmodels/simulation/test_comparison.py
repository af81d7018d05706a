import json

import pytest
from scipy import stats

from recmodels.errors import ConfigError
from recmodels.simulation.comparison import LATER, TONIGHT, compare, windows
from recmodels.simulation.runs import Run
from tests.recmodels.simulation.made_up import NIGHTS, run

LEVELS = {  # tonight's accuracy, utility from the first night to the last, items alive at the end
    "popular": (0.30, (40.0, 38.0), 20.0),
    "greedy": (0.40, (42.0, 30.0), 10.0),  # more accurate, less use
    "explored": (0.25, (39.0, 46.0), 90.0),
    "dominated": (0.24, (39.0, 36.0), 15.0),
    "oracle": (0.90, (60.0, 60.0), 99.0),
}


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Run]]:
    return {
        name: [run(accuracy=accuracy, total_utility=utility, alive_items=alive, individual_diversity=2.0)]
        for name, (accuracy, utility, alive) in LEVELS.items()
    }


def test_a_hundred_nights_end_in_two_weeks_and_begin_with_one() -> None:
    assert windows(100) == (slice(0, 7), slice(86, 100))
    assert windows(30) == (slice(0, 2), slice(26, 30))
    assert windows(1) == (slice(0, 1), slice(0, 1))


def test_policies_stand_where_their_figures_say(runs: dict[str, list[Run]]) -> None:
    found = compare(runs, "popular", unattainable=["oracle"], says={"greedy": "als, always"})
    assert [one.policy for one in found.standings] == list(LEVELS)
    assert [one.words for one in found.standings] == [
        ("alike", "alike"), ("better", "worse"), ("worse", "better"), ("worse", "worse"), ("better", "better")
    ]  # fmt: skip
    assert found.standings[1].says == "als, always"
    tonight = found.standings[1].tonight[TONIGHT]
    assert tonight.relative.value == pytest.approx(0.4 / 0.3 - 1)
    assert found.standings[0].later == {}


def test_the_frontier_has_those_that_no_other_possible_policy_beats(runs: dict[str, list[Run]]) -> None:
    found = compare(runs, "popular", unattainable=["oracle"]).frontiers
    assert {one.policy for one in found[LATER] if one.first} == {"popular", "greedy", "explored"}
    assert {one.policy for one in found["alive_items"] if one.first} == {"popular", "greedy", "explored"}
    assert {one.policy for one in found["individual_diversity"] if one.first} == {"greedy"}
    assert {one.policy for one in compare(runs, "popular").frontiers[LATER] if one.first} == {"oracle"}


def test_accuracy_misleads_where_neither_order_is_chance(runs: dict[str, list[Run]]) -> None:
    found = compare(runs, "popular", unattainable=["oracle"]).foresight
    # By accuracy: greedy, popular, explored, dominated; by utility: explored, popular, dominated, greedy.
    assert found.correlation == pytest.approx(stats.spearmanr([4, 3, 2, 1], [1, 3, 4, 2]).statistic)
    assert (found.policies, found.pairs, found.wrong) == (4, 6, 4)
    assert set(found.surely) == {
        ("greedy", "popular"), ("greedy", "explored"), ("greedy", "dominated"), ("popular", "explored")
    }  # fmt: skip


def test_two_policies_have_no_order_to_foretell(runs: dict[str, list[Run]]) -> None:
    assert compare({name: runs[name] for name in ("popular", "greedy")}, "popular").foresight is None


def test_nights_of_warming_up_are_not_tonight() -> None:
    one, other = run(accuracy=(0.1, 0.4)), run(accuracy=(0.1, 0.1))
    found = compare({"a": [one], "b": [other]}, "b", warm_up=NIGHTS - 14)
    assert found.standings[1].tonight[TONIGHT].level == pytest.approx(one.figures["accuracy"][NIGHTS - 14])


def test_it_can_be_written_as_json(runs: dict[str, list[Run]]) -> None:
    found = json.loads(json.dumps(compare(runs, "popular").json(), allow_nan=False))
    assert found["standings"][1]["policy"] == "greedy"
    assert found["standings"][1]["later"]["alive_items"]["relative"] == {"value": -0.5, "low": None, "high": None}


def test_what_cannot_be_compared_is_refused(runs: dict[str, list[Run]]) -> None:
    with pytest.raises(ConfigError, match="no policy nothing"):
        compare(runs, "nothing")
    with pytest.raises(ConfigError, match="same nights"):
        compare({**runs, "other": [*runs["popular"], *runs["popular"]]}, "popular")

"""Each figure of simulated nights against an independent computation, user by user and item by item."""

from collections import Counter
from dataclasses import dataclass, replace
from math import log, log2

import numpy as np
import pytest

from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING
from recmodels.simulation.figures import BY_NAME, DAYS
from recmodels.simulation.measures import Measured, Meter
from recmodels.simulation.policies.base import Lists, Policy
from recmodels.simulation.run import Night, NightSeen, simulate
from tests.recmodels.simulation.fans import Fans

K, NIGHTS = 4, 20


class Shuffled(Policy):
    """Random lists, some of them short."""

    name = "shuffled"

    def lists(self, night: int, known: object, k: int, rng: np.random.Generator) -> Lists:
        items = np.full((len(known.here), k), NOTHING, np.int32)
        out = np.flatnonzero(known.out)
        for user in known.users:
            items[user, : 1 + user % k] = rng.permutation(out)[: 1 + user % k]
        return Lists(items)


@dataclass
class Kept:
    """A night as the tests look at it: everything, copied, and what users found items worth before its day."""

    seen: NightSeen
    table: np.ndarray
    chance: np.ndarray
    measured: Measured


@pytest.fixture(scope="module")
def kept() -> list[Kept]:
    behavior, nights, tables = Fans.drawn(30, 24), [], {}
    meter = Meter(behavior, seed=1)

    def ahead(night: Night) -> object:
        tables[night.night] = behavior.table.copy()
        return meter.ahead(night)

    def observe(seen: NightSeen) -> None:
        chance = behavior.visit_chance(seen.night + 1)
        nights.append(Kept(seen, tables[seen.night], chance, meter.measure(seen)))

    simulate(behavior, Shuffled(), NIGHTS, k=K, seed=3, ahead=ahead, observe=observe)
    return nights


def test_all_figures_are_there_every_night(kept: list[Kept]) -> None:
    for night in kept:
        assert list(night.measured.figures) == list(BY_NAME)
        assert set(night.measured.by_user) == {name for name, one in BY_NAME.items() if one.by_user}


def test_figures_are_over_the_users_that_have_one(kept: list[Kept]) -> None:
    for night in kept:
        for name, values in night.measured.by_user.items():
            known = values[~np.isnan(values)].tolist()
            expected = sum(known) if BY_NAME[name].total else sum(known) / len(known) if known else np.nan
            assert night.measured.figures[name] == pytest.approx(expected, nan_ok=True), name


def test_what_users_gained_is_what_items_were_worth_to_them_before_the_day(kept: list[Kept]) -> None:
    for night in kept:
        world, choices, n = night.seen.behavior.world, night.seen.day.choices, night.seen.night
        gained = Counter()
        for user, item in zip(choices.user.tolist(), choices.item.tolist(), strict=True):
            gained[user] += night.table[user, item]
        came = [user for user in range(world.n_users) if world.arrives[user] <= n]
        here = [user for user in came if night.seen.known.here[user]]
        assert len(here) < len(came) or n < 10  # some have left
        figures = night.measured.figures
        assert figures["total_utility"] == pytest.approx(sum(gained.values()))
        assert figures["utility"] == pytest.approx(sum(gained.values()) / len(here))
        by_group = [np.mean([gained[user] for user in here if user % 3 == group]) for group in range(3)]
        assert figures["group_gap"] == pytest.approx(1 - min(by_group) / (sum(gained.values()) / len(here)))
        assert figures["retention"] == pytest.approx(np.mean(night.chance[came]))
        assert figures["visitors"] == night.seen.day.visitors.sum()
        assert figures["clicks"] == pytest.approx(night.seen.day.clicked.sum() / night.seen.day.visitors.sum())


def test_accuracy_is_against_what_users_found_by_themselves(kept: list[Kept]) -> None:
    for night in kept[:5]:
        choices, lists = night.seen.day.choices, night.seen.lists.items.tolist()
        own: dict[int, set[int]] = {}
        for user, item, rank in zip(choices.user.tolist(), choices.item.tolist(), choices.rank.tolist(), strict=True):
            if rank == BY_THEMSELVES:
                own.setdefault(user, set()).add(item)
        gains = {
            user: sum(1 / log2(r + 2) for r, item in enumerate(lists[user]) if item in wanted)
            / sum(1 / log2(r + 2) for r in range(min(K, len(wanted))))
            for user, wanted in own.items()
        }
        recalls = [len(wanted & set(lists[user])) / len(wanted) for user, wanted in own.items()]
        assert night.measured.figures["accuracy"] == pytest.approx(np.mean(list(gains.values())))
        assert night.measured.figures["recall"] == pytest.approx(np.mean(recalls))


def chosen(kept: list[Kept], until: int) -> list[tuple[int, int]]:
    """Who chose what in 28 days up to the end of a night, history included."""
    parts = [kept[0].seen.behavior.history(), *(night.seen.day.choices for night in kept[: until + 1])]
    rows = [row for one in parts for row in zip(one.user.tolist(), one.item.tolist(), one.night.tolist(), strict=True)]
    return [(user, item) for user, item, night in rows if until - DAYS < night <= until]


def bits(counts: Counter) -> float:
    return -sum(n / counts.total() * log2(n / counts.total()) for n in counts.values())


@pytest.mark.parametrize("night", [0, 7, NIGHTS - 1])
def test_variety_is_the_entropy_of_categories_in_28_days(kept: list[Kept], night: int) -> None:
    category = kept[0].seen.behavior.world.category.tolist()
    by_user: dict[int, Counter] = {}
    for user, item in chosen(kept, night):
        by_user.setdefault(user, Counter())[category[item]] += 1
    figures = kept[night].measured.figures
    assert figures["individual_diversity"] == pytest.approx(np.mean([bits(one) for one in by_user.values()]))
    assert figures["collective_diversity"] == pytest.approx(bits(sum(by_user.values(), Counter())))


@pytest.mark.parametrize("night", [0, 7, NIGHTS - 1])
def test_lists_are_compared_with_what_was_chosen_before_them(kept: list[Kept], night: int) -> None:
    world, lists = kept[0].seen.behavior.world, kept[night].seen.lists.items.tolist()
    category, before = world.category.tolist(), chosen(kept, night - 1)
    times = Counter(item for _, item in before)
    average = len(before) / int((world.born <= night).sum())
    listed, own, distances = [], [], []
    for user, items in enumerate(lists):
        mine = [item for one, item in before if one == user]
        shown = [item for item in items if item != NOTHING]
        if mine and shown:
            listed.append(np.mean([times[item] / average for item in shown]))
            own.append(np.mean([times[item] / average for item in mine]))
            p = {c: n / len(mine) for c, n in Counter(category[item] for item in mine).items()}
            q = {c: n / len(shown) for c, n in Counter(category[item] for item in shown).items()}
            distances.append(sum(p[c] * log(p[c] / (0.99 * q.get(c, 0) + 0.01 * p[c])) for c in p))
    figures = kept[night].measured.figures
    assert figures["popularity_lift"] == pytest.approx(np.mean(listed) / np.mean(own) - 1)
    assert figures["miscalibration"] == pytest.approx(np.mean(distances))


def test_regret_is_never_below_that_of_the_best_list(kept: list[Kept]) -> None:
    night = kept[3]
    out = np.flatnonzero(night.seen.known.out)
    user = int(np.flatnonzero(night.seen.known.here)[0])
    weights = [1 / log2(r + 2) for r in range(K)]
    best = sorted(night.table[user, out], reverse=True)[:K]
    mine = [night.table[user, item] if item != NOTHING else 0 for item in night.seen.lists.items[user]]
    expected = sum(w * (b - m) for w, b, m in zip(weights, best, mine, strict=True)) / sum(weights)
    assert night.measured.by_user["regret"][user] == pytest.approx(expected)
    assert np.nanmin(night.measured.by_user["regret"]) >= 0


def test_exposure_is_unequal_over_the_items_that_are_out(kept: list[Kept]) -> None:
    night = kept[7]
    exposure = {int(item): 0.0 for item in np.flatnonzero(night.seen.known.out)}
    for items in night.seen.lists.items.tolist():
        for r, item in enumerate(items):
            if item != NOTHING:
                exposure[item] += 1 / log2(r + 2)
    values = list(exposure.values())
    pairs = sum(abs(one - other) for one in values for other in values)
    assert night.measured.figures["exposure_gini"] == pytest.approx(pairs / (2 * len(values) * sum(values)))


def test_a_meter_that_goes_on_measures_what_one_without_a_break_does(kept: list[Kept]) -> None:
    behavior, found, meters = Fans.drawn(30, 24), [], []

    def meter() -> Meter:
        return meters[-1]

    def ahead(night: Night) -> object:
        if night.night in (0, 11):
            meters.append(Meter(behavior, seed=1))
            if night.night:
                meters[-1].restore({name: value.copy() for name, value in meters[0].state().items()})
        return meter().ahead(night)

    simulate(
        behavior, Shuffled(), NIGHTS, k=K, seed=3, ahead=ahead, observe=lambda seen: found.append(meter().measure(seen))
    )
    for one, night in zip(found, kept, strict=True):
        expected = night.measured.figures | {"cpu_seconds": one.figures["cpu_seconds"]}
        assert one.figures == pytest.approx(expected, nan_ok=True)


def test_users_of_one_group_have_no_gap() -> None:
    behavior, found = Fans.drawn(5, 12), []
    behavior.world = replace(behavior.world, group=np.zeros(5, np.int32))
    meter = Meter(behavior)

    def observe(seen: NightSeen) -> None:
        found.append(meter.measure(seen).figures["group_gap"])

    simulate(behavior, Shuffled(), 1, k=K, ahead=meter.ahead, observe=observe)
    assert np.isnan(found[0])


def test_a_night_must_have_been_looked_at_before_its_day() -> None:
    behavior = Fans.drawn(5, 12)
    with pytest.raises(TypeError, match="ahead"):
        simulate(behavior, Shuffled(), 1, k=K, observe=lambda seen: Meter(behavior).measure(seen))

"""Which early signals foretell the long run, in a simulated market: ``python -m tests.benchmarks.surrogates FOLDER``.

Users of each market get the lists of item-KNN for 63 nights. Then other policies take its place: from the 64th night
for 100 nights, and, to test by, from the 99th for 35. The same days are lived with item-KNN and with each of them, by
the same chances, so that all that a policy does is known, early and late. FOLDER keeps what came of it: markets that
are there are not simulated again. A market of 2,000 users takes about a minute of CPU time.
"""

import argparse
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recmodels.errors import ConfigError
from recmodels.experiments.proxies import Effects, Proxy
from recmodels.experiments.surrogacy import over_experiments
from recmodels.experiments.surrogates import Cohort, Foretold, SurrogateIndex
from recmodels.simulation.known import Log, terms_of
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.policies import MostPopular, Oracle, Policy, Random, Trained
from tasks.longterm.outcome import Outcome
from tasks.longterm.signals import SIGNALS, WINDOW, cohort
from tests.benchmarks.lived import AsKnown, Lived, live

FIRST, SECOND = 63, 98  # nights on which policies begin
LONG, SHORT, TAKES = 100, 35, 35  # nights for which they go, and until what is to be foretold is known
WEEKS = (35, 42, 49, 56, 63)  # before a policy begins, for the index that is fitted on users
OUTCOMES = ("retention28", "visits28", "interactions28", "utility28", "utility100")
EARLY = [one for one in SIGNALS if one.name != "new_items"]  # nobody has an item twice in this market
NAMES = [one.name for one in EARLY]
MAIN, ORACLE = "item_knn", "oracle"


class Users(NamedTuple):
    """Users from a night on: what cohorts of any outcome are made of."""

    users: np.ndarray
    before: np.ndarray
    early: np.ndarray
    outcomes: np.ndarray  # [n, len(OUTCOMES)]

    def cohort(self, outcome: str) -> Cohort:
        return Cohort(self.users, self.before, self.early, self.outcomes[:, OUTCOMES.index(outcome)])


class Known(NamedTuple):
    """What is known of a market: by the night that policies began, its history, and the users with each of them."""

    history: dict[int, Users]
    arms: dict[int, dict[str, Users]]


def policies(market: Market) -> list[Policy]:
    """What takes the place of item-KNN."""
    learning = [Trained("als", {"factors": 16}), Trained("ease"), Trained("content"), Trained("user_knn")]
    return [Random(), MostPopular(), *learning, Oracle(market)]


def simulated(folder: Path, n_users: int, seed: int) -> None:
    """Live the nights of a market, and keep what is known of them."""
    path = folder / f"market-{seed}.npz"
    if path.exists():
        return
    market = Market.generated(MarketSettings(), n_users, n_users // 3, seed, nights=FIRST + LONG)
    log, main = Log(market.world, terms_of(market.texts())), Lived.of_history(market)
    log.append(market.history())
    kept: dict[str, np.ndarray] = {}
    begun = 0
    for begin, nights in ((FIRST, LONG), (SECOND, SHORT)):
        live(market, log, main, Trained(MAIN), range(begun, begin), seed)
        begun, state, there = begin, _copied(market.state()), deepcopy(log)
        weeks = [_users(main, begin - week) for week in WEEKS]
        kept |= {f"{begin}/history/{n}": np.concatenate(one) for n, one in enumerate(zip(*weeks, strict=True))}
        for policy in (Trained(MAIN), *policies(market)):
            market.restore(_copied(state))
            lived = main.branch()
            live(market, deepcopy(there), lived, policy, range(begin, begin + nights), seed)
            kept |= {f"{begin}/{policy.name}/{n}": one for n, one in enumerate(_users(lived, begin))}
        market.restore(state)
        log = there
    np.savez_compressed(path, **kept)  # type: ignore[arg-type]
    print(f"market {seed} of {n_users:,} users is there", flush=True)


def _copied(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value.copy() for name, value in state.items()}


def _users(lived: Lived, begin: int) -> Users:
    """The users from a night on, as `nightrec longterm` would have them, and what it was worth to them."""
    known = AsKnown(lived, begin + TAKES)
    found = cohort(known, -TAKES, WINDOW, Outcome("visits", TAKES - WINDOW), EARLY)
    events = lived.of("events", begin + WINDOW, begin + TAKES)
    outcomes = [Outcome(kind, TAKES - WINDOW).measured(events) for kind in ("retention", "visits", "interactions")]
    outcomes.append(lived.of("utility", begin + WINDOW, begin + TAKES).sum(axis=1))
    there = begin + LONG - 1 in lived.nights
    late = (
        lived.of("utility", begin + LONG - 10, begin + LONG).mean(axis=1) if there else np.full(lived.n_users, np.nan)
    )
    return Users(found.users, found.before, found.early, np.column_stack([*outcomes, late])[found.users])


def read(path: Path) -> Known:
    with np.load(path) as kept:
        names = {tuple(name.split("/")[:2]) for name in kept.files}
        found = {name: Users(*(kept["/".join([*name, str(n)])] for n in range(4))) for name in names}
    history = {int(begin): one for (begin, name), one in found.items() if name == "history"}
    arms = {
        begin: {name: one for (when, name), one in sorted(found.items()) if int(when) == begin and name != "history"}
        for begin in history
    }
    return Known(history, arms)


# What is foretold


def effects(markets: list[Known], begin: int, outcome: str) -> dict[str, list[Effects]]:
    """What each policy did in each market, early and late, by its name."""
    found: dict[str, list[Effects]] = {}
    for market in markets:
        main = market.arms[begin][MAIN].cohort(outcome)
        for name, users in market.arms[begin].items():
            if name != MAIN:
                found.setdefault(name, []).append(Effects.paired(users.cohort(outcome), main))
    return found


def by_users(markets: list[Known], begin: int, outcome: str, signals: list[int]) -> list[Foretold]:
    """What an index foretells that is fitted on users of the weeks before."""
    found = []
    for market in markets:
        index = SurrogateIndex(market.history[begin].cohort(outcome).only(signals))
        main = market.arms[begin][MAIN].cohort(outcome).only(signals)
        for name, users in market.arms[begin].items():
            if name != MAIN:
                ours, theirs = (_by(index, one) for one in (users.cohort(outcome).only(signals), main))
                found.append(_as_foretold(Effects.paired(ours, theirs)))
    return found


def _by(index: SurrogateIndex, users: Cohort) -> Cohort:
    """Users with what an index foretells of them as their only early signal."""
    return Cohort(users.users, users.before, index.predict(users)[:, None], users.outcome)


def by_arms(past: dict[str, list[Effects]], later: dict[str, list[Effects]], others_alone: bool) -> list[Foretold]:
    """What a proxy foretells that is learned from effects, if `others_alone` from those of other policies alone."""
    found = []
    for name, its in later.items():
        proxy = Proxy([one for other, ones in past.items() if not others_alone or other != name for one in ones])
        found += [proxy.foretell(one) for one in its]
    return found


def flat(found: dict[str, list[Effects]], signals: list[int]) -> dict[str, list[Effects]]:
    return {name: [one.only(signals) for one in ones] for name, ones in found.items()}


def by_halves(markets: list[Known], begin: int, outcome: str) -> list[Foretold]:
    """What the index of users foretells, and what came, as a site measures it: half of the users in the arm."""
    found = []
    for market in markets:
        index = SurrogateIndex(market.history[begin].cohort(outcome))
        main = _by(index, market.arms[begin][MAIN].cohort(outcome))
        for seed, (name, users) in enumerate(market.arms[begin].items()):
            if name != MAIN:
                arm = np.random.default_rng(seed).random(len(main)) < 0.5
                ours = _by(index, users.cohort(outcome))
                early, late = (
                    np.where(arm, *both) for both in zip(*(_columns(one) for one in (ours, main)), strict=True)
                )
                found.append(_as_foretold(Effects.measured(Cohort(main.users, main.before, early[:, None], late), arm)))
    return found


def _columns(users: Cohort) -> tuple[np.ndarray, np.ndarray]:
    return users.early[:, 0], users.outcome


def _as_foretold(effect: Effects) -> Foretold:
    """An effect whose only early signal is what an index foretells."""
    early = float(effect.early[0])
    return Foretold(early, effect.late, effect.base, effect.users, effect.noise, 0.0, 0.0, effect.early)


# Shown

HEAD = "| foretold by | slope of true against foretold | correlation | wrong sign, of all | of those that are certain |"


def line(name: str, made: Callable[[], list[Foretold]]) -> str:
    try:
        found = made()
    except ConfigError:  # arms do not differ in such signals by more than chance
        return f"| {name} | nothing is learned | | | |"
    test = over_experiments(found)
    certain = [one for one in found if abs(one.true) > 1.96 * one.error_of_true]
    wrong = sum(one.predicted * one.true < 0 for one in certain)
    slope = f"{test.slope:.2f} ({test.low:.2f} to {test.high:.2f})" if test.told else "cannot be told"
    correlation = "" if np.isnan(test.correlation) else f"{test.correlation:.2f}"
    of_all = round(test.wrong_sign * test.effects)
    return f"| {name} | {slope} | {correlation} | {of_all} of {test.effects} | {wrong} of {len(certain)} |"


def show(markets: list[Known]) -> None:
    for outcome in OUTCOMES[:-1]:
        past, later = (effects(markets, begin, outcome) for begin in (FIRST, SECOND))
        print(f"\n{outcome}: policies that begin in night {SECOND + 1}\n\n{HEAD}\n|{'---|' * 5}")
        print(line("the index, from users", partial(by_users, markets, SECOND, outcome, list(range(len(NAMES))))))
        print(line("the same, of `visits` alone", partial(by_users, markets, SECOND, outcome, [NAMES.index("visits")])))
        print(
            line("a proxy, from the same policies 35 nights before", partial(by_arms, past, later, others_alone=False))
        )
        print(line("a proxy, from other policies 35 nights before", partial(by_arms, past, later, others_alone=True)))
        for n, name in enumerate(NAMES):
            print(line(f"`{name}` alone", partial(by_arms, flat(past, [n]), flat(later, [n]), others_alone=False)))
    print(f"\nutility100: {LONG} nights after night {FIRST + 1}, from other policies\n\n{HEAD}\n|{'---|' * 5}")
    past = effects(markets, FIRST, "utility100")
    print(line("all signals", partial(by_arms, past, past, others_alone=True)))
    for n, name in enumerate(NAMES):
        one = flat(past, [n])
        print(line(f"`{name}` alone", partial(by_arms, one, one, others_alone=True)))
    trap(markets)


def trap(markets: list[Known]) -> None:
    """What plain least squares would make of the index of users, on arms as sites have them."""
    test = over_experiments(by_halves(markets, SECOND, "visits28"))
    true = over_experiments(by_users(markets, SECOND, "visits28", list(range(len(NAMES)))))
    slope = f"{test.slope:.2f} ({test.low:.2f} to {test.high:.2f})" if test.told else "no slope that can be told"
    print(
        f"\nThe index of visits28, tested on arms of half of the users: plain least squares {test.naive:+.2f}, without "
        f"the chance that both share {slope}; on the same users twice it is {true.slope:+.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--markets", type=int, default=6)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with Pool(options.processes) as pool:
        pool.map(partial(simulated, options.folder, options.users), range(options.markets), chunksize=1)
    show([read(options.folder / f"market-{seed}.npz") for seed in range(options.markets)])


if __name__ == "__main__":
    main()

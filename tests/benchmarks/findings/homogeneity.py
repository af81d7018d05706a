"""Chaney, Stewart & Engelhardt (2018): who is retrained on what users chose of their lists makes users alike, and no
better off."""

from dataclasses import dataclass, field

import numpy as np

from recmodels.data.arrays import Bools, Doubles
from recmodels.simulation.published.chaney import Confounded
from recmodels.simulation.published.confounders import (
    LEARNERS,
    Chance,
    Content,
    Factors,
    Ideal,
    Newest,
    Popular,
    Ranking,
    in_common,
    most_alike,
)  # fmt: skip
from recmodels.simulation.run import NightSeen, simulate
from tests.benchmarks.findings.effects import Effect, over

TITLE = "Chaney, Stewart & Engelhardt 2018: homogeneity without utility"
SEEDS, COSTLY = 20, 10  # of all, and of factorization, which takes longer than all others together
EARLY, WHOLE_LATE = 20, 50  # nights after the first training, and from which both ways of training are compared

FALLS_APART, FIRST_APART = "falls, starts drawn apart", "first night, starts drawn apart"


@dataclass(frozen=True)
class Setting:
    """How much, and when the recommenders learn: `start` nights of new items only, then once or every night."""

    start: int
    every: int | None
    nights: int = 100
    users: int = 100


REPEATED, SINGLE = Setting(10, 1), Setting(50, None)


@dataclass
class Run:
    """What came of one recommender, night by night."""

    had: list[Bools] = field(default_factory=list)  # [n_users, n_items], after each night
    alike: list[Doubles] = field(default_factory=list)  # the representation that each night's lists were made with
    utility: list[float] = field(default_factory=list)  # mean true utility of the choices


def run(seed: int, learner: type[Ranking], setting: Setting, start_as: str = "newest") -> Run:
    behavior = Confounded.drawn(seed, n_users=setting.users, nights=setting.nights)
    policy, found = learner(behavior), Run()

    def observe(seen: NightSeen) -> None:
        found.had.append(behavior.consumed.copy())
        found.utility.append(float(seen.day.worth.mean()))
        if seen.night >= setting.start:
            found.alike.append(policy.representation)

    simulate(
        behavior, policy, setting.nights, k=behavior.world.n_items, repeats=True, seed=seed,
        retrain_every=1 if learner is Chance else setting.every, warm_up=(Newest(behavior, start_as), setting.start),
        observe=observe,
    )  # fmt: skip
    return found


def homogenization(of: Run, ideal: Run, setting: Setting, seed: int) -> Doubles:
    """The mean Jaccard index of users and whom the recommender takes for most alike, less that of the same pairs under
    the ideal one: a value a night from the first training on."""
    rng = np.random.default_rng(seed)
    found = []
    for night, representation in enumerate(of.alike, setting.start):
        other = most_alike(representation, rng)
        found.append((in_common(of.had[night], other) - in_common(ideal.had[night], other)).mean())
    return np.array(found)


def measured(seed: int, repeated: Setting = REPEATED, single: Setting = SINGLE) -> dict[str, float]:
    """All values of a seed, by what they are of."""
    values: dict[str, float] = {}
    late = repeated.nights * WHOLE_LATE // 100
    learners = [one for one in LEARNERS if one is not Factors or seed < COSTLY]
    utility = {}
    for name, setting in (("repeated", repeated), ("single", single)):
        ideal = run(seed, Ideal, setting)
        apart = run(seed, Ideal, setting, "newest, otherwise drawn") if name == "repeated" else None
        values[f"ideal: utility, {name}"] = float(np.mean(ideal.utility[late:]))
        for learner in learners:
            of = run(seed, learner, setting)
            curve = homogenization(of, ideal, setting, seed)
            utility[name, learner.name] = float(np.mean(of.utility[late:])) / float(np.mean(ideal.utility[late:]))
            values[f"{learner.name}: {name}"] = float(curve.mean())
            values[f"{learner.name}: {name}, later half"] = float(curve[late - setting.start :].mean())
            values[f"{learner.name}: utility, {name}"] = float(np.mean(of.utility[late:]))
            if apart:
                early = repeated.nights * EARLY // 100
                values[f"{learner.name}: falls"] = float(curve[:early].mean() - curve[-early:].mean())
                other = homogenization(of, apart, setting, seed)
                values[f"{learner.name}: {FALLS_APART}"] = float(other[:early].mean() - other[-early:].mean())
                values[f"{learner.name}: {FIRST_APART}"] = float(other[0])
    for learner in learners:
        values[f"{learner.name}: relative utility"] = (
            utility["repeated", learner.name] - utility["single", learner.name]
        )
    return values


def effects(runs: list[dict[str, float]]) -> list[Effect]:
    def one(name: str) -> Doubles:
        return over(runs, name)[0]

    def less(name: str, other: str) -> Doubles:
        values, others = over(runs, name, other)
        return values - others

    learning = (Content.name, Factors.name, Popular.name)
    found = [
        Effect.over(f"{name}: homogenization, trained every night", one(f"{name}: repeated"), "+") for name in learning
    ]
    above = less("content: repeated", "factorization: repeated")
    found.append(Effect.over("content above factorization, trained every night", above, "+"))
    found.append(Effect.over("chance: homogenization", one("chance: repeated"), "not +"))
    for name in learning:
        more = less(f"{name}: repeated, later half", f"{name}: single, later half")
        found.append(Effect.over(f"{name}: homogenization, trained every night - once, second half", more, "+"))
    for name in learning:
        what = f"{name}: utility as a share of the ideal one's, trained every night - once, second half"
        found.append(Effect.over(what, one(f"{name}: relative utility"), "not +"))
    for name in (*learning, Chance.name):
        for way in ("repeated", "single"):
            utility, ideal = over(runs, f"{name}: utility, {way}", f"ideal: utility, {way}")
            found.append(Effect.over(f"{name}: utility as a share of the ideal one's, {way}", utility / ideal))
    for name in (Content.name, Factors.name):
        apart, together, first = (one(f"{name}: {what}") for what in (FALLS_APART, "falls", FIRST_APART))
        what = f"{name}: homogenization, first - last {EARLY} nights"
        found.append(Effect.over(f"{what}, the ideal one's start drawn apart", apart, "+"))
        found.append(Effect.over(f"{what}, all with one start", together))
        found.append(Effect.over(f"{name}: homogenization on the first night, starts drawn apart", first))
    return found

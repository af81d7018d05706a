"""The nights of one policy: it learns, makes lists, users react, and what they choose is what it learns from next."""

import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recmodels.data.arrays import Csr, Floats
from recmodels.errors import ConfigError
from recmodels.simulation.behavior import Behavior, Day
from recmodels.simulation.checkpoint import Checkpoint, Nothing, Stateful
from recmodels.simulation.checks import check_day, check_lists
from recmodels.simulation.known import Known, Log, terms_of
from recmodels.simulation.policies.base import Lists, Policy

DAY, OWN = 0, 1  # streams of chances: of a day, and of a policy


@dataclass(frozen=True, eq=False)
class Night:
    """A night before its day: its lists, and the users as these find them.

    Attributes:
        night: from 0.
        lists: everybody's.
        known: what the site knows.
        behavior: the users, to ask and not to change.
    """

    night: int
    lists: Lists
    known: Known
    behavior: Behavior


@dataclass(frozen=True, eq=False)
class NightSeen(Night):
    """A night and what came of it: now `behavior` is as it is after the day, while `known` is what was known before.

    Attributes:
        day: what happened.
        ahead: what was said of the night before its day, by `simulate`'s `ahead`.
        seconds: CPU seconds of this process, of `learn`, `lists` and `react`.
    """

    day: Day
    ahead: object
    seconds: dict[str, float]

    @property
    def propensity(self) -> Floats | None:
        """The probability with which each item came to its place, None where nothing is drawn."""
        return self.lists.propensity


def simulate(
    behavior: Behavior,
    policy: Policy,
    nights: int,
    *,
    k: int = 10,
    retrain_every: int | None = 1,
    warm_up: tuple[Policy, int] | None = None,
    seed: int = 0,
    repeats: bool = False,
    terms: Csr | None = None,
    ahead: Callable[[Night], object] | None = None,
    observe: Callable[[NightSeen], None] | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 10,
) -> None:
    """Let nights go by, each with its day.

    With a `checkpoint`, a simulation that was killed is called again with the same arguments, and goes on to what it
    would have come to: the nights since the last checkpoint are simulated again, and those before it are not observed
    again. One that has ended goes on to more `nights`.

    What happens by chance on a day follows from the seed and the night alone, and a policy's own chances from those
    and its name: so policies that are compared under one seed meet the same chances.

    Args:
        behavior: the users, as they are at first; they are changed.
        policy: what decides on their lists.
        nights: how many.
        k: places of a list.
        retrain_every: the policy learns on the first night and so many nights after each time; None: on the first only.
        warm_up: another policy, which learns every night, for so many nights at first; these count.
        seed: from 0.
        repeats: whether a list may hold what its user chose before.
        terms: of the items, for content models: float32 `[n_items, n_terms]`; the words of their texts by default.
        ahead: asked for each night when lists are made, before the day.
        observe: told of each night after its day; what it does not keep is gone. Where it has `state` and `restore`, as
            a `Policy` has, what it keeps is part of the checkpoint.
        checkpoint: a folder for the state of the simulation; None: it cannot be resumed.
        checkpoint_every: nights after which the state is written, and after the last.

    Raises:
        ConfigError: a number is out of range, or the checkpoint is of another simulation.
        NightrecError: a policy made lists that cannot be shown, or a behavior model gave a day that cannot have been.
    """
    _check(nights, k, retrain_every, warm_up, checkpoint_every)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or threads of PyTorch and Numba wait for each other's cores
    log = Log(behavior.world, terms_of(behavior.texts()) if terms is None else terms, repeats)
    before, first = warm_up or (policy, 0)
    parts: dict[str, Stateful] = {"log": log, "behavior": behavior, "policy": policy}
    parts |= {"warm_up": before} if first else {}
    parts["observe"] = Nothing.unless_stateful(observe)
    about: dict[str, object] = {
        "policy": policy.about, "warm_up": [before.about, first] if first else None, "k": k, "seed": seed,
        "retrain_every": retrain_every, "repeats": repeats, "users": log.world.n_users, "items": log.world.n_items,
    }  # fmt: skip
    saved = Checkpoint(checkpoint, about) if checkpoint else None
    start = saved.restore(parts) if saved else 0
    if start == 0:
        log.append(behavior.history())
    for night in range(start, nights):
        known = log.known(night, behavior.here(night))
        acting = before if night < first else policy
        clock = _Clock()
        if night < first or _learns(night - first, retrain_every):
            acting.learn(night, known, _chances(seed, night, acting, 0))
        clock.lap("learn")
        lists = acting.lists(night, known, k, _chances(seed, night, acting, 1))
        clock.lap("lists")
        check_lists(acting, lists, known, k)
        said = ahead(Night(night, lists, known, behavior)) if ahead else None
        clock.lap("ahead")
        day = behavior.react(lists.items, night, np.random.default_rng([seed, DAY, night]))
        clock.lap("react")
        check_day(behavior, day, night)
        acting.happened(night, lists, day)
        log.append(day.choices)
        if observe:
            observe(NightSeen(night, lists, known, behavior, day, said, clock.seconds))
        if saved and (night + 1 == nights or (night + 1) % checkpoint_every == 0):
            saved.write(night + 1, parts)


def _learns(nights: int, every: int | None) -> bool:
    """Whether a policy learns so many nights after its first."""
    return nights == 0 if every is None else nights % every == 0


def _chances(seed: int, night: int, policy: Policy, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, OWN, night, zlib.crc32(policy.name.encode()), purpose])


class _Clock:
    """CPU seconds of this process, by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name] = now - self._last
        self._last = now


def _check(nights: int, k: int, every: int | None, warm_up: tuple[Policy, int] | None, checkpoint_every: int) -> None:
    counts = {"nights": nights, "k": k, "retrain_every": every, "checkpoint_every": checkpoint_every}
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; give 1 or more.")
    if warm_up is not None and warm_up[1] < 0:
        raise ConfigError(f"warm_up is {warm_up[1]} nights; give 0 or more.")

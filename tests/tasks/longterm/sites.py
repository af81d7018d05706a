"""A site whose users come this week by how often they came the week before, and by nothing else but arms."""

from collections.abc import Mapping

import numpy as np

from recmodels.experiments.assignment import arms_of
from tasks.arms.settings import ArmsSettings
from tasks.store.manifests import run_stage
from tasks.store.paths import Night
from tests.tasks.arms.sites import publish, write_log, write_users
from tests.tasks.site import CUTOFF

N, WEEKS = 1_200, 22
STAYS = 0.6  # how much of how often they came last week they come this week
OLD = {"holdback": {"share": 0.4, "policy": "popularity"}}
BOTH = {**OLD, "newer": {"share": 0.3, "policy": "challenger"}}
SETTINGS = ArmsSettings.model_validate({"groups": BOTH})


def write_site(
    night: Night, holdback: float = -0.3, newer: float = -0.3, later: Mapping[str, float] | None = None, n: int = N
) -> None:
    """A holdback of six weeks and a newer arm of ten days, which change the chance of a visit in their first week.

    `later` changes it in the weeks after, for an arm: no early signal sees that.
    """
    users, draw = list(range(1, n + 1)), np.random.default_rng(0)
    arm = arms_of(users, SETTINGS.shares, SETTINGS.salt)
    begins, first = {"holdback": 42, "newer": 10}, {"holdback": holdback, "newer": newer}
    came = draw.random((n, 7)) < 0.4
    rows = []
    for week in range(WEEKS):
        chance = np.repeat(0.15 + STAYS * came.mean(axis=1, keepdims=True), 7, axis=1)
        days = 7 * (WEEKS - week) - np.arange(7)  # before the cutoff, at their beginning
        for name, begin in begins.items():
            ours = (arm == name)[:, None]
            chance += ours * ((days <= begin) & (days > begin - 7)) * first[name]
            chance += ours * (days <= begin - 7) * (later or {}).get(name, 0.0)
        came = draw.random((n, 7)) < chance
        user, day = np.nonzero(came)
        items = "abcdef"
        rows += [(int(u) + 1, items[(u + d + week) % 6], days[d] - 0.5) for u, d in zip(user, day, strict=True)]
    run_stage(
        night.prepared, lambda out: {"message": ""}, code="", inputs={}, parameters={"cutoff": CUTOFF.isoformat()}
    )
    write_users(night, users)
    write_log(night, rows)
    publish(night, 42, settings=ArmsSettings.model_validate({"groups": OLD}))
    publish(night, 10, settings=SETTINGS)

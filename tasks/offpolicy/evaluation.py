"""What models and other policies would have earned, by the log of a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recmodels.messages import counted
from recmodels.offpolicy.trust import Trust
from tasks.exposures.joined import SECOND
from tasks.offpolicy.drawn import Drawn
from tasks.offpolicy.policies import Expected, Policy, chosen, logged, own, uniform
from tasks.offpolicy.reading import drawn_of
from tasks.offpolicy.values import OffPolicySummary, PolicyValue, gain_of, value_of
from tasks.store.duckdb import connect
from tasks.store.paths import Night

MEMORY = "2GB"  # of DuckDB, which spills beyond it
USUAL, LOGGED, UNIFORM = "usual", "logged", "uniform"
"""The lists without exploration, what was done, and one of the models at random."""


class Champion(NamedTuple):
    """The champion: what it is called tonight, and what its lists were published as."""

    name: str
    published_as: str


def evaluate(
    night: Night,
    cutoff: datetime,
    days: int,
    candidates: Sequence[str] | None,
    champion: Champion | None,
    scratch: Path,
    policy: Path | None = None,
) -> OffPolicySummary | None:
    """The values of candidates, of a few other policies, and of that in a file; None where nothing drawn was seen.

    Without `candidates` those of all models that the log knows.

    A candidate goes by its name in the log. The champion goes by the name of its lists; a candidate that has this
    name and another recipe has no value, as what it would have shown is not known.

    Raises:
        ConfigError: the policy's file is none.
    """
    with connect(scratch, MEMORY) as db:
        drawn = drawn_of(db, night, cutoff, days)
        if drawn is None:
            return None
        given = None if policy is None else own(db, drawn, policy)
    candidates = drawn.models if candidates is None else candidates
    tonight, published_as = champion or ("", "")
    named = {name: published_as if name == tonight else name for name in candidates}
    named = {name: known for name, known in named.items() if name == tonight or name != published_as}
    policies: dict[tuple[str, str], Policy | None] = {
        ("candidate", name): chosen(drawn, drawn.choices(known)) for name, known in named.items()
    }
    policies |= {
        ("policy", USUAL): chosen(drawn, drawn.usual),
        ("policy", LOGGED): logged(drawn),
        ("policy", UNIFORM): uniform(drawn),
    }
    if policy is not None:
        policies["policy", policy.stem] = given
    reference = chosen(drawn, drawn.choices(published_as)) if champion else None
    expected = Expected(drawn)
    values = [
        _valued(drawn, expected, name, role, one, None if (role, name) == ("candidate", tonight) else reference)
        for (role, name), one in policies.items()
        if one is not None
    ]
    without = [name for name in candidates if not any(one.name == name for one in values)]
    return _summary(drawn, days, tonight or None, values, without)


def _valued(
    drawn: Drawn, expected: Expected, name: str, role: str, policy: Policy, reference: Policy | None
) -> PolicyValue:
    """The value of a policy, and its gain where it and the champion both have one."""
    found = value_of(name, role, expected.log(policy), drawn.reward, drawn.assumed)
    if reference is None or not (both := policy.among & reference.among).any():
        return found
    gain = gain_of(expected.log(policy, both), expected.log(reference, both), drawn.reward)
    return found.model_copy(update={"gain": gain})


def _summary(
    drawn: Drawn, days: int, champion: str | None, values: list[PolicyValue], without: list[str]
) -> OffPolicySummary:
    candidates = [one for one in values if one.role == "candidate"]
    trusted = sum(one.trust is Trust.TRUST for one in candidates)
    users = len(np.unique(drawn.users))
    said = f"{counted(drawn.n, 'list')} of {counted(users, 'user')} with a drawn place: "
    said += f"{trusted} of {counted(len(candidates), 'candidate')} can be trusted"
    notes = []
    if drawn.assumed:
        said += "; the exposures are assumed"
    if drawn.other_logs:
        nights = counted(drawn.other_logs, "night")
        notes.append(f"Left out: {nights} with other rewards than {drawn.reward} (feedback.reward sets them for good).")
    if drawn.left_out:
        notes.append(f"{counted(drawn.left_out, 'list')} of the log do not fit to what was drawn, and are left out.")
    if without:
        notes.append(f"No value for {', '.join(without)}: the log has nothing that they proposed.")
    return OffPolicySummary(
        message=said,
        reward=drawn.reward,
        assumed=drawn.assumed,
        days=days,
        first=_day(drawn.first),
        last=_day(drawn.last),
        events=drawn.n,
        users=users,
        share=drawn.share,
        left_out=drawn.left_out,
        champion=champion,
        values=values,
        notes=notes,
    )


def _day(micros: int) -> str:
    return str(datetime.fromtimestamp(micros / SECOND, UTC).date())

"""What the gate would have published: each night's winner by its own rules, the winner of the night before defending.

It sees what it sees in a night: the figures of the holdout, with their test, and how much of the lists would be new. It
does not see what a replay has not: recent nights of a site, slopes, and what exploration earned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

import pyarrow.parquet as pq

from tasks.compare.decision import Incumbent
from tasks.compare.gate import by_hand, decide, within_bounds
from tasks.compare.settings import GateSettings
from tasks.evaluate.summary import ModelSummary
from tasks.replay.kept import HOLDOUT, LISTS, Kept
from tasks.replay.panel import churn_between

GATE = "(gate)"  # among the models; none of them can be called so


@dataclass(frozen=True)
class Published:
    """A night as the gate would have it: the model whose lists are published, None where it refuses all; and why."""

    run_date: date
    model: str | None
    reason: str


def by_the_gate(kept: Sequence[Kept], settings: GateSettings) -> tuple[list[Kept], list[Published]]:
    """What is kept of each night's winner, as of a model of its own, and how it came to win.

    Args:
        kept: by night, and all models that competed in it in the order of the settings.
        settings: of the gate. A night whose champion could not be measured publishes nothing.
    """
    asked = settings.model_copy(update={"min_ope_gain": None, "slopes": {}, "on_missing_champion": "best"})
    champion: Kept | None = None
    chosen: list[Kept] = []
    told: list[Published] = []
    for run_date, of_night in groupby(kept, lambda one: one.run_date):
        tonight = {one.model: one for one in of_night}
        winner, reason = _winner(tonight, champion, asked)
        told.append(Published(run_date, winner, reason))
        if winner is not None:
            champion = tonight[winner]
            chosen.append(replace(champion, model=GATE))
    return chosen, told


def _winner(tonight: Mapping[str, Kept], champion: Kept | None, settings: GateSettings) -> tuple[str | None, str]:
    summaries = {name: ModelSummary.of(one.summary["holdout"]) for name, one in tonight.items()}
    values = {name: pq.read_table(one.folder / HOLDOUT)["ndcg"].to_numpy() for name, one in tonight.items()}
    incumbent, churn = None, {}
    if champion is not None:
        recipe = champion.manifest["parameters"]
        incumbent = Incumbent(
            name=champion.model,
            published_as=champion.model,
            export_id=str(champion.run_date),
            recommender=recipe.get("recommender", ""),
            params=recipe.get("params", {}),
        )
        churn = {name: _new(champion, one) for name, one in tonight.items()}
    decision = decide(settings, summaries, values, incumbent, churn)
    decision = within_bounds(by_hand(decision, settings, None), settings, summaries)
    refused = decision.refused or (None if decision.winner in tonight else f"{decision.winner} could not be measured")
    return (None, refused) if refused else (decision.winner, decision.reason)


def _new(before: Kept, now: Kept) -> float:
    """The share of a model's lists that is new to those who were shown the lists of the champion."""
    _, shares = churn_between(*(pq.read_table(one.folder / LISTS) for one in (before, now)))
    return float(shares.mean()) if len(shares) else 0.0

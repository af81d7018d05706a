"""Whether arms find what is there, and nothing else: ``python -m tests.benchmarks.experiments aa planted``.

`aa`: 500 sites of 4,000 users, half of them in an arm that is no different, are looked at on each of 56 nights as a
night does it: all users, CUPED by the four weeks before, and the interval that holds at all looks.
`planted`: 300 sites of as many users as the plan asks for a difference of 3 % at day 28, to be found with 80 %.
`cost FOLDER`: what the stage takes with a million users and ten million interactions, written into the empty folder.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from recmodels.experiments.effects import Effect, deviation_left, effect, users_needed
from tasks.arms.compare import Correction
from tasks.arms.inputs import ArmsInputs
from tasks.arms.results import PLANNED_DAYS
from tasks.arms.settings import ArmsSettings
from tasks.arms.stage import compared
from tasks.arms.used import write_used
from tasks.exposures.settings import FeedbackSettings
from tasks.features.settings import FeatureSettings
from tasks.store.paths import Store
from tests.tasks.arms.sites import publish
from tests.tasks.site import CUTOFF, DAY, END, RUN_DATE

NIGHTS, LIFT, SHARE = 56, 0.03, 0.5
Arrays = tuple[np.ndarray, np.ndarray]


def site(draw: np.random.Generator, users: int, nights: int, lift: float = 0.0) -> Arrays:
    """What users did before, [n], and night after night, [n, nights]: a third of them seldom come, a few every day.

    Each has a habit, which drifts from week to week; those of the first half do more of it by the lift.
    """
    habit = draw.gamma(0.5, 0.6, (users, 1))
    drift = draw.gamma(4, 1 / 4, (users, -(-nights // 7) + 4))
    rate = habit * drift
    before = draw.poisson(7 * rate[:, :4]).sum(axis=1)
    nightly = np.repeat(rate[:, 4:], 7, axis=1)[:, :nights]
    arm = np.arange(users)[:, None] < SHARE * users
    return before.astype(float), draw.poisson(nightly * np.where(arm, 1 + lift, 1))


def looks(before: np.ndarray, nightly: np.ndarray, nights: range) -> Iterator[Effect]:
    """The effect as a night sees it."""
    so_far = nightly.cumsum(axis=1)
    arm = np.arange(len(before)) < SHARE * len(before)
    for night in nights:
        correction = Correction.of(1, night)
        outcome = so_far[:, night - 1] / night
        yield effect(
            outcome[arm],
            outcome[~arm],
            before=(before[arm], before[~arm]),
            information=correction.information,
            alpha=correction.outcome,
        )


def aa(sites: int = 500, users: int = 4_000) -> None:
    draw = np.random.default_rng(0)
    p_values, ever = [], 0
    for _ in range(sites):
        found = list(looks(*site(draw, users, NIGHTS), range(1, NIGHTS + 1)))
        p_values.append(found[PLANNED_DAYS - 1].p_value)
        ever += any(one.certain for one in found)
    print(f"A/A, {sites} sites: KS p {stats.kstest(p_values, 'uniform').pvalue:.3f}")
    print(f"  a single look at day {PLANNED_DAYS}: {np.mean(np.array(p_values) < 0.05):.1%} false positives")
    print(f"  a look on each of {NIGHTS} nights: {ever / sites:.1%} in all")


def planted(sites: int = 300) -> None:
    draw = np.random.default_rng(1)
    before, nightly = site(draw, 200_000, PLANNED_DAYS)
    outcome = nightly.sum(axis=1) / PLANNED_DAYS
    deviation, left = deviation_left(outcome, before)
    users = users_needed(SHARE, deviation, outcome.mean() * LIFT)
    at_the_day, ever, values = 0, 0, []
    for _ in range(sites):
        found = list(looks(*site(draw, users, PLANNED_DAYS, LIFT), range(1, PLANNED_DAYS + 1)))
        at_the_day += found[-1].low > 0
        ever += any(one.low > 0 for one in found)
        values.append(found[-1].relative)
    print(
        f"+{LIFT:.0%} planted, {sites} sites of {users:,} users by the plan (CUPED leaves {left:.0%} of the variance)"
    )
    print(f"  found at day {PLANNED_DAYS}: {at_the_day / sites:.1%} (80 % foreseen), by then: {ever / sites:.1%}")
    print(f"  the effect: {np.mean(values):+.2%} on average")


def cost(folder: Path, users: int = 1_000_000, items: int = 20_000, interactions: int = 10_000_000) -> None:
    night, draw = Store(folder).night(RUN_DATE), np.random.default_rng(2)
    for one in (night.prepared, night.valid, night.arms):
        one.mkdir(parents=True)
    settings = ArmsSettings.model_validate({"groups": {"holdback": {"share": 0.05, "policy": "popularity"}}})
    ids = {kind: np.arange(n) for kind, n in (("user", users), ("item", items))}
    for kind, these in ids.items():
        table = {f"{kind}_index": these.astype(np.int32), f"{kind}_id": these}
        category = {"category": pa.array(these % 50).cast(pa.string())} if kind == "item" else {}
        pq.write_table(pa.table(table | category), night.prepared / f"{kind}s.parquet")
    habit = draw.gamma(0.5, 1, users)
    times = np.sort(END - (draw.random(interactions) * 90 * DAY).astype(np.int64))
    log = {"user_id": draw.choice(users, interactions, p=habit / habit.sum())}
    log |= {"item_id": (draw.pareto(1, interactions) * 100).astype(np.int64) % items}
    pq.write_table(
        pa.table({**log, "timestamp": pa.array(times, pa.timestamp("us", "UTC"))}), night.valid / "interactions.parquet"
    )
    export_id = publish(night, 30, settings=settings)
    rows = {"user_id": np.repeat(ids["user"], 10), "rank": np.tile(np.arange(1, 11, dtype=np.int16), users)}
    rows |= {"item_id": draw.integers(items, size=10 * users), "model": pa.array(["ease"] * (10 * users))}
    topk = night.store.export(export_id) / "topk"
    topk.mkdir(parents=True)
    pq.write_table(pa.table(rows), topk / "part-00000.parquet")
    manifest = night.store.export_manifest(export_id)
    (manifest.parent / "removed" / manifest.name).rename(manifest)
    del rows, log, times
    started = time.perf_counter(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    write_used(night, CUTOFF - timedelta(days=1), CUTOFF, 90, "2GB")
    made_from: Any = {"output": ""}
    arms = ArmsInputs(night, settings, FeatureSettings(), FeedbackSettings(keep_days=90), CUTOFF, made_from, made_from)
    found = compared(arms, arms.begins(), night.arms)
    wall, cores = time.perf_counter() - started[0], sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - started[1]
    print(f"{users:,} users, {interactions:,} interactions, 30 days: {wall:.0f} s ({cores:.0f} s of cores)")
    print(f"  peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB; {found.arms[0].says}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help="aa, planted, or cost FOLDER")
    given = parser.parse_args().what
    if "aa" in given:
        aa()
    if "planted" in given:
        planted()
    if "cost" in given:
        cost(Path(given[-1]))

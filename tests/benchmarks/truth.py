"""What is true of the lists of a demo site's nights, which its generator knows and nightrec must find out."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Doubles
from recmodels.demo.days import item_index, lists_of, truth_on, user_index
from recmodels.demo.reaction import Truth
from recmodels.published.reader import Export

MODEL = "usual"


@dataclass(frozen=True)
class Day:
    """A night's lists on the day for which they were made."""

    day: date
    truth: Truth
    export: Export
    seen: pa.Table  # the exposures of that day


def days_of(folder: Path) -> Iterator[Day]:
    """The days of a folder with a site (`data`) and its store (`store`), as far as their exports are there."""
    for path in sorted((folder / "data").glob("exposures-*.parquet")):
        day = date.fromisoformat(path.stem.removeprefix("exposures-"))
        seen = pq.read_table(path)
        yield Day(day, truth_on(folder / "data", day), Export.of_night(folder / "store", day), seen)


def chosen_clicks(folder: Path, day: Day) -> dict[str, Doubles]:
    """For each model the chance of a click on what it would have shown in each place that was drawn and seen.

    The lists are those that `nightrec ope` counts: of the arm main, a user's on a day, whose drawn place was seen.
    `usual` is what is there without exploration.
    """
    path = folder / "store/feedback" / str(day.day) / "proposals.parquet"
    proposals = pq.read_table(path)
    topk = day.export.table("topk")
    main = topk.filter((pc.field("rank") == 1) & (pc.field("arm") == "main"))["user_id"]
    proposals = proposals.filter(pc.is_in(proposals["user_id"], main))
    slots = proposals.group_by(["user_id", "slot", "usual"], use_threads=False).aggregate([])
    seen = day.seen.select(["user_id", "rank"]).append_column("slot", day.seen["rank"].cast(pa.int16()))
    drawn = slots.join(seen.drop_columns("rank"), ["user_id", "slot"], join_type="inner").sort_by("user_id")
    users, usual = user_index(day.truth, drawn["user_id"]), item_index(day.truth, drawn["usual"])
    found = {MODEL: day.truth.click_chance(users, usual)}
    names = proposals["model"].cast(pa.string())
    for model in pc.unique(names).to_pylist():
        own = proposals.filter(pc.equal(names, model))
        at = pc.index_in(drawn["user_id"], own["user_id"])
        proposed = item_index(day.truth, own["item_id"].take(at.fill_null(0)))
        found[model] = day.truth.click_chance(users, np.where(at.is_valid().to_numpy(), proposed, usual))
    found[str(day.export.manifest["champion"])] = found[MODEL]
    return found


def values_of(folder: Path, first: date, last: date) -> dict[str, float]:
    """The true value of each model in some days: the mean chance of a click over the lists."""
    chances = defaultdict(list)
    for day in days_of(folder):
        if first <= day.day <= last:
            for model, clicks in chosen_clicks(folder, day).items():
                chances[model].append(clicks)
    return {model: float(np.concatenate(parts).mean()) for model, parts in chances.items()}


def clicks_by_arm(folder: Path) -> dict[str, list[float]]:
    """By arm the clicks to be expected of a user on each day, as a share of their visits to be expected at first.

    Who is in an arm is chance, and so is how active they are: that is no effect of the arm.
    """
    found, visits = defaultdict(list), None
    for day in days_of(folder):
        visits = day.truth.visit_chance() if visits is None else visits
        topk = day.export.table("topk")
        expected = day.truth.expected_clicks(lists_of(day.truth, topk, folder))
        first = topk.filter(pc.equal(topk["rank"], 1))
        arms = first["arm"].cast(pa.string())
        for arm in pc.unique(arms).to_pylist():
            users = user_index(day.truth, first["user_id"].filter(pc.equal(arms, arm)))
            found[arm].append(float(expected[users].sum() / visits[users].sum()))
    return dict(found)

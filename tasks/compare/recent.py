"""How the champion did in recent nights, from the history."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from statistics import median

import pyarrow.parquet as pq

from tasks.compare.decision import Incumbent, RecentMedians
from tasks.store.files import read_json
from tasks.store.paths import Store
from tasks.train.settings import PRIMARY

COVERAGE = "coverage"
Figures = dict[tuple[str, str], float]  # by model and metric


@dataclass(frozen=True)
class Recent:
    """A model's figures in recent nights, the newest first."""

    quality: tuple[float, ...] = ()
    lift: tuple[float, ...] = ()  # its quality in proportion to that of the popularity of the last week
    coverage: tuple[float, ...] = ()

    def medians(self) -> RecentMedians:
        return RecentMedians(
            nights=len(self.quality),
            value=median(self.quality) if self.quality else None,
            lift=median(self.lift) if self.lift else None,
            coverage=median(self.coverage) if self.coverage else None,
        )


NO_RECENT = Recent()


def recent_figures(
    store: Store, run_date: date, incumbent: Incumbent | None, k: int, nights: int, baseline: str
) -> Recent:
    """The champion's figures in the last nights before this one that have measured it."""
    if incumbent is None:
        return NO_RECENT
    found = (
        _of_one(figures, (incumbent.name, incumbent.published_as), baseline) for figures in _nights(store, run_date, k)
    )
    return _together(list(islice((one for one in found if one.quality), nights)))


def recent_of_all(store: Store, run_date: date, k: int, nights: int, baseline: str) -> dict[str, Recent]:
    """The figures of all models in the last nights before this one, by name."""
    figures = list(islice(_nights(store, run_date, k), nights))
    models = {model for night in figures for model, _ in night}
    return {model: _together([_of_one(night, (model,), baseline) for night in figures]) for model in sorted(models)}


def _nights(store: Store, run_date: date, k: int) -> Iterator[Figures]:
    """The figures over all users of the nights before one, newest first. Those that the gate refused are no measure."""
    days = {}
    for path in store.history(run_date).parent.glob("????-??-??.parquet"):
        days[date.fromisoformat(path.stem)] = path
    for day in sorted((day for day in days if day < run_date), reverse=True):
        if (read_json(store.night(day).evaluation / "decision.json") or {}).get("refused"):
            continue
        rows = pq.read_table(days[day], columns=["model", "metric", "k", "slice", "value"]).to_pylist()
        yield {
            (row["model"], row["metric"]): row["value"]
            for row in rows
            if row["metric"] in (PRIMARY, COVERAGE) and row["slice"] == "all" and row["k"] == k
        }


def _of_one(figures: Figures, names: tuple[str, ...], baseline: str) -> Recent:
    """The figures of a model in one night, under the first of its names that the night knows."""
    name = next((name for name in names if (name, PRIMARY) in figures), None)
    if name is None:
        return NO_RECENT
    quality, popular = figures[name, PRIMARY], figures.get((baseline, PRIMARY))
    covered = figures.get((name, COVERAGE))
    return Recent((quality,), (quality / popular,) if popular else (), () if covered is None else (covered,))


def _together(nights: list[Recent]) -> Recent:
    return Recent(
        tuple(value for night in nights for value in night.quality),
        tuple(value for night in nights for value in night.lift),
        tuple(value for night in nights for value in night.coverage),
    )

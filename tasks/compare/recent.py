"""How the champion did in recent nights, from the history."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from statistics import median

from tasks.compare.decision import Incumbent, RecentMedians
from tasks.store.files import read_json
from tasks.store.history import figures_of
from tasks.store.manifests import whole
from tasks.store.paths import Night, Store
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
    for day in reversed(store.histories()):
        if day >= run_date or not _counts(store.night(day)):
            continue
        table = figures_of(store, day, ["model", "metric", "k", "slice", "value"])
        rows = [] if table is None else table.to_pylist()
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


def _counts(night: Night) -> bool:
    """Whether a night is a measure: the gate did not refuse it, as far as its folder is there to tell."""
    if not night.evaluation.exists():
        return True
    decision = read_json(night.evaluation / "decision.json")
    described = (night.evaluation / "manifest.json").exists()
    return decision is not None and not decision.get("refused") and not (described and whole(night.evaluation) is None)

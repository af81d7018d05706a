"""How the champion did in recent nights, from the history."""

from dataclasses import dataclass
from datetime import date
from statistics import median

import pyarrow.parquet as pq

from tasks.compare.decision import Incumbent, RecentMedians
from tasks.store.files import read_json
from tasks.store.paths import Store
from tasks.train.settings import PRIMARY


@dataclass(frozen=True)
class Recent:
    """The champion's figures in recent nights, the newest first."""

    quality: tuple[float, ...] = ()
    lift: tuple[float, ...] = ()  # its quality in proportion to that of the popularity of the last week

    def medians(self) -> RecentMedians:
        return RecentMedians(
            nights=len(self.quality),
            value=median(self.quality) if self.quality else None,
            lift=median(self.lift) if self.lift else None,
        )


def recent_figures(
    store: Store, run_date: date, incumbent: Incumbent | None, k: int, nights: int, baseline: str
) -> Recent:
    """The champion's NDCG in the last nights before this one. Nights that the gate refused are no measure."""
    if incumbent is None:
        return Recent()
    quality: list[float] = []
    lift: list[float] = []
    for path in sorted(store.history(run_date).parent.glob("*.parquet"), reverse=True):
        night = date.fromisoformat(path.stem)
        decision = read_json(store.night(night).evaluation / "decision.json") or {}
        if night >= run_date or decision.get("refused"):
            continue
        rows = pq.read_table(path, columns=["model", "metric", "k", "slice", "value"]).to_pylist()
        values = {
            row["model"]: row["value"]
            for row in rows
            if row["metric"] == PRIMARY and row["slice"] == "all" and row["k"] == k
        }
        value = values.get(incumbent.name, values.get(incumbent.published_as))
        if value is None:
            continue
        quality.append(value)
        if values.get(baseline):
            lift.append(value / values[baseline])
        if len(quality) == nights:
            break
    return Recent(tuple(quality), tuple(lift))

"""The incumbent's figures of recent nights, from the history."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.compare.recent import Recent, recent_figures, recent_of_all
from tasks.compare.stage import COMPARISON
from tasks.store.files import write_json
from tasks.store.paths import Store
from tests.tasks.compared import INCUMBENT

TONIGHT = date(2026, 3, 31)


def test_recent_figures_come_from_the_history_before_tonight_without_refused_nights(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for day, value in (("2026-03-27", 0.1), ("2026-03-28", 0.3), ("2026-03-29", 0.4), ("2026-03-31", 0.9)):
        night = store.night(date.fromisoformat(day))
        row = {"run_date": night.run_date, "metric": "ndcg", "k": 10, "users": 5}
        figures = (("als", "all", value), ("als", "history:none", 0.1), ("week", "all", 0.2))
        rows = [row | {"model": model, "slice": name, "value": figure} for model, name, figure in figures]
        path = store.history(night.run_date)
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=COMPARISON), path)
        refused = "poisoned" if day == "2026-03-27" else None
        write_json(night.evaluation / "decision.json", {"refused": refused})
    found = recent_figures(store, TONIGHT, INCUMBENT, 10, 7, "week")
    assert (found.quality, found.lift) == ((0.4, 0.3), pytest.approx((2.0, 1.5)))
    assert recent_figures(store, TONIGHT, INCUMBENT, 10, 1, "week").quality == (0.4,)
    assert recent_figures(store, TONIGHT, INCUMBENT, 20, 7, "week") == Recent()
    assert recent_figures(store, TONIGHT, None, 10, 7, "week") == Recent()
    (store.history(TONIGHT).parent / ".tmp-2026-03-30.parquet").touch()  # of a night whose disk was full
    everybody = recent_of_all(store, TONIGHT, 10, 7, "week")
    assert everybody == {"als": found, "week": Recent((0.2, 0.2), (1.0, 1.0))}

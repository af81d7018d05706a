"""The files of a finished replay: its table, its JSON, its sentences and its page."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from recmodels.errors import DataRefused, NightrecError
from tasks.replay.page import html, smoothed
from tasks.replay.result import FIGURES, PAGE, RESULT, told, write_result
from tasks.replay.sentences import _right
from tests.tasks.replay.replays import FIRST, spec_of
from tests.tasks.replay.test_panel import keep

SHOWN = {"u1": ["1", "2"]}


@pytest.fixture
def result(tmp_path: Path) -> Any:
    """Five nights of two models, the second a night short, and a night that was refused."""
    spec = spec_of(tmp_path, first=FIRST, last=FIRST + timedelta(days=5), every=1, horizon=1)
    spec = spec.model_copy(update={"candidates": dict.fromkeys(["als", "<b>"], spec.candidates["popularity"])})
    nights: list[Any] = []
    for n, run_date in enumerate(spec.dates):
        nights.append({"run_date": str(run_date), "status": "measured", "reason": "", "failed": {}, "seconds": 1.0})
        if n == 5:  # what was measured by other settings does not count
            nights[-1] |= {"status": "refused", "reason": "The newest interaction is too old."}
        ndcg = {f"u{user}": user / 20 + n / 100 for user in range(12)}
        keep(spec.store, run_date, "als", ndcg, SHOWN)
        if n:
            keep(spec.store, run_date, "<b>", {name: value / 2 for name, value in ndcg.items()}, SHOWN)
        else:
            nights[-1]["failed"] = {"<b>": "it ran out of memory"}
    return spec, write_result(spec, nights)


def test_the_table_and_the_json_have_every_figure_of_every_night(result: Any) -> None:
    spec, found = result
    rows = pq.read_table(spec.root / FIGURES).to_pylist()
    assert len(rows) == (5 + 4 + 5) * 13  # of two models, and of the one that the gate publishes
    one = next(row for row in rows if (row["model"], row["figure"]) == ("als", "coverage"))
    assert one == {"run_date": FIRST, "model": "als", "figure": "coverage", "value": 0.25, "users": 3, "judged": 2}
    assert json.loads((spec.root / RESULT).read_text()) == json.loads(json.dumps(found))
    assert found["figures"]["ndcg"] == {"als": [0.5] * 5, "<b>": [None, 0.5, 0.5, 0.5, 0.5], "(gate)": [0.5] * 5}
    assert [one["model"] for one in found["published"]] == ["als"] * 5
    gate = "The gate would have published als on 5 of 5 nights, with 0 changes, which is als alone."
    assert gate in found["sentences"]
    assert told(found) == "5 nights measured, 1 refused"


def test_the_sentence_on_who_was_right_compares_the_same_users_and_nights(result: Any) -> None:
    _, found = result
    # 12 users, 5 nights: (0.275 + 0.02); and half of that without the first night.
    assert found["sentences"][0].startswith(
        "als was right most often: NDCG@3 0.2950 of what people did next, over 5 nights, +100.0% against <b> ("
    )
    assert _right({"k": 3}, [], []).startswith("What people did next is not known")


def test_the_page_names_what_was_left_out_and_escapes_names(result: Any) -> None:
    spec, found = result
    page = (spec.root / PAGE).read_text()
    assert page == html(found)
    assert "&lt;b&gt;" in page and "<b>" not in page and "<script" not in page
    assert "2026-01-06: refused. The newest interaction is too old." in page
    assert "2026-01-01: measured; &lt;b&gt; failed: it ran out of memory" in page
    assert page.count('<svg class="chart"') == 3  # of NDCG, coverage and churn; nothing else was measured


def test_a_replay_without_a_night_says_why(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    night = {"run_date": "2026-01-31", "status": "refused", "reason": "Too old.", "failed": {}}
    with pytest.raises(DataRefused, match=r"No night of the replay could be measured. 2026-01-31: Too old."):
        write_result(spec, [night])
    night |= {"status": "measured", "reason": "", "failed": {"als": "no memory"}}
    with pytest.raises(NightrecError, match="2026-01-31: no memory"):
        write_result(spec, [night])


def test_a_bold_line_is_the_mean_of_the_nights_around() -> None:
    points = [(FIRST + timedelta(days=n), float(value)) for n, value in enumerate([1, 2, 6, 3])]
    assert [value for _, value in smoothed(points, 3)] == pytest.approx([1.5, 3, 11 / 3, 4.5])

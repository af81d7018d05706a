"""The figures of a report, as they are read from the store."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.compare.stage import COMPARISON
from tasks.export.nearly import ApproximateSummary
from tasks.report.figures import best, figures
from tasks.report.page import html
from tasks.report.record import NightRecord
from tasks.store.files import write_json
from tasks.store.paths import Night, Store
from tests.tasks.reported import published
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def test_the_news_say_how_nearly_lists_are_the_exact_ones(night: Night) -> None:
    published(night, ["ease"])
    record = NightRecord.of_night(night)
    assert record is not None
    record.approximate = ApproximateSummary(wanted=0.99, recall=0.995, users=3072, products=0.02, exact=None)
    write_json(night.summary, record.json_ready())
    assert figures(night)["news"] == ["ease was published as 2026-03-31: best.", record.approximate.sentence]


def test_the_first_line_is_what_was_published_unless_nothing_beats_last_week(night: Night) -> None:
    published(night, ["ease"])
    assert figures(night)["news"] == ["ease was published as 2026-03-31: best."]
    decision = json.loads((night.evaluation / "decision.json").read_text())
    decision["baseline"]["beaten_by"] = []
    write_json(night.evaluation / "decision.json", decision)
    first = "No model beats the popularity of the last 7 days (popularity_7d)."
    assert figures(night)["news"][0] == first
    page = html(figures(night))
    body = page[page.index("<body>") :]
    assert re.search(r"<p[^>]*>([^<]*)</p>", body).group(1) == first  # type: ignore[union-attr]


def test_a_dry_run_says_that_nothing_would_be_published(night: Night) -> None:
    published(night, ["ease"])
    write_json(night.summary, {"status": "compared", "winner": "ease", "reason": "best"})
    dry = "Nothing was published, as this was a dry run."
    assert figures(night)["news"] == [f"{dry} It would have been ease: the highest NDCG@10 of 2 models."]
    decision = json.loads((night.evaluation / "decision.json").read_text())
    write_json(night.evaluation / "decision.json", decision | {"refused": "The champion collapsed."})
    assert figures(night)["news"] == [f"{dry} Nothing would have been: The champion collapsed."]


def test_slices_whose_name_begins_as_that_of_everybody_are_shown(night: Night) -> None:
    published(night, ["ease"])
    path = night.evaluation / "comparison.parquet"
    rows = pq.read_table(path).to_pylist()
    others = [rows[2] | {"slice": name} for name in ("allergy:nuts", "window:2026-03-01", "windows", "off-policy")]
    pq.write_table(pa.Table.from_pylist(rows + others, schema=COMPARISON), path)
    assert [one["slice"] for one in figures(night)["slices"]] == [rows[2]["slice"], rows[3]["slice"], "allergy:nuts"]


@pytest.mark.slow
def test_what_trees_rank_by_is_on_the_page(night: Night) -> None:
    published(night, ["ease"])
    found = [{"name": "items.price", "ndcg": 0.0123, "error": 0.002}]
    summary = {"fit_seconds": 1.0, "learned": {"importances": found}}
    write_json(night.toplists("ease") / "manifest.json", {"summary": summary})
    report = figures(night)
    assert report["models"][0]["importances"] == found
    assert '<td class="wrap">items.price</td>' in (page := html(report)) and "+0.0123" in page


def test_learning_curves_have_the_last_line_of_each_epoch(night: Night) -> None:
    write_json(night.summary, {"status": "failed", "reason": "no"})
    log = night.folder / "logs" / "net-train.log"
    log.parent.mkdir()
    line = "epoch {}: loss {}, validation NDCG@10 0.2500, 1.9 s, 5.8% padding\n"
    log.write_text(line.format(1, "7.5") + "noise\n" + line.format(1, "6.5") + line.format(2, "6.0"))
    assert figures(night)["curves"] == {
        "net": [{"epoch": 1, "loss": 6.5, "ndcg": 0.25}, {"epoch": 2, "loss": 6.0, "ndcg": 0.25}]
    }


def test_a_night_that_left_nothing_is_refused_in_a_sentence(night: Night) -> None:
    with pytest.raises(ConfigError, match="The night 2026-03-31 has left nothing"):
        figures(night)


@pytest.mark.parametrize(
    ("metric", "values", "winner"),
    [
        ("ndcg", (0.2, 0.1, 0.3), "c"),
        ("gini", (0.9, 0.5, 0.2), "b"),  # c is worse than what is popular: that its items differ is no merit
        ("diversity", (0.2, 0.1, 0.9), "a"),
        ("cold_share", (0.2, 0.1, 0.3), None),
        ("ndcg", (0.1, 0.1, 0.1), None),
    ],
)
def test_the_best_figure_is_marked(metric: str, values: tuple[float, ...], winner: str | None) -> None:
    found: dict[str, Any] = {name: {metric: {"value": value}} for name, value in zip("abc", values, strict=True)}
    assert [name for name in found if best(metric, name, found, {"a", "b"})] == ([winner] if winner else [])


def test_a_published_night_keeps_its_comparison_when_a_later_run_of_it_came_to_nothing(night: Night) -> None:
    published(night, ["ease"])
    gate = {"winner": "als", "reason": "it was best", "verdict": "promoted"}
    models = {"als": {"ndcg": {"value": 0.4, "low": 0.3, "high": 0.5}}}
    record = {"status": "published", "winner": "als", "reason": "it was best", "gate": gate, "models": models}
    attempts = [{"status": "failed", "started_at": "2026-03-31T09:00:00+00:00", "reason": "no such model"}]
    write_json(night.summary, {**record, "started_at": "2026-03-31T03:00:00+00:00", "attempts": attempts})
    found = figures(night)
    assert [(row["model"], row["metrics"]["ndcg"]["value"]) for row in found["models"]] == [("als", 0.4)]
    assert found["decision"]["reason"] == "it was best" and found["slices"] == []
    assert "of a later run that came to nothing" in found["news"][-1]
    assert found["answers"][-1] == "To look at: the night was run again, and failed: no such model."

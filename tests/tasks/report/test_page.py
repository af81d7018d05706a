"""The report says what the store says, of any night, needs nothing but itself, and runs nothing that a title says."""

import json
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import NightrecError
from tasks.compare.decision import Incumbent
from tasks.compare.gate import decide
from tasks.compare.recent import Recent
from tasks.compare.settings import GateSettings
from tasks.compare.stage import COMPARISON
from tasks.evaluate.summary import Figure, ModelSummary
from tasks.report.artifacts import gate_text
from tasks.report.figures import best, figures
from tasks.report.page import html, up_to_date, write_report
from tasks.report.stage import recorded
from tasks.store.events import log_event
from tasks.store.files import Json, write_json
from tasks.store.paths import Night, Store
from tests.tasks.site import RUN_DATE

EVIL = "<script>alert(1)</script>"
BEFORE = date(2026, 3, 30)


class Tags(HTMLParser):
    """The elements of a page, and the addresses that they name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def compared(night: Night, beaten_by: list[str]) -> None:
    """Two models and a slice of each kind, as the stage leaves them."""
    rows: list[Json] = []
    for model, ndcg, coverage in (("ease", 0.25, 0.5), ("popularity_7d", 0.1, 0.75)):
        figure = {"run_date": night.run_date, "model": model, "k": 10, "users": 40}
        rows += [
            figure | {"metric": "ndcg", "slice": "all", "value": ndcg, "low": ndcg - 0.05, "high": ndcg + 0.05},
            figure | {"metric": "coverage", "slice": "all", "value": coverage, "low": None, "high": None},
            figure | {"metric": "ndcg", "slice": "history:1-4", "value": ndcg, "low": 0.0, "high": 0.5},
            figure | {"metric": "recall", "slice": f"category:{EVIL}$", "value": ndcg, "low": 0.0, "high": 0.5},
        ]
    night.evaluation.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=COMPARISON), night.evaluation / "comparison.parquet")
    history = night.store.history(night.run_date)
    history.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=COMPARISON), history)
    baseline = {"name": "popularity_7d", "value": 0.1, "beaten_by": beaten_by}
    decision: Json = {"winner": "ease", "reason": "the highest NDCG@10 of 2 models", "verdict": "first"}
    decision |= {"refused": None, "champion": None, "challengers": [], "baseline": baseline, "failed": {"als": EVIL}}
    write_json(night.evaluation / "decision.json", decision)


def export(night: Night, lists: dict[str, list[str]]) -> None:
    """An export with two places a user, each because of the item `x`."""
    rows = [
        {"user_id": user, "rank": place, "item_id": item, "model": "ease", "source": "personal", "reason_item_id": "x"}
        for user, items in lists.items()
        for place, item in enumerate(items, 1)
    ]
    folder = night.store.export(str(night.run_date)) / "topk"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "part-00000.parquet")
    about = {"export_id": str(night.run_date), "run_date": str(night.run_date), "champion": "ease", "k": 2}
    about["files"] = [{"path": "topk/part-00000.parquet"}]  # type: ignore[assignment]
    write_json(night.store.export_manifest(str(night.run_date)), about)


def published(night: Night, beaten_by: list[str]) -> None:
    compared(night, beaten_by)
    night.prepared.mkdir(parents=True)
    titles = pa.table({"item_id": ["a", "b", "c", "x"], "title": [EVIL, "Béla & Co", None, "X"]})
    pq.write_table(titles, night.prepared / "items.parquet")
    night.valid.mkdir()
    users = pa.table({"user_id": ["ann", "bob", "gone"], "opted_out": [False, None, True]})
    pq.write_table(users, night.valid / "users.parquet")
    export(Store(night.store.root).night(BEFORE), {"ann": ["b", "c"], "bob": ["b", "c"], "gone": ["a", "b"]})
    export(night, {"ann": ["b", "a"], "bob": ["b", "c"], "gone": ["a", "b"]})
    write_json(night.summary, {"status": "published", "winner": "ease", "reason": "best", "export_id": "2026-03-31"})


def test_titles_slices_and_reasons_are_text_and_nothing_is_loaded(night: Night) -> None:
    published(night, ["ease"])
    page = write_report(night).read_text(encoding="utf-8")
    found = Tags(page)
    assert "script" not in found.tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert all(address.startswith("#") for address in found.addresses)
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", page)
    assert found.tags >= {"svg", "table", "style"}
    assert len(re.findall(r'\bid="([^"]+)"', page)) == len(set(re.findall(r'\bid="([^"]+)"', page)))
    assert "prefers-color-scheme: dark" in page
    assert not re.findall(r"#[0-9a-f]{6}", re.sub(r"<style>.*?</style>", "", page, count=1, flags=re.DOTALL))


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


def test_the_champion_so_far_stands_beside_its_last_nights_and_its_challengers(night: Night) -> None:
    values = {"ease": np.full(300, 0.25), "popularity_7d": np.full(300, 0.1)}
    published(night, ["ease"])
    incumbent = Incumbent(name="ease", published_as="ease", export_id="2026-03-30", recommender="ease", params={})
    summaries = {
        name: ModelSummary(k=10, users=300, metrics={"ndcg": Figure(value=float(one.mean()))})
        for name, one in values.items()
    }
    known = Recent((0.24, 0.26))
    for recent, said in ((known, "the median of its last 2 nights is 0.2500"), (Recent(), "NDCG 0.2500.")):
        decision = decide(GateSettings(), summaries, values, incumbent, {}, recent)
        write_json(night.evaluation / "decision.json", decision.json_ready() | {"failed": {}, "baseline": None})
        page = re.sub(r"\s+", " ", write_report(night).read_text(encoding="utf-8"))
        assert "The champion so far was ease, of the export 2026-03-30. Tonight it has NDCG 0.2500" in page
        assert said in page
        assert "0 of 1 challengers may replace the champion" in page
        assert "**ease** (stays): the champion stays: it has the highest" in gate_text(night, decision)
        assert "| popularity_7d | -60.0% |" in gate_text(night, decision)


def test_lists_before_and_after_have_titles_reasons_and_nobody_who_opted_out(night: Night) -> None:
    published(night, ["ease"])
    found = figures(night)["examples"]
    assert [one["user_id"] for one in found] == ["ann", "bob"]
    assert [one["what"] for one in found] == ["50% of the list is new", "0% of the list is new"]
    assert [row["item_id"] for row in found[0]["before"]] == ["b", "c"]
    after = [(row["rank"], row["item_id"], row["title"], row["reason"]) for row in found[0]["after"]]
    assert after == [(1, "b", "Béla & Co", "X"), (2, "a", EVIL, "X")]
    page = write_report(night)
    assert "gone" not in page.read_text(encoding="utf-8") + page.with_suffix(".json").read_text(encoding="utf-8")


def test_the_json_beside_the_page_has_the_figures(night: Night) -> None:
    published(night, ["ease"])
    page = write_report(night)
    found = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert [row["model"] for row in found["models"]] == ["ease", "popularity_7d", "als"]
    assert found["models"][0]["metrics"]["ndcg"] == {"value": 0.25, "low": 0.2, "high": 0.3}
    assert (found["models"][0]["winner"], found["models"][0]["best"]) == (True, ["ndcg"])
    assert found["models"][1]["best"] == ["coverage"]
    assert found["slices"][0]["models"]["ease"] == {"value": 0.25, "low": 0.0, "high": 0.5}
    assert found["history"][-1]["metrics"]["ndcg"] == {"ease": 0.25, "popularity_7d": 0.1}
    assert [one["champion"] for one in found["history"]] == ["ease"]


def test_a_report_is_the_same_whenever_it_is_written(night: Night) -> None:
    published(night, ["ease"])
    assert write_report(night).read_bytes() == write_report(night).read_bytes()


def test_learning_curves_are_the_last_told_of_each_epoch(night: Night) -> None:
    write_json(night.summary, {"status": "failed", "reason": "no"})
    log = night.folder / "logs" / "net-train.log"
    log.parent.mkdir()
    line = "epoch {}: loss {}, validation NDCG@10 0.2500, 1.9 s, 5.8% padding\n"
    log.write_text(line.format(1, "7.5") + "noise\n" + line.format(1, "6.5") + line.format(2, "6.0"))
    assert figures(night)["curves"] == {
        "net": [{"epoch": 1, "loss": 6.5, "ndcg": 0.25}, {"epoch": 2, "loss": 6.0, "ndcg": 0.25}]
    }


def test_a_night_that_failed_has_a_page_that_says_why(night: Night) -> None:
    with pytest.raises(NightrecError), recorded(night):
        raise NightrecError(f"The data are {EVIL}.")
    page = night.store.report(RUN_DATE).read_text(encoding="utf-8")
    assert "Nothing was published, the last export stays: The data are &lt;script&gt;" in page


def test_a_night_that_the_gate_refused_shows_its_comparison(night: Night) -> None:
    compared(night, ["ease"])
    with pytest.raises(NightrecError), recorded(night):
        log_event("compare", "done")
        raise NightrecError("The champion collapsed.")
    found = json.loads(night.store.report(RUN_DATE).with_suffix(".json").read_text(encoding="utf-8"))
    assert found["news"][0] == "Nothing was published, the last export stays: The champion collapsed."
    assert [row["model"] for row in found["models"]] == ["ease", "popularity_7d", "als"]


def test_a_page_that_cannot_be_written_does_not_cost_the_night(night: Night) -> None:
    night.store.report(RUN_DATE).parent.write_text("in the way")
    with recorded(night) as record:
        record.update(export_id="x", winner="ease", reason="best")
    assert json.loads(night.summary.read_text())["status"] == "published"


def test_a_page_is_written_again_when_the_code_has_changed(night: Night) -> None:
    assert not up_to_date(night)
    with recorded(night) as record:
        record.update(export_id="x", winner="ease", reason="best")
    assert up_to_date(night)
    figures_file = night.store.report(RUN_DATE).with_suffix(".json")
    found = json.loads(figures_file.read_text())
    write_json(figures_file, found | {"parameters": found["parameters"] | {"code": "another"}})
    assert not up_to_date(night)


def test_a_night_that_left_nothing_is_refused_in_a_sentence(night: Night) -> None:
    with pytest.raises(NightrecError, match="The night 2026-03-31 has left nothing"):
        figures(night)


@pytest.mark.parametrize(
    ("metric", "values", "winner"),
    [
        ("ndcg", (0.2, 0.1), "a"),
        ("gini", (0.9, 0.5), "b"),
        ("cold_share", (0.2, 0.1), None),
        ("ndcg", (0.1, 0.1), None),
    ],
)
def test_the_best_figure_is_marked(metric: str, values: tuple[float, float], winner: str | None) -> None:
    found: dict[str, Any] = {name: {metric: {"value": value}} for name, value in zip("ab", values, strict=True)}
    assert [name for name in found if best(metric, name, found)] == ([winner] if winner else [])

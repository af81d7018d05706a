"""The report says what the store says, of any night, needs nothing but itself, and runs nothing that a title says."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from recmodels.errors import NightrecError
from tasks.arms.results import Arms
from tasks.compare.decision import Incumbent
from tasks.compare.gate import decide
from tasks.compare.recent import Recent
from tasks.compare.settings import GateSettings
from tasks.evaluate.summary import Figure, ModelSummary
from tasks.report.artifacts import gate_text
from tasks.report.page import up_to_date, write_report
from tasks.report.stage import recorded
from tasks.store.events import log_event
from tasks.store.files import read_json, write_json
from tasks.store.paths import Night, Store
from tests.flows.ui.asking import asked, checked, site_at
from tests.tasks.longterm.found import FOUND
from tests.tasks.report.test_arms import arm
from tests.tasks.reported import EVIL, compared, published
from tests.tasks.site import RUN_DATE


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


def test_titles_slices_and_reasons_are_text_and_nothing_is_loaded(night: Night) -> None:
    published(night, ["ease"])
    record = read_json(night.summary) or {}
    arms = Arms(arms=[arm()], corrected="For all looks.").json_ready()
    write_json(night.summary, record | {"arms": arms, "foretold": FOUND.json_ready()})
    page = write_report(night).read_text(encoding="utf-8")
    found = Tags(page)
    for text in (
        "The arms",
        "holdback: fewer.",
        "For all looks.",
        "-15.0% to -5.0%",
        "Outcome of each arm",
        "holdback: fewer. Doubt it: why.",
    ):
        assert text in page
    assert "script" not in found.tags
    shown = asked(site_at(night.store.root), f"/nights/{night.run_date}")
    assert "The candidates" in checked(shown, own=False).text  # as a page of `nightrec ui` shows it
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert all(address.startswith("#") for address in found.addresses)
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", page)
    assert found.tags >= {"svg", "table", "style"}
    assert len(re.findall(r'\bid="([^"]+)"', page)) == len(set(re.findall(r'\bid="([^"]+)"', page)))
    assert "prefers-color-scheme: dark" in page
    assert not re.findall(r"#[0-9a-f]{6}", re.sub(r"<style>.*?</style>", "", page, count=1, flags=re.DOTALL))


def test_a_candidate_that_was_trained_leaner_is_named_with_why(night: Night) -> None:
    published(night, ["ease"])
    lean = {"stage": "train item_knn", "event": "note", "message": "is trained with neighbors = 50: as it is, <b>"}
    record = read_json(night.summary) or {}
    others = [{"stage": stage, "event": "note", "message": "other"} for stage in ("ingest", "train als")]
    write_json(night.summary, record | {"stages": [lean, *others], "failed": {"als": "left out"}})
    page = write_report(night).read_text(encoding="utf-8")
    assert '<p class="note">item_knn is trained with neighbors = 50: as it is, &lt;b&gt;.</p>' in page
    assert "ingest other" not in page and "als other" not in page


@pytest.mark.slow
def test_stages_have_their_memory_and_cpu_time_and_the_one_that_took_the_most_memory_is_named(night: Night) -> None:
    published(night, ["ease"])
    took = {"ingest": ("done", 3), "prepare": ("done", 5), "features train": ("skipped", 9)}
    stages = [
        {"stage": stage, "event": event, "ended": 1.0, "peak_bytes": size * 2**30, "cpu_seconds": 7.25}
        for stage, (event, size) in took.items()
    ]
    record = read_json(night.summary) or {}
    write_json(night.summary, record | {"stages": stages, "memory_bytes": 2**34})
    page = write_report(night).read_text(encoding="utf-8")
    assert page.count('<td data-label="CPU">7.2 s</td>') == 2
    assert "<b>prepare</b> held the most memory at a time: 5.0 GiB of the 16.0 GiB that the night planned with." in page


@pytest.mark.slow
def test_the_champion_so_far_is_shown_with_its_last_nights_and_its_challengers(night: Night) -> None:
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


def test_the_json_file_has_the_figures_of_the_page(night: Night) -> None:
    published(night, ["ease"])
    page = write_report(night)
    found = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert [row["model"] for row in found["models"]] == ["ease", "popularity_7d", "als"]
    assert found["models"][0]["metrics"]["ndcg"] == {"value": 0.25, "low": 0.2, "high": 0.3}
    assert (found["models"][0]["winner"], found["models"][0]["best"]) == (True, ["ndcg"])
    assert found["models"][1]["best"] == []  # that popular items cover more is no merit
    assert found["slices"][0]["models"]["ease"] == {"value": 0.25, "low": 0.0, "high": 0.5}
    assert found["history"][-1]["metrics"]["ndcg"] == {"ease": 0.25, "popularity_7d": 0.1}
    assert [one["champion"] for one in found["history"]] == ["ease"]


@pytest.mark.slow
def test_a_report_is_the_same_whenever_it_is_written(night: Night) -> None:
    published(night, ["ease"])
    assert write_report(night).read_bytes() == write_report(night).read_bytes()


def test_a_night_that_failed_has_a_page_that_says_why(night: Night) -> None:
    with pytest.raises(NightrecError), recorded(night):
        raise NightrecError(f"The data are {EVIL}.")
    page = night.store.report(RUN_DATE).read_text(encoding="utf-8")
    assert "Nothing was published, the last export stays: The data are &lt;script&gt;" in page


@pytest.mark.slow
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
        record.export_id, record.winner, record.reason = "x", "ease", "best"
    assert json.loads(night.summary.read_text())["status"] == "published"


def test_a_page_is_written_again_when_the_code_has_changed(night: Night) -> None:
    assert not up_to_date(night)
    with recorded(night) as record:
        record.export_id, record.winner, record.reason = "x", "ease", "best"
    assert up_to_date(night)
    figures_file = night.store.report(RUN_DATE).with_suffix(".json")
    found = json.loads(figures_file.read_text())
    write_json(figures_file, found | {"parameters": found["parameters"] | {"code": "another"}})
    assert not up_to_date(night)

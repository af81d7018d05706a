"""The texts that a night shows in Prefect."""

from pathlib import Path

import pytest

from tasks.evaluate.summary import Figure
from tasks.report import artifacts
from tasks.report.artifacts import interval, markdown
from tasks.report.record import NightRecord
from tasks.store.paths import Night, Store
from tests.tasks.site import RUN_DATE


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def test_the_summary_names_the_winner_its_interval_and_what_was_left_out(night: Night) -> None:
    ndcg = {"value": 0.25, "low": 0.2, "high": 0.3}
    record = {
        "winner": "ease",
        "export_id": "2026-03-31.2",
        "reason": "the highest NDCG@10 of 2 models",
        "k": 10,
        "models": {"ease": {"ndcg": ndcg}},
        "failed": {"content": "no terms"},
        "measured_on": "the last 7 days",
        "interactions": 12345,
        "quarantined": 6,
        "rows": 100,
        "users": 10,
        "cold_users": 1,
    }
    text = markdown(night, NightRecord.of(record))
    for part in (
        "**ease**",
        "`2026-03-31.2`",
        "0.2500 [0.2000, 0.3000]",
        "12,345 read, 6 quarantined",
        "content: no terms",
    ):
        assert part in text
    assert interval(Figure(value=0.5)) == "0.5000"


@pytest.mark.parametrize(("base", "link"), [("https://recs.test/nightrec/", True), ("", False), ("file:///x", False)])
def test_the_report_is_linked_where_a_browser_sees_it(
    night: Night, monkeypatch: pytest.MonkeyPatch, base: str, link: bool
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda **given: shown.append(given["markdown"]))
    monkeypatch.setenv("NIGHTREC_UI_URL", base)
    page = night.store.report(RUN_DATE)
    artifacts.show_page(night, page)
    assert ("[Open it](https://recs.test/nightrec/nights/2026-03-31)" in shown[0]) is link
    assert f"`{page}`" in shown[0]
    assert "file://" not in shown[0]

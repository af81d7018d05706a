"""Tables fit the terminal: what matters least is left out and named, and nothing that matters is cut."""

from io import StringIO

import pytest

from flows.cli.shown import console
from flows.cli.tables import comparison, nights_table, recommendations, what_went_wrong
from tasks.report.record import NightRecord
from tasks.store.records import Pointer

FIGURES = {name: {"value": 0.25} for name in ("recall", "precision", "hit_rate", "map", "mrr", "coverage")}
PUBLISHED = {
    "run_date": "2026-03-31", "status": "published", "winner": "transformer_with_a_long_name", "reason": "best",
    "export_id": "2026-03-31", "users": 1_234_567, "rows": 12_345_670, "seconds": 4321.0, "k": 10,
    "models": {"transformer_with_a_long_name": FIGURES | {"ndcg": {"value": 0.25, "low": 0.2, "high": 0.3}}},
    "gate": {"winner": "a", "reason": "best", "verdict": "champion failed"}, "measured_on": "the last 7 days",
}  # fmt: skip
POINTER: Pointer = {
    "export_id": "2026-03-31", "run_date": "2026-03-31", "path": "", "manifest": "", "manifest_sha256": "",
    "published_at": "", "withdrawn": ["2026-04-01"],
}  # fmt: skip


def printed(width: int, what: str) -> list[str]:
    """A table in a terminal of a width, by line."""
    out = StringIO()
    terminal = console(file=out, width=width)
    record = NightRecord.of(PUBLISHED)
    later = NightRecord.of(PUBLISHED | {"run_date": "2026-04-01", "export_id": "2026-04-01"})
    row = {"rank": 1, "item_id": "i" * 36, "title": "t" * 50, "score": 0.5, "reason_title": "r" * 50}
    row |= {"model": "ease", "run_date": "2026-03-31", "reason_item_id": None, "reason_terms": []}
    tables = {
        "nights": lambda: nights_table(terminal, [record, later], POINTER),
        "models": lambda: comparison(terminal, record),
        "list": lambda: recommendations(terminal, "u1", [row]),
    }
    terminal.print(tables[what]())
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    ("what", "whole"),
    [
        ("nights", ["2026-03-31 (latest)", "2026-04-01", "transformer_with_a_long_name"]),
        ("models", ["transformer_with_a_long_name", "0.2500"]),
        ("list", []),
    ],
)
def test_names_and_dates_are_whole_at_any_width(width: int, what: str, whole: list[str]) -> None:
    lines = printed(width, what)
    assert max(map(len, lines)) <= width
    assert all(any(text in line for line in lines) for text in whole)
    assert not any("…" in line for line in lines)
    letters = {letter: sum(line.count(letter * 5) for line in lines) for letter in "itr"}
    assert what != "list" or (letters["i"] and letters["t"])


def test_what_is_left_out_is_said(width: int = 80) -> None:
    lines = printed(width, "nights")
    assert "left out for want of room: gate, users, rows, seconds" in " ".join(lines)
    assert "left out" not in " ".join(printed(140, "nights"))


def test_an_export_that_was_rolled_back_is_withdrawn() -> None:
    first, second = (line for line in printed(140, "nights") if line.startswith("│ 2026"))
    assert "published" in first and "withdrawn" in second


def test_all_that_went_wrong_is_said_below() -> None:
    failed = {"run_date": "2026-04-01", "status": "failed", "reason": "The data are stale."}
    again = {"started_at": "2026-03-31T03:00", "attempts": [
        {"status": "failed", "started_at": "2026-03-31T04:00", "reason": "no such model"},
        {"status": "failed", "started_at": "2026-03-31T02:00", "reason": "before it was published"},
    ]}  # fmt: skip
    assert what_went_wrong([NightRecord.of(PUBLISHED | again), NightRecord.of(failed)]) == [
        "2026-03-31: run again, and failed: no such model",
        "2026-04-01: The data are stale.",
    ]

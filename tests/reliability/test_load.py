"""The load harness in small: two readers of some thousand rows, while exports come, go back and lose a user."""

from pathlib import Path

from tests.reliability.load import Size, load


def test_readers_find_nothing_but_what_was_published(tmp_path: Path) -> None:
    report = load(tmp_path, Size(users=500, k=5, readers=2, rounds=2, pause=0.01, commands=False))
    figures = {row["what"]: row["n"] for row in report.rows}
    assert report.broken == [] and figures["bad readings"] == 0
    assert (figures["publication"], figures["rollback"], figures["forget"]) == (4, 2, 2)
    assert figures["all bytes"] >= 2 and figures["recs, library"] >= 4

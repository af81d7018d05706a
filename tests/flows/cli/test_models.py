"""The commands about models: listing them, explaining one, and searching its hyper-parameters."""

from pathlib import Path

from tests.flows.running import nightrec
from tests.flows.sites import write


def test_tuning_needs_a_night(tmp_path: Path) -> None:
    ran = nightrec("tune", "ease", cwd=tmp_path)
    assert (ran.code, "No such night has left features" in " ".join(ran.err.split())) == (2, True)


def test_tuning_writes_over_nothing(tmp_path: Path) -> None:
    write(tmp_path / "mine.toml", "site = 'shop'")
    ran = nightrec("tune", "ease", "--write", "mine.toml", cwd=tmp_path)
    assert (ran.code, "exists already" in ran.err) == (2, True)
    assert (tmp_path / "mine.toml").read_text() == "site = 'shop'"

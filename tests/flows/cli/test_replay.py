"""`nightrec replay`: what it prints, and that nothing of the site is touched."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.replay import run
from tasks.replay.settings import ReplaySpec
from tasks.replay.worker import answer
from tasks.store.files import Json
from tasks.train.process import in_this_process
from tests.flows.running import everything, nightrec
from tests.flows.sites import DAY, log, write


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose replays run in this process."""

    def outcomes(spec: ReplaySpec, spec_file: Path, dates: Sequence[date]) -> Iterator[Json]:
        told = ReplaySpec.model_validate_json(spec_file.read_text())
        in_this_process.set(True)
        yield from (answer(told, run_date) for run_date in dates)
        in_this_process.set(False)

    monkeypatch.setattr(run, "outcomes", outcomes)
    write(tmp_path / "log.csv", log())
    write(tmp_path / "nightrec.toml", '[inputs.interactions]\npath = "log.csv"\n[models.popularity]\n')
    write(tmp_path / "store" / "exports" / "latest.json", "{}")
    return tmp_path


def replay(site: Path, first: date, *more: Any) -> Any:
    return nightrec("replay", "--from", first, "--to", DAY, "--every", "5", *more, cwd=site)


def test_a_replay_says_what_it_found_and_leaves_the_site_as_it_is(site: Path) -> None:
    before = everything(site / "store" / "exports")
    ran = replay(site, DAY - timedelta(days=10), "--json")
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert [(night["run_date"], night["status"]) for night in result["nights"]] == [
        (str(DAY - timedelta(days=back)), "measured") for back in (10, 5, 0)
    ]
    judged = [night["judged"] for night in result["nights"]]
    assert judged[0] > 0 and judged[-1] == 0  # nothing is known of what came after the last day
    assert everything(site / "store" / "exports") == before
    assert [path.name for path in (site / "store").iterdir() if path.name != "exports"] == ["replays"]
    folder = site / "store" / "replays" / result["name"]
    assert {path.stat().st_mode & 0o077 for path in (folder.parent, folder, folder / "replay.html")} == {0}  # of people
    names = ["figures.parquet", "nights", "replay.html", "replay.json", "settings.json"]
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == names

    again = replay(site, DAY - timedelta(days=10))
    assert again.code == 0, again.err
    said = [*result["sentences"], f"3 nights measured: {folder / 'replay.html'}"]
    assert again.result.splitlines() == said
    assert {night["status"] for night in json.loads((folder / "replay.json").read_text())["nights"]} == {"before"}


def test_nights_before_there_was_anything_are_told_and_the_others_measured(site: Path) -> None:
    ran = replay(site, DAY - timedelta(days=45))
    assert ran.code == 0, ran.err
    assert ran.result.splitlines()[-1].startswith("7 nights measured, 3 refused: ")


def test_a_range_or_a_name_that_cannot_be_is_a_mistake(site: Path) -> None:
    assert replay(site, DAY + timedelta(days=1)).code == 2
    ran = replay(site, DAY, "--name", "a/b")
    says = "nightrec: --name 'a/b' is no name of a folder: use small letters, digits, - and _.\n"
    assert (ran.code, ran.err) == (2, says)

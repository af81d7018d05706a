"""A range of nights: in order or side by side, resumable, and readers are only led forward."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows import backfill
from flows.settings.engine import EngineSettings
from flows.settings.options import BackfillOptions
from flows.settings.site import NightConfig
from tests.flows.running import everything, nightrec
from tests.flows.sites import DAY, log, write

DAYS = [DAY - timedelta(days=back) for back in (2, 1, 0)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Path:
    """Three nights, made up for side by side."""
    folder = tmp_path_factory.mktemp("backfill")
    write(folder / "log.csv", log())
    write(folder / "nightrec.toml", '[inputs.interactions]\npath = "log.csv"\n[models.popularity]\n[models.item_knn]\n')
    ran = nightrec("backfill", "--from", DAYS[0], "--to", DAYS[2], "--parallel", "3", cwd=folder)
    assert ran.code == 0, ran.err
    assert [line.split() for line in ran.result.splitlines() if line.startswith("20")] == [
        [str(DAYS[0]), "compared"], [str(DAYS[1]), "compared"], [str(DAYS[2]), "published"],
    ]  # fmt: skip
    return folder


def record(folder: Path, day: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "store/nights" / str(day) / "night.json").read_text())
    return content


def test_every_night_is_measured_and_the_newest_is_published(site: Path) -> None:
    assert {path.stem for path in (site / "store/history").glob("*.parquet")} == {str(day) for day in DAYS}
    assert [path.stem for path in (site / "store/exports/manifests").glob("*.json")] == [str(DAY)]
    assert json.loads((site / "store/exports/latest.json").read_text())["run_date"] == str(DAY)


def test_the_stories_of_nights_side_by_side_are_not_mixed(site: Path) -> None:
    for day in DAYS:
        stages = [stage["stage"] for stage in record(site, day)["stages"]]
        assert len(stages) == len(set(stages)), stages
        assert {"ingest", "train item_knn", "train popularity", "compare"} <= set(stages)
        assert ("export" in stages) == (day == DAY)


def test_each_night_sees_what_came_before_it(site: Path) -> None:
    rows = [record(site, day)["interactions"] for day in DAYS]
    assert rows == sorted(rows)


def test_complete_nights_are_skipped_and_the_others_made_up_for(site: Path, plain: None) -> None:
    before = everything(site / "store/exports")
    (site / "store/nights" / str(DAYS[1]) / "night.json").unlink()
    ran = nightrec("backfill", "--from", DAYS[0], "--to", DAYS[2], cwd=site)
    assert [line.split()[1:] for line in ran.result.splitlines() if line.startswith("20")] == [
        ["compared", "before"], ["compared"], ["published", "before"],
    ]  # fmt: skip
    assert everything(site / "store/exports") == before


def test_readers_are_never_led_back(site: Path, plain: None) -> None:
    ran = nightrec("backfill", "--from", DAYS[1], "--to", DAYS[1], "--publish", "all", cwd=site)
    assert ran.code == 0, ran.err
    assert record(site, DAYS[1])["status"] == "published"
    assert json.loads((site / "store/exports/latest.json").read_text())["run_date"] == str(DAY)


def test_a_night_that_fails_does_not_stop_the_others(site: Path) -> None:
    early = DAY - timedelta(days=4000)  # before there was any interaction
    ran = nightrec("backfill", "--from", early, "--to", early + timedelta(days=1), "--publish", "none", cwd=site)
    assert ran.code == 1
    assert ran.err.startswith(f"nightrec: 2 of 2 nights failed. {early}: ")


def test_a_range_that_ends_before_it_begins_is_refused(site: Path) -> None:
    ran = nightrec("backfill", "--from", DAYS[2], "--to", DAYS[0], cwd=site)
    assert ran.code == 2
    assert "swap the two dates" in ran.err


def test_a_dry_run_publishes_nothing_and_a_chosen_champion_is_published(site: Path, plain: None) -> None:
    before = everything(site / "store/exports")
    later = DAY + timedelta(days=1)
    ran = nightrec("run", "--date", later, "--dry-run", cwd=site)
    assert ran.code == 0, ran.err
    assert "A dry run: " in ran.out
    assert everything(site / "store/exports") == before
    assert record(site, later)["status"] == "compared"
    assert not (site / "store/nights" / str(later) / "champion").exists()
    page = (site / "store/reports" / f"{later}.html").read_text()
    assert "The champion so far was" in page and "challengers may replace the champion" in page

    winner = record(site, later)["winner"]
    other = "popularity" if winner == "item_knn" else "item_knn"
    ran = nightrec("run", "--date", later, "--champion", other, cwd=site)
    assert ran.code == 0, ran.err
    assert (record(site, later)["winner"], record(site, later)["status"]) == (other, "published")
    assert record(site, later)["reason"].startswith("chosen by hand; ")
    ran = nightrec("run", "--date", later, "--champion", "ease", cwd=site)
    assert ran.code == 2
    assert "ease was chosen to be published, and there is no such model tonight" in ran.err


def test_all_nights_are_given_the_same_connection_to_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    @contextmanager
    def connected(settings: EngineSettings) -> Iterator[None]:
        seen.append(settings.kind)
        yield
        seen.append("end")

    def night(config: NightConfig, run_date: date, **options: Any) -> dict[str, Any]:
        seen.append(str(run_date))
        return {"status": "compared"}

    monkeypatch.setattr(backfill, "engine_for", connected)
    monkeypatch.setattr(backfill, "night", night)
    settings = {"store": tmp_path, "engine": {"kind": "ray"}, "inputs": {"interactions": {"path": "log.csv"}}}
    options = BackfillOptions(first=DAYS[1], last=DAYS[2], publish="none")
    backfill.fill.fn(NightConfig.model_validate(settings), options)
    assert seen == ["ray", str(DAYS[1]), str(DAYS[2]), "end"]

"""The doctor names every damage of a store, mends what can be, and never touches what is not nightrec's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli.doctor import doctor
from flows.operate.doctor import examination, machine, simulations
from flows.operate.doctor.examination import CHECKS, examine, mend, wrong
from flows.operate.doctor.findings import Finding, Site
from flows.settings.site import NightConfig
from tasks.publish.mirror import mirror
from tasks.publish.settings import MirrorSettings
from tasks.replay.kept import folder_of
from tasks.store.exports import point_to, pointer_of
from tasks.store.feedback import SHOWN, learned
from tasks.store.files import write_json
from tasks.store.history import COMPARISON, keep
from tasks.store.manifests import run_stage
from tasks.store.paths import Store
from tasks.store.simulations import Simulation, working_in
from tests.tasks.exported import with_manifest

OF_STORE = [check for check in CHECKS if check.in_store]
DAYS = (date(2024, 1, 1), date(2024, 1, 2))
CURRENT = "2024-01-02"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small store of two nights, in which all is well; a copy of its exports is in `mirror`."""
    top = tmp_path_factory.mktemp("made")
    site = Store(top / "store")
    site.root.mkdir(mode=0o755)
    for day in DAYS:
        night = site.night(day)
        table = pa.table({"night": [str(day)], "user_id": [1]})

        def build(out: Path, table: pa.Table = table) -> dict[str, Any]:
            pq.write_table(table, out / COMPARISON)
            return {}

        for folder in (night.raw, night.evaluation):
            run_stage(folder, build, code="1", inputs={}, parameters={})
        write_json(night.summary, {"run_date": str(day), "status": "published", "export_id": str(day)})
        keep(night)
        with learned(site, day, SHOWN) as path:
            pq.write_table(table, path)
        run_stage(site.panel(day), build, code="1", inputs={}, parameters={})
        run_stage(folder_of(site.replay("spring").night(day), "als"), build, code="1", inputs={}, parameters={})
        (site.export(str(day)) / "topk").mkdir(parents=True)
        pq.write_table(table, site.export(str(day)) / "topk" / "part.parquet")
        point_to(site, with_manifest(site, str(day)))
        mirror.fn(site, f"file://{top}/mirror")
    for name in ("nights", "history", "feedback", "panel", "replays"):
        (site.root / name).chmod(0o700)
    site.exports.chmod(0o755)
    (site.root / "published.jsonl").chmod(0o600)
    return top


@pytest.fixture
def store(tmp_path: Path, made: Path) -> Store:
    """That store, for a test alone, with its copy beside it."""
    shutil.copytree(made, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Store(tmp_path / "store")


def flip(path: Path) -> None:
    """Change a byte, and neither size nor time."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def old(path: Path, content: bytes = b"x") -> Path:
    """A file that nobody has touched for two days."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    return path


def half(store: Store) -> None:
    (store.exports / "2024-01-03" / "topk").mkdir(parents=True)
    old(store.exports / ".publishing-2024-01-03")


def relink(store: Store) -> None:
    store.link.unlink()
    store.link.symlink_to("2024-01-01")


PART = "topk/part.parquet"
Damage = Callable[[Store], object]
MENDED: Mapping[str, tuple[Damage, str]] = {
    "latest.json is {}": (lambda s: s.pointer.write_text("{}"), "it is lost or damaged, and readers find no export"),
    "latest.json is no UTF-8": (lambda s: s.pointer.write_bytes(b'{"export_id": "\xff"}'), "it is lost or damaged"),
    "latest.json is gone": (lambda s: s.pointer.unlink(), "it is lost or damaged"),
    "the link leads astray": (relink, "it leads to 2024-01-01, and latest.json to 2024-01-02"),
    "a part is cut short": (lambda s: cut(s.export(CURRENT) / PART), "part.parquet is not what was written"),
    "a byte of a part differs": (lambda s: flip(s.export("2024-01-01") / PART), "its hash differs"),
    "a part is gone": (lambda s: (s.export(CURRENT) / PART).unlink(), "part.parquet is missing; readers see this"),
    "the manifest is damaged": (lambda s: cut(s.export_manifest(CURRENT)), "it is damaged, so nothing tells whether"),
    "a leftover of the history": (lambda s: old(s.root / "history/.tmp-2024-01-03.parquet"), "has left it"),
    "parts of work that is done": (lambda s: s.night(DAYS[0]).parts("prepare").mkdir(parents=True), "has left it"),
    "half an export": (half, "an earlier run was cut short and has left it"),
    "litter of clocks": (lambda s: old(s.root / ".clock-0a1b"), "has left it"),
    "an empty lease": (lambda s: old(s.lease, b""), "it is damaged, and looks as if a night were running"),
    "figures are damaged": (lambda s: flip(s.history(DAYS[0])), "later nights go on without its figures"),
    "what was shown is damaged": (lambda s: cut(s.feedback(DAYS[0]) / SHOWN), "goes on without the night 2024-01-01"),
    "the panel is damaged": (lambda s: flip(s.panel(DAYS[0]) / COMPARISON), "go on without the night 2024-01-01"),
    "what a replay kept is damaged": (
        lambda s: flip(folder_of(s.replay("spring").night(DAYS[0]), "als") / COMPARISON),
        "the replay spring would measure it again",
    ),
    "a leftover of the feedback": (lambda s: old(s.feedback(DAYS[0]) / f".tmp-{SHOWN}"), "has left it"),
    "the manifest is lost": (lambda s: s.export_manifest(CURRENT).unlink(), "it is lost, so nothing tells whether"),
    "pins are damaged": (lambda s: s.pins.write_text("[]"), "it is damaged, and no old export is removed"),
    "the loads of sinks are damaged": (lambda s: (s.root / "sinks.json").write_text('{"a": 1}'), "it is damaged"),
    "nights are open to all": (lambda s: (s.root / "nights").chmod(0o755), "every user of this machine may look"),
    "all may write exports": (lambda s: s.exports.chmod(0o777), "every user of this machine may change it"),
}
FOR_PEOPLE: Mapping[str, tuple[Damage, str, str]] = {
    "the record of the newest night is cut short": (
        lambda s: cut(s.night(DAYS[1]).summary), "nobody knows how the night went", "nightrec run --date 2024-01-02"),
    "a stage's manifest is damaged": (
        lambda s: flip(s.night(DAYS[1]).raw / "manifest.json"), "the stage counts as not done", "makes it again"),
    "a byte of a stage's file differs": (
        lambda s: flip(s.night(DAYS[1]).raw / COMPARISON), "its hash differs", "nightrec run --date 2024-01-02"),
    "a user is not forgotten everywhere": (
        lambda s: (s.root / ".forgetting-0a.jsonl").write_text("{}"), "not forgotten everywhere yet", "with that id"),
}  # fmt: skip


def site_of(store: Store, *, copied: bool = True) -> Site:
    to = f"file://{store.root.parent}/mirror" if copied else None
    return Site(store, NightConfig(store=store.root, mirror=MirrorSettings(to=to)), deep=True)


def of_store(site: Site) -> list[Finding]:
    return [finding for one in examine(site, OF_STORE) for finding in one.findings]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_found_where_all_is_well_and_nothing_is_changed(store: Store) -> None:
    before = contents(store.root)
    assert of_store(site_of(store)) == []
    assert of_store(Site(Store(store.root / "none"))) == []
    assert contents(store.root) == before


@pytest.mark.parametrize("damage", MENDED)
def test_what_can_be_put_right_is(store: Store, damage: str) -> None:
    before = contents(store.exports)
    do, sentence = MENDED[damage]
    do(store)
    site = site_of(store)
    found = examine(site, OF_STORE)
    (finding,) = wrong(found)
    assert sentence in finding.what and finding.fix is not None
    (mended,) = mend(site, found)
    assert mended.done and not mended.failed
    assert of_store(site) == []
    assert pointer_of(store) is not None
    assert {name: text for name, text in contents(store.exports).items() if name != "latest.json"} == {
        name: text for name, text in before.items() if name != "latest.json"
    }


@pytest.mark.parametrize("damage", FOR_PEOPLE)
def test_what_needs_a_person_says_what_to_do(store: Store, damage: str) -> None:
    do, what, todo = FOR_PEOPLE[damage]
    do(store)
    (finding,) = of_store(site_of(store))
    assert what in finding.what and todo in finding.todo and finding.wrong and finding.fix is None


def test_damage_of_an_old_night_is_only_told(store: Store) -> None:
    flip(store.night(DAYS[0]).raw / COMPARISON)
    (finding,) = of_store(site_of(store))
    assert not finding.wrong and "2024-01-01" in finding.todo


def test_without_a_mirror_an_export_is_published_again_by_its_night(store: Store) -> None:
    cut(store.export(CURRENT) / PART)
    (finding,) = of_store(site_of(store, copied=False))
    assert finding.fix is None and "`nightrec run --date 2024-01-02`" in finding.todo


def test_a_copy_with_another_hash_is_not_taken(store: Store) -> None:
    cut(store.export(CURRENT) / PART)
    flip(store.root.parent / "mirror" / "exports" / CURRENT / PART)
    site = site_of(store)
    (mended,) = mend(site, examine(site, OF_STORE))
    assert "is not the same at" in mended.failed
    shutil.rmtree(store.root.parent / "mirror")
    (mended,) = mend(site, examine(site, OF_STORE))
    assert "part.parquet is not there at" in mended.failed


def test_figures_that_cannot_be_made_again_are_put_aside(store: Store) -> None:
    path = store.history(DAYS[0])
    flip(path)
    damaged = path.read_bytes()
    shutil.rmtree(store.night(DAYS[0]).evaluation)
    site = site_of(store)
    mend(site, examine(site, OF_STORE))
    assert path.with_name("2024-01-01.parquet.damaged").read_bytes() == damaged
    assert [finding.wrong for finding in of_store(site)] == [False]  # a file that is no longer ours


def test_all_damages_at_once_leave_what_people_put_there(store: Store) -> None:
    theirs = [
        old(store.root / place, place.encode())
        for place in (
            "exports/2024-01-31.bak/part.parquet",
            "exports/notes.txt",
            "nights/backup/raw/manifest.json",
            "nights/2024-01-02/mine.txt",
            "history/figures.csv",
            "exports/manifests/readme.md",
            "to-do.txt",
        )
    ]
    for do, _ in MENDED.values():
        try:
            do(store)
        except FileNotFoundError:  # of two damages of one file
            continue
    site = site_of(store)
    found = examine(site, OF_STORE)
    notes = [finding for one in found for finding in one.findings if not finding.wrong]
    assert len(wrong(found)) >= 9
    mend(site, found)
    mend(site, examine(site, OF_STORE))  # what stood behind what was mended
    (left,) = wrong(examine(site, OF_STORE))  # with latest.json, what told that a copy is the same is gone as well
    assert left.where == str(store.export_manifest(CURRENT)) and "`nightrec run --date 2024-01-02`" in left.todo
    assert [path.read_bytes().decode() for path in theirs] == [str(path.relative_to(store.root)) for path in theirs]
    assert any("not nightrec's: exports/2024-01-31.bak" in finding.what for finding in notes)


def test_nothing_is_mended_while_a_night_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "CHECKS", OF_STORE)
    store.pointer.write_text("{}")
    write_json(
        store.lease,
        {"token": "t", "machine": "another", "host": "h", "pid": 1, "since": "2024-01-01", "flow_run": ""},
    )
    ran = CliRunner().invoke(doctor, ["--store", str(store.root), "--fix"])
    assert ran.exit_code == 1
    assert "Nothing was mended: Another night is running" in ran.output
    assert store.pointer.read_text() == "{}"


def test_the_command_says_what_is_wrong_and_what_was_done(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "CHECKS", OF_STORE)
    monkeypatch.chdir(store.root.parent)
    well = CliRunner().invoke(doctor, [])
    assert (well.exit_code, well.output.splitlines()[-1]) == (0, "All is well.")
    store.pointer.write_text("{}")
    cut(store.night(DAYS[1]).summary)
    found = CliRunner().invoke(doctor, ["--store", str(store.root)])
    assert found.exit_code == 1
    assert f"  WRONG    exports: {store.pointer}: it is lost or damaged, and readers find no export" in found.output
    assert found.output.endswith("2 things are wrong: 1 can be put right by `nightrec doctor --fix`, 1 needs you.\n")
    mended = CliRunner().invoke(doctor, ["--store", str(store.root), "--fix", "--json"])
    told = json.loads(mended.stdout)
    assert (mended.exit_code, told["healthy"], len(told["findings"]), len(told["mended"])) == (1, False, 1, 1)
    assert told["findings"][0]["check"] == "nights" and not told["findings"][0]["fixable"]
    (store.root.parent / "nightrec.toml").write_text("store = 3")
    (settings,) = [check for check in CHECKS if check.subject == "settings"]
    monkeypatch.setattr(examination, "CHECKS", [settings])
    wrong_file = CliRunner().invoke(doctor, [])
    assert wrong_file.exit_code == 1 and "nightrec.toml" in wrong_file.output and "store" in wrong_file.output


def test_a_check_that_fails_stops_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(site: Site) -> Any:
        raise ValueError("of a kind\nnobody knows")

    checks = [examination.Check("broken", broken), *OF_STORE]
    store.pointer.write_text("{}")
    first, *others = [finding for one in examine(site_of(store), checks) for finding in one.findings]
    assert first.what == "it could not be examined (ValueError: of a kind)" and len(others) == 1


def test_clocks_that_disagree_are_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.time, "time", lambda: 1.0)
    (finding,) = machine.clock(Site(store))
    assert "seconds ahead of this machine's clock" in finding.what
    monkeypatch.undo()
    write_json(store.night(date(2999, 1, 1)).summary, {})
    (finding,) = machine.clock(Site(store))
    assert finding.what.startswith("a night is dated 2999-01-01, and today is ")


def test_a_store_that_nobody_else_may_enter_is_closed_enough(store: Store) -> None:
    store.root.chmod(0o700)
    (store.root / "nights").chmod(0o777)
    assert of_store(site_of(store)) == []


def test_simulations_that_are_cut_short_or_damaged_are_worth_knowing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("complete", "damaged", "going", "short"):
        write_json(Simulation(store, name).settings, {"started_at": "2024-01-01T00:00:00+00:00"})
    write_json(Simulation(store, "complete").verdict, {"failed": {}})
    Simulation(store, "damaged").settings.write_text("{")
    Simulation(store, "short").people.mkdir()
    with working_in(Simulation(store, "going")):
        found = list(simulations.look(Site(store)))
    assert [(finding.what, finding.wrong) for finding in found] == [
        ("it is damaged, and nobody knows what the simulation was", False),
        ("the simulation short was cut short; it keeps choices of the site's users as long", False),
    ]
    assert "`nightrec simulate --name damaged --fresh`" in found[0].todo

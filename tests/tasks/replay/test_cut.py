"""The tables of a range, cut to a night: byte for byte what the night prepares, and what came after it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from expectations.settings import ValidationSettings
from recmodels.data.domains import Domains
from recmodels.errors import DataRefused
from tasks.features.settings import FeatureSettings
from tasks.features.stage import write_features
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tasks.replay.cut import TRUTH, refuse_unfit, write_cut, write_truth
from tasks.store.parts import part_path, parts
from tasks.store.paths import Store
from tests.tasks.replay.replays import START, log, valid_tables

CUTOFF = datetime(2026, 2, 10, tzinfo=UTC)  # 40 days after the start


def test_what_is_prepared_of_a_cut_is_what_a_night_at_that_date_prepares(tmp_path: Path) -> None:
    range_, by_hand = (Store(tmp_path / name).night(date(2026, 3, 1)) for name in ("range", "hand"))
    valid_tables(range_, log())
    valid_tables(by_hand, log(), until=CUTOFF)
    (tmp_path / "cut").mkdir()
    assert write_cut(range_.valid, CUTOFF, tmp_path / "cut") == sum(day < 40 for _, _, day in log())
    made = []
    for valid, features in ((tmp_path / "cut", tmp_path / "of-cut"), (by_hand.valid, tmp_path / "of-hand")):
        for folder in ("prepared", "train", "full"):
            (features / folder).mkdir(parents=True)
        write_prepared(valid, PrepareSettings(), CUTOFF, features / "prepared")
        write_features(features / "prepared", valid, "train", FeatureSettings(), features / "train")
        write_features(features / "prepared", valid, "full", FeatureSettings(), features / "full")
        files = sorted(path for path in features.rglob("*") if path.is_file())
        made.append({str(path.relative_to(features)): path.read_bytes() for path in files})
    assert made[0] == made[1] and len(made[0]) > 8


def test_what_came_next_is_what_was_new_to_a_user_until_the_horizon(tmp_path: Path) -> None:
    night = Store(tmp_path).night(date(2026, 3, 1))
    events = [(1, "a", 1.0), (1, "b", 2.0), (2, "a", 3.0)]  # before
    events += [(1, "a", 40.0), (1, "c", 40.5), (2, "b", 44.9), (3, "z", 41.0)]  # after; `a` is nothing new to 1
    events += [(2, "c", 45.0)]  # after the horizon
    valid_tables(night, events)
    (tmp_path / "next").mkdir()
    pairs = write_truth(night.valid, PrepareSettings(), CUTOFF, CUTOFF + timedelta(days=5), tmp_path / "next")
    found = pq.read_table(tmp_path / "next" / TRUTH).to_pylist()
    assert pairs == 3
    assert [(one["user_id"], one["item_id"]) for one in found] == [(1, "c"), (2, "b"), (3, "z")]


def test_parts_before_a_night_are_linked_and_those_after_it_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = Store(tmp_path).night(date(2026, 3, 1))
    valid_tables(night, sorted(log(), key=lambda event: event[2]))
    parquet_file = pq.ParquetFile
    (whole := night.valid / "interactions.parquet").rename(tmp_path / "log.parquet")
    table = pq.read_table(tmp_path / "log.parquet")
    paths = [part_path(night.valid, "interactions", number) for number in range(6)]
    for number, path in enumerate(paths):
        pq.write_table(table.slice(number * 45, 45), path)
    tokyo = CUTOFF.astimezone(ZoneInfo("Asia/Tokyo"))
    within = next(n for n, path in enumerate(paths) if pq.read_table(path)["timestamp"][-1].as_py() >= CUTOFF)
    (cut := tmp_path / "cut").mkdir()
    assert write_cut(night.valid, tokyo, cut) == sum(day < 40 for _, _, day in log())
    assert [path.stat().st_ino for path in parts(cut, "interactions")[:-1]] == [
        path.stat().st_ino for path in paths[:within]
    ]
    assert len(parts(cut, "interactions")) == within + 1
    read = list[Path]()
    monkeypatch.setattr(pq, "ParquetFile", lambda path: read.append(path) or parquet_file(path))
    (of_parts := tmp_path / "parts").mkdir()
    write_truth(night.valid, PrepareSettings(), tokyo, tokyo + timedelta(days=5), of_parts)
    assert paths[-1] not in read and read.count(paths[0]) == 1
    for path in paths:
        path.unlink()
    (tmp_path / "log.parquet").rename(whole)
    (of_whole := tmp_path / "whole").mkdir()
    write_truth(night.valid, PrepareSettings(), CUTOFF, CUTOFF + timedelta(days=5), of_whole)
    assert pq.read_table(of_parts / TRUTH).equals(pq.read_table(of_whole / TRUTH))


def test_what_people_do_again_came_next_where_a_night_holds_it_out(tmp_path: Path) -> None:
    night = Store(tmp_path).night(date(2026, 3, 1))
    valid_tables(night, [(1, "a", 1.0), (2, "b", 2.0), (1, "a", 41.0), (2, "a", 42.0)])
    until, found = CUTOFF + timedelta(days=5), {}
    for repeats in (False, True):
        settings = PrepareSettings(holdout_repeats=repeats, min_user_interactions=1)
        write_truth(night.valid, settings, CUTOFF, until, tmp_path)
        found[repeats] = [tuple(row.values()) for row in pq.read_table(tmp_path / TRUTH).to_pylist()]
    assert found == {False: [(2, "a")], True: [(1, "a"), (2, "a")]}


def test_nobody_came_after_a_night_or_only_who_has_opted_out(tmp_path: Path) -> None:
    night = Store(tmp_path).night(date(2026, 3, 1))
    valid_tables(night, [(1, "a", 1.0), (2, "b", 41.0)])
    pq.write_table(pa.table({"user_id": [2], "opted_out": [True]}), night.valid / "users.parquet")
    for until in 1, 5:
        assert write_truth(night.valid, PrepareSettings(), CUTOFF, CUTOFF + timedelta(days=until), tmp_path) == 0
        assert pq.read_table(tmp_path / TRUTH).column_names == ["user_id", "item_id"]


def test_a_night_that_would_have_stopped_at_its_data_is_refused(tmp_path: Path) -> None:
    night = Store(tmp_path).night(date(2026, 3, 1))
    valid_tables(night, [(1, "a", 1.0), (2, "b", 2.0)])
    refuse_unfit(night.valid, ValidationSettings(), START + timedelta(days=8))
    with pytest.raises(DataRefused, match=r"newest interaction is of 2026-01-03, 8 days before the cutoff"):
        refuse_unfit(night.valid, ValidationSettings(), START + timedelta(days=10.5))
    with pytest.raises(DataRefused, match=r"2 different user_id where at least 3"):
        refuse_unfit(night.valid, ValidationSettings(min_users=3), START + timedelta(days=8))


@pytest.mark.slow
def test_a_cut_knows_the_domains_of_the_site(tmp_path: Path) -> None:
    night = Store(tmp_path).night(date(2026, 3, 1))
    events = [(user, f"{domain}:{item}", day) for user, item, day in log() for domain in ("books", "films")]
    valid_tables(night, events)
    (night.valid / "items.parquet").unlink()  # none of theirs has a domain
    whole = night.valid / "interactions.parquet"
    table = pq.read_table(whole)
    pq.write_table(table.append_column("domain", pc.list_element(pc.split_pattern(table["item_id"], ":"), 0)), whole)
    (cut, prepared) = (tmp_path / "cut", tmp_path / "prepared")
    cut.mkdir()
    prepared.mkdir()
    write_cut(night.valid, CUTOFF, cut)
    write_prepared(cut, PrepareSettings(), CUTOFF, prepared)
    domains = Domains.read(prepared)
    assert domains is not None and domains.names == ("books", "films")

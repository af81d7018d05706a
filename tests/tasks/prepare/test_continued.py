"""A night that continues an earlier one writes the bytes of a night that prepares everything."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused
from tasks.prepare import earlier as earlier_module
from tasks.prepare import reading, tables
from tasks.prepare.earlier import Earlier
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tasks.store.manifests import Manifest, manifest_of, outputs, run_stage, write_manifest
from tasks.store.parts import alike
from tasks.store.paths import Night, Store
from tasks.store.records import changed
from tests.tasks.site import CUTOFF, RUN_DATE, events, write_valid_tables

_EVENT = st.tuples(st.integers(0, 9), st.integers(0, 5), st.sampled_from([0.5, 3, 3, 8, 20, 40]), st.integers(0, 3))
_RULES = st.builds(
    PrepareSettings,
    holdout=st.sampled_from(["auto", "days", "last", "random", "user-fold"]),
    holdout_min_users=st.sampled_from([1, 4]),
    holdout_days=st.sampled_from([1, 2, 7]),
    holdout_max_users=st.sampled_from([3, 100]),
    duplicates=st.sampled_from(["max", "sum", "last"]),
    min_rating=st.sampled_from([None, 2.0]),
    event_weights=st.sampled_from([{}, {"buy": 5.5, "skip": 0.0}]),
    min_user_interactions=st.integers(1, 3),
    min_item_interactions=st.integers(1, 2),
)


@dataclass(frozen=True)
class Day:
    """What a night finds: the files since the night before, who is in the table of users, and who has opted out."""

    files: list[list[tuple[int, int, float, int]]]
    users: list[int]
    out: list[int] = field(default_factory=list)
    joins: bool = False  # the last file was not full, and is read with what follows
    after: int = 1  # days since the night before


_DAY = st.builds(
    Day,
    files=st.lists(st.lists(_EVENT, min_size=1, max_size=8), max_size=2),
    users=st.lists(st.integers(0, 12), max_size=3, unique=True),
    out=st.lists(st.integers(0, 9), max_size=1),
    joins=st.booleans(),
    after=st.integers(1, 3),
)


@dataclass
class Site:
    """A store of which only the stages prepare and validate are there."""

    store: Store
    rules: PrepareSettings
    kind: str
    files: list[pa.Table] = field(default_factory=list)
    run_date: date = RUN_DATE

    def name(self, number: int) -> int | str:
        return f"id {number}" if self.kind == "text" else (number - 3) * 10**11

    def table(self, rows: list[tuple[int, int, float, int]], days: int) -> pa.Table:
        """Events of so many days after the first night, with ratings unless the site has none."""
        more: dict[str, Any] = {"event": pa.array([[None, "view", "buy", "skip"][row[3]] for row in rows], pa.string())}
        if self.kind != "unrated":
            grades = [None, 1.0, 4.0, 2.5] if self.kind == "text" else [1.5, 1.0, 4.0, 2.5]
            more["rating"] = pa.array([grades[row[3]] for row in rows], pa.float64())
        return events([(self.name(user), item, age - days) for user, item, age, _ in rows], **more)

    def night(self, day: Day) -> tuple[Night, Manifest]:
        """The valid tables of a night."""
        self.run_date += timedelta(days=day.after)
        night = self.store.night(self.run_date)
        days = (self.run_date - RUN_DATE).days
        for rows in day.files:
            new = self.table(rows, days)
            if day.joins and self.files:
                self.files[-1] = pa.concat_tables([self.files[-1], new]).combine_chunks()
            else:
                self.files.append(new)
        users = pa.table(
            {"user_id": [self.name(one) for one in day.users], "opted_out": [one in day.out for one in day.users]},
            pa.schema([("user_id", self.files[0].schema.field("user_id").type), ("opted_out", pa.bool_())]),
        )

        def build(out: Path) -> dict[str, Any]:
            write_valid_tables(out, users=users)
            for number, table in enumerate(self.files):
                path = alike(out / "interactions" / f"part-{number:05}.parquet", out, out)
                pq.write_table(table, path)
            return {}

        return night, run_stage(night.valid, build, code="", inputs={}, parameters={})

    def prepare(self, night: Night, valid: Manifest, earlier: Earlier | None, n_ranges: int = 0) -> dict[str, Any]:
        """Prepare a night's tables in its store, and return the content of each, and what is said of them."""

        def build(out: Path) -> Any:
            return self.written(night, out, earlier, n_ranges)

        parameters = self.rules.model_dump() | {"cutoff": self.cutoff(night).isoformat()}
        inputs = outputs(valid=valid)
        made = run_stage(night.prepared, build, code="", inputs=inputs, parameters=parameters, fresh=True)
        return contents(night.prepared) | {"summary": made["summary"]}

    def scratch(self, night: Night) -> dict[str, Any]:
        """The same without an earlier night, in a folder of its own."""
        with TemporaryDirectory() as out:
            summary = self.written(night, Path(out), None, 1)
            return contents(Path(out)) | {"summary": summary}

    def written(self, night: Night, out: Path, earlier: Earlier | None, n_ranges: int) -> Any:
        return write_prepared(night.valid, self.rules, self.cutoff(night), out, n_ranges=n_ranges, earlier=earlier)

    def cutoff(self, night: Night) -> datetime:
        return CUTOFF + timedelta(days=(night.run_date - RUN_DATE).days)

    def earlier(self, night: Night, valid: Manifest) -> Earlier | None:
        return Earlier.of(night, valid, "", self.rules.model_dump())


def contents(folder: Path) -> dict[str, Any]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def same(made: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether files are the same, to the byte, and what is said of them, but for how they were made."""
    without = [one["summary"] | {"message": ""} for one in (made, expected)]
    return without[0] == without[1] and made | {"summary": ""} == expected | {"summary": ""}


LOG = [(user, item, 30.0 - user - item, (user + item) % 4) for user in range(6) for item in range(4)]
FIRST = Day([LOG[:20], [*LOG[20:], (1, 5, 1, 1), (2, 4, 2, 1)]], [7])
SECOND = Day([[(1, 5, 0.5, 2), (8, 4, 0.5, 1), (3, 9, 0.2, 1), (2, 4, 0.1, 1)]], [7, 11])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """After a first night; of its 26 rows, a quarter may be new on the second."""
    one = Site(Store(tmp_path), PrepareSettings(min_user_interactions=1, holdout="days", holdout_days=3), "text")
    night, valid = one.night(FIRST)
    one.prepare(night, valid, one.earlier(night, valid))
    return one


def continues(site: Site, day: Day) -> bool:
    """Whether a night continues the one before; what it writes is right in any case."""
    night, valid = site.night(day)
    made = site.prepare(night, valid, site.earlier(night, valid))
    assert same(made, site.scratch(night))
    return "events since the night" in made["summary"]["message"]


def test_a_day_is_merged_into_the_night_before_and_the_next_one_into_that(site: Site) -> None:
    assert continues(site, SECOND)
    message = manifest_of(site.store.night(site.run_date).prepared)["summary"]["message"]  # type: ignore[index]
    assert message.endswith("; 4 events since the night 2026-04-01 merged in")
    assert continues(site, Day([], [7]))  # without a new file, the holdout moves on
    assert continues(site, Day([[(0, 5, 1, 1)]], [7], joins=True, after=3))  # into the last file, which was not full


def test_who_opts_out_is_gone_and_who_comes_back_has_all_events_again(site: Site) -> None:
    assert continues(site, Day(SECOND.files, [2, 11], out=[2]))
    assert not continues(site, Day([], [2, 11]))
    (site.store.night(site.run_date).valid / "interactions/part-00000.parquet").unlink()  # which nobody needs
    assert continues(site, Day([[(4, 5, 0.5, 1)]], [11, 12], out=[12]))  # nobody has heard of 12
    assert continues(site, Day([], [11]))


@pytest.mark.parametrize("what", ["settings", "file", "valid", "users", "prepared", "many", "sum", "between"])
def test_what_is_no_longer_what_it_was_is_made_anew(site: Site, what: str) -> None:
    before = site.store.night(site.run_date)
    if what == "settings":
        site.rules = site.rules.model_copy(update={"min_user_interactions": 2})
    elif what == "file":
        site.files[0] = site.files[0].slice(1)
    elif what == "valid":  # as after `nightrec forget`
        manifest = manifest_of(before.valid) or {}
        write_manifest(before.valid, changed(manifest, dict(manifest) | {"output": "another"}))
    elif what == "users":
        (before.valid / "users.parquet").write_bytes(b"damaged")
    elif what == "prepared":
        path = before.prepared / "known/recent.parquet"
        path.write_bytes(path.read_bytes()[:-9] + b"damaged??")
    elif what == "sum":
        site.rules = site.rules.model_copy(update={"duplicates": "sum", "event_weights": {"buy": 0.1}})
        site.prepare(before, manifest_of(before.valid), None)  # type: ignore[arg-type]
    day = {
        "many": Day([LOG[:9]], []),
        "between": Day([[(0, 0, 35, 1)]], []),
    }  # before the event of (0, 0) that is known
    assert not continues(site, day.get(what, SECOND))


@settings(max_examples=5)
@given(
    first=st.lists(_EVENT, min_size=10, max_size=40),
    days=st.lists(_DAY, min_size=1, max_size=2),
    rules=_RULES,
    kind=st.sampled_from(["number", "text", "unrated"]),
    n_ranges=st.integers(1, 3),
)
def test_any_nights_say_what_they_would_from_scratch(
    first: list[Any], days: list[Day], rules: PrepareSettings, kind: str, n_ranges: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROWS_A_GROUP", 5)
        patch.setattr(earlier_module, "MOST_NEW", 1)
        patch.setattr(reading, "EVENTS_AT_A_TIME", 4)
        site = Site(Store(Path(folder)), rules, kind)
        for day in [Day([first], [1, 11]), *days]:
            night, valid = site.night(day)
            earlier = site.earlier(night, valid)
            try:
                scratch = site.scratch(night)
            except DataRefused as refused:
                with pytest.raises(DataRefused) as again:
                    site.prepare(night, valid, earlier, n_ranges)
                assert str(again.value) == str(refused)
                continue
            assert same(site.prepare(night, valid, earlier, n_ranges), scratch)

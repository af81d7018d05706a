"""The rules of a site, in its own words, become those of the lists; the export keeps them and the audit sees to it."""

import logging
from datetime import date, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.errors import ExportRefused
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.errors import ConfigError
from recmodels.ranking.rerank import Rules
from tasks.export.audit import audit, profile_of
from tasks.features.settings import FeatureSettings, Role
from tasks.lists.rules import translate
from tasks.lists.settings import ListSettings, Segments
from tasks.store.paths import Night, Store
from tests.tasks.publishing import lists, prepare_night, publish, rewrite

DATES = {
    "released": pa.array([date(2026, 3, 30 - n) for n in range(7)] + [None]),
    "written": ["2026-03-01"] * 8,
    "moment": [f"2026-03-{30 - n}T01:00:00+02:00" for n in range(4)]
    + ["2026-03-25T23:00:00", "2026-03-24T23:00:00Z", "2026-03-23", ""],
    "hour": [time(12)] * 8,
}
OF_USERS = {"plan": [*["free"] * 4, None, "premium"], "tags": [["a"]] * 6}

NO_CATEGORY: dict[str, Role] = {"genre": "ignore", "written": "ignore"}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    for name, more in (("items", DATES), ("users", OF_USERS)):
        path = night.prepared / f"{name}.parquet"
        table = pq.read_table(path)
        for column, values in more.items():
            table = table.append_column(column, pa.array(values))
        pq.write_table(table, path)
    return night


def translated(night: Night, **rules: Any) -> Rules:
    return translate(night, "full", ListSettings(k=3, **rules), FeatureSettings(), note=True)


def test_ids_become_indices_and_unknown_ones_a_note(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nightrec.events"):
        rules = translated(night, excluded=["i1", "gone"], pinned=["i4", "i3"])
    assert np.flatnonzero(~rules.allowed).tolist() == [1, 5]  # i5 is not available
    assert rules.pinned == [4, 3]
    assert "export.excluded: 1 of 2 ids are not in the catalogue: gone" in caplog.text


def test_a_rank_that_no_list_has_is_a_note(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nightrec.events"):
        translated(night, pinned=["i4"], pinned_rank=5, segments=Segments(column="plan", k={"premium": 5}))
        assert "pinned_rank" not in caplog.text
        translated(night, pinned=["i4"], pinned_rank=4)
    assert "export.pinned_rank is 4, and no list has more than 3 items" in caplog.text


def test_ages_count_from_the_column_or_from_the_first_interaction(night: Night) -> None:
    assert np.flatnonzero(~translated(night, max_item_age_days=4.5, item_date="released").allowed).tolist() == [
        4,
        5,
        6,
        7,
    ]
    # in UTC an hour before each of these days
    for days, first in ((4.5, 4), (4.02, 3)):
        old = ~translated(night, max_item_age_days=days, item_date="moment").allowed
        assert np.flatnonzero(old)[0] == first and old[7]  # of which the first interaction counts
    assert np.flatnonzero(~translated(night, max_item_age_days=29, item_date="written").allowed).tolist() == [*range(8)]
    # i0, i1 and i2 were first had 30, 29.9 and 29.8 days ago, i5 (29) is not available, i3 was had after 28 - 0.3
    assert np.flatnonzero(~translated(night, max_item_age_days=29).allowed).tolist() == [0, 1, 2, 5]


def test_new_is_what_was_first_seen_of_late_or_never(night: Night) -> None:
    new = translated(night, new_share=0.5, new_days=28).new
    assert new is not None
    assert np.flatnonzero(new).tolist() == [3, 4, 6, 7]


def test_values_are_between_their_percentiles_and_what_is_not_known_is_worth_nothing(night: Night) -> None:
    path = night.prepared / "items.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("margin", pa.array([2, 4, None, 3, 2, 2, 4, 4])), path)
    rules = translated(night, value={"column": "margin", "weight": 0.5})
    assert rules.value_weight == 0.5 and rules.value is not None
    np.testing.assert_allclose(rules.value, [0, 1, 0, 0.5, 0, 0, 1, 1])
    with pytest.raises(ConfigError, match=r"export\.value: the column genre of the items holds no numbers"):
        translated(night, value={"column": "genre", "weight": 0.5})
    with pytest.raises(
        ConfigError, match=r"export\.value\.column: the items have no column 'margn'; did you mean margin"
    ):
        translated(night, value={"column": "margn", "weight": 0.5})


def test_steering_knows_the_categories_and_how_popular_items_are(night: Night) -> None:
    rules = translated(night, calibration=0.5, popularity_damping=0.2)
    assert (rules.calibration, rules.popularity_damping) == (0.5, pytest.approx(0.2))
    assert rules.category_shares.toarray().tolist() == [[1, 0], [0, 1]] * 3 + [[0, 0], [1, 0]]  # i6 has no genre
    assert rules.popularity is not None  # i0 and i1, which four users had, and i7, which nobody had
    assert rules.popularity[[0, 3, 7]].tolist() == pytest.approx([1, np.log(3) / np.log(5), np.log(2) / np.log(5)])
    plain = translated(night)
    assert plain.popularity is None and plain.categories is None


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"item_date": "realesed"}, "export.item_date: the items have no column 'realesed'; did you mean released?"),
        ({"item_date": "available"}, "export.item_date: the column available of the items holds no dates"),
        ({"item_date": "title"}, "export.item_date: the column title of the items holds no dates"),
        ({"category_caps": {"X": 1}}, "export.category_caps: no item has the category 'X'; there are x, y."),
        ({"segments": Segments(column="plann", k={"a": 1})}, "the users have no column 'plann'; did you mean plan?"),
        (
            {"segments": Segments(column="tags", k={"a": 1})},
            "the column tags of the users has several values a user (list",
        ),
        ({"item_date": "hour"}, "export.item_date: the column hour of the items holds no dates (time64[us])"),
    ],
)
def test_what_does_not_exist_is_an_error_that_names_it(night: Night, rules: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        translated(night, **rules)
    assert says in str(refused.value)


def test_calibration_needs_categories(night: Night) -> None:
    with pytest.raises(ConfigError, match=r"export\.calibration: the items have no column of categories"):
        translate(night, "full", ListSettings(k=3, calibration=0.5), FeatureSettings(roles=NO_CATEGORY))


def test_the_export_keeps_the_rules_and_marks_what_was_pinned(night: Night) -> None:
    publish(night, k=4, excluded=["i2"], pinned=["i7"], category_caps={"x": 1})
    found = lists(night)
    assert (found[0][0]["source"], found[0][0]["item_id"]) == ("pinned", "i7")
    genre = {"i0": "x", "i2": "x", "i4": "x", "i7": "x"}
    for rows in found.values():
        items = [row["item_id"] for row in rows]
        assert "i2" not in items
        assert sum(item in genre for item in items) <= 1


@pytest.mark.slow
def test_a_segment_has_its_own_k_and_users_without_activity_none(night: Night) -> None:
    manifest = publish(night, k=2, segments=Segments(column="plan", k={"premium": 5}))
    assert {user: len(rows) for user, rows in lists(night).items()} == {0: 2, 1: 2, 2: 2, 3: 2, 7: 5}
    assert manifest["rules"]["segments"] == {"column": "plan", "k": {"premium": 5}}
    publish(night, k=2, active_days=28)  # user n was last here 30 - n - (their last item) / 10 days ago
    assert sorted(lists(night)) == [2, 3]  # 4 has everything, 7 never did a thing


@pytest.mark.slow
def test_the_audit_refuses_lists_that_break_the_rules(night: Night) -> None:
    publish(night)
    rules = translated(night, category_caps={"y": 1})
    export = Store(night.store.root).export(str(night.run_date))
    data = Dataset.load(night.features, "full")
    before = profile_of(export, night.features, data, 3, repeats=False, rules=rules)
    assert before["over_caps"] == 1
    with pytest.raises(ExportRefused, match="lists with more items of a category than its cap: 1"):
        audit(export, night.features, data, 3, repeats=False, rules=rules)
    without = translated(night, excluded=["i3"])
    with pytest.raises(ExportRefused, match="rows with items that the rules of the lists leave out: "):
        audit(export, night.features, data, 3, repeats=False, rules=without)


@pytest.mark.slow
def test_the_audit_knows_a_list_that_the_caps_cut_short_from_one_that_lacks_an_item(night: Night) -> None:
    publish(night, k=4, max_per_category=1)
    rules = translated(night, max_per_category=1)
    export = night.store.export(str(night.run_date))
    data = Dataset.load(night.features, "full")
    assert max(len(rows) for rows in lists(night).values()) == 3  # one x, one y, and i6, which has no genre
    audit(export, night.features, data, 4, repeats=False, rules=rules)
    rewrite(export, lambda frame: frame.iloc[:-1])
    with pytest.raises(ExportRefused, match="there are 13 rows where 15 are"):
        audit(export, night.features, data, 4, repeats=False, rules=rules)


def test_quotas_are_of_the_domains_that_the_site_has(night: Night, tmp_path: Path) -> None:
    shares = {"films": {"least": 0.4}, "books": {"most": 0.5}}
    with pytest.raises(ConfigError, match=r"export.domain_shares: the site has no domains"):
        translated(night, domain_shares=shares)
    Domains(("books", "films"), np.arange(8, dtype=np.int32) % 2).write(night.prepared)
    rules = translated(night, domain_shares=shares)
    assert (rules.domain_least, rules.domain_most) == ([0, 0.4], [0.5, 1])
    rules.save(tmp_path / "rules.parquet")
    again = Rules.load(tmp_path / "rules.parquet")
    assert again.domains is not None and again.domains.tolist() == [0, 1] * 4 and again.domain_least == [0, 0.4]
    assert [places.tolist() for places in again.domain_places(np.array([9], np.int32))] == [[[0, 3]], [[5, 9]]]
    with pytest.raises(ConfigError, match=r"there is no domain 'film'; did you mean films"):
        translated(night, domain_shares={"film": {"least": 0.4}})
    with pytest.raises(ConfigError, match=r"the largest shares leave places open"):
        translated(night, domain_shares={"films": {"most": 0.4}, "books": {"most": 0.5}})

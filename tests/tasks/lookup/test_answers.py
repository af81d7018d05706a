"""Lists between nights, from a store; what a session changes is a claim of the contract of recommenders."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli.answer import answer, remarks, titled
from recmodels.data.dataset import Dataset
from recmodels.factors.mf import MF
from recmodels.persistence import load, save
from tasks.lists.settings import Segments
from tasks.lookup.answers import Answers
from tasks.store.paths import Night
from tests.tasks.publishing import lists, prepare_night, publish, with_manifests


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    with_manifests(night)
    return night


def test_without_a_session_everybody_has_the_list_of_the_night(night: Night) -> None:
    users = pq.read_table(night.prepared / "users.parquet")
    plan = pa.array(["long" if user in (1, 7) else None for user in users["user_id"].to_pylist()])
    pq.write_table(users.append_column("plan", plan), night.prepared / "users.parquet")
    with_manifests(night)
    segments = Segments(column="plan", k={"long": 4, "nobody's": 5})
    publish(night, k=2, pinned=["i4"], max_per_category=2, segments=segments)
    assert {user: len(rows) for user, rows in lists(night).items()} == {0: 2, 1: 4, 2: 2, 3: 2, 7: 4}
    answers = Answers.latest(night.store.root)
    for user, rows in lists(night).items():
        found = answers.answer(user)
        assert found.folded and found.known and found.model == "item_knn"
        for name, column in (("items", "item_id"), ("scores", "score"), ("sources", "source")):
            assert getattr(found, name) == [row[column] for row in rows]
        assert found.reasons == [row["reason_item_id"] for row in rows]


def test_a_session_counts_and_its_items_and_unavailable_ones_are_not_listed(night: Night) -> None:
    publish(night, excluded=["i3"])
    answers = Answers.latest(night.store.root)
    found = answers.answer("nobody", ["i2", "soap", "i0", "i2"], k=8)
    assert not found.known and (found.counted, found.unknown) == (["i0", "i2"], ["soap"])
    assert sorted(found.items) == ["i1", "i4", "i6", "i7"] and found.sources[0] == "personal"
    assert set(found.reasons[: found.sources.count("personal")]) <= {"i0", "i2"}
    rows = titled(answers, found, None)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4] and rows[0]["title"] == f"Title {rows[0]['item_id'][1]}"
    assert remarks("nobody", found) == [
        "The night does not know the user: the list is that of the session alone.",
        "Not in the catalogue, and passed over: soap.",
    ]


def test_whoever_was_not_active_is_when_they_come_back(night: Night) -> None:
    publish(night, active_days=28)
    answers = Answers.latest(night.store.root)
    away = next(user for user in range(5) if user not in lists(night))
    assert len(answers.answer(away, ["i6"]).items) == 3


def test_whoever_has_opted_out_gets_popular_items_whatever_the_session(night: Night) -> None:
    publish(night)
    found = Answers.latest(night.store.root).answer("8", ["i2"])
    assert not found.folded and set(found.sources) == {"cold"} and found.counted == []
    assert found.note == "The user is not among those of the night: popular items."


def test_a_model_that_cannot_count_a_session_leaves_the_list_of_the_night(night: Night) -> None:
    save(MF(epochs=1).fit(Dataset.load(night.features, "full")), night.champion)
    with_manifests(night)
    publish(night)
    answers = Answers.latest(night.store.root)
    rows = lists(night)[1]
    found = answers.answer(1, [rows[0]["item_id"]])
    assert not found.folded and found.items == [row["item_id"] for row in rows[1:]]
    assert found.note is not None and found.note.startswith("The model item_knn knows users by what it learned of them")
    nobody = answers.answer("99", ["i0"])
    assert nobody.model == "popularity" and "i0" not in nobody.items and nobody.items


@pytest.mark.parametrize("stage", ["prepared", "features", "champion"])
@pytest.mark.slow
def test_a_night_that_was_made_again_is_not_the_one_of_the_export(night: Night, stage: str) -> None:
    publish(night)
    with_manifests(night, **{stage: "another"})
    answers = Answers.latest(night.store.root)
    assert answers.why_not is not None and answers.why_not.startswith("The model of the export 2026-03-31 is no longer")
    assert answers.answer(1).items == [row["item_id"] for row in lists(night)[1]]


def test_it_is_current_until_readers_see_another_export(night: Night) -> None:
    publish(night)
    answers = Answers.latest(night.store.root)
    assert answers.is_current
    publish(night, k=2)
    assert not answers.is_current


def test_arrays_that_stay_on_the_disk_are_the_same_and_a_write_does_not_reach_them(night: Night) -> None:
    read, mapped = load(night.champion), load(night.champion, mapped=True)
    assert (read.similarity_ != mapped.similarity_).nnz == 0  # type: ignore[attr-defined]
    parts = mapped.similarity_  # type: ignore[attr-defined]
    assert not any(part.flags.owndata for part in (parts.data, parts.indices, parts.indptr))  # none was copied
    mapped.similarity_.data[:] = 7  # type: ignore[attr-defined]
    assert (load(night.champion).similarity_ != read.similarity_).nnz == 0  # type: ignore[attr-defined]


def test_the_command_prints_the_list_with_titles_or_as_json(night: Night) -> None:
    publish(night)
    asked = ["1", "--history", "i2, soap", "--store", str(night.store.root)]
    found = json.loads(CliRunner().invoke(answer, [*asked, "--json"]).output)
    expected = Answers.latest(night.store.root).answer("1", ["i2", "soap"])
    assert [row["item_id"] for row in found["list"]] == expected.items
    assert (found["folded"], found["known"], found["counted"], found["unknown"]) == (True, True, ["i2"], ["soap"])
    shown = CliRunner().invoke(answer, asked).output
    assert "Not in the catalogue, and passed over: soap." in shown and f"Title {expected.items[0][1]}" in shown

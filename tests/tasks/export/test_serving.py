"""Lists by arm: each arm has those of its policy, all keep the rules, and nobody else's change."""

import io
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from flows.cli.exports import in_words
from flows.cli.tables import recommendations
from recmodels.data.dataset import Dataset
from recmodels.linear.ease import EASE
from recmodels.persistence import save
from recmodels.published.reader import Export
from recmodels.published.schema import ADDED
from tasks.arms.tonight import ArmsTonight, ArmTonight
from tasks.export.differences import difference
from tasks.export.refilter import refilter
from tasks.export.settings import ExportSettings
from tasks.export.verification import verified
from tasks.lookup.answers import Answers
from tasks.lookup.lists import list_of
from tasks.lookup.users import user_seen
from tasks.store.manifests import describe, write_manifest
from tasks.store.paths import Night
from tests.tasks.publishing import lists, prepare_night, publish, with_manifests, written

Row = dict[str, Any]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night with EASE fitted for arms beside item-KNN, the winner."""
    night = prepare_night(tmp_path)
    with_manifests(night)
    folder = night.arm_model("ease")
    save(EASE().fit(Dataset.load(night.features, "full")), folder)
    files = [describe(path, folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    about: dict[str, Any] = {"inputs": {"features": "features"}, "parameters": {}, "code": "", "fingerprint": ""}
    write_manifest(folder, about | {"output": "ease", "summary": {}, "files": files})
    return night


def arms(*policies: str, salt: str = "1", **arm: Any) -> ArmsTonight:
    """An arm for each policy, each with a fourth of the users."""
    models = {"challenger": "ease", "interleave": "ease"}
    groups = {policy: ArmTonight(share=0.25, policy=policy, model=models.get(policy), **arm) for policy in policies}
    return ArmsTonight(salt=salt, groups=groups)


def everybody(policy: str, **arm: Any) -> ArmsTonight:
    """One arm with all users."""
    share, model = 0.999999, "ease" if policy in ("challenger", "interleave") else None
    return ArmsTonight(salt="1", groups={policy: ArmTonight(share=share, policy=policy, model=model, **arm)})


def made(night: Night, tonight: ArmsTonight | None = None) -> dict[int, list[Row]]:
    """The lists as they are written, which nobody has audited."""
    found: dict[int, list[Row]] = {}
    for row in pq.read_table(written(night, tonight, similar=0) / "topk").to_pylist():
        found.setdefault(row["user_id"], []).append(row)
    return found


def shown(found: dict[int, list[Row]]) -> dict[int, list[Row]]:
    """All but how rows came there."""
    return {user: [{k: v for k, v in row.items() if k not in ADDED} for row in rows] for user, rows in found.items()}


@pytest.mark.slow
def test_each_arm_has_the_lists_of_its_policy_and_main_those_it_would_have(night: Night) -> None:
    alone = {policy: shown(made(night, everybody(policy))) for policy in ("popularity", "challenger", "interleave")}
    alone["main"] = alone["no_exploration"] = shown(made(night))
    assert len({str(found) for found in alone.values()}) == 4
    seen = set()
    for salt in "abcd":
        found = made(night, arms("popularity", "challenger", "no_exploration", salt=salt))
        for user, rows in found.items():
            (arm,) = {row["arm"] for row in rows}
            seen.add(arm)
            assert shown(found)[user] == alone[arm][user]
            policy = {"popularity": "popularity", "challenger": "ease"}.get(arm, "item_knn")
            assert {(row["policy"], row["propensity"], row["model"]) for row in rows} == {(policy, 1.0, "item_knn")}
    assert seen == {"main", "popularity", "challenger", "no_exploration"}


def test_the_manifest_says_who_gets_what(night: Night) -> None:
    tonight = arms("popularity", "challenger", "no_exploration")
    assert publish(night, arms=tonight)["arms"] == tonight.json_ready()
    assert "keep the contract" in verified(night.store.root, None).sentence


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"max_per_category": 2},
        {"max_per_category": 2, "min_score": 0.0, "new_share": 0.2},
        {"repeats": True, "pinned": ["i0"]},
    ],
)
def test_an_interleaved_list_is_a_draft_of_both_and_keeps_the_rules(night: Night, rules: dict[str, Any]) -> None:
    publish(night, arms=everybody("interleave"), **rules)
    assert "keep the contract" in verified(night.store.root, None).sentence
    rows = Export.latest(night.store.root).table().to_pylist()
    assert {row["policy"] for row in rows if row["source"] == "personal"} == {"item_knn", "ease"}
    teams = defaultdict(list)
    for row in rows:
        teams[row["user_id"]] += [row["policy"]] if row["source"] == "personal" else []
    if not {"new_share", "pinned"} & set(rules):  # which take items whosever they are
        assert all(abs(names.count("ease") - names.count("item_knn")) <= 1 for names in teams.values())
    others = {(row["source"], row["policy"]) for row in rows if row["source"] != "personal"}
    assert others <= {("cold", "popularity"), ("pinned", "pinned")}  # neither of the two has the credit
    assert (("pinned", "pinned") in others) == ("pinned" in rules)


def test_lots_do_not_depend_on_how_users_come(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    before = made(night, everybody("interleave"))
    monkeypatch.setattr("tasks.export.serving.CELLS", 1)
    monkeypatch.setattr("tasks.export.buckets.PLACES", 1)  # each user by themselves
    assert made(night, everybody("interleave")) == before


def test_an_arm_that_cannot_be_had_gets_the_lists_of_main(night: Night) -> None:
    found = made(night, everybody("challenger", as_main="its model ease failed.", fault=True))
    assert shown(found) == shown(made(night))
    assert {(row["arm"], row["policy"]) for rows in found.values() for row in rows} == {("challenger", "item_knn")}


def test_the_same_arms_are_published_once_and_others_anew(night: Night) -> None:
    assert not publish(night, arms=arms("challenger"))["skipped"]
    assert publish(night, arms=arms("challenger"))["skipped"]
    assert not publish(night, arms=arms("challenger", salt="2"))["skipped"]
    model = next(path for path in night.arm_model("ease").rglob("*") if path.suffix != ".json")
    model.write_bytes(model.read_bytes() + b" ")
    with pytest.raises(Exception, match="arm_models/ease"):
        publish(night, arms=arms("challenger"), fresh=True)


@pytest.mark.parametrize("policy", ["popularity", "challenger", "interleave"])
@pytest.mark.slow
def test_between_nights_an_arm_keeps_its_own_lists(tmp_path: Path, night: Night, policy: str) -> None:
    publish(night, arms=everybody(policy))
    now = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 6 for n in range(8)]})
    refilter(night.store, now, ExportSettings(), complete=True, max_gone_share=0.5, name="now.csv")
    rows = lists(night)
    assert {row["arm"] for user in rows for row in rows[user]} == {policy}
    path = night.prepared / "items.parquet"
    items = pq.read_table(path)
    there = pc.and_(items["available"], pc.not_equal(items["item_id"], "i6"))
    pq.write_table(items.set_column(items.column_names.index("available"), "available", there), path)
    publish(night, arms=everybody(policy), fresh=True)
    assert lists(night) == rows


def test_between_nights_without_its_model_an_arm_gets_the_lists_of_main(night: Night) -> None:
    publish(night, arms=everybody("challenger"))
    next(night.arm_model("ease").glob("*.json")).unlink()
    now = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 6 for n in range(8)]})
    refilter(night.store, now, ExportSettings(), complete=True, max_gone_share=0.5, name="now.csv")
    policies = {row["policy"] for rows in lists(night).values() for row in rows}
    assert policies == {"ease", "item_knn"} and {r["arm"] for rows in lists(night).values() for r in rows} == {
        "challenger"
    }


@pytest.mark.slow
def test_whoever_looks_sees_the_arm_and_whose_items_they_are(night: Night) -> None:
    store = night.store
    publish(night)
    assert user_seen(store, "0").arm is None  # nobody is told of arms where there are none
    publish(night, arms=everybody("interleave"))
    seen = user_seen(store, "0")
    assert seen.arm == "interleave" and set(seen.model.split(" and ")) == {"item_knn", "ease"}
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(recommendations(console, "0", list_of(store.root, "0")))
    assert f"by {seen.model} ({night.run_date}, arm interleave)" in " ".join(console.export_text().split())
    found = difference(store, f"{night.run_date}.1", f"{night.run_date}.2")
    assert found["arms"] == {"interleave": {"users_in_both": 5, "mean_churn": found["mean_churn"]}}
    assert "Arm interleave: 5 users; " in "\n".join(in_words(found))
    assert difference(store, f"{night.run_date}.2", f"{night.run_date}.1")["arms"] == {}


def test_no_session_changes_the_lists_of_an_arm_with_another_model(night: Night) -> None:
    publish(night, arms=everybody("challenger"))
    rows = lists(night)[0]
    answers = Answers.latest(night.store.root)
    found = answers.answer("0", [rows[0]["item_id"]])
    assert found.items == [row["item_id"] for row in rows[1:]] and not found.folded and found.model == "ease"
    assert found.note is not None and found.note.startswith("The user is in the arm challenger, whose lists no session")
    assert answers.answer("nobody", ["i1"]).folded  # an id that this site cannot have
    publish(night, arms=everybody("no_exploration"))
    assert Answers.latest(night.store.root).answer("0", [rows[0]["item_id"]]).folded

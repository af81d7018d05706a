"""What arms mean in a night, and what becomes of those that cannot be had."""

from pathlib import Path
from typing import Any

import pytest

from tasks.arms.settings import ArmsSettings
from tasks.arms.tonight import ArmsTonight, ArmTonight, arms_tonight, groups_of, remarks
from tasks.compare.decision import ComparisonSummary
from tasks.store.files import write_json
from tasks.store.paths import Night, Store
from tasks.train.settings import Candidate
from tests.tasks.site import RUN_DATE

CANDIDATES = {name: Candidate() for name in ("popularity", "item_knn", "als", "ease")}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path).night(RUN_DATE)


def tonight(night: Night, failed: dict[str, str] | None = None, **arm: Any) -> tuple[ArmTonight, dict[str, Candidate]]:
    """The arm `b` in a night that item_knn has won, before als and popularity."""
    values = {"item_knn": 0.5, "als": 0.4, "popularity": 0.1}
    gate = {"winner": "item_knn", "reason": "best", "verdict": "first"}
    comparison = ComparisonSummary.of(
        {
            "winner": "item_knn",
            "reason": "best",
            "metrics": {},
            "failed": failed or {},
            "k": 10,
            "users": 5,
            "gate": gate,
        }
        | {"models": {name: {"ndcg": {"value": value}} for name, value in values.items()}}
    )
    settings = ArmsSettings.model_validate({"groups": {"b": {"share": 0.1} | arm}})
    arms, candidates = arms_tonight(settings, comparison, CANDIDATES, night)
    assert arms.models == ([arms.groups["b"].own_model] if arms.groups["b"].own_model else [])
    return arms.groups["b"], candidates


def exported(night: Night, export_id: str, recommender: str, folder: str = "", **params: Any) -> None:
    about = {"export_id": export_id, "champion": recommender, "recipe": {"recommender": recommender, "params": params}}
    write_json(night.store.exports / "manifests" / folder / f"{export_id}.json", about)


def test_a_challenger_is_the_best_of_the_others_or_the_one_that_is_named(night: Night) -> None:
    assert tonight(night, policy="challenger")[0].own_model == "als"
    assert tonight(night, failed={"als": "too long"}, policy="challenger")[0].own_model == "popularity"
    assert tonight(night, policy="interleave", model="popularity")[0].own_model == "popularity"


@pytest.mark.parametrize(
    ("model", "failed", "why", "fault"),
    [
        ("item_knn", {}, "its model item_knn is the winner.", False),
        ("als", {"als": "it ran out of time."}, "its model als failed: it ran out of time.", True),
        ("ease", {}, "its model ease did not compete.", True),
    ],
)
def test_users_of_a_model_that_cannot_be_had_get_the_lists_of_main(
    night: Night, model: str, failed: dict[str, str], why: str, fault: bool
) -> None:
    arm, _ = tonight(night, failed, policy="challenger", model=model)
    assert (arm.as_main, arm.fault, arm.own_model) == (why, fault, None)
    manifest = {"arms": ArmsTonight(salt="1", groups={"b": arm}).json_ready()}
    assert groups_of(manifest) == {"b": arm}
    said = [f"The users of the arm b got the lists of main: {why}"]
    assert (remarks(manifest, faults=True), remarks(manifest, faults=False)) == ((said, []) if fault else ([], said))


def test_the_last_champion_is_the_one_before_that_is_another_than_the_winner(night: Night) -> None:
    assert tonight(night, policy="last_champion")[0].as_main == "no other model was published before."
    exported(night, "2026-03-01", "ease", "removed")
    assert tonight(night, policy="last_champion")[0].own_model == "ease"  # its export is gone, it is known all the same
    exported(night, "2026-03-28", "als", factors=7)
    exported(night, "2026-03-29", "item_knn")
    exported(night, str(RUN_DATE), "popularity")  # tonight's own
    arm, candidates = tonight(night, policy="last_champion")
    assert arm.own_model == "als_standing" and candidates["als_standing"].parameters == {"factors": 7}
    exported(night, "2026-03-30", "als")
    assert tonight(night, policy="last_champion")[0].own_model == "als"
    exported(night, "2026-03-30.2", "gone.model:Ours")
    arm, _ = tonight(night, policy="last_champion")
    assert arm.as_main == "gone.model:Ours, which was published before, cannot be trained here any more." and arm.fault


def test_what_was_rolled_back_is_no_champion(night: Night) -> None:
    exported(night, "2026-03-28", "ease")
    exported(night, "2026-03-29", "als")
    pointer = {
        "export_id": "2026-03-28",
        "run_date": "2026-03-28",
        "path": "2026-03-28",
        "manifest": "manifests/2026-03-28.json",
    }
    pointer |= {"manifest_sha256": "0" * 64, "published_at": "2026-03-29T00:00:00+00:00"}
    write_json(night.store.pointer, pointer | {"withdrawn": ["2026-03-29"]})
    assert tonight(night, policy="last_champion")[0].own_model == "ease"


def test_who_is_in_an_arm_depends_on_the_salt_alone() -> None:
    groups = {name: ArmTonight(share=0.25, policy="popularity") for name in ("b", "c")}
    users: list[int | str] = [*range(2_000)]
    first = ArmsTonight(salt="1", groups=groups).codes(users)
    assert [round((first == code).mean(), 1) for code in (1, 2)] == [0.2, 0.2] or abs((first == 1).mean() - 0.25) < 0.03
    assert (ArmsTonight(salt="1", groups=groups).codes(users[::-1])[::-1] == first).all()
    assert (ArmsTonight(salt="2", groups=groups).codes(users) != first).any()
    assert "salt" not in str(ArmsTonight(salt="sea salt", groups=groups).json_ready()["salt"])

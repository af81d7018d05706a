"""The incumbent's recipe, and the popularity of the week, among tonight's candidates."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasks.compare.champion import field
from tasks.store.exports import point_to, rollback
from tasks.store.files import Json, write_json
from tasks.store.paths import Store
from tasks.train.settings import Candidate

TONIGHT = date(2026, 3, 31)


def exported(store: Store, day: str, champion: str, recommender: str, params: Json) -> None:
    manifest = {"export_id": day, "run_date": day, "champion": champion, "files": []}
    manifest["recipe"] = {"recommender": recommender, "params": params}  # type: ignore[assignment]
    write_json(store.export_manifest(day), manifest)


def manifest_of(recommender: str) -> Json:
    return {"parameters": {"recommender": recommender, "params": {}}}


def test_a_champion_that_left_the_configuration_is_trained_from_its_recipe(tmp_path: Path) -> None:
    store = Store(tmp_path)
    exported(store, "2026-03-30", "mine", "ease", {"regularization": 9.0})
    exported(store, "2026-03-31", "als", "als", {})  # tonight's own: not what readers had before
    candidates, incumbent, baseline = field({"als": Candidate()}, store, TONIGHT)
    assert incumbent is not None
    assert (incumbent.name, incumbent.export_id) == ("mine", "2026-03-30")
    assert candidates["mine"] == Candidate(recommender="ease", parameters={"regularization": 9.0})
    assert (list(candidates), baseline) == (["als", "mine", "popularity_7d"], "popularity_7d")


def test_a_champion_whose_parameters_changed_competes_beside_its_successor(tmp_path: Path) -> None:
    exported(Store(tmp_path), "2026-03-30", "ease", "ease", {"regularization": 9.0})
    candidates, incumbent, _ = field({"ease": Candidate()}, Store(tmp_path), TONIGHT)
    assert incumbent is not None
    assert incumbent.name == "ease_standing"
    assert candidates["ease_standing"].parameters == {"regularization": 9.0}
    same = {"renamed": Candidate(recommender="ease", parameters={"regularization": 9.0})}
    _, incumbent, _ = field(same, Store(tmp_path), TONIGHT)
    assert incumbent is not None
    assert incumbent.name == "renamed"


def test_a_champion_is_trained_where_its_successor_is_and_for_as_long(tmp_path: Path) -> None:
    exported(Store(tmp_path), "2026-03-30", "net", "transformer", {"dim": 64})
    where: dict[str, Any] = {"device": "gpu", "gpus": 2, "pool": "big", "timeout_minutes": 600}
    net = Candidate(recommender="transformer", parameters={"dim": 128}, required=True, **where)
    candidates, _, _ = field({"als": Candidate(), "net": net}, Store(tmp_path), TONIGHT)
    assert candidates["net_standing"] == Candidate(recommender="transformer", parameters={"dim": 64}, **where)
    renamed, _, _ = field({"other": net}, Store(tmp_path), TONIGHT)  # of the same kind, under another name
    assert renamed["net"].workplace == "big"
    gone, _, _ = field({"als": Candidate(timeout_minutes=5)}, Store(tmp_path), TONIGHT)
    assert gone["net"] == Candidate(recommender="transformer", parameters={"dim": 64})


def test_the_popularity_of_the_week_always_competes_once(tmp_path: Path) -> None:
    candidates, incumbent, name = field({"als": Candidate()}, Store(tmp_path), TONIGHT)
    assert (incumbent, name) == (None, "popularity_7d")
    assert candidates[name].parameters == {"days": 7}
    mine = {"week": Candidate(recommender="popularity", parameters={"days": 7})}
    assert field(mine, Store(tmp_path), TONIGHT)[::2] == (mine, "week")


def test_a_recipe_that_cannot_be_trained_here_leaves_the_champion_among_nobodys_names(tmp_path: Path) -> None:
    exported(Store(tmp_path), "2026-03-30", "als", "shop.models:Gone", {})
    candidates, incumbent, _ = field({"als": Candidate()}, Store(tmp_path), TONIGHT)
    assert incumbent is not None
    assert (incumbent.name, incumbent.published_as) == ("als_standing", "als")
    assert list(candidates) == ["als", "popularity_7d"]


def test_a_night_that_is_run_again_knows_what_was_rolled_back_before_it(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def publish(day: str, model: str) -> None:
        exported(store, day, model, model, {})
        store.export(day).mkdir()
        write_json(store.night(date.fromisoformat(day)).summary, {"status": "published"})
        write_json(store.night(date.fromisoformat(day)).champion / "manifest.json", manifest_of(model))
        point_to(store, {"export_id": day, "run_date": day})

    publish("2026-03-29", "als")
    publish("2026-03-30", "ease")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.store.exports.intact", lambda store, manifest: None)
        rollback(store)
    _, first, _ = field({"als": Candidate(), "ease": Candidate()}, store, TONIGHT)
    publish("2026-03-31", "als")
    _, again, _ = field({"als": Candidate(), "ease": Candidate()}, store, TONIGHT)
    assert first is not None and first.export_id == "2026-03-29"
    assert again == first


@pytest.mark.parametrize("lost", ["its manifest", "all that readers are told"])
def test_an_export_of_which_nothing_is_said_still_has_a_champion(tmp_path: Path, lost: str) -> None:
    """Its night knows it, and better than the export before does."""
    store, day = Store(tmp_path), "2026-03-30"
    exported(store, "2026-03-29", "older", "als", {})
    if lost == "its manifest":
        pointer = {"export_id": day, "run_date": day, "path": day, "manifest": f"manifests/{day}.json"}
        write_json(store.pointer, pointer | {"manifest_sha256": "lost", "published_at": f"{day}T04:00:00+00:00"})
    night = store.night(date(2026, 3, 30))
    recipe = {"recommender": "ease", "params": {"regularization": 9.0}, "seed": 0}
    write_json(night.champion / "manifest.json", {"parameters": recipe})
    write_json(night.evaluation / "decision.json", {"winner": "mine"})
    write_json(night.summary, {"status": "published"})
    candidates, incumbent, _ = field({"als": Candidate()}, store, TONIGHT)
    assert incumbent is not None
    assert (incumbent.name, incumbent.export_id) == ("mine", "2026-03-30")
    assert candidates["mine"] == Candidate(recommender="ease", parameters={"regularization": 9.0})


def test_a_night_that_failed_has_left_no_champion(tmp_path: Path) -> None:
    store = Store(tmp_path)
    exported(store, "2026-03-29", "als", "als", {})
    write_json(store.night(date(2026, 3, 30)).summary, {"status": "failed"})
    _, incumbent, _ = field({"als": Candidate()}, store, TONIGHT)
    assert incumbent is not None and incumbent.export_id == "2026-03-29"

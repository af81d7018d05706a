"""What arms need is fitted beside the winner, and what cannot be fitted costs no night."""

from pathlib import Path

from flows.execution.arms import fit_arms
from flows.execution.training import jobs_for
from flows.settings.site import NightConfig
from tasks.arms.settings import ArmsSettings
from tasks.store.files import write_json
from tasks.store.manifests import Manifest
from tasks.store.paths import Store
from tasks.train.settings import Candidate
from tests.flows.execution.test_training import Recorder
from tests.flows.sites import DAY

CANDIDATES = {"popularity": Candidate(), "item_knn": Candidate(), "als": Candidate(timeout_minutes=7)}
ARMS = ArmsSettings.model_validate(
    {
        "groups": {
            "holdback": {"share": 0.1, "policy": "popularity"},
            "b": {"share": 0.1, "policy": "challenger"},
            "both": {"share": 0.1, "policy": "interleave", "model": "als"},
            "before": {"share": 0.1, "policy": "last_champion"},
        }
    }
)


def comparison() -> Manifest:
    """Of a night that item_knn has won, before als."""
    gate = {"winner": "item_knn", "reason": "best", "verdict": "stays"}
    models = {"item_knn": {"ndcg": {"value": 0.5}}, "als": {"ndcg": {"value": 0.4}}}
    about = {"winner": "item_knn", "reason": "best", "metrics": {}, "failed": {}, "k": 10, "users": 4, "models": models}
    return {"summary": about | {"gate": gate}}  # type: ignore[typeddict-item]


def fitted(root: Path, failing: str = "", times: int = 99) -> tuple[Recorder, dict[str, str | None]]:
    night, executor = Store(root).night(DAY), Recorder(failing, times)
    recipe = {"recommender": "ease", "params": {}}
    write_json(night.store.exports / "manifests" / "2020-01-01.json", {"champion": "ease", "recipe": recipe})
    arms = fit_arms(executor, jobs_for(night, NightConfig(), CANDIDATES, fresh=True, lease="mine"), comparison(), ARMS)
    assert arms is not None and list(arms.groups) == list(ARMS.groups)
    return executor, {name: arm.as_main for name, arm in arms.groups.items()}


def test_each_model_is_fitted_once_in_a_folder_of_its_own(tmp_path: Path) -> None:
    executor, as_main = fitted(tmp_path)
    assert as_main == dict.fromkeys(ARMS.groups)
    night = Store(tmp_path).night(DAY)
    assert [(job.name, job.recommender, job.fitted(night).relative_to(night.folder)) for job in executor.refitted] == [
        (name, name, Path("arm_models") / name) for name in ("als", "ease")
    ]
    assert [(job.split, job.concurrency, job.label, job.lease) for job in executor.refitted] == [
        ("full", 1, f"arm-{name}", "mine") for name in ("als", "ease")
    ]
    assert executor.refitted[0].candidate.timeout_minutes == 7


def test_a_model_that_cannot_be_fitted_is_tried_twice_and_its_users_get_the_lists_of_main(tmp_path: Path) -> None:
    executor, as_main = fitted(tmp_path, "als")
    why = "its model als could not be fitted: no memory"
    assert as_main == {"holdback": None, "b": why, "both": why, "before": None}
    assert [(job.name, job.attempt) for job in executor.refitted] == [("als", 1), ("als", 2), ("ease", 1)]
    executor, as_main = fitted(tmp_path, "als", times=1)
    assert as_main == dict.fromkeys(ARMS.groups) and len(executor.refitted) == 3


def test_a_site_without_arms_pays_nothing(tmp_path: Path) -> None:
    executor = Recorder("")
    assert fit_arms(executor, [], comparison(), ArmsSettings()) is None and not executor.refitted

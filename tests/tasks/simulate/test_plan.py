"""What a simulation does follows from the settings of a site and from what it has published."""

from datetime import date

import pytest

from recmodels.errors import ConfigError
from tasks.exploration.settings import NO_EXPLORATION, ExplorationSettings
from tasks.export.settings import ExportSettings
from tasks.simulate.plan import CALIBRATION, EPSILON, Plan, planned
from tasks.simulate.settings import PolicySettings, SimulateSettings
from tasks.store.exports import write_export_manifest
from tasks.store.paths import Night, Store
from tasks.train.settings import Candidate

CANDIDATES = {"popularity": Candidate(), "als": Candidate(parameters={"factors": 8}), "item_knn": Candidate()}
USUAL, PLAIN = SimulateSettings(), ExportSettings()


def plan_of(
    settings: SimulateSettings = USUAL,
    night: Night | None = None,
    lists: ExportSettings = PLAIN,
    exploration: ExplorationSettings = NO_EXPLORATION,
    chosen: list[str] | None = None,
) -> Plan:
    return planned(settings, CANDIDATES, lists, exploration, night, chosen)


def test_without_a_store_the_candidates_are_compared_as_nights_list_them() -> None:
    plan = plan_of(SimulateSettings(retrain_every=0), lists=ExportSettings(k=7, calibration=0.3))
    assert list(plan.policies) == ["popularity", "als", "item_knn"]
    assert (plan.reference, plan.k, plan.from_store) == ("popularity", 7, False)
    als = plan.policies["als"]
    assert als.recipe is not None and als.recipe.model_dump() == {"recommender": "als", "parameters": {"factors": 8}}
    assert (als.rules.calibration, als.retrain_every, als.epsilon, als.says) == (0.3, None, 0, "als")


def test_what_is_published_comes_first_and_is_tried_with_exploration_and_rules(published: Night) -> None:
    plan = plan_of(night=published)
    assert list(plan.policies)[:1] == [plan.reference] == ["item_knn"]
    assert {"als", "popularity", "popularity_7d", "item_knn_explored", "item_knn_reranked"} < set(plan.policies)
    explored, reranked = plan.policies["item_knn_explored"], plan.policies["item_knn_reranked"]
    assert explored.epsilon == EPSILON and "als" in explored.proposers and "item_knn" not in explored.proposers
    assert (reranked.rules.calibration, reranked.epsilon) == (CALIBRATION, 0)
    assert reranked.says == f"item_knn, the champion with calibration {CALIBRATION}"


def test_a_site_that_explores_and_calibrates_is_compared_with_one_that_does_not_calibrate(published: Night) -> None:
    lists, exploration = ExportSettings(calibration=0.1), ExplorationSettings(epsilon=0.05, slot=3)
    plan = plan_of(night=published, lists=lists, exploration=exploration)
    assert plan.policies["item_knn"].epsilon == 0.05 and plan.policies["item_knn"].slot == 3
    assert plan.policies["item_knn_reranked"].rules.calibration == 0


def test_policies_of_the_settings_are_compared_with_the_champion(published: Night) -> None:
    settings = SimulateSettings(
        policies={
            "small": PolicySettings(model="als", parameters={"factors": 4}, retrain_every=7),
            "mine": PolicySettings(model="champion", epsilon=0.5),
        }
    )
    plan = plan_of(settings, published)
    assert list(plan.policies) == ["item_knn", "small", "mine"]
    small = plan.policies["small"]
    assert small.recipe is not None and small.recipe.parameters == {"factors": 4}
    assert (small.retrain_every, small.says) == (7, "als, trained every 7 nights")


def test_only_the_named_ones_are_compared_beside_the_champion(published: Night) -> None:
    assert list(plan_of(night=published, chosen=["als", "oracle", "random"]).policies) == [
        "item_knn", "als", "oracle", "random",
    ]  # fmt: skip
    assert list(plan_of(chosen=["als"]).policies) == ["als"]


def test_a_champion_that_is_not_there_and_a_model_that_does_not_exist_are_mistakes() -> None:
    with pytest.raises(ConfigError, match="there is no champion, as nothing was published before"):
        plan_of(chosen=["champion"])
    with pytest.raises(ConfigError, match="Unknown recommender: 'alz'; did you mean 'als'"):
        plan_of(chosen=["alz"])


def test_another_plan_is_told_by_what_differs_first() -> None:
    before = plan_of().model_dump(mode="json")
    assert plan_of(SimulateSettings(checkpoint_nights=3)).differs_from(before) is None
    assert plan_of(SimulateSettings(nights=50)).differs_from(before) == "nights is 50, and was 100"
    assert plan_of(chosen=["popularity", "als"]).differs_from(before) == "the policy item_knn is another"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night whose lists, by item_knn, are out."""
    night = Store(tmp_path_factory.mktemp("store")).night(date(2026, 3, 31))
    night.store.export(str(night.run_date)).mkdir(parents=True)
    about = {"export_id": str(night.run_date), "run_date": str(night.run_date), "champion": "item_knn", "files": []}
    write_export_manifest(night.store, about | {"recipe": {"recommender": "item_knn", "params": {}}})
    return night

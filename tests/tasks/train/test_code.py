"""A training is redone when its own model's code changes, and not when another's does."""

from recmodels.base import Recommender
from recmodels.ensemble.model import Ensemble
from recmodels.factors.als import ALS
from recmodels.knn.item_knn import ItemKNN
from tasks.store.versions import imported_by
from tasks.train.code import _NAMES_MEMBERS, code_that_trains


def modules_of(model: type[Recommender]) -> set[str]:
    return set(imported_by("tasks.train.stage", "recmodels.candidate", model.__module__, without=_NAMES_MEMBERS))


def test_a_training_depends_on_the_process_and_its_own_model() -> None:
    process = {"tasks.train.stage", "recmodels.candidate", "recmodels.fallback"}
    als, item_knn = modules_of(ALS), modules_of(ItemKNN)
    assert process <= als & item_knn
    assert {"recmodels.factors.als", "recmodels.factors.als_kernels"} <= als - item_knn
    assert "recmodels.knn.item_knn" in item_knn - als
    others = (
        "recmodels.ensemble",
        "recmodels.transformer",
        "recmodels.linear",
        "tasks.ingest",
        "tasks.report",
        "flows",
    )
    assert not {module for module in als | item_knn if module.startswith(others)}


def test_models_have_digests_of_their_own_and_an_ensemble_that_of_its_members() -> None:
    digests = {
        code_that_trains(ALS),
        code_that_trains(ItemKNN),
        code_that_trains(Ensemble, ItemKNN),
        code_that_trains(Ensemble, ItemKNN, ALS),
    }
    assert len(digests) == 4
    assert code_that_trains(ALS, ItemKNN) == code_that_trains(ItemKNN, ALS)

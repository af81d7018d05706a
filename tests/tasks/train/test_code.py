"""A training is redone when its own model's code changes, and not when another's does."""

from recmodels.ensemble.model import Ensemble
from recmodels.factors.als import ALS
from recmodels.knn.item_knn import ItemKNN
from tasks.store.versions import imported_by
from tasks.train.code import _NAMES_MEMBERS, code_that_trains


def test_a_training_depends_on_the_process_and_its_own_model() -> None:
    modules = imported_by("tasks.train.stage", "recmodels.candidate", ALS.__module__, without=_NAMES_MEMBERS)
    assert {"tasks.train.stage", "recmodels.candidate", "recmodels.factors.als_kernels", "recmodels.fallback"} <= set(
        modules
    )
    assert not {module for module in modules if module.startswith(("recmodels.knn", "recmodels.ensemble"))}
    assert not {module for module in modules if module.startswith(("recmodels.transformer", "recmodels.linear"))}


def test_models_have_digests_of_their_own_and_an_ensemble_that_of_its_members() -> None:
    digests = {
        code_that_trains(ALS),
        code_that_trains(ItemKNN),
        code_that_trains(Ensemble, ItemKNN),
        code_that_trains(Ensemble, ItemKNN, ALS),
    }
    assert len(digests) == 4
    assert code_that_trains(ALS, ItemKNN) == code_that_trains(ItemKNN, ALS)

"""What code trains a candidate: the stage, the process that fits and lists, and the models concerned alone."""

from recmodels.base import Recommender
from tasks.store.versions import code_of

_NAMES_MEMBERS = frozenset({"recmodels.ensemble.model"})
"""What the stage imports to name the members of ensembles; only ensembles depend on it."""


def code_that_trains(*models: type[Recommender]) -> str:
    """The version of the code that trains a model, or an ensemble and its members."""
    modules = sorted({model.__module__ for model in models})
    return code_of("tasks.train.stage", "recmodels.candidate", *modules, without=_NAMES_MEMBERS)

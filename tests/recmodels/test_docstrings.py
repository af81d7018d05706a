"""The examples in the models' docstrings run, and give what they say."""

import doctest
from importlib import import_module

import pytest

from recmodels import registry

WITH_EXAMPLES = (
    "als", "bpr", "ease", "graph_filter", "item_knn", "mf", "personal_frequency", "tifu_knn", "transitions", "user_knn",
)  # fmt: skip


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_example_of_a_model_runs(name: str) -> None:
    module = import_module(registry.kind_of(name).__module__)
    found = doctest.testmod(module)
    assert found.attempted > 0 and found.failed == 0

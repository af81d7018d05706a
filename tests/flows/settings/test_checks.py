"""What is said before a night starts."""

import pytest

from flows.settings.checks import check_installed
from flows.settings.site import NightConfig
from recmodels.errors import ConfigError
from tasks.train.jobs import Candidate


def test_a_model_that_needs_pytorch_says_so_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recmodels.compute.device.has_torch", lambda: False)
    models = {"popularity": Candidate(), "sequences": Candidate(recommender="transformer")}
    with pytest.raises(ConfigError, match="The model sequences needs PyTorch"):
        check_installed(NightConfig(models=models))
    check_installed(NightConfig(models=models | {"sequences": Candidate(recommender="transformer", enabled=False)}))
    check_installed(NightConfig())


def test_items_have_vectors_from_one_place() -> None:
    inputs = {"interactions": {"path": "log.csv"}, "item_vectors": {"path": "vectors.parquet"}}
    config = NightConfig.model_validate({"inputs": inputs, "features": {"encoder": {}}})
    with pytest.raises(ConfigError, match=r"item_vectors.* and features\.encoder makes some: leave one of them out"):
        check_installed(config)

"""What a worker must have for its site's settings, said when it starts and not in the night."""

from typing import Any

import pytest

from flows.settings import extras
from flows.settings.extras import check_extras, check_variables
from flows.settings.site import NightConfig
from recmodels.errors import ConfigError


def site(**settings: Any) -> NightConfig:
    return NightConfig.model_validate({"models": {"popularity": {}}, **settings})


def test_a_missing_package_is_named_with_the_setting_that_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    config = site(
        sinks={"redis": {"url_env": "SHOP_REDIS"}},
        mlflow={"uri": "http://mlflow:5000"},
        models={"popularity": {}, "transformer": {"pool": "gpu"}},
    )
    with pytest.raises(ConfigError) as refused:
        check_extras(config, "cpu")
    assert str(refused.value) == (
        "[sinks.redis], [mlflow]: what it needs is not installed here; pip install 'nightrec[redis,mlflow]', or build "
        "the image with NIGHTREC_EXTRAS=redis,mlflow."
    )
    with pytest.raises(ConfigError, match=r"\[models.transformer\].*'nightrec\[torch\]'"):
        check_extras(config, "gpu")
    check_extras(config, "signals")


def test_with_all_packages_a_worker_may_start() -> None:
    check_extras(site(sinks={"redis": {"url_env": "SHOP_REDIS"}, "delta": {"path": "lists"}}), "cpu")


def test_a_variable_that_a_setting_names_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    config = site(sinks={"redis": {"url_env": "SHOP_REDIS"}})
    monkeypatch.delenv("SHOP_REDIS", raising=False)
    with pytest.raises(ConfigError, match=r"sinks\.redis\.url_env names the environment variable SHOP_REDIS"):
        check_variables(config, "cpu")
    check_variables(config, "signals")
    monkeypatch.setenv("SHOP_REDIS", "redis://:secret@redis/0")
    check_variables(config, "cpu")

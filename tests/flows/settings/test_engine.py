"""`[engine]`: which engines there may be, by which addresses, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from flows.settings.engine import EngineSettings
from flows.settings.site import checked, load
from recmodels.engine.choice import EngineChoice
from recmodels.errors import ConfigError
from tests.flows.sites import write


def engine(**settings: Any) -> EngineSettings:
    return checked({"engine": settings}, "nightrec.toml").engine


def test_without_settings_no_engine_is_asked_for() -> None:
    assert engine().choice is None
    assert engine(kind="none", address="none", exchange="none", fallback="none", cores="none").choice is None
    assert engine(kind="local", cores=2).choice == EngineChoice("local", cores=2)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("ray", None),
        ("ray", "auto"),
        ("ray", "10.0.0.5:6379"),
        ("ray", "[fd00::1]:6379"),
        ("ray", "ray://head.ray.svc:10001"),
        ("dask", "10.0.0.5:8786"),
        ("dask", "tls://scheduler:8786"),
    ],
)
def test_clusters_have_addresses_of_their_kind(kind: str, address: str | None) -> None:
    assert engine(kind=kind, address=address).choice == EngineChoice(kind, address)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"kind": "spark"}, "engine.kind = 'spark': input should be 'local', 'ray' or 'dask'."),
        ({"address": "auto"}, "engine.address = 'auto': it is of a cluster: set engine.kind to \"ray\" as well"),
        ({"kind": "local", "fallback": "local"}, "engine.fallback = 'local': it is of a cluster"),
        ({"cores": 2}, 'engine.cores = 2: they are of an engine: set engine.kind to "local" as well'),
        ({"kind": "ray", "cores": 0}, "engine.cores = 0: input should be greater than or equal to 1."),
        (
            {"kind": "ray", "address": "head"},
            "engine.address = 'head': it is no address of ray, which look like 10.0.0.5:6379",
        ),
        (
            {"kind": "dask", "address": "ray://head:10001"},
            "it is no address of dask, which look like tcp://10.0.0.5:8786",
        ),
        ({"kind": "ray", "address": "auto", "cores": 2}, "the cluster auto has its own: leave them out"),
        ({"kind": "ray", "exchange": "s3://me:hunter2@bucket/x"}, "leave it out, and set AWS_ACCESS_KEY_ID"),
        ({"kind": "ray", "kinds": "auto"}, "unknown key engine.kinds; did you mean kind?"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(settings: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ConfigError) as refused:
        engine(**settings)
    assert refusal in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_folder_for_the_exchange_counts_from_the_file(tmp_path: Path) -> None:
    text = '[engine]\nkind = "ray"\nexchange = "{}"\n'
    for given, found in (("common", tmp_path / "common"), ("/mnt/common", "/mnt/common"), ("s3://b/x", "s3://b/x")):
        write(tmp_path / "nightrec.toml", text.format(given))
        assert load(tmp_path / "nightrec.toml").engine.exchange == str(found)


def test_the_command_line_names_a_kind_and_keeps_the_settings_of_the_same() -> None:
    cluster = engine(kind="ray", address="auto", fallback="local")
    assert cluster.of_kind("ray") is cluster
    assert cluster.of_kind("local") == EngineSettings(kind="local")
    assert cluster.of_kind("none") == EngineSettings()
    assert EngineSettings().of_kind("ray") == EngineSettings(kind="ray")

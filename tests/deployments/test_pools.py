"""The work pools of ``deployments/pools.yaml``: what their runs get, and what nobody can choose for them."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import prefect
import pytest
import yaml
from prefect.utilities.templating import find_placeholders

from flows.operate.deploy import IN_CONTAINERS, merge, sealed
from flows.operate.worker import environment
from tasks.train.settings import CPU_POOL, GPU_POOL, SIGNALS_POOL
from tests.deployments.files import DOCKERFILE, FOLDER, USER, safe

POOLS = yaml.safe_load((FOLDER / "pools.yaml").read_text())
# Keys that workers understand though the templates that come with Prefect do not have them.
ADDED = {"docker": {"job_configuration/container_create_kwargs"}}
GROWS = {"securityContext", "volumes", "tolerations", "command", "envFrom", "volumeMounts"}
GROWS |= {"automountServiceAccountToken", "enableServiceLinks", "default", "containers"}


def templates() -> dict[str, Any]:
    """Prefect's default base job templates by type, as its server knows them."""
    data = Path(prefect.__file__).parent / "server/api/collections_data/views/aggregate-worker-metadata.json"
    packages = json.loads(data.read_text())
    return {
        name: worker["default_base_job_configuration"]
        for package in packages.values()
        for name, worker in package.items()
    }


def pool_template(kind: str, pool: str) -> dict[str, Any]:
    template = deepcopy(templates()[kind])
    merge(template, POOLS[kind][pool])
    return sealed(template)


def rendered(kind: str, pool: str, **values: Any) -> dict[str, Any]:
    """What a worker makes of a pool's template: the defaults of the variables put in, what has none left out."""
    from prefect.utilities.templating import apply_values

    template = pool_template(kind, pool)
    defaults = {
        name: variable["default"]
        for name, variable in template["variables"]["properties"].items()
        if variable.get("default") is not None
    }
    configuration: dict[str, Any] = apply_values(template["job_configuration"], defaults | values)
    return configuration


def changes(kind: str, pool: str) -> Iterator[list[str]]:
    def walk(node: Any, path: list[str]) -> Iterator[list[str]]:
        if not isinstance(node, dict):
            yield path
            return
        for key, value in node.items():
            yield from walk(value, [*path, key])

    yield from walk(POOLS[kind][pool], [])


ALL_POOLS = [(kind, pool) for kind in POOLS for pool in (CPU_POOL, GPU_POOL, SIGNALS_POOL)]


@pytest.mark.parametrize(("kind", "pool"), ALL_POOLS)
def test_a_pool_changes_only_what_its_template_has(kind: str, pool: str) -> None:
    template = templates()[kind]
    for path in changes(kind, pool):
        node = template
        for depth, key in enumerate(path):
            if key in GROWS or "/".join(path[: depth + 1]) in ADDED.get(kind, set()):
                break
            assert key in node, "/".join(path)
            node = node[key]


@pytest.mark.parametrize("pool", [CPU_POOL, GPU_POOL, SIGNALS_POOL])
def test_a_run_in_a_process_begins_at_once_with_the_python_of_its_worker(pool: str) -> None:
    python, *arguments = shlex.split(rendered("process", pool)["command"])
    assert arguments == ["-m", "prefect.engine"]
    found = shutil.which(python, path=environment(pool, gpu=None)["PATH"])
    assert found and Path(found).parent == Path(sys.executable).parent


@pytest.mark.parametrize(("kind", "pool"), [one for one in ALL_POOLS if one[0] != "process"])
def test_containers_of_runs_find_the_store_and_the_settings(kind: str, pool: str) -> None:
    job = rendered(kind, pool, command="prefect flow-run execute", name="train")
    assert job["env"]["NIGHTREC_CONFIG"] == IN_CONTAINERS
    mounted = re.search(r"ENV .*?NIGHTREC_STORE=(\S+)", DOCKERFILE, re.DOTALL)
    assert mounted and job["env"]["NIGHTREC_STORE"] == mounted[1]
    if kind == "docker":
        assert {volume.split(":")[1] for volume in job["volumes"]} >= {mounted[1], str(Path(IN_CONTAINERS).parent)}
        assert job["container_create_kwargs"]["entrypoint"] == ["/usr/bin/env"]
        return
    pod = job["job_manifest"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert any(Path(mounted[1]).is_relative_to(mount) for mount in mounts)
    assert str(Path(IN_CONTAINERS).parent) in mounts
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert container["args"] == "prefect flow-run execute" and container["command"] == ["/usr/bin/env"]
    safe(pod, USER)


@pytest.mark.parametrize(("kind", "pool"), ALL_POOLS)
@pytest.mark.parametrize(
    "chosen",
    [
        {"command": "touch was-here"},
        {"working_dir": "/srv"},
        {"image": "attacker/image"},
        {"volumes": ["/:/host"]},
        {"privileged": True},
        {"service_account_name": "admin"},
        {"env": {"LD_PRELOAD": "/srv/evil.so"}},
        {"env": {"PREFECT_API_URL": "http://attacker.example/api"}},
        {"env": {"PYTHONWARNINGS": "all:0:antigravity.x:0:0"}},
    ],
    ids=str,
)
def test_a_run_cannot_choose_what_its_job_is(kind: str, pool: str, chosen: dict[str, Any]) -> None:
    """By the rules by which Prefect's server judges the job variables of runs and deployments."""
    from prefect.utilities.schema_tools import ValidationError, validate  # which load SQLAlchemy

    template = pool_template(kind, pool)
    assert find_all_placeholders(template["job_configuration"]) == {"env"}
    own = dict.fromkeys(("NIGHTREC_CONFIG",), IN_CONTAINERS) | {"DO_NOT_TRACK": "1"}
    schema, default = template["variables"], template["variables"]["properties"]["env"]["default"]
    assert not validate({"env": own}, schema, preprocess=True, allow_none_with_default=True)
    assert not validate({"env": default}, schema, preprocess=True, allow_none_with_default=True)
    with pytest.raises(ValidationError):
        validate(chosen, schema, raise_on_error=True, preprocess=True, allow_none_with_default=True)


def find_all_placeholders(node: Any) -> set[str]:
    return {found.name for found in find_placeholders(node)}


def test_only_the_gpu_pool_asks_for_a_gpu() -> None:
    for pool in (CPU_POOL, GPU_POOL, SIGNALS_POOL):
        pod = rendered("kubernetes", pool)["job_manifest"]["spec"]["template"]["spec"]
        assert pod["containers"][0]["resources"]["limits"].get("nvidia.com/gpu") == (1 if pool == GPU_POOL else None)
        kwargs = rendered("docker", pool)["container_create_kwargs"]
        assert ("device_requests" in kwargs) == (pool == GPU_POOL)


def test_docker_understands_the_containers_of_runs() -> None:
    containers = pytest.importorskip("docker.models.containers")
    for pool in (CPU_POOL, GPU_POOL, SIGNALS_POOL):
        kwargs = rendered("docker", pool)["container_create_kwargs"]
        made = containers._create_container_args({"image": "nightrec", "command": None, "version": "1.45", **kwargs})
        asked = made["host_config"].get("DeviceRequests")
        assert (asked[0]["Capabilities"] if asked else None) == ([["gpu"]] if pool == GPU_POOL else None)

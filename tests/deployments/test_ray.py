"""The clusters of Ray that are deployed: the images, versions, rights and folders that all of nightrec has."""

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deployments import lock
from deployments.check import pods_of
from flows.settings.site import checked
from tests.deployments.files import FOLDER, ROOT, USER, safe

RAY = FOLDER / "kubernetes/ray"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
LOCKED = dict(lock.entries(lock.LOCK.read_text()).keys())["ray"]


def objects(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


CLUSTER, POLICY = objects(RAY / "cluster.yaml")
SPEC = CLUSTER["spec"]


def test_the_nodes_have_the_rights_of_all_other_pods() -> None:
    pods = [pod["spec"] for pod in pods_of(CLUSTER)]
    assert len(pods) == 1 + len(SPEC["workerGroupSpecs"]) == 3
    for pod in pods:
        safe(pod, USER)
        assert pod["automountServiceAccountToken"] is False


def test_the_nodes_see_what_the_worker_sees_in_which_nights_run() -> None:
    [worker, _] = objects(FOLDER / "kubernetes/processes/workers.yaml")
    pod = worker["spec"]["template"]["spec"]
    for node in (pod["spec"] for pod in pods_of(CLUSTER)):
        assert node["volumes"] == pod["volumes"]
        [container], [ours] = node["containers"], pod["containers"]
        assert container["volumeMounts"] == ours["volumeMounts"]
        assert container["envFrom"] == ours["envFrom"]


def test_ray_is_that_of_the_lock() -> None:
    values = yaml.safe_load((FOLDER / "helm/nightrec/values.yaml").read_text())["ray"]
    assert SPEC["rayVersion"] == values["version"] == LOCKED
    text = (FOLDER / "ray/aws.yaml").read_text()
    assert re.findall(r"ray\[default\]==([\d.]+)", text) == [LOCKED]
    assert re.findall(r"nightrec\[[\w,]+\]==([\d.]+)", text) == [VERSION]


def test_the_cluster_asks_for_a_token_and_the_worker_has_it() -> None:
    assert SPEC["authOptions"] == {"mode": "token"}
    [worker] = objects(RAY / "worker.yaml")
    [container] = worker["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one for one in container["env"]}
    assert variables["RAY_AUTH_MODE"]["value"] == "token"
    secret = variables["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": CLUSTER["metadata"]["name"], "key": "auth_token"}  # as the operator makes it
    assert container["image"] == SPEC["headGroupSpec"]["template"]["spec"]["containers"][0]["image"]


def test_nobody_else_reaches_it() -> None:
    of_cluster = {"ray.io/cluster": CLUSTER["metadata"]["name"]}
    assert POLICY["spec"]["podSelector"] == {"matchLabels": of_cluster}
    [rule] = POLICY["spec"]["ingress"]
    allowed = [one["podSelector"]["matchLabels"] for one in rule["from"]]
    assert allowed == [of_cluster, {"app": "worker-cpu"}]


def test_the_settings_name_the_cluster_by_its_service() -> None:
    [config] = objects(RAY / "config.yaml")
    found = checked(tomllib.loads(config["data"]["nightrec.toml"]), "config.yaml").engine
    assert (found.kind, found.exchange) == ("ray", None)
    assert found.address == f"ray://{CLUSTER['metadata']['name']}-head-svc:10001"
    [ports] = [one["ports"] for one in SPEC["headGroupSpec"]["template"]["spec"]["containers"]]
    assert 10001 in [port["containerPort"] for port in ports]
    assert SPEC["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_ray_up_takes_the_example() -> None:
    pytest.importorskip("ray")
    schema = json.loads((files("ray") / "autoscaler/ray-schema.json").read_text())
    example = yaml.safe_load((FOLDER / "ray/aws.yaml").read_text())
    jsonschema.validate(example, schema)
    assert example["head_node_type"] in example["available_node_types"]
    assert all("~/nightrec/bin/" in line for line in example["worker_start_ray_commands"])

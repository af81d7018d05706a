"""Checks the Helm chart and the manifests of Kubernetes: `make check-deployments`, which installs what that takes.

The chart is linted by Helm, and made with several values; what comes out, and the plain manifests, must be what
Kubernetes' own schemas allow, and the chart by itself makes the same objects as `kubernetes/processes`. `kubectl` puts
the plain ones together (no cluster is needed).
"""

import itertools
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
CHART = FOLDER / "helm/nightrec"
VALUES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "with GPUs and an ingress": {"workers": {"gpu": {"replicas": 2}}, "url": "https://recs.example"},
    "with storage classes": {"store": {"storageClassName": "nfs"}, "postgres": {"storageClassName": "ssd"}},
    "beside a database": {"postgres": {"enabled": False}, "server": {"databaseHost": "db.example:5432"}},
    "with a claim and a registry": {"store": {"existingClaim": "recs"}, "imagePullSecrets": ["registry"]},
    "with a cluster of Ray": {
        "ray": {"enabled": True, "nodes": {"gpu": {"replicas": 1}}},
        "imagePullSecrets": ["registry"],
    },
}
REFUSED: list[dict[str, Any]] = [
    {"url": "http://recs.example"},
    {"image": "nightrec:latest"},
    {"workers": {"cpu": {"replicas": -1}}},
    {"store": {"size": "large"}},
    {"imgae": "nightrec:1"},
    {"ray": {"enabled": True, "version": "latest"}},
]

Object = dict[str, Any]


def chart(values: dict[str, Any]) -> list[Object]:
    """The objects that the chart makes."""
    with import_module("helm_python.chart").Chart.load(CHART) as loaded:
        made = loaded.render(values=values, name="nightrec", namespace="nightrec")
    texts = [text for name, text in made.items() if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def plain(way: str) -> list[Object]:
    """The objects of `kubernetes/WAY`."""
    command = ["kubectl", "kustomize", str(FOLDER / "kubernetes" / way)]
    return list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def problems() -> Iterator[str]:
    said = import_module("helm_python.chart").lint(CHART, strict=True)["messages"]
    yield from (f"the chart: {one['error']}" for one in said if one["severity"] > 1)
    for name, values in VALUES.items():
        yield from (f"the chart {name}: {one}" for one in invalid(chart(values)))
    for values in REFUSED:
        if taken(values):
            yield f"the chart takes {values}"
    for way in ("processes", "jobs", "ray"):
        yield from (f"kubernetes/{way}: {one}" for one in invalid(plain(way)))
    yield from differences(chart({}), plain("processes"))
    yield from differences(chart({"ray": {"enabled": True}}), plain("ray"))


def taken(values: dict[str, Any]) -> bool:
    try:
        return bool(chart(values))
    except import_module("helm_python.errors").HelmValuesError:
        return False


def invalid(objects: Iterable[Object]) -> Iterator[str]:
    """What Kubernetes' schemas do not allow."""
    kubernetes = import_module("kubernetes_validate")
    for one in itertools.chain.from_iterable(
        pods_of(made) if made["kind"] == "RayCluster" else [made] for made in objects
    ):
        try:
            kubernetes.validate(one, kubernetes.latest_version(), strict=True)
        except kubernetes.ValidationError as error:
            yield f"{one['kind']} {one['metadata']['name']}: {error.message[:200]}"


def pods_of(cluster: Object) -> Iterator[Object]:
    """The pods of a cluster of Ray, as an operator makes them: Kubernetes itself does not know such clusters."""
    spec = cluster["spec"]
    for name, group in [
        ("head", spec["headGroupSpec"]),
        *((one["groupName"], one) for one in spec["workerGroupSpecs"]),
    ]:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{cluster['metadata']['name']}-{name}"}}
        yield pod | {"spec": group["template"]["spec"]}


def differences(made: list[Object], written: list[Object]) -> Iterator[str]:
    """Where the chart and the plain manifests have drifted apart: in their objects, images, commands, variables."""
    here, there = named(made), named(one for one in written if one["kind"] != "Namespace")
    for key in sorted(here.keys() ^ there.keys()):
        yield f"{' '.join(key)} is in one of the chart and the manifests alone"
    for key in here.keys() & there.keys():
        if here[key] != there[key]:
            yield f"{' '.join(key)} differs: {here[key]} in the chart, {there[key]} in the manifests"


def named(objects: Iterable[Object]) -> dict[tuple[str, str], list[Any]]:
    """Of each object, by kind and name, what matters of its containers."""
    found: dict[tuple[str, str], list[Any]] = {}
    for one in objects:
        of_ray = [pod["spec"] for pod in pods_of(one)] if one["kind"] == "RayCluster" else []
        pods = of_ray or [one.get("spec", {}).get("template", {}).get("spec", {})]
        found[one["kind"], one["metadata"]["name"]] = [
            [
                container["image"],
                [word for word in container.get("args", []) if word not in ("--name", "cpu", "signals")],
                sorted((variable["name"], str(variable.get("value"))) for variable in container.get("env", [])),
                container.get("envFrom"),
                container.get("livenessProbe"),
                container["resources"],
            ]
            for pod in pods
            for container in pod.get("containers", [])
        ]
    return found


if __name__ == "__main__":
    found = list(problems())
    print(*found or ["The chart and the manifests are sound."], sep="\n")
    sys.exit(bool(found))

"""The files of ``deployments/`` for containers and for systemd, checked without a container engine."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deployments.requirements import requirements
from flows.cli.app import nightrec
from flows.operate.deploy import IN_CONTAINERS
from flows.operate.server import FOR_PEOPLE
from flows.settings.schedule import WorkerSettings
from tasks.train.settings import CPU_POOL, GPU_POOL, SIGNALS_POOL
from tests.deployments.files import DOCKERFILE, FOLDER, ROOT, USER, pinned, safe

POOLS = yaml.safe_load((FOLDER / "pools.yaml").read_text())
KUSTOMIZATIONS = sorted((FOLDER / "kubernetes").rglob("kustomization.yaml"))
PATCHES = {
    path.parent / patch["path"]
    for path in KUSTOMIZATIONS
    for patch in yaml.safe_load(path.read_text()).get("patches", [])
}
"""What is put into manifests, and is none itself."""
MANIFESTS = sorted(set((FOLDER / "kubernetes").rglob("*.yaml")) - PATCHES - set(KUSTOMIZATIONS))
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
CHART = FOLDER / "helm/nightrec"
SLICE = FOLDER / "systemd/nightrec.slice"
COMPOSE = [FOLDER / "compose.yaml", FOLDER / "compose.gpu.yaml"]


@cache
def kubernetes() -> list[tuple[Path, dict[str, Any]]]:
    return [(path, one) for path in MANIFESTS for one in yaml.safe_load_all(path.read_text())]


def pods() -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for _, one in kubernetes() if "template" in one.get("spec", {})]


def test_pods_run_without_rights() -> None:
    assert len(pods()) == 8
    for pod in pods():
        safe(pod)
        assert pod["enableServiceLinks"] is False


def test_secrets_are_referred_to_and_never_written_down() -> None:
    assert not [one for _, one in kubernetes() if one["kind"] == "Secret"]
    for pod in pods():
        for container in pod["containers"]:
            for variable in container["env"]:
                if re.search("PASSWORD|AUTH_STRING$", variable["name"]):
                    assert variable["valueFrom"]["secretKeyRef"]["name"] == "nightrec-secrets"


def test_what_kubernetes_manifests_refer_to_exists() -> None:
    here = {(one["kind"], one["metadata"]["name"]) for _, one in kubernetes()}
    readme = (FOLDER / "kubernetes/README.md").read_text()
    for pod in pods():
        for volume in pod.get("volumes", []):
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in here
            if config := volume.get("configMap"):
                assert ("ConfigMap", config["name"]) in here
        if account := pod.get("serviceAccountName"):
            assert ("ServiceAccount", account) in here
        variables = [variable for container in pod["containers"] for variable in container["env"]]
        secrets = [one["valueFrom"]["secretKeyRef"] for one in variables if "valueFrom" in one]
        assert all(secret["name"] in readme and f"--from-literal={secret['key']}=" in readme for secret in secrets)
    for path in KUSTOMIZATIONS:
        assert all((path.parent / named).exists() for named in yaml.safe_load(path.read_text())["resources"])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl (apt-get install kubernetes-client)")
@pytest.mark.parametrize("way", ["processes", "jobs"])
@pytest.mark.slow
def test_kustomize_puts_the_manifests_together(way: str) -> None:
    command = ["kubectl", "kustomize", str(FOLDER / "kubernetes" / way)]
    built = list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert {one["kind"] for one in built} >= {"Namespace", "StatefulSet", "Deployment", "Job", "PersistentVolumeClaim"}
    assert all(one["kind"] == "Namespace" or one["metadata"]["namespace"] == "nightrec" for one in built)


@cache
def services() -> list[tuple[str, dict[str, Any]]]:
    return [(name, one) for path in COMPOSE for name, one in yaml.safe_load(path.read_text())["services"].items()]


def test_services_run_without_rights_and_end_in_peace() -> None:
    for name, service in services():
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True and "restart" in service and "privileged" not in service, name
        assert name == "deploy" or "stop_grace_period" in service, name
        assert name == "postgres" or (service["read_only"] is True and len(service["tmpfs"]) == 2), name
        pinned(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", service["image"]))


def test_services_refer_to_what_is_there() -> None:
    compose = yaml.safe_load(COMPOSE[0].read_text())
    names = {name for name, _ in services()}
    for name, service in services():
        assert set(service["networks"]) <= set(compose["networks"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("$") or source in compose["volumes"], name
        for needed, condition in service.get("depends_on", {}).items():
            assert needed in names
            healthy = condition["condition"] == "service_healthy"
            assert not healthy or needed == "server" or "healthcheck" in compose["services"][needed]
    docker = POOLS["docker"][CPU_POOL]["variables"]["properties"]
    assert docker["networks"]["default"] == [compose["networks"]["nightrec"]["name"]]
    assert docker["volumes"]["default"][0].partition(":")[0] == compose["volumes"]["store"]["name"]


def test_every_variable_of_the_stack_is_explained() -> None:
    """Those without a default must be set, and say so; the example names them all, with the same defaults."""
    example = (FOLDER / ".env.example").read_text()
    used = [found for path in COMPOSE for found in re.findall(r"\$\{(\w+)(:?[-?])?([^}]*)\}", path.read_text())]
    required = {name for name, kind, _ in used if kind == ":?"}
    assert required == {"NIGHTREC_AUTH", "NIGHTREC_DB_PASSWORD"}
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == required
    for name, kind, default in used:
        assert kind in (":-", ":?") or name in required, name
        assert kind != ":-" or f"# {name}={default}\n" in example, name
    assert {name for name, _, _ in used} == set(re.findall(r"^(?:# )?(\w+)=", example, re.MULTILINE))


def test_the_server_asks_for_a_password_and_listens_to_this_machine_alone() -> None:
    services_by_name = dict(services())
    server = services_by_name["server"]
    assert server["environment"]["PREFECT_SERVER_API_AUTH_STRING"].startswith("${NIGHTREC_AUTH:?")
    assert server["environment"]["NIGHTREC_SERVER_NAMES"].startswith("http://server:4200 ")
    assert server["ports"] == ["${NIGHTREC_BIND:-127.0.0.1}:${NIGHTREC_PORT:-4200}:4200"]
    assert [name for name, one in services_by_name.items() if "ports" in one] == ["server"]


def test_no_server_runs_without_the_guard() -> None:
    commands_of_servers = [words for where, words in commands() if "server" in where and "server" in words[:2]]
    assert [words[:2] for words in commands_of_servers] == [["nightrec", "server"]] * 3
    for file in FOLDER.rglob("*"):
        assert file.suffix == ".pyc" or file.is_dir() or "server start" not in file.read_text(), file


def commands() -> list[tuple[str, list[str]]]:
    """What each service, pod and unit runs, as a command line."""
    found = [
        (f"compose {name}", [*one.get("entrypoint", ["nightrec"]), *one["command"]])
        for name, one in services()
        if "command" in one
    ]
    found += [
        (path.name, [*without_env(container.get("command", ["nightrec"])), *container["args"]])
        for path, one in kubernetes()
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
        if "args" in container
    ]
    for path in UNITS:
        line = re.search(r"^ExecStart=/opt/nightrec/bin/(.*)$", path.read_text(), re.MULTILINE)
        assert line, path
        words = line[1].replace("%i", "cpu").replace("${NIGHTREC_POOL}", "cpu").replace("$NIGHTREC_OPTIONS", "--gpu 0")
        words = words.replace("$NIGHTREC_SERVER_OPTIONS", "--host 0.0.0.0")
        found.append((path.name, shlex.split(words)))
    image = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert image
    return [*found, ("Dockerfile", ["nightrec", *json.loads(image[1])])]


def without_env(command: list[str]) -> list[str]:
    return command[1 + sum("=" in word for word in command) :] if command[0] == "env" else command


@pytest.mark.parametrize(("where", "words"), commands())
def test_commands_are_real(where: str, words: list[str]) -> None:
    words = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in words]
    program, name, *rest = words
    if program == "prefect":
        assert (name, rest[0]) == ("worker", "start")
        assert {word for word in rest if word.startswith("--")} <= {"--pool", "--type", "--name", "--with-healthcheck"}
        return
    assert program == "nightrec", where
    command = nightrec.commands[name]
    context = command.make_context(name, list(rest))
    if name == "deploy":
        assert context.params["config"] == Path(IN_CONTAINERS)
    elif name == "server":
        assert context.params["port"] == 4200
    else:
        assert context.params["pool"] in (CPU_POOL, GPU_POOL, SIGNALS_POOL)


def test_the_units_are_understood_by_systemd(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze (apt-get install systemd)")
    for unit in UNITS:
        (tmp_path / SLICE.name).write_text(SLICE.read_text())
        (tmp_path / unit.name).write_text(re.sub(r"/opt/nightrec/bin/\w+", "/bin/true", unit.read_text()))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not [line for line in ran.stderr.splitlines() if any(unit.stem in line for unit in UNITS)], ran.stderr


def test_the_workers_of_a_machine_share_its_locks() -> None:
    unit = (FOLDER / "systemd/nightrec-worker@.service").read_text()
    assert "PrivateTmp" not in unit and "Environment=TMPDIR=/var/lib/nightrec/tmp" in unit
    assert "KillMode=mixed" in unit


def test_the_image_is_not_root_and_fetches_nothing_by_address() -> None:
    instructions = re.sub(r"\\\n", " ", DOCKERFILE)
    users = re.findall(r"^USER (\S+)$", instructions, re.MULTILINE)
    assert users[-1] == "${UID}:${UID}" and f"ARG UID={USER}\n" in instructions
    assert not re.search(
        r"^ADD |https?://(?!127\.0\.0\.1|download\.pytorch\.org/whl/cpu;)|curl|wget", instructions, re.MULTILINE
    )
    for base in re.findall(r"^FROM (\S+)", instructions, re.MULTILINE):
        assert base == "${PYTHON_IMAGE}"
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?$", instructions, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["nightrec"\]$', instructions, re.MULTILINE)


def test_the_image_writes_to_its_home_alone() -> None:
    """Which is also what stays writable where the rest of a container is not."""
    home = "/var/lib/nightrec"
    variables = dict(re.findall(r"^(?:ENV|   ) (\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
    assert variables["HOME"] == home
    for name in ("PREFECT_HOME", "XDG_CACHE_HOME", "PREFECT_UI_STATIC_DIRECTORY"):
        assert Path(variables[name]).is_relative_to(home), name
    for name, service in services():
        if name != "postgres":
            assert [line.partition(":")[0] for line in service["tmpfs"]] == ["/tmp", home]
            assert f"uid={USER},gid={USER}" in service["tmpfs"][1]


def test_the_ui_that_calls_an_analytics_service_is_not_the_default() -> None:
    assert FOR_PEOPLE["PREFECT_SERVER_UI_V2_ENABLED"] == "false"


def test_the_image_gets_the_whole_program() -> None:
    """What is copied exists and reaches the builder; every package of pyproject.toml is among it."""
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignore[1] == "*"
    for source in copied:
        assert (ROOT / source).exists() and f"!{source}" in ignore, source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.removesuffix("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= set(copied)
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= set(copied)


def test_the_versions_of_the_image_are_this_one() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    files = [*COMPOSE, *MANIFESTS, FOLDER / "pools.yaml", FOLDER / ".env.example", CHART / "values.yaml"]
    named = {tag for path in files for tag in re.findall(r"nightrec:(\d[\w.]*)", path.read_text())}
    named |= set(re.findall(r"NIGHTREC_TAG(?::-|=)([\w.]+)", "".join(path.read_text() for path in files)))
    named |= {str(about[key]) for key in ("version", "appVersion")}
    assert named == {version}


def test_only_those_who_send_messages_know_the_passwords_for_it() -> None:
    files = {name: service["env_file"][0]["path"] for name, service in services() if "env_file" in service}
    assert files == {"worker-cpu": "site.env", "worker-gpu": "site.env", "worker-signals": "notify.env"}
    told = [one["metadata"]["name"] for _, one in kubernetes() if "nightrec-notify" in str(one)]
    assert told == ["worker-signals"]
    assert [pool for pool in POOLS["kubernetes"] if "nightrec-notify" in str(POOLS["kubernetes"][pool])] == [
        SIGNALS_POOL
    ]


def probes() -> list[tuple[str, list[str]]]:
    """What is asked whether a container is well, by its name."""
    found = [(name, one["healthcheck"]["test"][1:]) for name, one in services() if "healthcheck" in one]
    for path, one in kubernetes():
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            asked = [container.get(f"{kind}Probe", {}) for kind in ("startup", "readiness", "liveness")]
            name = f"{path.name} {container['name']}"
            found += [(name, probe["exec"]["command"]) for probe in asked if "exec" in probe]
    return found


def test_probes_ask_what_matters_of_the_container_itself() -> None:
    """The server whether it reaches its database; a worker whether it asks for runs, not whether the server lives."""
    asked = {name: command for name, command in probes() if command[0] == "python"}
    assert {name for name in asked if " " not in name} == {"server", "worker-cpu", "worker-gpu", "worker-signals"}
    for name, (_, option, code) in asked.items():
        compile(code, name, "exec")
        wanted = "http://127.0.0.1:4200/api/ready" if name == "server" else r"http://127.0.0.1:808\d/health"
        assert option == "-c" and re.search(wanted, code), name
    assert "NIGHTREC_HEALTH_PORT=8080" in DOCKERFILE
    pods = {
        one["metadata"]["name"]: str(one) for _, one in kubernetes() if one["kind"] in ("Deployment", "StatefulSet")
    }
    assert all("livenessProbe" in text for text in pods.values()), list(pods)


def test_a_worker_is_not_restarted_for_a_server_that_is_away_as_long_as_a_night_bears_it() -> None:
    for path, one in kubernetes():
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            if "worker" in path.name:
                probe = container["livenessProbe"]
                assert probe["periodSeconds"] * probe["failureThreshold"] > 60 * WorkerSettings().outage_minutes


def test_where_memory_runs_out_training_goes_before_the_database() -> None:
    by_name = dict(services())
    assert by_name["postgres"]["oom_score_adj"] < 0 and "mem_limit" not in by_name["postgres"]
    for name in ("worker-cpu", "worker-gpu"):
        assert by_name[name]["oom_score_adj"] > 0 and by_name[name]["mem_limit"] == "${NIGHTREC_WORKER_MEMORY:-8g}"
    unit = (FOLDER / "systemd/nightrec-worker@.service").read_text()
    for line in ("Slice=nightrec.slice", "MemoryMax=75%", "OOMScoreAdjust=500", "OOMPolicy=continue"):
        assert f"\n{line}\n" in unit
    assert "MemoryMax=75%" in SLICE.read_text()


def test_kernels_that_the_image_brings_are_not_hidden_by_what_is_mounted() -> None:
    variables = dict(re.findall(r"^(?:ENV|   ) (\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
    ahead = Path(variables["NIGHTREC_KERNELS"])
    assert f"RUN NUMBA_CACHE_DIR={ahead} " in DOCKERFILE
    for name, service in services():
        for mount in (line.partition(":")[0] for line in service.get("tmpfs", [])):
            assert not ahead.is_relative_to(mount), name
    unit = (FOLDER / "systemd/nightrec-worker@.service").read_text()
    assert f"NIGHTREC_KERNELS={ahead}" in unit and f"NUMBA_CACHE_DIR={variables['NUMBA_CACHE_DIR']}" in unit


def test_the_image_has_the_extras_that_it_is_asked_for() -> None:
    names = re.search(r"^ARG NIGHTREC_EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert names
    wanted = requirements(names[1], ROOT / "pyproject.toml")
    assert {"torch>=2.6", "redis>=5", "psycopg[binary]>=3.2", "deltalake>=1"} <= set(wanted)
    assert "mlflow-skinny>=3" in requirements("all", ROOT / "pyproject.toml")
    with pytest.raises(SystemExit, match="there is no extra kafka; there are torch"):
        requirements("torch,kafka", ROOT / "pyproject.toml")
    for path in COMPOSE:
        for service in yaml.safe_load(path.read_text())["services"].values():
            assert "build" not in service or names[1] in service["build"]["args"]["NIGHTREC_EXTRAS"]


def test_cuda_is_in_the_image_that_asks_for_it_alone() -> None:
    assert "\nARG VARIANT=cpu\n" in DOCKERFILE and "--check-cuda" in DOCKERFILE
    built = {name: one["build"]["args"]["VARIANT"] for name, one in services() if "build" in one}
    assert built == {"server": "cpu", "worker-gpu": "cuda"}


def test_the_values_of_the_chart_are_checked_by_its_schema() -> None:
    """What the chart makes is checked by Helm and Kubernetes' schemas: `make check-deployments`."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.validate(values, schema)
    assert set(schema["properties"]) - {"global"} == set(values)
    for wrong in ({"url": "http://recs.example"}, {"image": "nightrec:latest"}, {"imgae": "nightrec:1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(values | wrong, schema)


def test_the_chart_uses_every_value_that_it_has() -> None:
    used = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    names = {f"{name}.{key}" for name in ("store", "postgres", "server") for key in values[name]} | set(values)
    assert not [name for name in names if f".Values.{name}" not in used]
    assert "server start" not in used and "kind: Secret" not in used

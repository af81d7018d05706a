"""Creating a site's deployments: work pools, the deployments of `deployments/prefect.yaml`, and the automations."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.templating import apply_values

from deployments import automations, names
from flows.operate.former_deployments import take_over
from flows.operate.process_worker import declared
from flows.settings import CONFIG_VARIABLE
from flows.settings.site import NightConfig
from recmodels.errors import ConfigError, NightrecError
from tasks.train.settings import CPU_POOL, GPU_POOL, SIGNALS_POOL

Kind = Literal["process", "docker", "kubernetes"]

OF_SITES = (
    "nightly",
    "backfill",
    "replay",
    "refilter",
    "report",
    "simulate",
    "notify",
    "check-export",
)  # flows that each site deploys
OF_POOLS = "train-model"  # the one that each pool has
FOLDER = Path(automations.__file__).parent
IN_CONTAINERS = "/etc/nightrec/nightrec.toml"


def deploy(
    config: NightConfig,
    file: Path | None,
    kind: Kind = "process",
    image: str | None = None,
    gpu_image: str | None = None,
) -> list[str]:
    """Create or update all that Prefect's server needs to know of a site; repeating it changes nothing.

    Args:
        config: the site's settings, read from `file`.
        file: where workers of the process type find the settings; in containers they are always at the same place.
        kind: how the pools run flows.
        image: of the containers; without one, what `deployments/pools.yaml` says.
        gpu_image: the same for the pools other than `cpu` and `signals`.

    Returns:
        The names of the deployments.

    Raises:
        ConfigError: a pool exists already and is of another kind.
        NightrecError: Prefect refused a deployment.
    """
    named = {candidate.pool for candidate in config.models.values() if candidate.pool}
    extra = sorted(named - {CPU_POOL, GPU_POOL})
    pools = [CPU_POOL, GPU_POOL, *extra]
    with get_client(sync_client=True) as client:
        for pool in (*pools, SIGNALS_POOL):
            ensure_pool(client, pool, kind, image if pool in (CPU_POOL, SIGNALS_POOL) else gpu_image)
    job_config = IN_CONTAINERS if kind != "process" else str(file.absolute()) if file else ""
    deployed = ensure_deployments(values(config, job_config), file, extra, config.schedule.active)
    # A server that was away for a while finds every run silent: they are dead only after longer than that.
    silence = max(automations.SILENCE, timedelta(minutes=config.workers.outage_minutes))
    automations.ensure(config.site, pools, silence=silence)
    with get_client(sync_client=True) as client:  # after the automations, which know them by their ids
        of_site = [(flow, config.site) for flow in OF_SITES]
        take_over(client, [*of_site, *((OF_POOLS, pool) for pool in pools)])
        if not config.refilter.cron:
            unschedule(client, names.deployment("refilter", config.site))
    return deployed


def unschedule(client: SyncPrefectClient, deployment: str) -> None:
    """Remove the schedule that an earlier setting gave a deployment; those that people added in the UI stay."""
    there = client.read_deployment_by_name(deployment)
    for schedule in there.schedules:
        if schedule.slug == deployment.partition("/")[0]:
            client.delete_deployment_schedule(there.id, schedule.id)


def values(config: NightConfig, job_config: str) -> dict[str, str]:
    """What `prefect.yaml` leaves open, as environment variables."""
    due = config.schedule.due
    return {
        "NIGHTREC_SITE": config.site,
        "NIGHTREC_CRON": config.schedule.cron,
        "NIGHTREC_REFILTER_CRON": config.refilter.cron or "",
        "NIGHTREC_DUE_CRON": f"{due.minute} {due.hour} * * *",
        "NIGHTREC_TIMEZONE": config.timezone,
        "NIGHTREC_JOB_CONFIG": job_config,
    }


def ensure_pool(client: SyncPrefectClient, name: str, kind: Kind, image: str | None) -> None:
    template = job_template(client, name, kind, image)
    with suppress(ObjectAlreadyExists):  # a worker that starts makes a pool of its own where there is none
        try:
            client.read_work_pool(name)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=template))
            return
    there = client.read_work_pool(name)
    if there.type != kind:
        raise ConfigError(
            f"The work pool {name} is of the type {there.type}, not {kind}: deploy with --type {there.type}, or delete "
            f"it with `prefect work-pool delete {name}` first."
        )
    if there.base_job_template != template:
        client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


def job_template(client: SyncPrefectClient, pool: str, kind: Kind, image: str | None) -> dict[str, Any]:
    """Prefect's template of a job of this kind, with the changes of `deployments/pools.yaml`."""
    known = client.read_worker_metadata()
    workers = {name: worker for package in known.values() for name, worker in package.items()}
    template: dict[str, Any] = deepcopy(workers[kind]["default_base_job_configuration"])
    changes = yaml.safe_load((FOLDER / "pools.yaml").read_text(encoding="utf-8"))[kind]
    merge(template, changes.get(pool, changes[GPU_POOL]))
    if image:
        template["variables"]["properties"]["image"]["default"] = image
    return sealed(template)


def sealed(template: dict[str, Any]) -> dict[str, Any]:
    """The same jobs, of which a run can choose nothing: what a variable stands for is put in its place.

    Only the environment is left to deployments: their own variables, beside those of the pool, which stay as they are.
    """
    properties = template["variables"]["properties"]
    defaults = {name: one["default"] for name, one in properties.items() if one.get("default") is not None}
    fixed = defaults.pop("env", {})
    allowed: dict[str, Any] = {name: {"type": "string", "enum": [value]} for name, value in fixed.items()}
    for name, value in declared()["definitions"]["env"].items():
        free = {"type": "string", "maxLength": 4096} if "{{" in value else {"type": "string", "enum": [value]}
        allowed.setdefault(name, free)
    env = properties["env"] | {"default": fixed, "properties": allowed, "additionalProperties": False}
    return {
        "job_configuration": apply_values(template["job_configuration"], defaults | {"env": "{{ env }}"}),
        "variables": {"type": "object", "properties": {"env": env}, "additionalProperties": False},
    }


def merge(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Put changes into a nested dictionary; where both have a dictionary, into that one."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def ensure_deployments(settings: dict[str, str], file: Path | None, extra: list[str], active: bool) -> list[str]:
    """Run `prefect deploy` on `deployments/prefect.yaml`, with a `train-model` more for each further pool."""
    site = deepcopy(declared())
    on_gpu = next(one for one in site["deployments"] if one["work_pool"]["name"] == GPU_POOL)
    for pool in extra:
        work_pool = on_gpu["work_pool"] | {"name": pool}
        site["deployments"].append(on_gpu | {"name": f"{OF_POOLS}-{pool}", "work_pool": work_pool})
    if not settings["NIGHTREC_REFILTER_CRON"]:
        next(one for one in site["deployments"] if one["entrypoint"].endswith(".refilter"))["schedules"] = []
    if not active:  # otherwise nothing is said: a schedule that was paused in the UI stays paused
        for schedule in (schedule for one in site["deployments"] for schedule in one.get("schedules", [])):
            schedule["active"] = False
    environment = os.environ | settings | ({CONFIG_VARIABLE: str(file.absolute())} if file else {})
    with tempfile.TemporaryDirectory(prefix="nightrec-deploy-") as folder:
        complete = Path(folder) / "prefect.yaml"
        complete.write_text(yaml.safe_dump(site), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all"]
        ran = subprocess.run(
            [*command, "--prefect-file", str(complete)],
            cwd=folder,
            env=environment | {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING"},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode != 0:
        raise NightrecError(f"Prefect refused the deployments: {last_words(ran.stderr or ran.stdout)}")
    named = [one["name"].replace("{{ $NIGHTREC_SITE }}", settings["NIGHTREC_SITE"]) for one in site["deployments"]]
    flows = sorted((*OF_SITES, OF_POOLS), key=len, reverse=True)
    return [f"{next(flow for flow in flows if name.startswith(f'{flow}-'))}/{name}" for name in named]


def last_words(output: str) -> str:
    lines = [line.strip(" │╭╰─") for line in output.splitlines()]
    return " ".join([line for line in lines if line][-3:]) or "it left no message."

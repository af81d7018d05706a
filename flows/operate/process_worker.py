"""Prefect's process worker, kept to the flows of nightrec: nothing that comes from the server chooses a command.

A deployment or a run on the server can name any command, folder, environment and code. Whoever can write there could
have any program run on every machine with a worker. So a worker looks at each run first.
"""

import sys
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

import deployments
from flows.operate.parent import until_parent_ends
from recmodels.errors import NightrecError

if TYPE_CHECKING:
    from uuid import UUID

COMMAND = "python -m prefect.engine"


class NotOurs(NightrecError):
    """A run asks for something else than a flow of nightrec."""


class OwnJob(ProcessJobConfiguration):
    """How a run becomes a process, once it is seen to be one of our own."""

    @classmethod
    async def resolve_for_flow_run(
        cls,
        flow_run: FlowRun,
        *,
        client: PrefectClient,
        work_pool: WorkPool,
        worker_name: str,
        worker_id: "UUID | None" = None,
        deployment: DeploymentResponse | None = None,
    ) -> "OwnJob":
        if deployment is None and flow_run.deployment_id is not None:
            deployment = await client.read_deployment(flow_run.deployment_id)
        check_source(flow_run, deployment)
        job = await super().resolve_for_flow_run(
            flow_run,
            client=client,
            work_pool=work_pool,
            worker_name=worker_name,
            worker_id=worker_id,
            deployment=deployment,
        )
        assert isinstance(job, OwnJob)
        return job

    def prepare_for_flow_run(self, *args: Any, **options: Any) -> None:
        check_process(self)
        super().prepare_for_flow_run(*args, **options)


def check_source(run: FlowRun, deployment: DeploymentResponse | None) -> None:
    """Refuse a run whose code is not ours.

    Raises:
        NotOurs: with the reason.
    """
    if deployment is None:
        raise NotOurs("This worker runs deployments of `nightrec deploy` only, and this run has none.")
    if deployment.entrypoint not in entrypoints():
        raise NotOurs(f"This worker runs the flows of nightrec only, not {str(deployment.entrypoint)[:80]}.")
    if deployment.pull_steps or deployment.storage_document_id or deployment.path:
        raise NotOurs("This worker fetches no code: deploy with `nightrec deploy`.")
    if run.job_variables:
        raise NotOurs(f"A run chooses no job variables of its own, such as {min(run.job_variables)[:40]}.")


def check_process(job: ProcessJobConfiguration) -> None:
    """Refuse a process that is not started as `nightrec deploy` says.

    Raises:
        NotOurs: with the reason.
    """
    if job.command not in (None, COMMAND):
        raise NotOurs("The work pool has a command of its own: repeat `nightrec deploy`, which resets it.")
    if job.working_dir is not None:
        raise NotOurs("The work pool has a folder of its own: repeat `nightrec deploy`, which resets it.")
    if strange := sorted(set(job.env) - set(variables())):
        raise NotOurs(
            f"The deployment or its work pool sets {strange[0][:60]}: set environment variables for `nightrec worker`."
        )


@cache
def declared() -> dict[str, Any]:
    file = Path(deployments.__file__ or "").with_name("prefect.yaml")
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def entrypoints() -> set[str]:
    """Of the flows that deployments are made of."""
    return {one["entrypoint"] for one in declared()["deployments"]}


def variables() -> dict[str, str]:
    """The environment variables that deployments set."""
    found: dict[str, str] = declared()["definitions"]["env"]
    return found


def main() -> None:
    """Prefect's command line, as `prefect worker start`; flows and worker end when the parent does."""
    from flows.operate.calm_worker import calm
    from flows.operate.worker import stop_here

    threading.Thread(target=until_parent_ends, args=(stop_here,), daemon=True).start()
    ProcessWorker.job_configuration = OwnJob
    calm(sys.argv[sys.argv.index("--name") + 1] if "--name" in sys.argv else None)
    from prefect.cli import app

    sys.argv[0] = "prefect"
    app()


if __name__ == "__main__":
    main()

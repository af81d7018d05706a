"""What a worker runs: the flows of nightrec, as `nightrec deploy` says; whatever else the server names is refused."""

from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.workers.process import ProcessJobConfiguration

from flows.operate.process_worker import COMMAND, NotOurs, check_process, check_source, entrypoints, variables


def deployment(**changes: Any) -> DeploymentResponse:
    usual = {"name": "site", "flow_id": uuid4(), "entrypoint": "flows.nightly.nightly"}
    return DeploymentResponse(**usual | changes)


def run(**changes: Any) -> FlowRun:
    return FlowRun(flow_id=uuid4(), **changes)


def test_the_flows_of_every_deployment_are_run() -> None:
    assert len(entrypoints()) == 9
    for entrypoint in entrypoints():
        check_source(run(), deployment(entrypoint=entrypoint))
        check_source(run(job_variables={}), deployment(entrypoint=entrypoint, pull_steps=[]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"entrypoint": "os.system"}, "runs the flows of nightrec only, not os.system"),
        ({"entrypoint": "flows/nightly.py:nightly"}, "runs the flows of nightrec only"),
        ({"entrypoint": None}, "runs the flows of nightrec only"),
        ({"pull_steps": [{"prefect.deployments.steps.run_shell_script": {"script": "id"}}]}, "fetches no code"),
        ({"path": "/somewhere"}, "fetches no code"),
        ({"storage_document_id": uuid4()}, "fetches no code"),
    ],
)
def test_code_of_others_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NotOurs, match=sentence):
        check_source(run(), deployment(**changes))


def test_a_run_without_a_deployment_is_refused() -> None:
    with pytest.raises(NotOurs, match="this run has none"):
        check_source(run(), None)


@pytest.mark.parametrize("name", ["command", "working_dir", "env", "env.PATH", "stream_output"])
def test_a_run_chooses_no_job_variables(name: str) -> None:
    with pytest.raises(NotOurs, match=f"no job variables of its own, such as {name}"):
        check_source(run(job_variables={name: "x"}), deployment())


def test_a_process_as_it_is_deployed_is_started() -> None:
    check_process(ProcessJobConfiguration(command=COMMAND, env=variables()))
    check_process(ProcessJobConfiguration())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"command": "touch was-here"}, "has a command of its own"),
        ({"working_dir": "/srv"}, "has a folder of its own"),
        ({"env": {"LD_PRELOAD": "/srv/evil.so"}}, "sets LD_PRELOAD"),
        ({"env": {"PYTHONWARNINGS": "all:0:antigravity.x:0:0"}}, "sets PYTHONWARNINGS"),
        ({"env": {"PREFECT_API_URL": "http://attacker.example/api"}}, "sets PREFECT_API_URL"),
        ({"env": {**variables(), "PATH": "/srv"}}, "sets PATH"),
    ],
)
def test_another_process_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NotOurs, match=sentence):
        check_process(ProcessJobConfiguration(**changes))

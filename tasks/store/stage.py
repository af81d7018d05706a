"""What every stage shares: how it appears in Prefect, and the lines it leaves in the log of the night."""

import errno
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import State, Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.context import TaskRunContext

from recmodels.compute import memory
from tasks.store.digests import Digests
from tasks.store.disk import naming
from tasks.store.events import logged
from tasks.store.in_step import send
from tasks.store.manifests import Manifest, Summary, run_stage
from tasks.store.time_limit import timed

PAUSES = [5.0, 30.0]  # seconds before the second and the third try


P = ParamSpec("P")
R = TypeVar("R")


def _worth_retrying(task: "Task[Any, Any]", run: TaskRun, state: "State[Any]") -> bool:
    """Whether trying again may help: input or output failed, and not for want of room."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


def stage_task(run_name: str, *, reads_and_writes: bool = False) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A stage as a Prefect task: named by the stage (`train`), its runs by stage and model (`train-{name}`), tagged
    by both.

    The store remembers what is done, so Prefect neither hashes arguments nor keeps results. A stage that mostly
    `reads_and_writes` other places is tried three times when these fail; the others would only fail again.
    """
    stage, _, _ = run_name.partition("-{")

    def as_task(function: Callable[P, R]) -> Task[P, R]:
        @wraps(function)
        def tagged(*args: P.args, **kwargs: P.kwargs) -> R:
            # Not in the task's definition: a run that starts with tags asks the server for a slot of each, which on
            # SQLite collides with the server's other writes and costs two seconds a task.
            if context := TaskRunContext.get():
                model = context.task_run.name.removeprefix(stage).removeprefix("-")
                context.task_run.tags += [tag for tag in (stage, model) if tag]
            with timed(stage):
                return function(*args, **kwargs)

        return Task(
            tagged,
            name=stage,
            task_run_name=run_name,
            cache_policy=NO_CACHE,
            persist_result=False,
            result_serializer="json",
            retries=len(PAUSES) if reads_and_writes else 0,
            retry_delay_seconds=PAUSES if reads_and_writes else None,
            retry_condition_fn=_worth_retrying if reads_and_writes else None,
        )

    return as_task


def logged_stage(
    label: str,
    folder: Path,
    build: Callable[[Path], Summary],
    *,
    code: str,
    inputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    fresh: bool = False,
    beside: Sequence[Path] = (),
    digests: Digests | None = None,
) -> Manifest[Summary]:
    """`run_stage`, with its beginning and end logged; the text of the end is the summary's `message`, if it has one."""
    with logged(label) as line, naming(folder):
        manifest = run_stage(
            folder,
            build,
            code=code,
            inputs=inputs,
            parameters=parameters,
            fresh=fresh,
            beside=beside,
            digests=digests,
        )
        message = str(manifest["summary"].get("message", ""))
        line |= {"text": message, "event": "skipped" if manifest["skipped"] else "done"}
        if not manifest["skipped"]:
            send(folder)
            memory.trim()  # trainings run beside this process
    return manifest

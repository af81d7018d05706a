"""Nights without Prefect: the flow and its tasks are called as the functions they are, one after another.

Prefect is a third of the time of a night on a site of 40 users, and its server as much again. What a night reads and
writes is the same: this is for tests that look at nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

TRIES = 3  # of a stage that reads and writes other places, as Prefect tries them


class Finished:
    """A task's result that is there at once, as its future shows it."""

    def __init__(self, call: Callable[[], Any], number: int) -> None:
        self.task_run_id = number
        self.value: Any = None
        self.error: Exception | None = None
        try:
            self.value = call()
        except Exception as error:
            self.error = error
        self.state = SimpleNamespace(is_completed=lambda: self.error is None)

    def wait(self) -> None:
        """It has ended."""

    def result(self, raise_on_failure: bool = True) -> Any:
        if self.error is not None and raise_on_failure:
            raise self.error
        return self.error or self.value


@contextmanager
def tasks_as_functions() -> Iterator[None]:
    """Tasks are called as functions, and nothing is shown in a UI."""
    from prefect import Task

    numbers = iter(range(10**6))

    def call(task: Any, *args: Any, **options: Any) -> Any:
        for left in reversed(range(TRIES if task.retries else 1)):
            try:
                return task.fn(*args, **options)
            except Exception as error:
                state = SimpleNamespace(result=lambda raise_on_failure, error=error: error)
                if not left or not task.retry_condition_fn(task, None, state):
                    raise
        raise AssertionError

    def submit(task: Any, *args: Any, **options: Any) -> Finished:
        return Finished(lambda: call(task, *args, **options), next(numbers))

    with ExitStack() as patches:
        for target, instead in (
            ("flows.execution.local_executor.as_completed", list),
            ("tasks.report.artifacts.shown", lambda show: None),
            ("tasks.report.stage.shown", lambda show: None),
        ):
            patches.enter_context(patch(target, instead))
        patches.enter_context(patch.object(Task, "__call__", call))
        patches.enter_context(patch.object(Task, "submit", submit))
        yield


@contextmanager
def without_prefect() -> Iterator[None]:
    """The nights of the command line are functions, too, and start no server."""
    from prefect import Flow

    def call(flow: Any, *args: Any, **options: Any) -> Any:
        return flow.fn(*args, **options)

    no_server = patch("flows.in_process.embedded_server", lambda: nullcontext(lambda: None))
    with tasks_as_functions(), no_server, patch.object(Flow, "__call__", call):
        yield

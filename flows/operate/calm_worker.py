"""A worker's log without repetition: what lasts is said once, not every few seconds."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from prefect.workers.process import ProcessWorker

AGAIN = 3600.0  # seconds after which a line that repeats is said again
MOST = 1000  # lines that are remembered
SECONDS = re.compile(r"\d+\.\d+")  # which differ in lines that are the same otherwise
TALKERS = ("prefect.flow_runs.worker", "prefect.events.clients")
log = logging.getLogger("prefect.flow_runs.worker")


class Once(logging.Filter):
    """Lets a line through once an hour: a night that waits for another is offered to the worker every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line, now = (record.name, SECONDS.sub("", record.getMessage())), time.monotonic()
        if now - self.said.get(line, -AGAIN) < AGAIN:
            return False
        self.said.pop(line, None)
        self.said[line] = now
        if len(self.said) > MOST:
            del self.said[next(iter(self.said))]
        return True


def calm(worker: str | None) -> None:
    """Have this process say what lasts once: what its loggers repeat, and that the server is away."""
    once = Once()
    for name in (*TALKERS, f"prefect.workers.process.{worker}"):
        logging.getLogger(name).addFilter(once)
    changed: Any = ProcessWorker
    start = changed.start

    async def start_calmly(self: Any, *args: Any, printer: Callable[..., None] = print, **options: Any) -> None:
        await start(self, *args, printer=in_a_sentence(printer), **options)

    changed.start = start_calmly


def in_a_sentence(printer: Callable[..., None]) -> Callable[..., None]:
    """The same printer, to which the tracebacks of a server that is away are a sentence."""

    def say(*words: Any) -> None:
        text = " ".join(str(word) for word in words).strip()
        if text.startswith("Failed the last"):
            log.warning("Prefect's server does not answer. The worker goes on asking.")
        elif text.startswith("Resetting backoff"):
            log.warning("Prefect's server answers again.")
        elif text and "\n" not in text and not text.startswith(("Examples of", "Backing off")):
            printer(text)

    return say

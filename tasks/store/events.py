"""The log of the night: a line for the beginning and the end of each stage, and for what is worth a note."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from recmodels.compute.memory import peak_within

event_log = logging.getLogger("nightrec.events")
event_log.setLevel(logging.INFO)  # the night's record is made of these lines, whatever a program logs otherwise

current_night: ContextVar[str] = ContextVar("night", default="")
"""Which night the lines are about, where several run at the same time."""

current_stage: ContextVar[str] = ContextVar("stage", default="")
"""The stage that this thread is at, by its label."""


def log_event(
    label: str,
    event: str,
    text: str = "",
    seconds: float = 0.0,
    peak_bytes: int | None = None,
    cpu_seconds: float | None = None,
) -> None:
    """Log one line; `event` is start, progress, done, skipped, failed or note; `peak_bytes` the memory held meanwhile,
    and `cpu_seconds` the time of the cores.
    """
    level = logging.WARNING if event == "failed" else logging.INFO
    extra = {"label": label, "event": event, "text": text, "seconds": seconds, "peak_bytes": peak_bytes}
    extra |= {"night": current_night.get(), "cpu_seconds": cpu_seconds}
    event_log.log(level, "%s: %s (%.1f s)", label, text or event, seconds, extra=extra)


@contextmanager
def logged(label: str) -> Iterator[dict[str, str]]:
    """Log the beginning and the end of what happens inside; the block fills in the text of the end."""
    line = {"event": "done", "text": ""}
    log_event(label, "start")
    before = current_stage.set(label)
    started, cpu = time.perf_counter(), time.process_time()
    with ExitStack() as measured:
        held = measured.enter_context(peak_within())
        try:
            yield line
        except Exception as error:
            line |= {"event": "failed", "text": str(error).partition("\n")[0] or type(error).__name__}
            raise
        finally:
            measured.close()
            current_stage.reset(before)
            seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
            log_event(label, line["event"], line["text"], seconds, held.n_bytes, cpu_seconds)

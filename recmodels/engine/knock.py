"""Whether anybody is at the address of a cluster: libraries of clusters ask for minutes before they give up."""

import re
import socket
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from recmodels.errors import ConfigError, EngineUnavailable

T = TypeVar("T")

SECONDS = 10.0
"""In which somebody must take a connection."""
WHAT_TO_DO = "see that it runs and that this machine reaches it, or name another one as address of [engine]."
_PLACE = re.compile(r"(?:\w+://)?(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:/]+)):(?P<port>\d+)")


def knock(address: str, kind: str, seconds: float = SECONDS) -> None:
    """Open a connection to a cluster, and close it.

    Args:
        address: `host:port`, with `scheme://` before it or without.
        kind: of the cluster, for the message.
        seconds: to wait.

    Raises:
        ConfigError: it is no address.
        EngineUnavailable: nobody takes connections there.
    """
    found = _PLACE.fullmatch(address)
    if found is None:
        raise ConfigError(f"{address!r} is no address of a cluster of {kind}: write it as host:port.")
    try:
        socket.create_connection((found["v6"] or found["host"], int(found["port"])), timeout=seconds).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise EngineUnavailable(f"There is no {kind} cluster at {address} ({why}): {WHAT_TO_DO}") from None


def in_time(connect: Callable[[], T], seconds: float, cluster: str) -> T:
    """Connect to a cluster that may take a connection and never answer.

    Args:
        connect: does it, in a thread of its own; is left alone with it when the time is over.
        seconds: to wait.
        cluster: what it is, for the message.

    Raises:
        EngineUnavailable: it does not answer, or there was an error.
    """
    connected: list[T] = []
    failed: list[BaseException] = []

    def attempt() -> None:
        try:
            connected.append(connect())
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=attempt, name=cluster, daemon=True)
    thread.start()
    thread.join(seconds)
    if connected:
        return connected[0]
    if not failed:
        raise EngineUnavailable(f"{cluster} has not answered in {seconds:.0f} seconds: {WHAT_TO_DO}")
    raise EngineUnavailable(f"{cluster} cannot be used ({last_line(failed[0])}): {WHAT_TO_DO}")


def last_line(error: BaseException) -> str:
    """What an error of a library comes down to."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removesuffix(".") if lines else type(error).__name__

"""Whether anybody is at the address of a cluster: libraries of clusters ask for minutes before they give up."""

import re
import socket

from recmodels.errors import ConfigError, EngineUnavailable

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

"""Waiting for Prefect's server where it is started at the same time, as in a set of containers."""

import time
from collections.abc import Callable

import httpx

from recmodels.errors import NightrecError

PAUSE = 1.0  # seconds between two questions
ANSWER = 5.0  # seconds that it may take to answer
STARTING = (502, 503, 504)  # its database is not ready, or a proxy has nobody to ask


def wait_for_server(api: str, patience: float, say: Callable[[str], None]) -> None:
    """Until the server answers, and reaches its database.

    Args:
        api: its address, ending in /api.
        patience: for how many seconds it is waited for.
        say: is told, once, that it is waited for.

    Raises:
        NightrecError: it does not answer in time.
    """
    until = time.monotonic() + patience
    while why := not_ready(api):
        if time.monotonic() >= until:
            raise NightrecError(
                f"Prefect's server at {api[:80]} {why} (waited {patience:.0f} s): see that it runs, and that "
                "PREFECT_API_URL is its address."
            )
        if say is not _silent:
            say(f"Waiting for Prefect's server at {api[:80]}, which {why}")
            say = _silent
        time.sleep(PAUSE)


def not_ready(api: str) -> str | None:
    """Why a server cannot be worked with yet; None as soon as it answers, be it by refusing."""
    try:
        # No secret is sent, so any certificate will do: a wrong one is an error of the requests that follow.
        answer = httpx.get(f"{api.rstrip('/')}/ready", timeout=ANSWER, verify=False)
    except httpx.TransportError as error:
        return f"does not answer ({str(error)[:80] or type(error).__name__})"
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise NightrecError(f"PREFECT_API_URL is no address: {api[:80]}.") from None
    return f"answers {answer.status_code}" if answer.status_code in STARTING else None


def _silent(_: str) -> None:
    pass

"""What went wrong with Prefect's server, in a sentence."""

import os
import sys

AGAIN = "The same command goes on where this one was."


def server_error(error: BaseException) -> str | None:
    """The sentence, if the server or the way to it is what failed; nothing is imported for it."""
    where = os.environ.get("PREFECT_API_URL")
    server = f"Prefect's server at {where[:80]}" if where else "Prefect's server"
    httpx, prefect = sys.modules.get("httpx"), sys.modules.get("prefect.exceptions")
    if httpx is None or prefect is None:
        return None
    if isinstance(error, httpx.HTTPStatusError):
        code = error.response.status_code
        if code == 401:
            return f"{server} refused the password: set PREFECT_API_AUTH_STRING to its user:password."
        if code == 403:
            return f"{server} turned the request away: set PREFECT_API_URL to the address that it was started with."
        advice = "its log says why" if code >= 500 else "it may be of another version"
        return f"{server} answered {code} {error.response.reason_phrase}: {advice}. {AGAIN}"
    if isinstance(error, httpx.TransportError) or str(error).startswith("Failed to reach API"):
        return f"{server} does not answer: see that it runs, and that PREFECT_API_URL is its address. {AGAIN}"
    return None

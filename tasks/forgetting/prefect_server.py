"""Whether a Prefect server that is elsewhere names a user in logs, artifacts or runs, which its API does not change."""

import json
from collections.abc import Iterator
from typing import Any

from tasks.forgetting.person import Person
from tasks.forgetting.receipt import Place

PAGE = 200
KINDS = ("logs", "artifacts", "flow_runs", "task_runs")


def search_server(person: Person) -> Place:
    """Look through all of them; what has the user is told, to be deleted with its runs."""
    import httpx
    from prefect.client.orchestration import get_client

    place = Place("Prefect's server")
    try:
        with get_client(sync_client=True) as client:
            for kind in KINDS:
                found = [one for one in _all(client, kind, place) if person.in_text(json.dumps(one))]
                if found:
                    place.failures.append(
                        f"{len(found):,} {kind} of the server name the user: delete these flow runs, or repeat this "
                        "on the server's machine"
                    )
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        place.failures.append(f"the server does not answer ({type(error).__name__}): do this again when it does")
    return place


def _all(client: Any, kind: str, place: Place) -> Iterator[Any]:
    """Every log line, artifact or run, a page at a time."""
    offset = 0
    while True:
        answer = client._client.post(f"/{kind}/filter", json={"limit": PAGE, "offset": offset})
        answer.raise_for_status()
        page = answer.json()
        place.searched += len(page)
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE

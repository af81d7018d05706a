"""What the tests of deployments share: a Prefect server with its clocks turned up, and the stack of a team."""

import sys
from collections.abc import Iterator

import pytest

from tests.deployments import forked_python, stack
from tests.deployments.live import Site

QUICK = {
    "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "PT1S",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
}


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with all its services and a home of its own, without deployments; it notices things within seconds.

    Its address is ``url``, its ``PREFECT_HOME`` is ``folder / "prefect"``. Tests share it, so they name their sites.
    """
    site = Site.new(tmp_path_factory, "server", QUICK)
    if sys.platform == "linux":
        site.fork_processes(forked_python.shared(tmp_path_factory))
    try:
        site.start_server()
        yield site
    finally:
        site.stop_all()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The team's stack. One process runs all its tests (`TOGETHER`)."""
    with stack.running(tmp_path_factory, forked=sys.platform == "linux") as site:
        yield site


@pytest.fixture(scope="session")
def nights(site: Site) -> stack.Nights:
    return stack.scheduled_and_by_hand(site)

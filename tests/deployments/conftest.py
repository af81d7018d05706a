"""A site with two pools and their workers, and a server whose clocks are turned up."""

from collections.abc import Iterator

import pytest

from tests.deployments.live import Site

CONFIG = """\
[demo]
users = 200
items = 80
interactions = 3000

[workers]
lost_seconds = 20
poll_seconds = 0.5

[schedule]
active = false

[models.popularity]
required = true

[models.item_knn]
pool = "gpu"
"""

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
    try:
        site.start_server()
        yield site
    finally:
        site.stop_all()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server, two pools with a worker each, one store: for the tests of one file."""
    site = Site.new(tmp_path_factory, "workers")
    (site.folder / "nightrec.toml").write_text(CONFIG)
    try:
        site.start_server()
        site.deploy()
        site.start_worker("cpu")
        site.start_worker("gpu")
        yield site
    finally:
        site.stop_all()

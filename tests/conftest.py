"""What all tests share: where the real data are, the kinds of tests, and what becomes of those that are skipped."""

import atexit
import gc
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import hypothesis
import pytest

from tests.logs import of_root
from tests.temporary import in_memory

if TYPE_CHECKING:
    from recmodels.engine.ray import RayEngine
    from tests.clusters import RayNodes
    from tests.early import Early

pytest.register_assert_rewrite("recmodels.testing")

# Importing the libraries and collecting thousands of tests makes millions of objects that stay: looking through them
# for garbage again and again would take a third of the time. See `pytest_collection_finish`.
gc.disable()

# No example fails for its time: a busy machine takes as long as it takes.
hypothesis.settings.register_profile("nightrec", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("nightrec")

in_memory()

# Each process that runs tests has a home of its own and uses no server that is configured. Prefect reads its
# environment once, when it is imported.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="nightrec-prefect-")
os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
# Nor does it write its log, once for all, to what pytest takes for the standard error while it collects: that is closed
# in forks, where Rich would try again with each line to write all lines before it.
os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
os.environ.pop("PREFECT_API_URL", None)
atexit.register(shutil.rmtree, os.environ["PREFECT_HOME"], ignore_errors=True)

# Each client of a Prefect server reads all certificates that it would trust, though no server here has one: one is read
# in no time.
END = "-----END CERTIFICATE-----\n"
SINGLE = Path(os.environ["PREFECT_HOME"], "certificate.pem")
SINGLE.write_text(Path(certifi.where()).read_text(encoding="utf-8").partition(END)[0] + END, encoding="utf-8")
os.environ["PREFECT_API_SSL_CERT_FILE"] = str(SINGLE)

REAL_DATA = Path(os.environ.get("NIGHTREC_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
STRICT = "NIGHTREC_TEST_STRICT"
MAY_BE_ABSENT = {"gpu", "real_data"}  # even where everything is run
SERVERS = {
    "prefect_server",
    "prefect_home",
    "demo",
    "dsn",
    "redis_server",
    "ray_cluster",
    "ray_engine",
}  # fixtures with a server, or a night's own
SLOW = {  # of the contract that every model keeps, which is published and carries no marks of ours
    "test_memory_does_not_grow_with_the_number_of_users",
    "test_the_batch_does_not_change_a_list",
    "test_the_number_of_threads_does_not_change_a_list",
}
LONG = {  # files that take seconds in all: contracts of costly models, Great Expectations, whole stores, processes
    "flows/cli/test_damaged_store.py",
    "flows/cli/test_inspect.py",
    "flows/cli/test_replay.py",
    "flows/test_list_rules.py",
    "flows/test_night.py",
    "flows/test_reacting.py",
    "flows/test_real_data.py",
    "flows/test_resume.py",
    "recmodels/ensemble/test_model.py",
    "recmodels/factors/test_als.py",
    "recmodels/pairwise/test_hybrid.py",
    "recmodels/scoring/test_similarity.py",
    "recmodels/test_candidate.py",
    "recmodels/transformer/test_checkpoint.py",
    "recmodels/transformer/test_model.py",
    "reliability/test_fuzz.py",
    "reliability/test_kills.py",
    "reliability/test_load.py",
    "tasks/forgetting/test_everywhere.py",
    "tasks/forgetting/test_forget.py",
    *(
        f"tasks/ingest/reading/test_{of}.py"
        for of in ("dialects", "files", "ids", "known_data", "schema", "timestamps")
    ),
    "tasks/ingest/test_forty_files.py",
    "tasks/ingest/test_ledger.py",
    "tasks/longterm/test_asked.py",
    "tasks/offpolicy/test_evaluation.py",
    "tasks/prepare/test_ranges.py",
    "tasks/store/test_damage.py",
    "tasks/store/test_exports.py",
    "tasks/store/test_versions.py",
    "tasks/validate/test_copies.py",
    "tasks/validate/test_known.py",
    "tasks/validate/test_preview.py",
    "tasks/validate/test_rows.py",
    "tasks/validate/test_stage.py",
    "flows/cli/test_exports.py",
    "test_packaging.py",
}
TOGETHER = {  # files that share something costly, so that one process runs them all
    "a team's stack": ["deployments/test_topology.py", "deployments/test_workers.py"],
    "a PostgreSQL server that sinks load": [
        *("tasks/publish/sinks/test_pgvector.py", "tasks/publish/sinks/test_postgres.py"),
    ],
    "a watchful server": ["deployments/test_automations.py", "deployments/test_nights_in_prefect.py"],
    "what all sources import and call": [
        *("test_architecture.py", "test_docs.py", "test_nothing_executable.py", "test_packaging.py"),
    ],
    "what trains with PyTorch, which others have imported": ["recmodels/simulation/test_vectors.py"],
    "nights in the process of the tests": [
        *("flows/test_api.py", "flows/test_backfill.py", "flows/test_bad_input.py", "flows/test_ensemble.py"),
        *("flows/test_list_rules.py", "flows/test_night.py", "flows/test_real_data.py", "flows/test_reporting.py"),
        *("flows/test_reacting.py", "flows/test_resume.py", "flows/test_retries.py", "flows/test_signals.py"),
        *("flows/test_simulate.py", "flows/operate/test_server.py"),
    ],
}
CLUSTER = "a cluster"
GROUPS = {file: group for group, files in TOGETHER.items() for file in files}
FIRST = ["deployments/test_topology.py", "deployments/test_workers.py", "flows", "deployments", "recmodels/transformer"]
"""What takes longest, or waits for other processes: it begins first, so that nothing is left to wait for at the end."""
LAST = "expectations"
"""What imports Great Expectations, as others of `tasks` do: the process that begins with what is last imports it."""

KILLING = "recmodels/engine/test_ray.py"
"""What kills processes of the cluster: those that come after them would import again what other tests need of them."""

EARLY = "tests/recmodels/simulation"
"""What begins while all other tests are collected: it imports little, and takes as long as that."""
BEGUN: "pytest.StashKey[Early]" = pytest.StashKey()


def real_data(name: str) -> Path:
    """The folder or file `name` of the real data; skips the test where it is absent. Such tests are `real_data`."""
    path = REAL_DATA / name
    if not path.exists():
        pytest.skip(f"{path} is absent; point NIGHTREC_TEST_DATA at the folder of real data")
    return path


@pytest.fixture(scope="session")
def ray_cluster() -> "Iterator[RayNodes]":
    """A Ray cluster with two nodes of a core each; whoever takes a node away adds another."""
    from tests.clusters import ray_nodes

    with ray_nodes() as nodes:
        yield nodes


@pytest.fixture(scope="session")
def ray_engine(ray_cluster: "RayNodes") -> "Iterator[RayEngine]":
    """An engine on that cluster, whose nodes see the disk of this machine."""
    from recmodels.engine.ray import RayEngine

    with RayEngine(ray_cluster.address) as engine:
        yield engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a server by the fixtures it asks for, and begin with what takes longest."""
    items.sort(key=lambda item: turn(item.path))
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("server")
        if getattr(item, "originalname", "") in SLOW or within(item.path) in LONG:
            item.add_marker("slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forks", type=int, default=0, metavar="N", help="run the tests in N forks of this process")


def pytest_sessionstart(session: pytest.Session) -> None:
    of_root(session.config)


def pytest_collection(session: pytest.Session) -> None:
    """With `--forks`, one process begins with some tests while this one collects all."""
    options = session.config.option
    if options.forks < 2 or options.collectonly:
        return
    from tests import early

    if early.is_of_use(session.config):
        session.config.stash[BEGUN] = early.Early(session, EARLY, lambda item: group_of(item) == within(item.path))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With `--forks`, several processes run the tests."""
    options = session.config.option
    if not options.forks or options.collectonly or session.testsfailed:
        return None
    from tests.forks import Run

    Run(session, group_of).until_done(options.forks, session.config.stash.get(BEGUN, None))
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The same groups where processes cannot be forked, and pytest-xdist starts them."""
    from xdist.scheduler import LoadScopeScheduling

    class Grouped(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(config.rootpath / nodeid.partition("::")[0])

    return Grouped(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Leave alone what is there by now, and collect the garbage of the tests, though seldom."""
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


@cache
def within(file: Path) -> str:
    """The path of a file of tests within their folder."""
    return file.relative_to(Path(__file__).parent).as_posix()


@cache
def group(file: Path) -> str:
    """What one process runs: the tests of a file, and of files that share something costly."""
    return GROUPS.get(within(file), within(file))


def group_of(item: pytest.Item) -> str:
    """What one process runs this test with."""
    return CLUSTER if on_cluster(item) else group(item.path)


def on_cluster(item: pytest.Item) -> bool:
    """Whether a test works on the cluster that such tests share, wherever they are."""
    return "ray_cluster" in getattr(item, "fixturenames", ())


@cache
def turn(file: Path) -> int:
    """The place of a file of tests in the order."""
    if within(file).startswith((KILLING, LAST)):
        return len(FIRST) + (1 if within(file) == KILLING else 2)
    return next((place for place, first in enumerate(FIRST) if Path(within(file)).is_relative_to(first)), len(FIRST))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Say last of all what was skipped and how to run it; where `NIGHTREC_TEST_STRICT` is set, fail for it."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if not skipped:
        return
    reasons = Counter(reason(report) for report in skipped)
    reporter.write_line(f"{len(skipped)} skipped: " + "; ".join(f"{n}x {why}" for why, n in reasons.items()))
    avoidable = [report for report in skipped if not MAY_BE_ABSENT & set(report.keywords)]
    if avoidable and os.environ.get(STRICT):
        reporter.write_line(f"{STRICT} is set: nothing but a GPU and the real data may be absent.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def reason(report: pytest.TestReport) -> str:
    """Why a test was skipped, in its words."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")

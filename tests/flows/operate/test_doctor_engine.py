"""What the doctor says of the cluster that nights give their work to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.operate.doctor import engine
from flows.operate.doctor.findings import Site
from flows.settings.site import NightConfig
from recmodels.engine import probe
from recmodels.engine.choice import EngineChoice
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Machines
from recmodels.errors import EngineUnavailable
from tasks.store.paths import Store
from tests.clusters import RayNodes

WELL = {**probe.look({}), "cuda": "", "shm": 2**30, "memory": 2**34}


class Cluster(LocalEngine):
    """Two nodes of two cores that answer as they are told to."""

    def __init__(self, **answers: Mapping[str, Any] | str) -> None:
        super().__init__()
        self.answers = answers
        self.told: Mapping[str, Any] = {}

    def machines(self) -> Machines:
        return Machines("ray", nodes=len(self.answers), cores=2.0 * len(self.answers))

    def on_each_node(self, function: Any, told: Mapping[str, Any], seconds: float = 60.0) -> dict[str, Any]:
        assert function is probe.look
        self.told = dict(told)
        if "seen" in told:
            assert Path(told["seen"]).read_text() == told["content"]
        return dict(self.answers)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    config = NightConfig.model_validate({"engine": {"kind": "ray", "address": "auto"}})
    return Site(Store(tmp_path), config)


def said(site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    @contextmanager
    def connected(choice: EngineChoice) -> Iterator[Cluster]:
        yield cluster

    monkeypatch.setattr(EngineChoice, "connected", connected)
    return [(found.where, found.what, found.wrong) for found in engine.look(site)]


def test_a_sound_cluster_has_no_findings_and_leaves_nothing_in_the_store(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(a=WELL, b=WELL)
    assert said(site, cluster, monkeypatch) == []
    assert set(cluster.told) == {"seen", "content"}
    assert list(site.store.root.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("ModuleNotFoundError: No module named 'recmodels'", "it does not do nightrec's work: ModuleNotFoundError"),
        ({"nightrec": "0.1.0"}, "it has nightrec 0.1.0, and this machine"),
        ({"python": "3.9.1"}, "it has python 3.9.1, and this machine"),
        ({"sources": "0" * 64}, "it has other sources of nightrec"),
        ({"store": "it is not there"}, "cannot be used there: it is not there"),
        (
            {"exchange": "nothing can be read from it"},
            "the exchange s3://b/x cannot be used there: nothing can be",
        ),
        ({"cuda": "PyTorch is not installed"}, "its GPUs cannot be used: PyTorch is not installed"),
    ],
)
def test_what_keeps_a_node_from_working_is_wrong(
    site: Site, monkeypatch: pytest.MonkeyPatch, answer: Any, what: str
) -> None:
    if "exchange" in answer:
        settings = {"kind": "ray", "address": "auto", "exchange": "s3://b/x"}
        site = Site(site.store, NightConfig.model_validate({"engine": settings}))
    cluster = Cluster(a=WELL, b=answer if isinstance(answer, str) else {**WELL, **answer})
    [(where, text, wrong)] = said(site, cluster, monkeypatch)
    assert where == "the node b" and what in text and wrong
    assert ("exchange" in cluster.told) == ("exchange" in answer)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"memory": 2**30}, "it has 1.1 GB of memory for some 2 cores"),
        ({"shm": 64 * 2**20}, "it has 67.1 MB of shared memory (/dev/shm)"),
    ],
)
def test_what_makes_a_node_slow_is_worth_a_note(
    site: Site, monkeypatch: pytest.MonkeyPatch, answer: Any, what: str
) -> None:
    [(where, text, wrong)] = said(site, Cluster(a={**WELL, **answer}), monkeypatch)
    assert where == "the node a" and what in text and not wrong


def test_gpus_that_models_ask_for_are_looked_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"popularity": {}, "bpr": {"device": "gpu"}}
    config = NightConfig.model_validate({"engine": {"kind": "ray", "address": "auto"}, "models": models})
    [(where, text, wrong)] = said(Site(site.store, config), Cluster(a=WELL), monkeypatch)
    assert (where, wrong) == ("auto", False)
    assert "no node has a GPU now, and bpr should be trained on one" in text


@pytest.mark.parametrize(("fallback", "wrong"), [("none", True), ("local", False)])
def test_a_cluster_that_is_not_there_is_wrong_unless_nights_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fallback: str, wrong: bool
) -> None:
    def away(choice: EngineChoice) -> None:
        raise EngineUnavailable("There is no Ray cluster at head:6379.")

    monkeypatch.setattr(EngineChoice, "knock", away)
    settings = {"kind": "ray", "address": "head:6379", "fallback": None if fallback == "none" else fallback}
    site = Site(Store(tmp_path), NightConfig.model_validate({"engine": settings}))
    [found] = engine.look(site)
    assert (found.what, found.where, found.wrong) == ("There is no Ray cluster at head:6379", "head:6379", wrong)


def test_a_cluster_that_a_night_starts_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for settings in ({"kind": "ray"}, {"kind": "local"}, {}):
        assert list(engine.look(Site(Store(tmp_path), NightConfig.model_validate({"engine": settings})))) == []


@pytest.mark.usefixtures(
    "ray_engine"
)  # whose processes answer: those of a connection of its own would be started twice
def test_a_real_cluster_answers_from_each_of_its_nodes(tmp_path: Path, ray_cluster: RayNodes) -> None:
    settings = {"kind": "ray", "address": ray_cluster.address, "exchange": str(tmp_path / "exchange")}
    config = NightConfig.model_validate({"engine": settings})
    assert [found for found in engine.look(Site(Store(tmp_path), config)) if "memory" not in found.what] == []
    gone = NightConfig.model_validate({"engine": {**settings, "exchange": "/dev/null/x"}})
    found = list(engine.look(Site(Store(tmp_path), gone)))
    assert [one.what.partition(":")[0] for one in found if one.wrong] == [
        "the exchange /dev/null/x cannot be used there"
    ] * len(ray_cluster.nodes)

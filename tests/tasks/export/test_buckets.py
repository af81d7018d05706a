"""The lists of an export in parts: the same rows however many there are, none of which is made twice."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.errors import ExportRefused
from recmodels.base import Recommender
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.engine.current import using
from recmodels.ensemble.model import Ensemble
from recmodels.factors.als import ALS
from recmodels.knn.user_knn import UserKNN
from recmodels.linear.ease import EASE
from recmodels.persistence import load, save
from recmodels.popularity import Popularity
from tasks.arms.tonight import ArmsTonight, ArmTonight
from tasks.exploration.settings import ExplorationSettings
from tasks.export import buckets
from tasks.export.serving import Lister
from tasks.export.settings import ExportSettings
from tasks.export.verification import verified
from tasks.export.writer import Writer
from tasks.lists.settings import ExposureSettings, Segments
from tasks.store.feedback import PROPOSALS
from tasks.store.paths import Night
from tests.clusters import RayNodes
from tests.tasks.export.test_explored import OTHERS, with_candidates
from tests.tasks.publishing import K, prepare_night, publish
from tests.tasks.site import RUN_DATE

if TYPE_CHECKING:
    from recmodels.engine.ray import RayEngine

TABLES = ("topk", "similar", "popular", "listed")
RULES: list[dict[str, Any]] = [
    {"repeats": True, "hash_key_env": "KEY"},
    {"max_per_category": 1, "pinned": ["i7"], "min_score": 0.1},
    {"segments": Segments(column="plan", k={"premium": 5}), "active_days": 60},
    {"exposure": ExposureSettings(column="genre", least={"x": 0.6})},
]


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setenv("KEY", "a key of sixteen bytes")
    night = prepare_night(tmp_path)
    path = night.prepared / layout.USERS
    plans = pa.array([*["free"] * 4, None, "premium"])
    pq.write_table(pq.read_table(path).append_column("plan", plans), path)
    return night


def test_users_who_stand_in_no_order_come_in_fewer_buckets() -> None:
    """As each bucket of theirs reads nearly all interactions, so that these would be read once for every 26,000."""
    for users, count in ((100_000, 4), (1_000_000, 16), (10_000_000, 47)):
        made = buckets.buckets_of(users, 10, Path(), [], scattered=True)
        edges = [(one.arguments["first"], one.arguments["end"]) for one in made]
        assert len(made) == count and edges[0][0] == 0 and edges[-1][1] == users
        assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert len(buckets.buckets_of(1_000_000, 10, Path(), [])) == 39


def tables(night: Night) -> dict[str, pa.Table]:
    """The tables of the last export."""
    latest = night.store.link.resolve()
    return {name: pq.read_table(latest / name).combine_chunks() for name in TABLES if (latest / name).exists()}


def in_parts(monkeypatch: pytest.MonkeyPatch, places: int) -> None:
    monkeypatch.setattr(buckets, "PLACES", places)


@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES)
def test_rows_and_counts_do_not_depend_on_the_number_of_buckets(
    night: Night, monkeypatch: pytest.MonkeyPatch, rules: dict[str, Any]
) -> None:
    whole, expected = publish(night, **rules), tables(night)
    in_parts(monkeypatch, 7)
    manifest, found = publish(night, fresh=True, **rules), tables(night)
    assert found.keys() == expected.keys() and all(found[name].equals(expected[name]) for name in found)
    for name in ("users", "cold_users", "rows", "exposure"):
        assert manifest.get(name) == whole.get(name)
    n_files = [sum(file["path"].startswith("topk") for file in one["files"]) for one in (whole, manifest)]
    assert n_files[0] == 1 and n_files[1] > 1
    assert "keep the contract" in verified(night.store.root, None).sentence
    assert not night.all_parts.exists()


@pytest.mark.slow
@pytest.mark.parametrize("model", [ALS(factors=2), EASE(), UserKNN(), Popularity(), Ensemble(members=["als", "ease"])])
def test_the_lists_of_buckets_are_those_that_the_model_makes_of_all_data(
    night: Night, monkeypatch: pytest.MonkeyPatch, model: Recommender
) -> None:
    """Also of one whose lists depend on those of other users, and of one that has no similar items of its own."""
    data = Dataset.load(night.features, "full")
    save(model.fit(data), night.champion)
    in_parts(monkeypatch, 3)
    publish(night)
    lister = Lister.of(night, data, load(night.champion), "item_knn", ExportSettings(k=K), None)
    ids = [pq.read_table(night.prepared / f"{of}s.parquet")[f"{of}_id"].combine_chunks() for of in ("user", "item")]
    with Writer(RUN_DATE, "item_knn", ids[0], ids[1], night.folder / "topk") as writer:
        writer.write(lister.lists(np.arange(data.n_users, dtype=np.int32)))
    assert tables(night)["topk"].equals(pq.read_table(night.folder / "topk").combine_chunks())


@pytest.mark.slow
def test_arms_and_exploration_do_not_depend_on_the_number_of_buckets(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_candidates(night)
    arms = ArmsTonight(salt="1", groups={"plain": ArmTonight(share=0.5, policy="popularity", model=None)})
    explores = ExplorationSettings(epsilon=0.7)
    whole = publish(night, arms=arms, exploration=explores, others=OTHERS)
    expected, proposals = tables(night), pq.read_table(night.store.feedback(RUN_DATE) / PROPOSALS)
    assert whole["exploration"]["counts"]["drawn"] and len(proposals)
    in_parts(monkeypatch, 1)
    found = publish(night, arms=arms, exploration=explores, others=OTHERS, fresh=True)
    assert found["exploration"] == whole["exploration"]
    assert all(table.equals(expected[name]) for name, table in tables(night).items())
    again = pq.read_table(night.store.feedback(RUN_DATE) / PROPOSALS)
    assert again.cast(proposals.schema).equals(proposals)


@pytest.mark.parametrize("common", [True, False])
def test_on_a_cluster_tables_are_the_same_to_the_byte(
    night: Night, monkeypatch: pytest.MonkeyPatch, ray_cluster: RayNodes, ray_engine: "RayEngine", common: bool
) -> None:
    """With a disk that all nodes have in common, and through an exchange; with arms, exploration and hashed ids."""
    from recmodels.engine.ray import RayEngine

    with_candidates(night)
    arms = ArmsTonight(salt="1", groups={"plain": ArmTonight(share=0.5, policy="popularity", model=None)})
    explores, rules = ExplorationSettings(epsilon=0.7), {"hash_key_env": "KEY", "max_per_category": 2, "delta": False}
    in_parts(monkeypatch, 3)
    here = publish(night, arms=arms, exploration=explores, others=OTHERS, **rules)
    engine = ray_engine if common else RayEngine(ray_cluster.address, str(night.store.root.parent / "exchange"))
    with using(engine):
        there = publish(night, arms=arms, exploration=explores, others=OTHERS, fresh=True, **rules)
    assert [file["sha256"] for file in there["files"]] == [file["sha256"] for file in here["files"]]
    assert there["exploration"] == here["exploration"] and len(there["files"]) > 4


def test_what_a_night_that_failed_has_made_is_not_made_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    in_parts(monkeypatch, 3)
    audited = buckets.profile_of
    made: list[int] = []

    def fails(*args: Any, users: Any, **kwargs: Any) -> Any:
        made.append(int(users[0]))
        if len(made) == 3:
            raise ExportRefused("no")
        return audited(*args, users=users, **kwargs)

    monkeypatch.setattr(buckets, "profile_of", fails)
    monkeypatch.setattr("recmodels.engine.local.threads", lambda: 1)
    with pytest.raises(ExportRefused, match="no"):
        publish(night)
    assert len(made) == 3 and night.parts("export").exists()
    assert not publish(night)["skipped"]
    assert len(made) == 3 + 4 and made.count(made[0]) == 1  # six buckets, two of which were there
    assert not night.all_parts.exists()


def test_another_model_makes_all_buckets_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that a night left which was cut short are not taken for those of another champion."""
    monkeypatch.setattr("tasks.export.stage.judged", refuse)
    with pytest.raises(ExportRefused):
        publish(night)
    assert list((night.parts("export") / "lists").iterdir())
    save(Popularity().fit(Dataset.load(night.features, "full")), night.champion)
    monkeypatch.undo()
    publish(night, champion={"output": "another"})
    expected = tables(night)
    publish(night, champion={"output": "another"}, fresh=True)
    assert tables(night)["topk"].equals(expected["topk"])


def refuse(*_: Any, **__: Any) -> None:
    raise ExportRefused("no")

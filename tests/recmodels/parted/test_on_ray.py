"""Trainings on a cluster of Ray: the bytes of this machine's own engine."""

from pathlib import Path

import numpy as np
import pytest

from recmodels.base import Recommender
from recmodels.engine.current import using
from recmodels.engine.work import Engine
from recmodels.factors.als import ALS
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.linear.graph_filter import GraphFilter
from recmodels.options import FitOptions
from recmodels.parted import sums, training
from recmodels.testing import small_site
from recmodels.transformer.model import Transformer
from tests.clusters import RayNodes
from tests.recmodels.sequences import TINY

MODELS = [
    ALS(factors=4, iterations=1),
    ItemKNN(neighbors=5),
    EASE(method="approximate", neighbors=5),
    GraphFilter(rank=4, neighbors=5),
]


def fitted(model: Recommender, folder: Path) -> dict[str, bytes]:
    state = type(model)(**model.get_params()).fit(small_site(), FitOptions(parts=folder))._state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    arrays |= {f"{name}.data": value.data for name, value in state.items() if hasattr(value, "indptr")}
    assert arrays
    return {name: value.tobytes() for name, value in arrays.items()}


@pytest.mark.parametrize("disk", ["common disk", "exchange"])
def test_models_are_those_of_the_local_engine_to_the_last_bit(
    ray_engine: Engine, ray_cluster: RayNodes, tmp_path: Path, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recmodels.engine.ray import RayEngine

    monkeypatch.setattr(training, "ROWS", 150)
    monkeypatch.setattr(sums, "SUMMED", 2)
    monkeypatch.setattr(sums, "PIECE", 100)
    engine = ray_engine if disk == "common disk" else RayEngine(ray_cluster.address, str(tmp_path / "exchange"))
    for model in MODELS if disk == "common disk" else MODELS[:1]:
        expected = fitted(model, tmp_path / "local")
        with using(engine):
            assert fitted(model, tmp_path / "ray") == expected


def test_a_transformer_is_trained_by_a_process_on_each_node(ray_engine: Engine, tmp_path: Path) -> None:
    one = Transformer(**TINY, dropout=0.0).fit(small_site())
    with using(ray_engine):
        two = Transformer(**TINY, dropout=0.0).fit(small_site(), FitOptions(parts=tmp_path / "parts"))
    np.testing.assert_allclose(two.item_vectors_, one.item_vectors_, atol=1e-5)

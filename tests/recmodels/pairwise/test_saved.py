"""Models that version 0.1 saved are read, score as they did, and start others warm."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from recmodels.pairwise.hybrid import Hybrid
from recmodels.pairwise.model import PairModel
from recmodels.pairwise.ncf import NCF
from recmodels.persistence import load, save
from recmodels.testing import small_site

KIND = {"factors": 6, "epochs": 1, "batch": 256}


def as_version_0_1(folder: Path) -> None:
    """Give the saved attributes the names that they had."""
    groups = {"tables_": "table", "accumulators_": "squares", "network_": "network"}
    tensors = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        group, dot, part = name.partition(".")
        old = f"{groups[group]}.{part}_" if dot else name
        tensors[old.replace("history", "had")] = tensor
    save_file(tensors, folder / "model.safetensors")
    about = json.loads((folder / "model.json").read_text())
    about["learnt"] = {"n_items_": about.pop("fitted")["n_items_"]}
    (folder / "model.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    "model",
    [Hybrid(**KIND, warm_start="always"), Hybrid(**KIND, history=False), Hybrid(**KIND, user_ids=False), NCF(**KIND)],
)
def test_a_model_of_version_0_1_scores_as_it_did_and_starts_others_warm(model: PairModel, tmp_path: Path) -> None:
    data, users = small_site(), np.arange(20, dtype=np.int32)
    save(model.fit(data), tmp_path)
    as_version_0_1(tmp_path)
    again = load(tmp_path, type(model))
    np.testing.assert_array_equal(again._score(data, users), model._score(data, users))
    for attribute in ("tables_", "accumulators_", "network_"):
        then, now = vars(model)[attribute], vars(again)[attribute]
        assert then.keys() == now.keys()
        for name in then:
            np.testing.assert_array_equal(then[name], now[name])
    assert bool(again.tables_) == (model.warm_start == "always")

"""Models that version 0.1 saved are read, and score as they did."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from recmodels.persistence import load, save
from recmodels.testing import small_site
from recmodels.transformer.model import Transformer
from recmodels.transformer.saved import current_name
from tests.recmodels.sequences import TINY

OLD_NAMES = {
    "0.ln_in.weight": "0.first.weight",
    "0.ln_f.bias": "0.last.bias",
    "0.user_cross.user_embedding.weight": "0.fusion.users.weight",
    "0.user_cross.cross_layers.1.bias": "0.fusion.layers.1.bias",
    "0.user_cross.proj.weight": "0.fusion.out.weight",
    "1.blocks.0.attention.qkv.weight": "1.blocks.0.attention.qkv.weight",
    "1.blocks.0.attention.proj.weight": "1.blocks.0.attention.out.weight",
    "1.blocks.0.attention.relative_bias": "1.blocks.0.attention.bias_at",
    "1.blocks.0.filter.sqrt_beta": "1.blocks.0.filter.beta_root",
    "1.blocks.2.ln_1.weight": "1.blocks.2.first.weight",
    "1.blocks.2.ln_2.weight": "1.blocks.2.second.weight",
    "1.blocks.2.mlp.0.weight": "1.blocks.2.wide.0.weight",
    "1.blocks.2.gates.1.weight": "1.blocks.2.gates.1.weight",
    "1.blocks.2.ln_filter.bias": "1.blocks.2.filtered.bias",
    "1.blocks.2.ln_attention.bias": "1.blocks.2.attended.bias",
    "1.blocks.2.ln_mlp.bias": "1.blocks.2.widened.bias",
}


@pytest.mark.parametrize(("name", "old"), OLD_NAMES.items())
def test_a_parameter_has_the_name_of_today(name: str, old: str) -> None:
    assert current_name(old) == name


def test_a_model_of_version_0_1_scores_as_it_did(tmp_path: Path) -> None:
    data, users = small_site(), np.arange(12, dtype=np.int32)
    model = Transformer(**TINY | {"epochs": 1}, block="ligr", user_embedding=True, seeds=2).fit(data)
    save(model, tmp_path)
    names = {"ln_1": "first", "ln_2": "second", "mlp": "wide", "relative_bias": "bias_at", "user_embedding": "users"}
    tensors = {}
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        if not name.startswith("network_."):
            tensors[name] = tensor
            continue
        number, head, *parts = name.removeprefix("network_.").split(".")
        head = {"ln_in": "first", "ln_f": "last", "user_cross": "fusion"}.get(head, head)
        parts = ["out" if part == "proj" else names.get(part, part) for part in parts]
        tensors[".".join(("network", number, head, *parts)) + "_"] = tensor
    save_file(tensors, tmp_path / "model.safetensors")
    about = json.loads((tmp_path / "model.json").read_text())
    about["learnt"] = about.pop("fitted")
    del about["learnt"]["network_"]
    (tmp_path / "model.json").write_text(json.dumps(about))
    np.testing.assert_array_equal(load(tmp_path)._score(data, users), model._score(data, users))

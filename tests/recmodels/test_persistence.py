"""A model's folder holds data alone, and one of an earlier release is read."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from recmodels.ensemble.model import Ensemble
from recmodels.errors import NightrecError
from recmodels.factors.als import ALS
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.parameters import Renamed
from recmodels.persistence import load, save
from recmodels.popularity import Popularity
from recmodels.testing import N_USERS, assert_same, small_site

EVERYBODY = np.arange(N_USERS)


def change(folder: Path, **changes: object) -> None:
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(about | changes))


@pytest.mark.slow
def test_a_folder_has_two_files_and_one_of_each_member(tmp_path: Path) -> None:
    save(Ensemble(members=["item_knn", "popularity"], trees=2).fit(small_site()), tmp_path)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    members = {f"members_/{name}/model.{end}" for name in ("item_knn", "popularity") for end in ("json", "safetensors")}
    assert files == {"model.json", "model.safetensors"} | members
    about = json.loads((tmp_path / "model.json").read_text())
    assert (about["recommender"], about["fitted"]["members_"]) == ("ensemble", {"models": ["item_knn", "popularity"]})


def test_a_model_of_version_0_1_is_read(tmp_path: Path) -> None:
    data = small_site()
    model = ItemKNN(neighbors=5).fit(data)
    save(model, tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    about["learnt"] = about.pop("fitted")
    (tmp_path / "model.json").write_text(json.dumps(about))
    assert_same(load(tmp_path).recommend(data, EVERYBODY, 5), model.recommend(data, EVERYBODY, 5))


def test_parameters_that_were_renamed_are_read_without_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    renamed: Mapping[str, Renamed] = {"lambda": "regularization"}
    monkeypatch.setattr(EASE, "renamed", renamed)
    monkeypatch.setattr(EASE, "moved", {"minutes": "leave it out"})
    save(EASE(regularization=20.0).fit(small_site()), tmp_path)
    change(tmp_path, parameters={"lambda": 20.0, "minutes": None})
    assert load(tmp_path) == EASE(regularization=20.0) and not caplog.records


def test_numbers_of_numpy_are_saved_as_numbers(tmp_path: Path) -> None:
    save(ALS(factors=np.int64(4), iterations=1).fit(small_site()), tmp_path)  # type: ignore[arg-type]
    assert load(tmp_path, ALS).factors == 4


def test_what_is_no_such_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match=r"holds no model\.json; train the model first"):
        load(tmp_path)
    save(Popularity().fit(small_site()), tmp_path)
    with pytest.raises(NightrecError, match="holds the model popularity, not a EASE"):
        load(tmp_path, EASE)
    change(tmp_path, parameters={"nights": 3})
    with pytest.raises(NightrecError, match=r"model\.json: .*'nights'; train again"):
        load(tmp_path)
    change(tmp_path, format=99)
    with pytest.raises(NightrecError, match="format 99, known is 1; train again"):
        load(tmp_path)

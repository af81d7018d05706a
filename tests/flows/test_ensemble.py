"""A night with an ensemble: it waits for the others, goes without one that fails, and is published like any model."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.flows.running import nightrec
from tests.flows.sites import DAY, USERS, log, write

SETTINGS = """
[inputs.interactions]
path = "log.csv"
[gate]
pinned_model = "ensemble"
[models.popularity]
[models.item_knn]
[models.content]
[models.ensemble]
"""


def test_an_ensemble_is_trained_after_its_members_and_published(tmp_path: Path, prefect_server: None) -> None:
    write(tmp_path / "log.csv", log())
    write(tmp_path / "nightrec.toml", SETTINGS)
    ran = nightrec("run", "--date", str(DAY), cwd=tmp_path)
    assert ran.code == 0, ran.err
    night = tmp_path / "store" / "nights" / str(DAY)
    record = json.loads((night / "night.json").read_text())
    assert record["winner"] == "ensemble" and list(record["failed"]) == ["content"]  # no items, no terms
    ended = {stage["stage"]: stage for stage in record["stages"] if stage["event"] != "note"}
    assert ended["train ensemble"]["ended"] > max(
        ended[f"train {name}"]["ended"] for name in ("item_knn", "popularity")
    )
    notes = [stage["message"] for stage in record["stages"] if stage["event"] == "note"]
    assert "goes without content, which failed" in notes
    spec = json.loads((night / "logs" / "ensemble-train.spec.json").read_text())
    assert sorted(spec["models"]) == ["item_knn", "popularity"] and spec["without"] == ["content"]
    champion = json.loads((night / "champion" / "model.json").read_text())
    assert champion["parameters"]["members"] == ["popularity", "item_knn", "content"]
    assert "models" not in champion["parameters"]  # the recipe, and no path
    assert champion["fitted"]["members_"]["models"] == ["popularity", "item_knn"]
    topk = pq.read_table(tmp_path / "store" / "exports" / "latest" / "topk")
    assert len(topk["user_id"].unique()) == USERS and set(topk["model"].to_pylist()) == {"ensemble"}
    assert topk.num_rows == 10 * USERS

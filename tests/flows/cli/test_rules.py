"""`nightrec rules`: what rules would cost and bring, by the model and the holdout of a night."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli.rules import rules
from recmodels.candidate_lists import read_truth
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.fallback import serve
from recmodels.knn.item_knn import ItemKNN
from recmodels.metrics.ranking import per_user
from recmodels.persistence import save
from recmodels.popularity import Popularity
from tasks.store.manifests import describe, write_manifest
from tasks.store.paths import Night
from tests.tasks.publishing import prepare_night

SETTINGS = """
[evaluation]
k = 3
[export]
max_per_category = 2
calibration = 0.4
exposure = { column = "genre", least = { x = 0.1 } }
"""

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night as far as it was measured."""
    night = prepare_night(tmp_path_factory.mktemp("store"))
    items = night.prepared / "items.parquet"
    table = pq.read_table(items)
    pq.write_table(table.append_column("margin", pa.array(range(8))), items)
    model = night.model("item_knn")
    save(ItemKNN().fit(Dataset.load(night.features, "train")), model)
    files = [describe(path, model) for path in sorted(model.iterdir())]
    about: dict[str, Any] = {"inputs": {}, "parameters": {}, "code": "", "fingerprint": "", "output": ""}
    write_manifest(model, about | {"summary": {}, "files": files})
    night.evaluation.mkdir()
    write_manifest(night.evaluation, about | {"summary": {"winner": "item_knn"}, "files": []})
    (night.store.root / "nightrec.toml").write_text(SETTINGS)
    return night


@pytest.fixture(scope="module")
def ask(night: Night) -> Ask:
    def asked(*arguments: str) -> Any:
        root = night.store.root
        found = CliRunner().invoke(
            rules, [*arguments, "--store", str(root), "--config", str(root / "nightrec.toml"), "--json"]
        )
        if found.exception is not None:
            raise found.exception
        return json.loads(found.output)

    return asked


def test_the_first_lists_are_those_without_what_is_tried(ask: Ask, night: Night) -> None:
    found = ask("--try", "calibration=0.2,1", "--try", "max_per_category=3", "--try", "exposure.least.x=0.1")
    assert (found["run_date"], found["model"], found["k"], found["users"]) == ("2026-03-31", "item_knn", 3, 5)
    names = [one["rules"] for one in found["tried"]]
    tried = ["calibration = 0.2", "calibration = 1", "max_per_category = 3", "exposure.least.x = 0.1"]
    assert names == ["the model's order", *tried]
    data, (users, truth) = Dataset.load(night.features, "train"), read_truth(night.prepared)
    model, popular = ItemKNN().fit(data), Popularity().fit(data)
    allowed = np.arange(8) != 5
    plain = per_user(serve(model, popular, data, users, 3, allowed=allowed).items, truth)["ndcg"].mean()
    first, *others = found["tried"]
    assert first["ndcg"] == pytest.approx(plain) and first["ndcg_change"] is None
    for one in others:
        assert one["ndcg_change"]["value"] == pytest.approx(one["ndcg"] - plain)
    assert others[1]["miscalibration"] < first["miscalibration"]
    assert set(first["exposure"]) == {"x"} and 0 < first["gini"] < 1


def test_the_price_of_a_value_is_told_beside_what_it_brings(ask: Ask) -> None:
    found = ask("--try", 'value={ column = "margin", weight = 0 }, { column = "margin", weight = 5 }')
    plain, nothing, much = found["tried"]
    assert plain["worth"] == nothing["worth"] < much["worth"] and nothing["ndcg_change"]["value"] == 0


def test_what_is_not_tried_stays_as_it_is_configured(ask: Ask) -> None:
    found = ask("--try", "exposure.least.x=0.9", "--try", "exposure.most.y=0.9")
    names = ["the other rules", "exposure.least.x = 0.9", "exposure.most.y = 0.9"]
    assert [one["rules"] for one in found["tried"]] == names
    assert all(set(one["exposure"]) == {"x", "y"} for one in found["tried"])
    assert found["tried"][1]["missed"] == ["x"]
    assert found["tried"][1]["exposure"]["x"] > found["tried"][0]["exposure"]["x"]


def test_lists_may_repeat_where_those_of_the_site_may(ask: Ask, night: Night) -> None:
    config = night.store.root / "nightrec.toml"
    config.write_text(SETTINGS + "repeats = true\n")
    try:
        found = ask("--try", "calibration=0.2", "--try", "max_per_category=2", "--try", "exposure.least.x=0.1")
    finally:
        config.write_text(SETTINGS)
    data, (users, truth) = Dataset.load(night.features, "train"), read_truth(night.prepared)
    model, popular, allowed = ItemKNN().fit(data), Popularity().fit(data), np.arange(8) != 5
    first, again = (
        per_user(serve(model, popular, data, users, 3, allowed=allowed, repeats=repeats).items, truth)["ndcg"].mean()
        for repeats in (False, True)
    )
    assert found["tried"][0]["ndcg"] == pytest.approx(again) != pytest.approx(first)


def test_without_a_rule_a_grid_is_tried(night: Night) -> None:
    told = CliRunner().invoke(rules, ["--store", str(night.store.root)])
    assert told.exit_code == 0
    for text in ("calibration = 0.9", "popularity_damping = 0.6", "relevance_weight = 0.5", "miscal."):
        assert text in told.output


@pytest.mark.parametrize(
    ("tried", "says"),
    [
        ("calibration", "write RULE=VALUES, a rule being one of calibration, category_caps, domain_shares, excluded"),
        ("k=3", "write RULE=VALUES"),
        ("calibration=a", "write values as in nightrec.toml"),
        ("calibration=2", "calibration = 2: export.calibration: Input should be less than or equal to 1."),
        ("exposure.column='gener'", "the items have no column 'gener'; did you mean genre?"),
    ],
)
def test_what_cannot_be_tried_is_told(ask: Ask, tried: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ask("--try", tried)
    assert says in str(refused.value)


def test_a_night_that_is_not_there_is_told(ask: Ask) -> None:
    with pytest.raises(ConfigError, match=r"The night 2026-04-01 in the store .* has left no measured model"):
        ask("--date", "2026-04-01")

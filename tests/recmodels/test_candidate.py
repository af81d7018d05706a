"""The candidate's process, as its parent sees it: specification in; model, lists, result and exit code out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from recmodels.candidate import run as run_here
from recmodels.candidate_spec import Spec
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.factors.mf import MF
from recmodels.fallback import serve
from recmodels.linear.ease import EASE
from recmodels.metrics.ranking import per_user
from recmodels.popularity import Popularity
from recmodels.testing import COMPLETIST, N_ITEMS, N_USERS, small_site

COMMAND = [sys.executable, "-m", "recmodels.candidate"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """`small_site` as the pipeline would write it; item 4 is not available, users 3 and 5 are in the holdout."""
    folder, data = tmp_path / "features", small_site()
    available = pa.array([item != 4 for item in range(N_ITEMS)])
    tables = {
        layout.USERS: pa.table({"user_index": np.arange(N_USERS, dtype=np.int32)}),
        layout.ITEMS: pa.table({"item_index": np.arange(N_ITEMS, dtype=np.int32), "available": available}),
        layout.HOLDOUT: pa.table({"user_index": pa.array([3, 3, 5], pa.int32())}),
        layout.interactions_file("train"): pa.table(
            {
                "user_index": data.user_index,
                "item_index": data.item_index,
                "timestamp": pa.array(data.timestamp, pa.timestamp("us", tz="UTC")),
                "weight": data.weight,
            }
        ).replace_schema_metadata({layout.SPLIT_END: str(data.end).encode()}),
    }
    for name, table in tables.items():
        path = folder / layout.PREPARED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return folder


def specification(features: Path, **changes: Any) -> Path:
    home = features.parent
    spec = {
        "features": str(features),
        "split": "train",
        "recommender": "ease",
        "params": {"regularization": 20},
        "seed": 0,
        "fit": True,
        "model": str(home / "model"),
        "lists": {"out": str(home / "lists"), "users": "all", "k": 5, "min_history": 1, "repeats": False},
        "result": str(home / "result.json"),
    }
    path = home / "spec.json"
    path.write_text(json.dumps(spec | changes))
    return path


def run(spec: Path) -> tuple[int, dict[str, Any], str]:
    """Exit code, result and standard error."""
    done = subprocess.run([*COMMAND, str(spec)], cwd=ROOT, capture_output=True, text=True, check=False)
    result = spec.parent / "result.json"
    return done.returncode, json.loads(result.read_text()) if result.exists() else {}, done.stderr


def test_a_candidate_is_trained_and_lists_items_for_everybody(features: Path) -> None:
    code, result, stderr = run(specification(features))
    assert (code, stderr) == (0, "")
    assert result["n_users"] == N_USERS
    assert result["fit_seconds"] > 0 and result["list_seconds"] > 0
    assert 2**20 < result["peak_bytes"] < 2**31 and result["memory_needed"] > 0

    lists = pq.read_table(features.parent / "lists" / "lists.parquet")
    types = ["user_index: int32", "rank: int16", "item_index: int32", "score: float", "cold: bool"]
    assert [f"{field.name}: {field.type}" for field in lists.schema] == types
    user, rank, item = (lists[name].to_numpy() for name in ("user_index", "rank", "item_index"))
    assert np.array_equal(np.lexsort((rank, user)), np.arange(len(user)))
    assert np.bincount(user, minlength=N_USERS).tolist() == [5] * (N_USERS - 1) + [0]  # the completist is last
    assert COMPLETIST == N_USERS - 1 and 4 not in item

    data = Dataset.load(features, "train")
    top = EASE(regularization=20).fit(data).recommend(data, np.array([0]), 5, allowed=np.arange(N_ITEMS) != 4)
    assert item[user == 0].tolist() == top.items[0].tolist()


def test_a_training_in_epochs_is_logged_and_ends_in_time(features: Path) -> None:
    tiny = {"dim": 8, "layers": 1, "epochs": 3, "patience": 3}
    code, _, stderr = run(specification(features, recommender="transformer", params=tiny, minutes=30, lists=None))
    assert code == 0 and stderr.count("validation NDCG@10") == 3
    saved = (features.parent / "model" / "model.json").read_text()
    assert json.loads(saved)["parameters"] | tiny == json.loads(saved)["parameters"]
    assert "checkpoint" not in saved and "minutes" not in saved  # the recipe, not this run's paths and limits
    hurried = specification(features, recommender="transformer", params=tiny, minutes=1e-9, lists=None)
    assert "1e-09 minutes are over" in run(hurried)[2]
    assert not (features.parent / "result.checkpoint").exists()


def test_a_saved_candidate_lists_without_training(features: Path) -> None:
    assert run(specification(features, lists=None))[0] == 0
    assert not (features.parent / "lists").exists()
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5, "min_history": 1, "repeats": False}
    code, result, _ = run(specification(features, fit=False, lists=lists))
    assert (code, result["n_users"]) == (0, 2)
    assert pq.read_table(features.parent / "lists" / "lists.parquet")["user_index"].unique().to_pylist() == [3, 5]


def test_nothing_is_learnt_of_unseen_users_whose_lists_follow_from_their_history(features: Path) -> None:
    unseen = np.array([3, 5], np.int32)
    pq.write_table(pa.table({"user_index": unseen}), features / layout.PREPARED / layout.UNSEEN)
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5}
    run_here(Spec.read(specification(features, lists=lists)))
    data = Dataset.load(features, "train")
    model = EASE(regularization=20).fit(data.without(unseen))
    wanted = model.recommend(data, unseen, 5, allowed=np.arange(N_ITEMS) != 4).items
    found = pq.read_table(features.parent / "lists" / "lists.parquet")["item_index"].to_numpy().reshape(2, 5)
    assert found.tolist() == wanted.tolist()
    assert wanted.tolist() != EASE(regularization=20).fit(data).recommend(data, unseen, 5).items.tolist()


def test_lists_of_the_whole_catalogue_have_items_that_are_not_available(features: Path) -> None:
    for unavailable in (False, True):
        lists = {"out": str(features.parent / "lists"), "users": "all", "k": 20, "unavailable": unavailable}
        run_here(Spec.read(specification(features, lists=lists)))
        listed = pq.read_table(features.parent / "lists" / "lists.parquet")["item_index"].to_numpy()
        assert (4 in listed) == unavailable


def test_a_model_that_foresees_ratings_says_how_wrong_it_was(features: Path) -> None:
    path, rng = features / layout.PREPARED / layout.interactions_file("train"), np.random.default_rng(0)
    table = pq.read_table(path)
    rating = pa.array(rng.integers(1, 6, len(table)), pa.float32())
    pq.write_table(table.append_column("rating", rating), path)
    user, item, given = [3, 3, 5], [0, 7, 2], [5.0, np.nan, 1.0]
    held = {"user_index": pa.array(user, pa.int32()), "item_index": pa.array(item, pa.int32()), "rating": given}
    pq.write_table(pa.table(held), features / layout.PREPARED / layout.HOLDOUT)
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5}
    asked = specification(features, recommender="mf", params={"epochs": 2}, lists=lists)
    found = run_here(Spec.read(asked))
    data = Dataset.load(features, "train")
    errors = MF(epochs=2).fit(data).predict(data, np.array([3, 5]), np.array([0, 2])) - [5, 1]
    assert found["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert found["mae"] == pytest.approx(np.abs(errors).mean())
    assert "rmse" not in run_here(Spec.read(specification(features, lists=lists)))  # ease foresees none


def test_earlier_windows_are_measured_as_a_night_would_have_been(features: Path) -> None:
    path = features / layout.PREPARED / layout.interactions_file("train")
    data = Dataset.load(features, "train")
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5}
    days = data.end / 4 / DAY  # quarters of all the time there is
    asked = specification(features, lists=lists, windows=5, window_days=days)
    found = run_here(Spec.read(asked))["windows"]
    assert [one["window"] for one in found] == [1, 2, 3]  # before the fourth, there is nothing to learn from
    start = data.end - round(days * DAY)
    before, after = data.timestamp < start, data.timestamp >= start
    train = Dataset.from_arrays(
        data.user_index[before], data.item_index[before], timestamp=data.timestamp[before], n_users=N_USERS,
        n_items=N_ITEMS, end=start,
    )  # fmt: skip
    users, row = np.unique(data.user_index[after], return_inverse=True)
    truth = sparse.csr_array((np.ones(len(row)), (row, data.item_index[after])), shape=(len(users), N_ITEMS))
    allowed = np.arange(N_ITEMS) != 4
    shown = serve(
        EASE(regularization=20).fit(train), Popularity().fit(train), train, users.astype(np.int32), 5, allowed=allowed
    )
    assert found[0]["users"] == len(users)
    for name, values in per_user(shown.items, truth).items():
        assert found[0][name] == pytest.approx(values.mean())
    assert pq.read_table(path).num_rows == len(data)

    late = specification(features, lists=lists, windows=2, window_days=days, minutes=1e-9)
    assert run_here(Spec.read(late))["windows"][0]["failed"] == "no time was left for it"


def test_a_refusal_is_written_as_one_sentence_with_its_exit_code(features: Path) -> None:
    code, result, stderr = run(specification(features, recommender="content", params={}))
    assert (code, list(result), stderr) == (3, ["error"], "")
    assert "no terms" in result["error"]


def test_an_unknown_parameter_is_a_matter_of_configuration(features: Path) -> None:
    code, result, _ = run(specification(features, params={"regularisation": 20}))
    assert code == 2
    assert "did you mean 'regularization'" in result["error"]


def test_a_broken_specification_is_named(features: Path) -> None:
    spec = features.parent / "spec.json"
    spec.write_text('{"features": 1}')
    code, result, stderr = run(spec)
    assert (code, result) == (2, {})
    assert "spec.json is no specification" in stderr and "Traceback" not in stderr


def test_the_process_ends_when_its_parent_lets_go_of_its_standard_input(features: Path) -> None:
    pipe = features.parent / "never"  # reading the specification from a pipe without a writer blocks for ever
    os.mkfifo(pipe)
    child = subprocess.Popen([*COMMAND, str(pipe), "--watch-stdin"], cwd=ROOT, stdin=subprocess.PIPE)
    assert child.stdin is not None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(2)
    child.stdin.close()
    assert child.wait(10) == 1


def test_the_module_imports_light() -> None:
    heavy = {"torch", "sklearn", "pandas", "prefect", "great_expectations", "duckdb"}
    code = f"import sys, recmodels.candidate; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)

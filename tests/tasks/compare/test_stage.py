"""The best candidate is published, and the comparison is kept."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from recmodels.errors import NightrecError
from tasks.compare.decision import Incumbent
from tasks.compare.settings import GateSettings
from tasks.compare.stage import compare
from tasks.store.files import Json, read_json
from tasks.store.paths import Store
from tasks.train.settings import Candidate

RUN_DATE = date(2026, 3, 31)


def manifest(ndcg: float) -> Json:
    figures = {"ndcg": {"value": ndcg, "low": ndcg - 0.1, "high": ndcg + 0.1}, "coverage": {"value": 0.5}}
    return {"output": f"metrics of {ndcg}", "summary": {"k": 10, "users": 4, "metrics": figures}}


def compared(tmp_path: Path, figures: dict[str, float], failed: dict[str, str] | None = None, **required: Any) -> Json:
    night = Store(tmp_path).night(RUN_DATE)
    names = [*figures, *(failed or {})]
    candidates = {name: Candidate(required=name in required) for name in names}
    return compare.fn(night, candidates, {name: manifest(value) for name, value in figures.items()}, failed or {})


def test_the_highest_ndcg_wins_and_the_first_of_equals(tmp_path: Path) -> None:
    assert compared(tmp_path, {"a": 0.1, "b": 0.3, "c": 0.3})["summary"]["winner"] == "b"


def test_the_comparison_is_kept_with_the_night_and_in_the_history(tmp_path: Path) -> None:
    compared(tmp_path, {"a": 0.1, "b": 0.3}, {"c": "out of memory"})
    night = Store(tmp_path).night(RUN_DATE)
    rows = pq.read_table(night.store.history(RUN_DATE)).to_pylist()
    assert {(row["model"], row["metric"], row["value"]) for row in rows} == {
        ("a", "ndcg", 0.1), ("a", "coverage", 0.5), ("b", "ndcg", 0.3), ("b", "coverage", 0.5),
    }  # fmt: skip
    assert {row["run_date"] for row in rows} == {RUN_DATE}
    assert (read_json(night.evaluation / "decision.json") or {})["failed"] == {"c": "out of memory"}


def test_a_night_whose_slices_are_others_is_compared_again_though_its_users_are_the_same(tmp_path: Path) -> None:
    night, candidates = Store(tmp_path).night(RUN_DATE), {"a": Candidate()}
    compare.fn(night, candidates, {"a": manifest(0.1)}, {})
    sliced = manifest(0.1)
    sliced["summary"]["slices"] = [{"slice": "country:de", "metric": "ndcg", "users": 3, "value": 0.2}]
    assert not compare.fn(night, candidates, {"a": sliced}, {})["skipped"]
    assert "country:de" in pq.read_table(night.store.history(RUN_DATE))["slice"].to_pylist()
    assert compare.fn(night, candidates, {"a": sliced}, {})["skipped"]


def test_without_a_required_model_there_is_no_winner(tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match=r"required model c failed: out of memory\. The last export stays"):
        compared(tmp_path, {"a": 0.1}, {"c": "out of memory."}, c=True)


def test_figures_that_are_no_numbers_and_lists_of_nothing_count_as_failed(tmp_path: Path) -> None:
    empty = manifest(0.0)
    empty["summary"]["metrics"]["coverage"]["value"] = 0
    night = Store(tmp_path).night(RUN_DATE)
    measured = {"a": manifest(float("nan")), "b": manifest(0.2), "c": empty}
    summary = compare.fn(night, {name: Candidate() for name in measured}, measured, {})["summary"]
    assert summary["winner"] == "b"
    assert summary["failed"] == {"a": "Its NDCG is no number.", "c": "It lists nothing."}


@pytest.mark.parametrize(("failing", "warns"), [(1, False), (2, True)])
def test_a_night_of_which_most_candidates_failed_is_warned_of(tmp_path: Path, failing: int, warns: bool) -> None:
    failed = {f"c{n}": "out of memory" for n in range(failing)}
    warnings = compared(tmp_path, {"a": 0.1}, failed)["summary"]["gate"]["warnings"]
    assert warnings == (["2 of 3 candidates failed (gate.max_failed is 50%): c0, c1."] if warns else [])


def test_a_night_of_which_most_candidates_failed_is_warned_of_whoever_has_chosen_the_winner(tmp_path: Path) -> None:
    night, failed = Store(tmp_path).night(RUN_DATE), {"c": "out of memory", "d": "out of memory", "e": "out of memory"}
    candidates = {name: Candidate() for name in ("a", "b", *failed)}
    measured = {"a": manifest(0.1), "b": manifest(0.3)}
    gate = compare.fn(night, candidates, measured, failed, forced_model="a")["summary"]["gate"]
    assert gate["warnings"] == ["3 of 5 candidates failed (gate.max_failed is 50%): c, d, e."]


STANDING = Incumbent(name="als", published_as="als", export_id="2026-03-30", recommender="als", params={})


def without_champion(tmp_path: Path, known: bool = True, **rules: Any) -> Json:
    """The summary of a night whose champion failed."""
    candidates = {"a": Candidate()} | ({"als": Candidate()} if known else {})
    failed = {"als": "als was stopped."} if known else {}
    settings = GateSettings.model_validate(rules)
    night = Store(tmp_path).night(RUN_DATE)
    measured = {"a": manifest(0.1)}
    return compare.fn(night, candidates, measured, failed, settings=settings, incumbent=STANDING)["summary"]


def test_a_champion_that_is_fitted_unmeasured_has_no_figures(tmp_path: Path) -> None:
    summary = without_champion(tmp_path, max_failed=0.4)
    assert (summary["winner"], summary["metrics"], summary["k"], summary["users"]) == ("als", {}, 10, 4)
    assert [text.split(" (")[0] for text in summary["gate"]["warnings"]] == [
        "The champion als could not be measured tonight",
        "1 of 2 candidates failed",
    ]
    pinned = without_champion(tmp_path, pinned_model="als")
    assert (pinned["winner"], pinned["gate"]["verdict"]) == ("als", "pinned")


def test_a_pinned_champion_that_may_not_be_fitted_unmeasured_is_missed(tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match=r"als was pinned .* no such model tonight: als was stopped"):
        without_champion(tmp_path, pinned_model="als", on_missing_champion="stop")


def test_a_model_of_equal_scores_is_refused_and_never_published_unmeasured(tmp_path: Path) -> None:
    constant = manifest(0.4)
    constant["summary"]["ranks_nothing"] = True
    night = Store(tmp_path).night(RUN_DATE)
    measured, candidates = {"a": manifest(0.1), "als": constant}, {"a": Candidate(), "als": Candidate()}
    summary = compare.fn(night, candidates, measured, {})["summary"]
    assert (summary["winner"], list(summary["failed"])) == ("a", ["als"])
    assert summary["failed"]["als"].startswith("Its scores are all equal")
    refused = compare.fn(night, candidates, measured, {}, incumbent=STANDING)["summary"]["gate"]["refused"]
    assert "als could be neither measured tonight nor fitted again (Its scores are all equal" in refused


def test_a_champion_that_this_installation_cannot_train_is_no_reason_for_a_first_night(tmp_path: Path) -> None:
    refused = without_champion(tmp_path, known=False)["gate"]["refused"]
    assert "this installation does not know its recommender als" in refused


def test_without_any_model_there_is_no_winner(tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match="No model could be trained: out of memory"):
        compared(tmp_path, {}, {"c": "out of memory"})

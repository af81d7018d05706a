"""The gate's decisions, from figures: who is promoted, who is not and why, and when nothing may be published."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import GateRefused
from tasks.compare.champion import Incumbent, field
from tasks.compare.gate import GateSettings, admit, against_baseline, decide
from tasks.compare.recent import Recent, recent_figures
from tasks.compare.stage import COMPARISON, by_hand, unbeaten
from tasks.store.files import Json, write_json
from tasks.store.paths import Store
from tasks.train.jobs import Candidate

TONIGHT = date(2026, 3, 31)
RNG = np.random.default_rng(0)
CHAMPION = RNG.uniform(0.1, 0.5, 2000)
NOISE = RNG.normal(0, 0.02, 2000)
STANDING = Incumbent(name="als", published_as="als", export_id="2026-03-30", recommender="als", params={})


def summary(values: np.ndarray, slices: dict[str, tuple[str, int, float]] | None = None, **more: Any) -> Json:
    figures = {"ndcg": {"value": float(values.mean())}} | {
        name: {"value": value} for name, value in more.items() if name != "trained"
    }
    rows = [
        {"slice": name, "metric": metric, "users": users, "value": value}
        for name, (metric, users, value) in (slices or {}).items()
    ]
    return {"k": 10, "users": len(values), "metrics": figures, "slices": rows, "trained": more.get("trained")}


def decided(gains: dict[str, float], rules: GateSettings | None = None, recent: tuple[float, ...] = ()) -> Json:
    """The decision where each challenger is better by so much for everybody, give or take."""
    values = {"als": CHAMPION} | {name: CHAMPION + gain + NOISE - NOISE.mean() for name, gain in gains.items()}
    summaries = {name: summary(value) for name, value in values.items()}
    return decide(rules or GateSettings(), summaries, values, STANDING, {}, Recent(recent))


def guarded(rules: dict[str, Any], mine: Json, theirs: Json, churn: float | None = None) -> Json:
    """What becomes of a challenger that is clearly better, under one more rule."""
    values = {"als": CHAMPION, "ease": CHAMPION + 0.1}
    summaries = {"als": summary(CHAMPION, **theirs), "ease": summary(values["ease"], **mine)}
    changed = {} if churn is None else {"ease": churn}
    return decide(GateSettings.model_validate(rules), summaries, values, STANDING, changed)


def test_the_first_night_the_best_passes() -> None:
    values = {"als": CHAMPION, "ease": CHAMPION + 0.001}
    decision = decide(GateSettings(), {name: summary(one) for name, one in values.items()}, values, None, {})
    assert (decision["winner"], decision["verdict"]) == ("ease", "first")
    assert decision["reason"] == "the highest NDCG@10 of 2 models"


def test_a_clearly_better_challenger_is_promoted() -> None:
    decision = decided({"ease": 0.03, "item_knn": -0.01})
    assert (decision["winner"], decision["verdict"]) == ("ease", "promoted")
    assert decision["reason"].startswith("promoted: NDCG@10 +10.0% over the champion als, p = ")
    assert [one["model"] for one in decision["challengers"]] == ["ease", "item_knn"]
    assert decision["challengers"][0]["low"] < 0.03 < decision["challengers"][0]["high"]


def test_a_gain_below_the_gate_promotes_nobody_however_certain() -> None:
    decision = decided({"ease": 0.002})
    assert decision["challengers"][0]["p"] < 0.05
    assert (decision["winner"], decision["verdict"]) == ("als", "stays")
    assert "gains +0.67%, and 1.00% is asked for (gate.min_gain)" in decision["reason"]
    assert decided({"ease": 0.002}, GateSettings(min_gain=0.005))["winner"] == "ease"


def test_a_gain_that_may_be_chance_promotes_nobody() -> None:
    values = {"als": CHAMPION, "ease": np.roll(CHAMPION, 7) + 0.004}  # the same figures for other users
    decision = decide(GateSettings(), {name: summary(one) for name, one in values.items()}, values, STANDING, {})
    assert decision["winner"] == "als"
    assert "may be better by chance" in decision["challengers"][0]["reasons"][0]


def test_p_values_are_corrected_for_the_number_of_challengers() -> None:
    alone, many = decided({"a": 0.001}), decided(dict.fromkeys("abcdefgh", 0.001))
    assert alone["challengers"][0]["p"] == alone["challengers"][0]["p_permutation"]
    assert many["challengers"][0]["p"] == pytest.approx(min(1, 8 * many["challengers"][0]["p_permutation"]))


@pytest.mark.parametrize(
    ("rules", "mine", "theirs", "why"),
    [
        ({}, {"coverage": 0.1}, {"coverage": 0.3}, "loses 67% of the champion's coverage, and 50% is allowed"),
        (
            {"max_tail_loss": 0.1},
            {"slices": {"items:tail": ("recall", 900, 0.02)}},
            {"slices": {"items:tail": ("recall", 900, 0.04)}},
            "loses 50% of the champion's recall of tail items",
        ),
        ({"min_cold_share": 0.02}, {"cold_share": 0.01}, {"cold_share": 0.1}, "and 2.0% is the least"),
        ({"max_cold_share": 0.2}, {"cold_share": 0.5}, {"cold_share": 0.1}, "and 20.0% is the most"),
        (
            {},
            {"slices": {"country:FR": ("ndcg", 300, 0.2)}},
            {"slices": {"country:FR": ("ndcg", 300, 0.4)}},
            r"loses 50% of NDCG for 300 users \(country:FR\), and 20% is allowed",
        ),
        (
            {"max_training_minutes": 5},
            {"trained": {"fit_seconds": 600}},
            {},
            "trains for 10.0 minutes, and 5 are allowed",
        ),
    ],
)
def test_a_broken_guard_keeps_a_better_challenger_out(rules: Json, mine: Json, theirs: Json, why: str) -> None:
    decision = guarded(rules, mine, theirs)
    assert (decision["winner"], decision["verdict"]) == ("als", "stays")
    assert len(decision["challengers"][0]["reasons"]) == 1
    assert re.search(why, decision["challengers"][0]["reasons"][0])
    off = dict.fromkeys((*rules, "max_coverage_loss", "max_slice_loss"), None)
    assert guarded(off, mine, theirs)["winner"] == "ease"


def test_lists_that_change_too_much_keep_a_challenger_out() -> None:
    assert guarded({"max_churn": 0.5}, {}, {}, churn=0.7)["winner"] == "als"
    assert guarded({"max_churn": 0.5}, {}, {}, churn=0.4)["winner"] == "ease"
    assert guarded({}, {}, {}, churn=1.0)["winner"] == "ease"


def test_small_slices_are_not_guarded() -> None:
    few = {"slices": {"country:FR": ("ndcg", 30, 0.2)}}, {"slices": {"country:FR": ("ndcg", 30, 0.4)}}
    assert guarded({}, *few)["winner"] == "ease"


def test_the_next_best_is_promoted_where_the_best_breaks_a_guard() -> None:
    values = {"als": CHAMPION, "ease": CHAMPION + 0.1, "item_knn": CHAMPION + 0.05}
    summaries = {
        "als": summary(CHAMPION, coverage=0.4),
        "ease": summary(values["ease"], coverage=0.01),
        "item_knn": summary(values["item_knn"], coverage=0.4),
    }
    assert decide(GateSettings(), summaries, values, STANDING, {})["winner"] == "item_knn"


def test_a_champion_far_below_its_recent_nights_stops_the_night() -> None:
    usual = float(CHAMPION.mean())
    assert decided({"ease": 0.1}, recent=(usual, usual * 1.1))["refused"] is None
    assert decided({"ease": 0.1}, recent=(2 * usual,))["refused"] is None  # one night is no habit
    refused = decided({"ease": 0.1}, recent=(2 * usual, 2 * usual))
    assert "The champion als reaches NDCG" in refused["refused"]
    assert "50% of the median of its last 2 nights" in refused["refused"]
    with pytest.raises(GateRefused, match="The last export stays") as error:
        admit({"summary": {"gate": refused}})
    assert error.value.exit_code == 4
    assert decided({}, GateSettings(min_quality=None), recent=(9, 9))["refused"] is None
    assert by_hand(refused, GateSettings(), "ease")["refused"] is None
    assert by_hand(refused, GateSettings(champion="ease"), None)["refused"] == refused["refused"]


def test_a_champion_that_popularity_overtakes_stops_the_night() -> None:
    values = {"als": CHAMPION, "popularity_7d": CHAMPION * 1.1}
    summaries = {name: summary(value) for name, value in values.items()}

    def refused(lift: tuple[float, ...], **rules: Any) -> str | None:
        recent = Recent((float(CHAMPION.mean()),) * len(lift), lift)
        found = decide(GateSettings(**rules), summaries, values, STANDING, {}, recent, "popularity_7d")["refused"]
        assert found is None or isinstance(found, str)
        return found

    assert "reaches 0.91 times the NDCG of the popularity of the last 7 days, and 1.60" in str(refused((1.6, 1.6, 0.9)))
    assert refused((1.0, 1.2)) is None
    assert refused((1.6,)) is None
    assert refused((1.6, 1.6), min_lift=None) is None


def test_a_forced_and_a_pinned_champion_are_marked_as_such() -> None:
    decision = decided({"ease": 0.1})
    forced, pinned = by_hand(decision, GateSettings(), "als"), by_hand(decision, GateSettings(champion="als"), None)
    assert (forced["winner"], forced["verdict"]) == ("als", "forced")
    assert forced["reason"].startswith("chosen by hand; by the gate it would be ease: promoted")
    assert (pinned["winner"], pinned["verdict"]) == ("als", "pinned")
    assert pinned["reason"].startswith("pinned in the configuration; ")


def test_a_champion_that_failed_tonight_is_said_to() -> None:
    values = {"ease": CHAMPION}
    decision = decide(GateSettings(), {"ease": summary(CHAMPION)}, values, STANDING, {})
    assert (decision["winner"], decision["verdict"]) == ("ease", "champion failed")
    assert "the champion als could not be measured tonight" in decision["reason"]


def test_it_is_said_when_nothing_beats_the_popularity_of_the_week() -> None:
    values = {"popularity_7d": CHAMPION, "ease": CHAMPION - 0.01 + NOISE}
    baseline = against_baseline("popularity_7d", values, GateSettings())
    assert baseline is not None
    assert baseline["beaten_by"] == []
    assert unbeaten({"baseline": baseline}).startswith("No model beats the popularity of the last 7 days")
    better = against_baseline("popularity_7d", values | {"ease": CHAMPION + 0.01 + NOISE}, GateSettings())
    assert better is not None
    assert (better["beaten_by"], unbeaten({"baseline": better})) == (["ease"], "")
    assert against_baseline("popularity_7d", {"ease": CHAMPION}, GateSettings()) is None


def exported(store: Store, day: str, champion: str, recommender: str, params: Json) -> None:
    manifest = {"export_id": day, "run_date": day, "champion": champion}
    manifest["recipe"] = {"recommender": recommender, "params": params}  # type: ignore[assignment]
    write_json(store.export_manifest(day), manifest)


def test_a_champion_that_left_the_configuration_is_trained_from_its_recipe(tmp_path: Path) -> None:
    store = Store(tmp_path)
    exported(store, "2026-03-30", "mine", "ease", {"regularization": 9.0})
    exported(store, "2026-03-31", "als", "als", {})  # tonight's own: not what readers had before
    candidates, incumbent, baseline = field({"als": Candidate()}, store, TONIGHT)
    assert incumbent is not None
    assert (incumbent.name, incumbent.export_id) == ("mine", "2026-03-30")
    assert candidates["mine"] == Candidate(recommender="ease", parameters={"regularization": 9.0})
    assert (list(candidates), baseline) == (["als", "mine", "popularity_7d"], "popularity_7d")


def test_a_champion_whose_parameters_changed_competes_beside_its_successor(tmp_path: Path) -> None:
    exported(Store(tmp_path), "2026-03-30", "ease", "ease", {"regularization": 9.0})
    candidates, incumbent, _ = field({"ease": Candidate()}, Store(tmp_path), TONIGHT)
    assert incumbent is not None
    assert incumbent.name == "ease_standing"
    assert candidates["ease_standing"].parameters == {"regularization": 9.0}
    same = {"renamed": Candidate(recommender="ease", parameters={"regularization": 9.0})}
    _, incumbent, _ = field(same, Store(tmp_path), TONIGHT)
    assert incumbent is not None
    assert incumbent.name == "renamed"


def test_the_popularity_of_the_week_always_competes_once(tmp_path: Path) -> None:
    candidates, incumbent, name = field({"als": Candidate()}, Store(tmp_path), TONIGHT)
    assert (incumbent, name) == (None, "popularity_7d")
    assert candidates[name].parameters == {"days": 7}
    mine = {"week": Candidate(recommender="popularity", parameters={"days": 7})}
    assert field(mine, Store(tmp_path), TONIGHT)[::2] == (mine, "week")


def test_recent_figures_come_from_the_history_before_tonight_without_refused_nights(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for day, value in (("2026-03-27", 0.1), ("2026-03-28", 0.3), ("2026-03-29", 0.4), ("2026-03-31", 0.9)):
        night = store.night(date.fromisoformat(day))
        row = {"run_date": night.run_date, "metric": "ndcg", "k": 10, "users": 5}
        figures = (("als", "all", value), ("als", "history:none", 0.1), ("week", "all", 0.2))
        rows = [row | {"model": model, "slice": name, "value": figure} for model, name, figure in figures]
        path = store.history(night.run_date)
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=COMPARISON), path)
        refused = "poisoned" if day == "2026-03-27" else None
        write_json(night.evaluation / "decision.json", {"refused": refused})
    found = recent_figures(store, TONIGHT, STANDING, 10, 7, "week")
    assert (found.quality, found.lift) == ((0.4, 0.3), pytest.approx((2.0, 1.5)))
    assert recent_figures(store, TONIGHT, STANDING, 10, 1, "week").quality == (0.4,)
    assert recent_figures(store, TONIGHT, STANDING, 20, 7, "week") == Recent()
    assert recent_figures(store, TONIGHT, None, 10, 7, "week") == Recent()

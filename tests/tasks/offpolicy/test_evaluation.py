"""Values of policies by a log of drawn places, against sums over its rows and against what is known of the site."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from recmodels.offpolicy.log import Log
from recmodels.offpolicy.trust import Trust
from tasks.offpolicy.evaluation import Champion, evaluate
from tasks.offpolicy.reading import drawn_of
from tasks.offpolicy.values import OffPolicySummary, PolicyValue, offpolicy_rows, sentence, table, value_of
from tasks.store.duckdb import connect
from tasks.store.feedback import SHOWN
from tasks.store.files import read_json, write_json
from tasks.store.paths import Night
from tests.tasks.drawing import BAD, CHANCES, GOOD, MODELS, SLOT, USUAL, drawn_site
from tests.tasks.site import CUTOFF, END, RUN_DATE

DAY = 86_400_000_000  # µs
EASE = Champion("ease", "ease")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return drawn_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def found(site: Night) -> OffPolicySummary:
    return judged(site, ["ease", *MODELS, "newcomer"])


def judged(
    night: Night, models: list[str] | None = None, champion: Champion | None = EASE, policy: Path | None = None
) -> OffPolicySummary:
    summary = evaluate(night, CUTOFF, 28, models, champion, night.store.root, policy)
    assert summary is not None
    return summary


def named(found: OffPolicySummary, name: str) -> PolicyValue:
    return next(one for one in found.values if one.name == name)


def log(night: Night) -> dict[str, np.ndarray]:
    """The drawn places that were seen, once for each list: the first row of a place is the one that may be rewarded."""
    days = [RUN_DATE - timedelta(days=1), RUN_DATE]
    rows = pa.concat_tables([pq.read_table(night.store.feedback(day) / SHOWN) for day in days])
    once = rows.filter(np.asarray(rows["rank"]) == SLOT).to_pandas().drop_duplicates(["user_id", "export_id"])
    return {name: once[name].to_numpy() for name in ("item_id", "reward", "propensity")}


@pytest.mark.parametrize(("model", "item"), [("ease", USUAL), ("good", GOOD), ("bad", BAD), ("same", USUAL)])
def test_a_candidate_chooses_what_it_proposed_and_the_champion_what_is_usual(
    site: Night, found: OffPolicySummary, model: str, item: str
) -> None:
    rows = log(site)
    weights = (rows["item_id"] == item) / rows["propensity"]
    one = named(found, model)
    assert (one.role, one.events, one.support) == ("candidate", len(weights), 1.0)
    assert one.estimates["ips"].value == pytest.approx((weights * rows["reward"]).mean(), rel=1e-6)
    assert one.estimates["snips"].value == pytest.approx((weights * rows["reward"]).sum() / weights.sum(), rel=1e-6)
    assert one.effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert one.value.low < CHANCES[item] < one.value.high
    assert one.trust is (Trust.DOUBT if model == "bad" else Trust.TRUST)  # of which hardly a click is known


def test_other_policies_are_what_was_done_what_is_usual_and_any_of_the_models(
    site: Night, found: OffPolicySummary
) -> None:
    rows = log(site)
    assert named(found, "logged").estimates["ips"].value == pytest.approx(rows["reward"].mean())
    assert named(found, "logged").effective == pytest.approx(800)
    assert named(found, "usual").estimates == named(found, "ease").estimates
    weights = 1 / 3 / rows["propensity"]
    assert named(found, "uniform").estimates["ips"].value == pytest.approx((weights * rows["reward"]).mean(), rel=1e-6)


def test_a_gain_is_over_the_champion_on_the_same_lists(found: OffPolicySummary) -> None:
    good, ease = named(found, "good"), named(found, "ease")
    assert ease.gain is None and good.gain is not None
    assert good.gain.value == pytest.approx(good.value.value / ease.value.value - 1)
    assert 0 < good.gain.low < CHANCES[GOOD] / CHANCES[USUAL] - 1 < good.gain.high
    same = named(found, "same").gain
    assert same is not None and (same.low, same.value, same.high) == pytest.approx((0, 0, 0))


def test_who_has_no_value_is_named_and_what_is_said_is_of_the_log(found: OffPolicySummary) -> None:
    assert found.notes == ["No value for newcomer: the log has nothing that they proposed."]
    assert (found.reward, found.assumed, found.events, found.users, found.share) == ("clicked", False, 800, 400, 1.0)
    assert "by 800 lists of 400 users with a drawn place, seen from 2026-03-29 to 2026-03-30" in found.about
    said = sentence(named(found, "good"), found.reward, found.champion)
    assert said.startswith("good: 0.5") and "over ease. To be trusted: the log is worth 121 lists of it." in said
    assert [row[0] for row in table(found)][:2] == ["good", "ease"]
    trust = next(row for row in offpolicy_rows(found, "good") if row["metric"] == "trust")
    assert trust == {"slice": "off-policy", "users": 400, "metric": "trust", "value": 0}


def test_a_candidate_that_has_the_champions_name_and_not_its_recipe_has_no_value(site: Night) -> None:
    found = judged(site, ["good", "good_standing"], Champion("good_standing", "good"))
    assert found.of_model("good") is None
    standing = found.of_model("good_standing")
    assert standing is not None and standing.value.value > 0.4


def test_a_log_that_is_hardly_of_a_policy_is_refused(site: Night, tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"user_id": [7, 7, 10, 13], "item_id": ["g", "elsewhere", "g", "g"]}), path)
    one = named(judged(site, [], EASE, path), "mine")
    assert (one.role, one.events, one.trust) == ("policy", 6, Trust.REFUSE)
    assert one.support == pytest.approx((0.5 + 1 + 1) / 3)
    assert "refused, as the log is worth" in sentence(one, "clicked", "ease")


def test_a_policy_of_ones_own_is_judged_by_its_probabilities(site: Night, tmp_path: Path) -> None:
    users = pq.read_table(site.prepared / "users.parquet")["user_id"].to_numpy()
    path = tmp_path / "mixed.parquet"
    chances = {"user_id": np.tile(users, 2), "item_id": [GOOD] * 400 + [USUAL] * 400, "probability": [0.25, 0.75] * 400}
    chances["probability"] = np.repeat([0.25, 0.75], 400)
    pq.write_table(pa.table(chances), path)
    rows = log(site)
    weights = np.select([rows["item_id"] == GOOD, rows["item_id"] == USUAL], [0.25, 0.75]) / rows["propensity"]
    one = named(judged(site, [], EASE, path), "mixed")
    assert one.estimates["ips"].value == pytest.approx((weights * rows["reward"]).mean(), rel=1e-6)
    assert one.trust is Trust.TRUST and one.gain is not None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": [7]}, "has no column item_id"),
        ({"user_id": [7], "item_id": ["g"], "probability": [1.5]}, "1 of 1 rows have no probability between 0 and 1"),
        ({"user_id": [7, 7], "item_id": ["g", "u"], "probability": [0.8, 0.8]}, "add up to 1.6"),
        ({"user_id": ["x"], "item_id": ["g"]}, "none of the users"),
        (None, "There is no file"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(site: Night, tmp_path: Path, columns: dict | None, message: str) -> None:
    path = tmp_path / "mine.parquet"
    if columns is not None:
        pq.write_table(pa.table(columns), path)
    with pytest.raises(ConfigError, match=message):
        judged(site, [], EASE, path)


def test_assumed_exposures_are_said_to_be_so_and_never_trusted(tmp_path: Path) -> None:
    found = judged(drawn_site(tmp_path, assumed=True), ["good"])
    assert found.assumed and "assumed" in found.message and "assumed" in found.about
    assert {one.trust for one in found.values} == {Trust.DOUBT}
    assert named(found, "good").reasons == ["exposures are assumed, not logged"]


@pytest.mark.slow
def test_a_log_of_one_user_is_refused_also_where_its_values_are_kept_as_json(tmp_path: Path) -> None:
    """Of a sum, whose interval has no ends then."""
    night = drawn_site(tmp_path, users=1)
    for path in (tmp_path / "feedback").glob(f"*/{SHOWN}"):
        pq.write_table(pq.read_table(path).replace_schema_metadata({"reward": "outcome"}), path)
    found = OffPolicySummary.of(json.loads(json.dumps(judged(night, ["good", "bad"]).json_ready())))
    assert all("all of the log is of one user" in sentence for sentence in found.sentences)
    assert all(one.gain is None for one in found.values)


def test_only_what_fits_to_what_was_drawn_counts(tmp_path: Path) -> None:
    """Another arm, a reward that is not known, what another night rewards otherwise, and a propensity that is wrong."""
    night = drawn_site(tmp_path, users=40)
    path = night.store.feedback(RUN_DATE) / SHOWN
    rows = pq.read_table(path)
    place = rows.column_names.index
    arm = pa.array(["test" if user == 7 else "main" for user in rows["user_id"].to_pylist()])
    reward = pa.array([None if user == 10 else 1.0 for user in rows["user_id"].to_pylist()], pa.float32())
    wrong = pa.array(np.where(np.asarray(rows["user_id"]) == 13, 0.9, np.asarray(rows["propensity"])), pa.float32())
    changed = rows.set_column(place("arm"), "arm", arm).set_column(place("reward"), "reward", reward)
    pq.write_table(changed.set_column(place("propensity"), "propensity", wrong), path)
    found = judged(night, ["good"])
    assert (found.events, found.left_out) == (80 - 3, 1)
    assert found.notes == ["1 list of the log do not fit to what was drawn, and are left out."]
    pq.write_table(changed.replace_schema_metadata({"reward": "outcome"}), path)
    assert judged(night, ["good"]).events == 40 - 2


@pytest.mark.parametrize("newest", ["empty", "assumed"])
def test_a_night_without_exposures_of_its_own_changes_no_reward(tmp_path: Path, newest: str) -> None:
    """Without a click in sight its rewards are interactions; those of the site are clicks all the same."""
    night = drawn_site(tmp_path, users=40)
    path = night.store.feedback(RUN_DATE) / SHOWN
    rows = pq.read_table(path).replace_schema_metadata({"reward": "interaction"})
    assumed = rows.set_column(rows.column_names.index("assumed"), "assumed", pa.array([True] * len(rows)))
    pq.write_table(rows.slice(0, 0) if newest == "empty" else assumed, path)
    found = judged(night, ["good"])
    assert (found.reward, found.assumed, found.events) == ("clicked", False, 40)
    assert ("1 night with other rewards than clicked" in "".join(found.notes)) == (newest == "assumed")


def test_lists_that_were_refiltered_are_those_of_their_night(tmp_path: Path) -> None:
    night = drawn_site(tmp_path, users=40)
    day = str(RUN_DATE - timedelta(days=1))
    again = f"{day}.2"
    about = read_json(night.store.export_manifest(day)) or {}
    write_json(night.store.export_manifest(again), about | {"export_id": again, "refilter": {"of": day}})
    path = night.store.feedback(RUN_DATE) / SHOWN
    rows = pq.read_table(path)
    renamed = rows.set_column(rows.column_names.index("export_id"), "export_id", pa.array([again] * len(rows)))
    pq.write_table(renamed, path)
    assert judged(night, ["good"]).events == 80
    removed = night.store.export_manifest(day).parent / "removed"  # as the exports of some nights ago are
    removed.mkdir()
    for name in (day, again):
        night.store.export_manifest(name).rename(removed / f"{name}.json")
    assert judged(night, ["good"]).events == 80


def test_no_feature_knows_what_came_after_its_night(tmp_path: Path) -> None:
    """Whatever happens from the cutoff of the list's night on, the features are the same."""
    night = drawn_site(tmp_path, users=20)
    path = night.valid / "interactions.parquet"
    log, cutoffs = pq.read_table(path), [END - 2 * DAY, END - DAY]

    def features() -> tuple[np.ndarray, np.ndarray]:
        with connect(tmp_path) as db:
            drawn = drawn_of(db, night, CUTOFF, 28)
        assert drawn is not None
        return drawn.features, drawn.exports[drawn.events]

    before, exports = features()
    assert before.shape == (20 * 2 * 3, 5) and (before[:, :4].max(axis=0) > 0).all()
    for export, cutoff in enumerate(cutoffs):
        users = np.tile(np.arange(20) * 3 + 7, 5)
        late = {"user_id": users, "item_id": [GOOD] * 100, "timestamp": pa.array([cutoff] * 100, log["timestamp"].type)}
        pq.write_table(pa.concat_tables([log, pa.table(late)]), path)
        after, _ = features()
        assert (after[exports == export] == before[exports == export]).all()
        assert export == 1 or not (after[exports == 1] == before[exports == 1]).all()


def test_a_large_log_is_judged_by_a_sample_of_its_users(site: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.offpolicy.reading.MOST", 400)
    found = judged(site, ["good"])
    assert found.share == pytest.approx(0.4) and "a sample of 40% of the users" in found.about  # places seen twice, too
    assert 2 * 120 < found.events < 2 * 200


def test_without_what_was_drawn_or_seen_there_are_no_values(tmp_path: Path) -> None:
    night = drawn_site(tmp_path, users=20)
    later = night.store.night(RUN_DATE + timedelta(days=60))
    assert evaluate(later, CUTOFF + timedelta(days=60), 28, None, EASE, tmp_path) is None


def test_all_models_that_the_log_knows_are_judged_without_a_choice(site: Night) -> None:
    assert [one.name for one in judged(site).values if one.role == "candidate"] == ["ease", *sorted(MODELS)]


@pytest.mark.parametrize(("reward", "least"), [("clicked", 0.0), ("outcome", None)])
def test_a_share_is_never_below_nothing_and_a_sum_may_be(reward: str, least: float | None) -> None:
    log = Log.of([0, 0, 1], [0.2, 0.2, 0.5], [0.9, 0, 0.1], predicted_shown=[0.9, 0.5, 0.5], predicted_policy=[0.5] * 3)
    found = value_of("mine", "policy", log, reward, assumed=False)
    assert found.value.value == (least if least is not None else pytest.approx(0.5 + (-0.9 * 4.5 + 0.5 * 0.2) / 3))
    assert found.value.low == 0 if reward == "clicked" else found.value.low < 0

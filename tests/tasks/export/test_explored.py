"""An export that explores keeps every rule of the lists, and says exactly how probable each row was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy import stats

from recmodels.base import Recommender
from recmodels.content import Content
from recmodels.data.dataset import Dataset
from recmodels.exploration.bootstrap import left_out, replicate_of, seed_of
from recmodels.factors.mf import MF
from recmodels.fallback import Lists, serve
from recmodels.persistence import save
from recmodels.popularity import Popularity
from recmodels.published.reader import Export
from recmodels.ranking.rerank import Rules
from tasks.arms.tonight import ArmsTonight, ArmTonight
from tasks.exploration.drawing import Exploration
from tasks.exploration.proposals import ProposalFile, about
from tasks.exploration.proposers import Ranked, rank, replicates
from tasks.exploration.settings import ExplorationSettings
from tasks.exploration.summary import ExplorationSummary
from tasks.export.audit import profile_of
from tasks.export.explored import draw
from tasks.export.origins import Origins
from tasks.export.writer import Writer
from tasks.store.feedback import PROPOSALS
from tasks.store.files import Json, replacing
from tasks.store.manifests import describe, write_manifest
from tasks.store.paths import Night
from tests.tasks.exported import with_manifest
from tests.tasks.publishing import K as PLACES
from tests.tasks.publishing import lists, prepare_night, publish
from tests.tasks.site import RUN_DATE

N_USERS, N_ITEMS, K = 12, 14, 4
USERS = pa.array([f"u{n:02}" for n in range(N_USERS)])
ITEMS = pa.array([f"i{n:02}" for n in range(N_ITEMS)])


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ids that the audit looks up."""
    folder = tmp_path_factory.mktemp("features")
    (folder / "prepared").mkdir()
    pq.write_table(pa.table({"user_id": USERS}), folder / "prepared" / "users.parquet")
    available = pa.array([True] * N_ITEMS)
    pq.write_table(pa.table({"item_id": ITEMS, "available": available}), folder / "prepared" / "items.parquet")
    return folder


@pytest.fixture(scope="module")
def data() -> Dataset:
    random = np.random.default_rng(5)
    user, item = np.nonzero(random.random((N_USERS - 1, N_ITEMS)) < 0.25)  # the last user has seen nothing
    return Dataset.from_arrays(user, item, n_users=N_USERS, n_items=N_ITEMS)


@st.composite
def rules_of_a_site(draw_: Any) -> Rules:
    flags = st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS)
    allowed = np.array(draw_(flags)) | (np.arange(N_ITEMS) < 6)
    of_items = [draw_(st.sets(st.integers(0, 2), max_size=2)) for _ in range(N_ITEMS)]
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in of_items])])
    indices = np.array([category for one in of_items for category in sorted(one)], np.int32)
    capped = draw_(st.booleans())
    lengths = draw_(st.none() | st.lists(st.integers(0, K), min_size=N_USERS, max_size=N_USERS))
    pinned = draw_(st.lists(st.integers(0, 5), max_size=2, unique=True))
    return Rules(
        allowed=allowed,
        pool=draw_(st.integers(1, N_ITEMS)),
        new_share=draw_(st.sampled_from([0, 0.3, 0.8])),
        new=np.array(draw_(flags)),
        pinned=pinned,
        pinned_rank=draw_(st.integers(1, K)),
        categories=(indptr, indices) if capped else None,
        caps=np.array(draw_(st.lists(st.integers(0, 3), min_size=3, max_size=3)), np.int32),
        lengths=None if lengths is None else np.array(lengths, np.int32),
    )


@contextmanager
def exploration(
    folder: Path, ranked: list[Any], *, user_ids: pa.Array = USERS, **settings: Any
) -> Iterator[Exploration]:
    """That of a night whose proposers have ranked items in these arrays."""
    files = [Ranked(f"model{n}", f"model{n}", folder / f"{n}.npy") for n in range(len(ranked))]
    for one, items in zip(files, ranked, strict=True):
        np.save(one.path, items.astype(np.int32))
    chosen = np.arange(len(user_ids), dtype=np.int32)
    names = [one.model for one in files]
    with ProposalFile(folder / "proposals.parquet", user_ids, ITEMS, names, "2026-03-31", 0.5) as file:
        yield Exploration(ExplorationSettings(**settings), 0, RUN_DATE, user_ids, files, chosen, file)


@examples(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rules_of_a_site(), st.booleans(), st.none() | st.integers(1, K + 1), st.integers(0, 99))
@pytest.mark.slow
def test_no_rule_of_a_site_is_broken(
    tmp_path: Path, features: Path, data: Dataset, rules: Rules, repeats: bool, slot: int | None, seed: int
) -> None:
    """All lists are drawn, from models that rank items in any order, and the audit passes."""
    model = Popularity().fit(data)
    users = np.arange(N_USERS, dtype=np.int32)
    served = serve(model, model, data, users, K, repeats=repeats, rules=rules)
    random = np.random.default_rng(seed)
    scores = random.random((2, N_USERS, N_ITEMS)) - 9 * ~rules.allowed
    if not repeats:
        scores -= 9 * (data.seen.toarray() > 0)
    ranked = np.where(-np.sort(-scores) > 0, np.argsort(-scores), -1)
    with exploration(tmp_path, [*ranked], epsilon=1, slot=slot) as drawing:
        new, origins = draw(drawing, served, Origins.of_one("popularity", N_USERS, K), rules)
    with replacing(tmp_path / "topk") as out, Writer(RUN_DATE, "popularity", USERS, ITEMS, out / "topk") as writer:
        writer.write(new, origins)
    found = profile_of(tmp_path / "topk", features, data, K, repeats=repeats, rules=rules)
    assert (found["rows"], found["users_listed"]) == (found["rows_expected"], found["users_expected"])
    counts = {"rows", "users_listed", "rows_expected", "users_expected", "cold_users", "k"}
    assert {name: count for name, count in found.items() if count and name not in counts} == {}
    before, after = (((rules.new[one] & (one >= 0)).sum(axis=1)) for one in (served.items, new.items))  # type: ignore[index]
    assert (after >= np.minimum(before, rules.new_wanted(rules.wanted(users, K)))).all()
    assert (new.items[served.pinned] == served.items[served.pinned]).all()


def with_candidates(night: Night) -> None:
    """Two more models of the comparison, as their stages leave them."""
    data = Dataset.load(night.features, "train")
    for name, model in (("popularity", Popularity()), ("content", Content())):
        stored(night.model(name), model.fit(data), name)


def stored(folder: Path, model: Recommender, output: str) -> None:
    save(model, folder)
    files = [describe(path, folder) for path in sorted(folder.iterdir())]
    made: Any = {"inputs": {}, "parameters": {}, "code": "", "fingerprint": "", "output": output, "summary": {}}
    write_manifest(folder, made | {"files": files})


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = prepare_night(tmp_path)
    with_candidates(night)
    return night


OTHERS = ("popularity", "content")


def explore(night: Night, **settings: Any) -> Json:
    return publish(night, exploration=ExplorationSettings(**{"epsilon": 1, **settings}), others=OTHERS, fresh=True)


def proposed(night: Night) -> dict[Any, dict[str, Any]]:
    """What was proposed to each user, and the place of it."""
    found: dict[Any, dict[str, Any]] = {}
    for row in pq.read_table(night.store.feedback(night.run_date) / PROPOSALS).to_pylist():
        found.setdefault(row["user_id"], {"usual": row["usual"], "slot": row["slot"]})[row["model"]] = row["item_id"]
    return found


def test_what_is_drawn_is_in_the_lists_with_its_probability_and_what_was_proposed_is_kept(night: Night) -> None:
    publish(night)
    before = lists(night)
    manifest = explore(night)
    proposals, after = proposed(night), lists(night)
    assert about(night.store.feedback(night.run_date) / PROPOSALS) == {"export_id": "2026-03-31.2", "epsilon": 1.0}
    drawn = 0
    for user, old in before.items():
        rows, one = after[user], proposals.get(user)
        if one is None:  # the list is as long as there are items, or nobody knows another one
            assert rows == old
            continue
        assert one["slot"] == PLACES and one["usual"] == old[-1]["item_id"]
        assert rows[:-1] == old[:-1]
        those = [one[model] for model in OTHERS if model in one]
        assert rows[-1]["item_id"] in those
        assert rows[-1]["propensity"] == pytest.approx(those.count(rows[-1]["item_id"]) / len(those))
        assert rows[-1]["score"] == old[-1]["score"]
        if rows[-1]["item_id"] != one["usual"]:
            assert (rows[-1]["policy"], rows[-1]["reason_item_id"], rows[-1]["source"]) == ("explore", None, "personal")
            drawn += 1
    said = manifest["exploration"]
    assert drawn and said["counts"]["drawn"] == drawn and said["counts"]["users"] == len(proposals)
    assert said["proposers"] == list(OTHERS) and (said["epsilon"], said["seed"]) == (1, 0)
    sentence = ExplorationSummary.of(said).sentence
    assert sentence.startswith(f"Exploration: {drawn} of {len(proposals)} lists that may be drawn show another model's")
    content = np.mean([one.get("content", one["usual"]) != one["usual"] for one in proposals.values()])
    assert f"is proposed by popularity for 0%, content for {content:.0%}." in sentence


@pytest.mark.slow
def test_a_night_that_is_run_again_draws_the_same_and_another_night_other_users(night: Night) -> None:
    explore(night, epsilon=0.5)
    first, proposals = lists(night), proposed(night)
    explore(night, epsilon=0.5)
    assert lists(night) == first and proposed(night) == proposals
    done = publish(night, exploration=ExplorationSettings(epsilon=0.5), others=OTHERS)
    assert done["skipped"]


def test_a_night_without_exploration_writes_nothing_of_it(night: Night) -> None:
    for manifest in (publish(night), publish(night, exploration=ExplorationSettings(epsilon=1), fresh=True)):
        assert "exploration" not in manifest and not night.store.feedbacks()
    assert {row["propensity"] for rows in lists(night).values() for row in rows} == {1}


def test_proposals_have_the_sites_own_ids_where_exports_hash_them(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "a key of sixteen bytes")
    publish(night, exploration=ExplorationSettings(epsilon=1), others=OTHERS, hash_key_env="KEY")
    assert set(proposed(night)) <= {0, 1, 2, 3, 4, 7} and all(isinstance(user, str) for user in lists(night))


def test_a_model_that_cannot_be_asked_proposes_nothing_and_the_night_goes_on(
    night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    (night.model("popularity") / "model.json").unlink()
    assert explore(night)["exploration"]["proposers"] == ["content"]
    assert "popularity proposes nothing tonight" in caplog.text
    assert not list(night.folder.glob(".tmp-*"))


@pytest.mark.slow
def test_only_a_share_of_the_users_may_be_drawn(night: Night) -> None:
    explore(night)
    everybody = proposed(night)
    explore(night, users=0.5)
    some = proposed(night)
    assert 0 < len(some) < len(everybody) and all(everybody[user] == one for user, one in some.items())


def test_users_of_an_arm_without_exploration_keep_their_lists(night: Night) -> None:
    arms = ArmsTonight(salt="1", groups={"plain": ArmTonight(share=0.5, policy="no_exploration", model=None)})
    publish(night, arms=arms, exploration=ExplorationSettings(epsilon=1), others=OTHERS, fresh=True)
    rows = Export.latest(night.store.root).table("topk").to_pylist()
    assert {row["arm"] for row in rows} == {"plain", "main"}
    assert all(row["propensity"] == 1 and row["policy"] != "explore" for row in rows if row["arm"] == "plain")
    assert any(row["propensity"] < 1 for row in rows if row["arm"] == "main")


def test_shares_of_redraws_are_the_propensities(tmp_path: Path) -> None:
    """40,000 users have the same list and the same proposals: by the ids alone, each is drawn what the rows say."""
    n, items = 40_000, np.array([0, 1, 2])
    users = np.arange(n, dtype=np.int32)
    scores, no = np.ones((n, 3), np.float32), np.zeros((n, 3), np.bool_)
    served = Lists(users, np.tile(items, (n, 1)).astype(np.int32), scores, no, np.zeros((n, 3), np.int32), no)
    ranked = [np.tile(one, (n, 1)) for one in ([0, 7, 8], [1, 7, 2], [2, 9, 8], [9, 8, 7])]
    with exploration(tmp_path, ranked, user_ids=pa.array(range(n)), epsilon=0.3) as drawing:
        new, origins = draw(drawing, served, Origins.of_one("ease", n, 3), None)
    expected = {7: 0.15, 2: 0.075 + 0.7, 9: 0.075}
    shown = new.items[:, 2]
    counts = [np.count_nonzero(shown == item) for item in expected]
    assert stats.chisquare(counts, [share * n for share in expected.values()]).pvalue > 0.003
    for item, share in expected.items():
        assert origins.propensity[shown == item, 2] == pytest.approx(share)
        assert abs((shown == item).mean() - share) < 3 * np.sqrt(share * (1 - share) / n)
    assert (np.array(origins.policies)[origins.policy[shown != 2, 2]] == "explore").all()


def with_replicates(night: Night, *models: Recommender) -> None:
    """The winner's recipe on halves of the users, as their stages leave it."""
    data = Dataset.load(night.features, "full")
    for number, model in enumerate(models, 1):
        half = replicate_of(data, seed_of(0, str(night.run_date), number))
        stored(night.replicate(number), model.fit(half), f"replicate {number}")


@pytest.mark.slow
def test_replicates_of_the_winner_propose(night: Night) -> None:
    with_replicates(night, Popularity(), Popularity(), Popularity())
    thompson = ExplorationSettings(epsilon=1, way="thompson", replicates=3)
    manifest = publish(night, exploration=thompson, others=OTHERS, replicates=[1, 3])
    said, names = manifest["exploration"], ["item_knn: replicate 1", "item_knn: replicate 3"]
    assert said["proposers"] == names and said["way"] == "thompson"
    assert manifest["inputs"]["proposers"] == dict(zip(names, ["replicate 1", "replicate 3"], strict=True))
    proposals, after = proposed(night), lists(night)
    assert proposals and set().union(*proposals.values()) == {"usual", "slot", *names}
    for user, one in proposals.items():
        those = [one[name] for name in names if name in one]
        assert after[user][-1]["propensity"] == pytest.approx(those.count(after[user][-1]["item_id"]) / len(those))
    sentence = ExplorationSummary.of(said).sentence
    assert "what the model would rank highest by a little other data" in sentence and "by 2 replicates for" in sentence
    assert publish(night, exploration=thompson, others=OTHERS, replicates=[1, 3])["skipped"]
    assert "exploration" not in publish(night, exploration=thompson, others=OTHERS)


def test_a_replicate_has_nothing_to_propose_to_users_that_it_has_not_learned(night: Night, tmp_path: Path) -> None:
    """A model that knows users by what it learned of them in training was fitted on other users than these."""
    with_replicates(night, Popularity(), MF(factors=2, epochs=1))
    data = Dataset.load(night.features, "full")
    users, allowed = np.arange(data.n_users, dtype=np.int32), [np.ones(data.n_items, np.bool_)]
    both, _ = rank(night, data, replicates(night, "mf", [1, 2], 0), users, 2, tmp_path, allowed, repeats=True)
    proposes = [one.rows(users)[:, 0] >= 0 for one in both]
    assert proposes[0].all()
    missing = left_out(data.n_users, seed_of(0, str(night.run_date), 2))
    assert 0 < len(missing) < data.n_users and np.flatnonzero(~proposes[1]).tolist() == missing.tolist()


def test_replicates_are_alike_to_a_bandit() -> None:
    with pytest.raises(ValueError, match="way = thompson goes without choose = linucb"):
        ExplorationSettings(epsilon=1, way="thompson", choose="linucb")


def test_models_may_propose_seldom_items_alone_and_some_more_often_than_others(night: Night) -> None:
    """Item i7 was in no list yesterday; without a log of what came of it, all models are alike."""
    before = night.store.export("2026-03-30") / "listed"
    before.mkdir(parents=True)
    pq.write_table(pa.table({"item_id": [f"i{n}" for n in range(7)], "lists": [3] * 7}), before / "part-00000.parquet")
    with_manifest(night.store, "2026-03-30")
    manifest = explore(night, way="new_items", enough_exposures=3, choose="thompson")
    said = manifest["exploration"]
    assert said["proposers"] == ["popularity: new items", "content: new items"]
    assert said["shares"]["all"]["content: new items"] == pytest.approx(0.5, abs=0.05)
    path = night.store.feedback(night.run_date) / PROPOSALS
    rows = pq.read_table(path).to_pylist()
    assert rows and {row["item_id"] for row in rows} == {"i7"}
    assert {row["propensity"] for rows in lists(night).values() for row in rows if row["item_id"] == "i7"} == {1}

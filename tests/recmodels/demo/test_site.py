"""The demo site: the same for the same seed, shaped like a real site, with a signal that models can find."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recmodels.demo import write_site
from recmodels.errors import ConfigError

END = date(2025, 6, 1)
SMALL: dict[str, Any] = {"users": 2_500, "items": 2_000, "interactions": 60_000, "end": END}


def tables(folder: Path) -> dict[str, pa.Table]:
    return {name: pq.read_table(folder / f"{name}.parquet") for name in ("interactions", "items", "users")}


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    folder = tmp_path_factory.mktemp("clean")
    write_site(folder, **SMALL, dirty="none")
    return tables(folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("site")
    summary = write_site(folder, **SMALL)
    return tables(folder), summary


def test_the_same_arguments_give_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in [("one", 3), ("two", 3), ("three", 4)]:
        write_site(tmp_path / name, users=300, items=120, interactions=4_000, end=END, seed=seed)
    for table in ("interactions", "items", "users"):
        one, two, three = ((tmp_path / n / f"{table}.parquet").read_bytes() for n in ("one", "two", "three"))
        assert one == two
        assert one != three


@pytest.mark.slow
def test_the_interactions_in_several_files_are_those_of_one_in_order(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"users": 300, "items": 120, "interactions": 8_000, "end": END}
    write_site(tmp_path / "one", **sizes)
    write_site(tmp_path / "more", **sizes)
    write_site(tmp_path / "more", **sizes, files=9)
    summary = write_site(tmp_path / "more", **sizes, files=7)
    files = sorted((tmp_path / "more").glob("interactions*"))
    assert [file.stem for file in files] == [f"interactions-00{i}" for i in range(1, 8)]  # no other ones stay
    parts = [pq.read_table(file) for file in files]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert pa.concat_tables(parts).equals(pq.read_table(tmp_path / "one" / "interactions.parquet"))
    assert summary["files"]["interactions"] == "interactions-*.parquet"
    assert summary["rows"]["interactions"] == 8_000 + 6 * 4


@pytest.mark.parametrize(
    ("more", "says"), [({"files": 9}, "8 interactions"), ({"files": 2, "dirty": "heavy"}, "heavy")]
)
def test_more_files_than_there_can_be_are_refused(more: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        write_site(tmp_path, users=3, items=3, interactions=8, end=END, **more)


def test_the_schemas_are_those_that_the_docstring_names(clean: dict[str, pa.Table]) -> None:
    def types(table: pa.Table) -> dict[str, str]:
        return {field.name: str(field.type) for field in table.schema}

    assert types(clean["interactions"]) == {
        "user_id": "string", "item_id": "int64", "timestamp": "timestamp[us, tz=UTC]", "event": "string",
    }  # fmt: skip
    assert types(clean["items"]) == {
        "item_id": "int64", "title": "string", "description": "string", "category": "string",
        "tags": "list<element: string>", "kind": "string", "price": "double", "released": "date32[day]",
        "available": "bool",
    }  # fmt: skip
    assert types(clean["users"]) == {
        "user_id": "string", "country": "string", "age_band": "string", "joined": "date32[day]",
        "opted_out": "bool",
    }  # fmt: skip


def test_a_clean_site_has_the_sizes_asked_for_and_unique_known_ids(clean: dict[str, pa.Table]) -> None:
    assert {name: table.num_rows for name, table in clean.items()} == {
        "interactions": 60_000, "items": 2_000, "users": 2_500,
    }  # fmt: skip
    for table, key in [("items", "item_id"), ("users", "user_id")]:
        assert pc.count_distinct(clean[table][key], mode="all").as_py() == clean[table].num_rows
        assert pc.all(pc.is_in(clean["interactions"][key], clean[table][key])).as_py()


def test_events_are_in_order_within_the_window_and_reach_its_last_day(clean: dict[str, pa.Table]) -> None:
    seconds = clean["interactions"]["timestamp"].cast(pa.int64()).to_numpy()
    assert (np.diff(seconds) >= 0).all()
    bounds = pc.min_max(clean["interactions"]["timestamp"]).as_py()
    assert bounds["min"] >= midnight(END - timedelta(days=90))
    assert midnight(END - timedelta(days=1)) <= bounds["max"] < midnight(END)


def test_dirty_rows_are_counted_and_leave_the_good_ones_as_they_are(
    clean: dict[str, pa.Table], site: tuple[dict[str, pa.Table], dict[str, Any]]
) -> None:
    dirty, summary = site
    log, faults = dirty["interactions"], summary["dirty"]["interactions"]
    assert summary["rows"] == {name: table.num_rows for name, table in dirty.items()}
    assert all(count == 30 for count in faults.values())
    assert summary["dirty_rows"] == 6 * 30 + 2 * 1 + 2 * 1 < 0.01 * log.num_rows
    assert log["user_id"].null_count == faults["null_user"]
    assert log["item_id"].null_count == faults["null_item"]
    assert log["timestamp"].null_count == faults["null_timestamp"]
    future = pc.greater_equal(log["timestamp"], midnight(END))
    assert pc.sum(future).as_py() == faults["future"]
    unknown = pc.and_(pc.is_valid(log["item_id"]), pc.invert(pc.is_in(log["item_id"], dirty["items"]["item_id"])))
    assert pc.sum(unknown).as_py() == faults["unknown_item"]
    good = log.filter(pc.invert(pc.or_(future.fill_null(True), unknown))).drop_null()
    assert good.num_rows == clean["interactions"].num_rows + faults["duplicate"]
    assert good.group_by(good.column_names).aggregate([]).num_rows == (
        clean["interactions"].group_by(good.column_names).aggregate([]).num_rows
    )
    assert dirty["items"].slice(0, 2_000) == clean["items"]
    assert dirty["items"]["item_id"].null_count == dirty["users"]["user_id"].null_count == 1


def test_it_looks_like_a_real_site(clean: dict[str, pa.Table]) -> None:
    log, items, users = clean["interactions"], clean["items"], clean["users"]
    views, carts, purchases = (pc.sum(pc.equal(log["event"], e)).as_py() for e in ("view", "cart", "purchase"))
    assert views > 5 * carts > 5 * purchases > 0
    silent = users.num_rows - pc.count_distinct(log["user_id"]).as_py()
    assert 0.05 * users.num_rows < silent < 0.5 * users.num_rows
    assert 0.9 < pc.mean(items["available"].cast(pa.int8())).as_py() < 1
    assert 0 < pc.mean(users["opted_out"].cast(pa.int8())).as_py() < 0.05
    counts = np.sort(np.unique(log["item_id"], return_counts=True)[1])[::-1]
    assert 0.05 < counts[:20].sum() / counts.sum() < 0.3  # the top 1 %: a long tail, no single hit
    hours = np.bincount(pc.hour(log["timestamp"]), minlength=24)
    assert hours[19:22].sum() > 4 * hours[2:5].sum()


def test_no_item_is_seen_before_its_release_and_no_user_before_joining(clean: dict[str, pa.Table]) -> None:
    log = clean["interactions"].join(clean["items"].select(["item_id", "released"]), "item_id")
    log = log.join(clean["users"].select(["user_id", "joined"]), "user_id")
    day = log["timestamp"].cast(pa.date32())
    assert pc.all(pc.less_equal(log["released"], day)).as_py()
    assert pc.all(pc.less_equal(log["joined"], day)).as_py()
    start = END - timedelta(days=90)
    assert pc.sum(pc.greater_equal(clean["items"]["released"], start)).as_py() > 50
    assert pc.sum(pc.greater_equal(clean["users"]["joined"], start)).as_py() > 200


def test_titles_are_distinct_and_some_are_awkward(clean: dict[str, pa.Table]) -> None:
    titles = clean["items"]["title"].to_pylist()
    assert len(set(titles)) == len(titles)
    assert any("<" in title for title in titles)
    assert any("&" in title for title in titles)
    assert any(not title.isascii() for title in titles)


def test_tags_tell_the_category(clean: dict[str, pa.Table]) -> None:
    items = clean["items"]
    category = items["category"].to_numpy()[pc.list_parent_indices(items["tags"]).to_numpy()]
    tag = pc.list_flatten(items["tags"]).to_numpy()
    assert len(np.unique(category)) == 8
    of = {name: {c for c, t in zip(category, tag, strict=True) if t == name} for name in np.unique(tag)}
    assert sum(len(categories) == 1 for categories in of.values()) > 0.8 * len(of)


@pytest.mark.slow
def test_item_neighbors_beat_popularity_on_the_last_week(clean: dict[str, pa.Table]) -> None:
    log = clean["interactions"]
    user, item = (log[key].combine_chunks().dictionary_encode().indices.to_numpy() for key in ("user_id", "item_id"))
    late = pc.greater_equal(log["timestamp"], midnight(END - timedelta(days=7))).to_numpy()
    seen, truth = (np.zeros((user.max() + 1, item.max() + 1), np.float32) for _ in range(2))
    seen[user[~late], item[~late]] = 1
    truth[user[late], item[late]] = 1
    truth[seen > 0] = 0
    measured = truth.any(axis=1) & seen.any(axis=1)
    seen_by, truth = seen[measured], truth[measured]

    def ndcg(scores: NDArray[np.float32]) -> float:
        top = np.argsort(np.where(seen_by > 0, np.inf, -scores), axis=1, kind="stable")[:, :10]
        discount = 1 / np.log2(np.arange(2, 12))
        ideal = np.cumsum(discount)[np.minimum(truth.sum(axis=1).astype(int), 10) - 1]
        return float(np.mean((np.take_along_axis(truth, top, 1) * discount).sum(axis=1) / ideal))

    popularity = seen.sum(axis=0)
    unit = seen / np.sqrt(np.maximum(popularity, 1))
    cosine = unit.T @ unit
    np.fill_diagonal(cosine, 0)
    by_popularity = ndcg(np.broadcast_to(popularity, seen_by.shape))
    by_neighbours = ndcg(seen_by @ cosine)
    assert by_neighbours > 1.5 * by_popularity
    assert 0.03 < by_neighbours < 0.25


@pytest.mark.slow
def test_csv_says_the_same_as_parquet(tmp_path: Path, site: tuple[dict[str, pa.Table], dict[str, Any]]) -> None:
    summary = write_site(tmp_path, **SMALL, format="csv")
    assert summary["rows"] == site[1]["rows"]
    log = pyarrow.csv.read_csv(tmp_path / "interactions.csv", convert_options=pyarrow.csv.ConvertOptions(
        strings_can_be_null=True, timestamp_parsers=["%Y-%m-%d %H:%M:%SZ"],
        column_types={"timestamp": pa.string()}))  # fmt: skip
    parquet = site[0]["interactions"]
    assert log["item_id"].equals(parquet["item_id"])
    assert log["event"].equals(parquet["event"])
    assert pc.sum(pc.equal(log["timestamp"], "yesterday")).as_py() == site[1]["dirty"]["interactions"]["null_timestamp"]
    items = pyarrow.csv.read_csv(tmp_path / "items.csv")
    assert items["title"].equals(site[0]["items"]["title"])
    assert items["tags"][0].as_py() == "|".join(site[0]["items"]["tags"][0].as_py())


@settings(max_examples=16)
@example(users=1, items=1, interactions=1, days=1, end=date(2000, 1, 1), seed=0)
@example(users=12, items=1, interactions=60, days=1, end=date(2100, 1, 1), seed=1)
@example(users=1, items=12, interactions=60, days=40, end=date(2024, 2, 29), seed=2)
@given(
    users=st.integers(1, 12),
    items=st.integers(1, 12),
    interactions=st.integers(1, 60),
    days=st.integers(1, 40),
    end=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    seed=st.integers(0, 2**40),
)
@pytest.mark.slow
def test_even_a_tiny_site_keeps_its_promises(
    tmp_path_factory: pytest.TempPathFactory,
    users: int, items: int, interactions: int, days: int, end: date, seed: int,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("tiny")
    write_site(folder, users=users, items=items, interactions=interactions, days=days, end=end, seed=seed)
    site = tables(folder)
    log = site["interactions"]
    assert (log.num_rows, site["items"].num_rows, site["users"].num_rows) == (interactions, items, users)
    assert all(column.null_count == 0 for column in log.columns)
    bounds = pc.min_max(log["timestamp"]).as_py()
    assert midnight(end - timedelta(days=days)) <= bounds["min"]
    assert midnight(end - timedelta(days=1)) <= bounds["max"] < midnight(end)
    for table, key, born in [("items", "item_id", "released"), ("users", "user_id", "joined")]:
        joined = log.join(site[table].select([key, born]), key, join_type="inner")
        assert joined.num_rows == interactions
        assert pc.all(pc.less_equal(joined[born], joined["timestamp"].cast(pa.date32()))).as_py()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"users": 0}, "users of at least 1, got 0"),
        ({"items": -1}, "items of at least 1, got -1"),
        ({"interactions": 0}, "interactions of at least 1, got 0"),
        ({"days": 0}, "days of at least 1, got 0"),
        ({"seed": -1}, "seed of at least 0, got -1"),
        ({"days": 30_000}, "must lie between 1970 and 2150"),
        ({"end": date(1960, 1, 1)}, "must lie between 1970 and 2150"),
        ({"format": "xlsx"}, "parquet or csv, not as 'xlsx'"),
        ({"dirty": "filthy"}, "none, light or heavy, not 'filthy'"),
    ],
)
def test_impossible_arguments_are_refused_and_nothing_is_written(
    tmp_path: Path, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        write_site(tmp_path / "site", **(SMALL | wrong))
    assert not (tmp_path / "site").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"Cannot write the demo site into .*file/site"):
        write_site(tmp_path / "file" / "site", users=2, items=2, interactions=5, end=END)


def test_writing_again_replaces_the_files_and_leaves_no_others(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_site(tmp_path, users=20, items=10, interactions=100, end=END, seed=seed)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["interactions.parquet", "items.parquet", "users.parquet"]
